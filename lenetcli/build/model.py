"""The model of a configuration: its layers are made one by one, and a sample follows them from shape to shape."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from lenetcli import nn
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import Generator, drawing_from
from lenetcli.build.freezing import Freezing, freezing_of
from lenetcli.build.graph import assembled, joined_size, joining, named, sources, unfit
from lenetcli.build.initial_weights import InitialWeights, given_weights
from lenetcli.config import Component, Config, dotted
from lenetcli.config.catalogue import ROLES, is_stand_in
from lenetcli.config.problems import Hint, InvalidConfig
from lenetcli.config.signature import Argument
from lenetcli.config.size_limits import MOST_IN_SAMPLE, too_large
from lenetcli.config.user_code import NotImported, function, is_own, load, told
from lenetcli.errors import ConfigError, LenetError
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn.graph import INPUT
from lenetcli.nn.module import Module
from lenetcli.tensors.creation import tensor
from lenetcli.tensors.tensor import Tensor, from_numpy

MOST_CHANNELS = 4  # of a picture

Given = Any  # what a layer gives: a Tensor, or (output, state) of a recurrent layer
Taken = tuple[str, Component | None, Given]  # what a layer takes: a name, the layer of that name, its value


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table: what a layer is, what goes in, what comes out (shapes of one sample)."""

    path: str
    kind: str
    input: tuple[int, ...]  # the first one's
    output: tuple[int, ...] | None  # None: the layer failed
    parameters: int
    others: tuple[tuple[int, ...], ...] = ()  # shapes of further inputs

    @property
    def taken(self) -> str:
        """The shapes of all inputs."""
        return ", ".join(str(list(shape)) for shape in (self.input, *self.others))


class Shapes:
    """Follows one sample through the layers, to infer arguments and to find the layer that does not fit."""

    def __init__(self, config: Config, batch: Tensor) -> None:
        self.config = config
        self.batch: Given = batch
        self.rows: list[LayerRow] = []
        self.weights = 0  # of the layers made so far
        self.model: Module = nn.Sequential()
        self.inferred: dict[Any, dict[str, Any]] = {}  # by the layer's path and serial number
        self._around: list[tuple[Component, str]] = []  # the layers that are being made, with their names
        self.random = Generator().manual_seed(config.seed)  # what initial weights are drawn from
        self.initial: InitialWeights | None = None
        self.freezing: Freezing | None = None

    @property
    def sample(self) -> tuple[int, ...]:
        return sizes(self.batch)

    def follow(self, layers: Sequence[Component]) -> None:
        """Makes the model, layer by layer."""
        with drawing_from(self.random):
            self.model = whole(self.config, self.build(layers, outputs=self.config.model.outputs))

    def build(
        self, layers: Sequence[Component], kind: type[nn.Sequential] = nn.Sequential, outputs: Sequence[str] = ()
    ) -> Module:
        """The layers as one module; `self.batch` becomes its output, the first one of several."""
        modules: OrderedDict[str, Module] = OrderedDict()
        values, givers = {INPUT: self.batch}, dict(zip(named(layers), layers))
        around = self._around[-1][0] if self._around else None
        for i, (name, spec) in enumerate(givers.items()):
            taken = [(source, givers.get(source, around), values[source]) for source in sources(layers, i)]
            self._around.append((spec, name))
            modules[name] = self._layer(spec, taken)
            self._around.pop()
            values[name] = self.batch
        found = assembled(kind, modules, layers, outputs)
        for last in outputs or (name,):
            self._check_state(givers[last], values[last], None)
        self.outputs = [sizes(values[name]) for name in outputs]
        self.batch = values[outputs[0] if outputs else name]
        return found

    def _layer(self, spec: Component, taken: Sequence[Taken]) -> Module:
        inputs = [value for _, _, value in taken]
        self.batch = inputs[0]
        if spec.layers:
            module = self.build(spec.layers, spec.cls)
            if spec.cls is nn.Sequential:
                return module
            self.batch = inputs[0]
        else:
            self._check_joined(spec, inputs)
            for _, giver, value in taken:
                self._check_state(giver, value, spec)
            module = self._construct(spec)
        module.eval()
        try:
            with no_grad():
                output = module(*inputs)
        except refusals(spec) as error:
            raise self._misfit(spec, module, taken, error) from error
        module.train()
        if not isinstance(output, Tensor) and not getattr(spec.cls, "gives_state", False):
            raise self.config.error(spec.path, f"{spec.type} gives {type(output).__name__}, wanted one tensor")
        self.rows.append(self._row(spec, module, inputs, sizes(output)))
        self.batch = output
        return module

    def _check_state(self, giver: Component | None, value: Given, taker: Component | None) -> None:
        """Refuses a state beside an output where nothing takes it."""
        if (
            isinstance(value, Tensor)
            or giver is None
            or (taker is not None and getattr(taker.cls, "takes_state", False))
        ):
            return
        who = "the model" if taker is None else taker.type
        message = f"{giver.type} gives its outputs and a state, and {who} takes one tensor"
        where = giver.path if taker is None else taker.path
        text = "{type: Steps, at: -1}"
        hint = f"put {text} {'behind' if taker is None else 'before'} it for the last step's output, or {{type: Steps}}"
        raise self.config.error(where, message, *([hint] if taker is None else [Hint(hint, insert=(where, text))]))

    def _construct(self, spec: Component) -> Module:
        inferred: dict[str, Any] = {}
        for name, value in spec.cls.in_config.items():
            if spec.args.get(name) != value:
                word = str(value).lower()
                message = f"{spec.type} takes samples first in a configuration: {name} must be {word}"
                raise self.config.error(spec.path, message, f"add {name}: {word}", self._used_by())
        for name, index in spec.cls.from_input.items():
            if name in spec.args:
                continue
            try:
                inferred[name] = self.sample[index]
            except IndexError:
                message = f"{spec.type} cannot infer {name} from an input of shape {list(self.sample)}"
                raise self.config.error(spec.path, message, self._hint(spec), self._used_by()) from None
        self._check_size(spec, inferred)
        if inferred:
            self.inferred[spec.path, spec.serial] = inferred
        try:
            module: Module = made(self.config, spec, **inferred)
        except InvalidConfig as error:
            used = self._used_by()
            if not used:
                raise
            raise InvalidConfig([replace(p, hints=(*p.hints, used)) for p in error.problems], error.more) from error
        self.weights += sum(p.numel() for p in module.parameters())
        return module

    def _check_size(self, spec: Component, inferred: dict[str, Any]) -> None:
        """Refuses a layer of an absurd size before it asks for memory; a user's own class may do as it likes."""
        args = {**spec.args, **inferred}  # the first of equals is blamed: one that the config gives
        found = too_large(spec.type, args, self.sample, self.weights) if not is_own(spec.type) else None
        if found is not None:
            path = spec.path if found.argument is None else spec.at(found.argument)
            message = f"{spec.type} is too large: {found.count:,} {found.what}, at most {found.most:,}"
            raise self.config.error(path, message, self._used_by())

    def _check_joined(self, spec: Component, inputs: Sequence[Given]) -> None:
        """Refuses to join inputs into something of an absurd size."""
        if len(inputs) > 1 and not is_own(spec.type):
            count = joined_size([sizes(value) for value in inputs], spec.cls is nn.Concat)
            if count > MOST_IN_SAMPLE:
                message = f"{spec.type} is too large: {count:,} numbers in its result for one sample"
                raise self.config.error(spec.path, f"{message}, at most {MOST_IN_SAMPLE:,}", self._used_by())

    def _used_by(self) -> str:
        """Which use of a block is meant, where the layer at hand is a block's."""
        uses = [spec for spec, _ in self._around]
        if not uses or uses[-1].path[:2] != ("model", "blocks"):
            return ""
        outer = next(spec for spec in uses if spec.path[:2] != ("model", "blocks"))
        where = self.config.document.place(outer.path) if self.config.document is not None else None
        line = "" if where is None or not where.source.is_file else f" (line {where.line + 1})"
        return f"in {'.'.join(name for _, name in self._around)}, by {dotted(outer.path)}{line}"

    def _row(self, spec: Component, module: Module, inputs: Sequence[Given], out: tuple[int, ...] | None) -> LayerRow:
        count = sum(p.numel() for p in module.parameters())
        name = " ".join(filter(None, (dotted(spec.path), spec.name)))
        if spec.path[:2] == ("model", "blocks"):
            outer = next(spec for spec, _ in self._around if spec.path[:2] != ("model", "blocks"))
            name = f"{dotted(outer.path)} {'.'.join(name for _, name in self._around)}"
        first, *others = map(sizes, inputs)
        return LayerRow(name, spec.type, first, out, count, tuple(others))

    def _misfit(self, spec: Component, module: Module, taken: Sequence[Taken], error: Exception) -> ConfigError:
        """A layer that does not take its input: the error, the value that would fit, the table of layers so far."""
        rows = [*self.rows, self._row(spec, module, [value for _, _, value in taken], None)]
        if len(taken) > 1:
            given = [(name, giver, sizes(value)) for name, giver, value in taken]
            why = told(error) if is_own(spec.type) else told(error).partition(", got")[0]
            message = f"{unfit(self.config, spec, given)}: {why}"
            more = layer_text(rows)
            return self.config.error(spec.at("from"), message, *joining(spec, given), self._used_by(), more=more)
        fits = {
            name: self.sample[index]
            for name, index in spec.cls.from_input.items()
            if name in spec.args and isinstance(index, int) and -len(self.sample) <= index < len(self.sample)
            and spec.args[name] != self.sample[index]
        }  # fmt: skip
        flatten = self._hint(spec)
        hints: list[str] = [flatten] if flatten else [_would_fit(name, size, fits) for name, size in fits.items()]
        path = spec.at(next(iter(fits))) if fits and not flatten else spec.path
        message = f"{spec.type} does not take an input of shape {list(self.sample)}: {told(error)}"
        return self.config.error(path, message, *hints, self._used_by(), more=layer_text(rows))

    def _hint(self, spec: Component) -> str:
        plane = spec.type.replace("1d", "2d").replace("3d", "2d")
        if len(self.sample) == 3 and plane != spec.type and plane in ROLES["layers"].classes:
            change = f"{dotted(spec.path)}.type={plane}"
            return Hint(f"{plane} takes pictures: {change}", sets=(change,))
        if len(self.sample) > 1 and (spec.cls is nn.Linear or ("1d" in spec.type and len(self.sample) == 3)):
            return Hint("put {type: Flatten} before it", insert=(spec.path, "{type: Flatten}"))
        if "2d" in spec.type and len(self.sample) == 2 and self.sample == self.config.model.input:
            shape = [1, *self.sample]
            return Hint(f"input: {shape} under model would fit: C, H, W", sets=(f"model.input={shape}",))
        if "2d" in spec.type and self.sample == self.config.model.input and is_channels_last(self.sample):
            shape = [self.sample[2], *self.sample[:2]]
            return Hint(f"input: {shape} under model would fit: C, H, W", sets=(f"model.input={shape}",))
        return ""


def sizes(given: Given) -> tuple[int, ...]:
    """The shape of one sample of what a layer gives, beside its state where there is one."""
    return tuple((given if isinstance(given, Tensor) else given[0]).array.shape[1:])


def _would_fit(name: str, size: int, fits: Mapping[str, int]) -> Hint:
    """The hint for one argument; the first is what the message points at."""
    return Hint(f"{name}: {size} would fit", write=str(size) if name == next(iter(fits)) else None)


def is_channels_last(shape: Sequence[int]) -> bool:
    """The shape of a picture whose channels come last, as most libraries for pictures have them."""
    return len(shape) == 3 and shape[2] <= MOST_CHANNELS < min(shape[:2])


def layer_text(rows: Sequence[LayerRow]) -> str:
    """The layer table as plain text, for error messages."""
    cells = [("layer", "type", "input", "output", "parameters")]
    cells += [
        (
            r.path,
            r.kind,
            r.taken,
            "does not fit" if r.output is None else str(list(r.output)),
            f"{r.parameters:,}",
        )
        for r in rows
    ]
    widths = [max(len(c[i]) for c in cells) for i in range(5)]
    return "\n".join("  " + "  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in cells)


def output_text(config: Config, rows: Sequence[LayerRow]) -> str:
    """The shape of what the model gives for one sample, with the names of several outputs."""
    if not config.model.outputs:
        return str(list(rows[-1].output or ()))
    found = {}
    for name in config.model.outputs:
        (at,) = [i for i, layer in enumerate(config.model.layers) if layer.name == name]
        start = dotted(config.model.layers[at].path)
        found[name] = [row for row in rows if row.path.split()[0] == start or row.path.startswith(f"{start}.")][-1]
    return ", ".join(f"{name} {list(row.output or ())}" for name, row in found.items())


def build_model(config: Config) -> tuple[Module, list[LayerRow]]:
    """The model with the weights that a run begins with, which follow from seed and `model.init`; its layer table.

    Raises:
        ConfigError: a layer cannot be made or does not take what the layer before gives.
        DataError: the weights of `model.init` cannot be read, or are of another model.
    """
    shapes = follow(config)
    return shapes.model, shapes.rows


def follow(config: Config) -> Shapes:
    """One sample's way through the model, which is made on the way: as a run begins with it.

    Raises:
        ConfigError: a layer does not fit, or what is frozen is not there.
        DataError: the weights that it begins with cannot be read, or are of another model.
    """
    shapes = _beginning(config)
    shapes.follow(config.model.layers)
    shapes.initial = given_weights(config, shapes.model)
    shapes.freezing = freezing_of(config, shapes.model)
    if shapes.freezing is not None:
        shapes.freezing.apply(shapes.model, epochs=0)
    return shapes


def _beginning(config: Config) -> Shapes:
    if math.prod(config.model.input) > MOST_IN_SAMPLE:
        message = f"wanted at most {MOST_IN_SAMPLE:,} numbers in a sample, got {math.prod(config.model.input):,}"
        raise config.error(("model", "input"), message)
    sample = logical(stored(np.zeros((1, *config.model.input), np.float32)))
    return Shapes(config, from_numpy(sample))


def whole(config: Config, layers: Any) -> Module:
    """The model of these layers: a user's own class that is all of it, without a name, is the model itself.

    So its tensors have the names that a script gives them, and a checkpoint of that class fits.
    """
    (first, *others) = config.model.layers
    return layers[0] if is_own(first.type) and first.name is None and not others else layers


def under_own_names(model: Module, tensors: dict[Any, Any]) -> dict[Any, Any]:
    """A run's tensors under the model's names: older runs have an own class that is the whole model as layer 0."""
    own = model.state_dict()
    if own.keys() == tensors.keys() or {f"0.{key}" for key in own} != set(tensors):
        return tensors
    return {key: tensors[f"0.{key}"] for key in own}


def resolved(config: Config) -> Config:
    """The config with every inferred argument written in: up to the first layer that is only looked at, not imported.

    Raises:
        ConfigError: as build_model.
    """
    shapes = _beginning(config)
    with suppress(NotImported):
        shapes.follow(config.model.layers)
    return filled(config, shapes)


def filled(config: Config, shapes: Shapes) -> Config:
    """The config with the arguments written in that were inferred on the way."""

    def fill(spec: Component) -> Component:
        args = {**shapes.inferred.get((spec.path, spec.serial), {}), **spec.args}
        return replace(spec, args=args, layers=tuple(map(fill, spec.layers)))

    return replace(config, model=replace(config.model, layers=tuple(map(fill, config.model.layers))))


def made(config: Config, spec: Component, *first: Any, **more: Any) -> Any:
    """The component's object; what a config cannot hold is made of what it has: tensors of numbers, functions of names.

    Raises:
        ConfigError: the constructor refuses its arguments.
    """
    if is_stand_in(spec.cls):
        load(spec.type)  # which refuses, and says what would allow it
    args = dict(spec.args)
    for argument in spec.known:
        if argument.is_tensor and args.get(argument.name) is not None:
            args[argument.name] = tensor(args[argument.name])
        functions = [function(name) for name in argument.functions(args.get(argument.name))]
        if functions:
            args[argument.name] = functions if isinstance(args[argument.name], list) else functions[0]
        if argument.record is not None and isinstance(args.get(argument.name), BaseModel):
            args[argument.name] = _record(config, spec, argument)
    try:
        return spec.cls(*first, **more, **args)
    except MemoryError:
        raise config.error(spec.path, f"{spec.type}: not enough memory for arrays of this size") from None
    except refusals(spec) as error:
        raise config.error(spec.path, f"{spec.type}: {told(error)}") from error


def refusals(spec: Component) -> tuple[type[Exception], ...]:
    """What a component may raise where it is not as wanted: a user's own class anything, ours nothing unforeseen."""
    foreseen = (LenetError, RuntimeError, ValueError, IndexError, TypeError, ZeroDivisionError)
    return (Exception,) if is_own(spec.type) else foreseen


def _record(config: Config, spec: Component, argument: Argument) -> Any:
    """The dataclass that a constructor wants where the config has a mapping."""
    assert argument.record is not None
    try:
        return argument.record(**spec.args[argument.name].model_dump())
    except (ConfigError, ValueError, TypeError) as error:
        raise config.error(spec.at(argument.name), f"{spec.type}: {error}") from error
