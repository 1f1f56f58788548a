"""Storey 5: the only place where configuration and objects meet."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import nn, optim
from lenetcli._tensor import Tensor, from_numpy
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import manual_seed
from lenetcli.config import Component, Config
from lenetcli.data import DataLoader, Source
from lenetcli.errors import ConfigError, LenetError
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn.module import Module
from lenetcli.train.run import Run


@dataclass(frozen=True)
class LayerRow:
    """One line of the layer table: what a layer is, what goes in, what comes out (shapes of one sample)."""

    path: str
    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...] | None  # None: the layer failed
    parameters: int


class _Shapes:
    """Follows one sample through the layers, to infer arguments and to find the layer that does not fit."""

    def __init__(self, config: Config, batch: Tensor) -> None:
        self.config, self.batch = config, batch
        self.rows: list[LayerRow] = []

    @property
    def sample(self) -> tuple[int, ...]:
        return tuple(self.batch.array.shape[1:])

    def build(self, layers: Sequence[Component], kind: type[nn.Sequential] = nn.Sequential) -> nn.Sequential:
        """The layers as one container; `self.batch` becomes its output."""
        modules: OrderedDict[str, Module] = OrderedDict()
        for i, spec in enumerate(layers):
            modules[spec.name or str(i)] = self._layer(spec)
        return kind(modules)

    def _layer(self, spec: Component) -> Module:
        before = self.batch
        if spec.layers:
            module: Module = self.build(spec.layers, spec.cls)
            if spec.cls is nn.Sequential:
                return module
            self.batch = before
        else:
            module = self._construct(spec)
        module.eval()
        try:
            with no_grad():
                output = module(before)
        except (LenetError, RuntimeError, ValueError, IndexError, TypeError) as error:
            raise self._misfit(spec, module, error) from error
        module.train()
        if not isinstance(output, Tensor):
            raise ConfigError(
                self.config.explain(spec.path, f"{spec.type} gives {type(output).__name__}, wanted one tensor")
            )
        self.rows.append(self._row(spec, module, before, tuple(output.array.shape[1:])))
        self.batch = output
        return module

    def _construct(self, spec: Component) -> Module:
        inferred: dict[str, Any] = {}
        for name, index in spec.cls.from_input.items():
            if name in spec.args:
                continue
            try:
                inferred[name] = self.sample[index]
            except IndexError:
                message = f"{spec.type} cannot infer {name} from an input of shape {list(self.sample)}"
                raise ConfigError(self.config.explain(spec.path, message, self._hint(spec))) from None
        try:
            module: Module = spec.cls(**inferred, **spec.args)
        except (LenetError, RuntimeError, ValueError, TypeError, ZeroDivisionError) as error:
            raise ConfigError(self.config.explain(spec.path, f"{spec.type}: {error}")) from error
        return module

    def _row(self, spec: Component, module: Module, before: Tensor, out: tuple[int, ...] | None) -> LayerRow:
        count = sum(p.numel() for p in module.parameters())
        name = f"{spec.path} {spec.name}" if spec.name else spec.path
        return LayerRow(name, spec.type, tuple(before.array.shape[1:]), out, count)

    def _misfit(self, spec: Component, module: Module, error: Exception) -> ConfigError:
        """A layer that does not take its input: the error, the value that would fit, the table of layers so far."""
        rows = [*self.rows, self._row(spec, module, self.batch, None)]
        fits = [
            f"{name}: {self.sample[index]} would fit"
            for name, index in spec.cls.from_input.items()
            if isinstance(index, int) and name in spec.args and -len(self.sample) <= index < len(self.sample)
            and spec.args[name] != self.sample[index]
        ]  # fmt: skip
        message = f"{spec.type} does not take an input of shape {list(self.sample)}: {error}"
        hint = "; ".join(fits) or self._hint(spec)
        return ConfigError(self.config.explain(spec.path, message, hint) + "\n\n" + layer_text(rows))

    def _hint(self, spec: Component) -> str | None:
        if len(self.sample) == 3 and spec.cls is nn.Linear:
            return "put {type: Flatten} before it"
        return None


def layer_text(rows: Sequence[LayerRow]) -> str:
    """The layer table as plain text, for error messages."""
    cells = [("layer", "type", "input", "output", "parameters")]
    cells += [
        (
            r.path,
            r.kind,
            str(list(r.input)),
            "does not fit" if r.output is None else str(list(r.output)),
            f"{r.parameters:,}",
        )
        for r in rows
    ]
    widths = [max(len(c[i]) for c in cells) for i in range(5)]
    return "\n".join("  " + "  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in cells)


def build_model(config: Config) -> tuple[nn.Sequential, list[LayerRow]]:
    """The model with initial weights that follow from the config's seed, and its layer table.

    Raises:
        ConfigError: a layer cannot be made or does not take what the layer before gives.
    """
    manual_seed(config.seed)
    sample = logical(stored(np.zeros((1, *config.model.input), np.float32)))
    shapes = _Shapes(config, from_numpy(sample))
    model = shapes.build(config.model.layers)
    return model, shapes.rows


def build_data(config: Config) -> Source:
    """The data source, without reading any file yet.

    Raises:
        ConfigError: its arguments do not work together.
    """
    source: Source = _component(config, config.data)
    return source


def build_criterion(config: Config) -> Module:
    """The loss."""
    criterion: Module = _component(config, config.loss)
    return criterion


def build_optimizer(config: Config, model: Module) -> tuple[optim.Optimizer, Any]:
    """The optimizer over the model's parameters, and the scheduler or None.

    Raises:
        ConfigError: an argument is out of range, or the model has no parameters.
    """
    optimizer: optim.Optimizer = _component(config, config.optimizer, list(model.parameters()))
    scheduler = None if config.scheduler is None else _component(config, config.scheduler, optimizer)
    return optimizer, scheduler


def _component(config: Config, spec: Component, *first: Any) -> Any:
    try:
        return spec.cls(*first, **spec.args)
    except (ValueError, TypeError, RuntimeError, ConfigError, NotImplementedError) as error:
        raise ConfigError(config.explain(spec.path, f"{spec.type}: {error}")) from error


def build_run(config: Config) -> Run:
    """Everything a training needs.

    Raises:
        ConfigError: the parts do not fit together.
        DataError: the data cannot be read.
    """
    model, _ = build_model(config)
    source = build_data(config)
    criterion = build_criterion(config)
    optimizer, scheduler = build_optimizer(config, model)
    check_samples(config, source)
    train = config.train
    return Run(
        model,
        criterion,
        optimizer,
        DataLoader(source.train, train.batch_size, shuffle=train.shuffle, drop_last=train.drop_last, seed=config.seed),
        DataLoader(source.test, train.eval_batch_size or 256),
        train.epochs,
        scheduler,
        tuple(source.classes),
    )


def check_samples(config: Config, source: Source) -> None:
    """Refuses data whose samples are not what the model's input says.

    Raises:
        ConfigError: the shapes differ.
    """
    shape, wanted = tuple(source.train.sample_shape), tuple(config.model.input)
    if shape != wanted:
        hint = (
            f"resize: [{wanted[1]}, {wanted[2]}] under data would fit"
            if len(wanted) == 3 and wanted[0] == shape[0]
            else None
        )
        message = f"the model's input is {list(wanted)}, a sample of {config.data.type} is {list(shape)}"
        raise ConfigError(config.explain("model.input", message, hint or f"input: {list(shape)} would fit"))


def load_config_of(directory: Path) -> Path:
    """The config.yaml of a run directory.

    Raises:
        ConfigError: it is no run directory.
    """
    path = directory / "config.yaml"
    if not path.is_file():
        raise ConfigError(f"{directory}: not a run directory (no config.yaml in it)")
    return path
