"""Branches of YAML -> one Module: layers that say what they take are a graph, a chain is a graph without names."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

from lenetcli import nn
from lenetcli.config import Component, Config
from lenetcli.nn.graph import INPUT
from lenetcli.nn.module import Module

SUM = "sum"  # the layer that adds what enters a Residual of branches


def named(layers: Sequence[Component]) -> list[str]:
    """The names of a list's layers in its module: where one has none, its number."""
    return [spec.name or str(i) for i, spec in enumerate(layers)]


def is_graph(layers: Sequence[Component], outputs: Sequence[str] = ()) -> bool:
    """Whether a list of layers is more than a chain."""
    return any(spec.inputs for spec in layers) or len(outputs) > 1 or outputs not in ((), (layers[-1].name,))


def sources(layers: Sequence[Component], i: int) -> tuple[str, ...]:
    """The names of what a layer takes."""
    return layers[i].inputs or ((named(layers)[i - 1] if i else INPUT),)


def assembled(
    kind: type[nn.Sequential],
    modules: OrderedDict[str, Module],
    layers: Sequence[Component],
    outputs: Sequence[str] = (),
) -> Module:
    """The module of a list's layers: a Sequential (or a class like it), or a Graph where there are branches."""
    if not is_graph(layers, outputs):
        return kind(modules)
    names, wires = list(modules), {name: spec.inputs for name, spec in zip(modules, layers) if spec.inputs}
    if kind is nn.Residual:
        last = SUM if SUM not in names else f"{SUM}_{len(names)}"
        modules[last], wires[last] = nn.Add(), (names[-1], INPUT)
    return nn.Graph(modules, wires, outputs[0] if len(outputs) == 1 else tuple(outputs) or None)


Giver = tuple[str, Component | None, tuple[int, ...]]  # of an input: its name, what it is of, its shape


def unfit(config: Config, spec: Component, givers: Sequence[Giver]) -> str:
    """What to say of inputs that a layer cannot join: each with its name, shape and line.

    Args:
        givers: of each input; what is of no layer comes from the model's input.
    """
    parts = []
    for name, giver, shape in givers:
        path = ("model", "input") if giver is None else giver.path
        where = config.document.place(path) if config.document is not None else None
        parts.append(f"{name} {list(shape)}{'' if where is None else f' (line {where.line + 1})'}")
    return f"{spec.type} does not take {' and '.join(parts)}"


def joining(spec: Component, givers: Sequence[Giver]) -> list[str]:
    """What would make inputs fit each other, where that is known."""
    (first, _, wanted), *others = givers
    for name, _, shape in others:
        if len(shape) != len(wanted):
            return [f"both need as many dimensions: {name} has {len(shape)}, {first} {len(wanted)}"]
        if shape[0] != wanted[0] and spec.cls is nn.Add and len(shape) == 3:
            factor = wanted[1] / shape[1] if shape[1] else 0
            stride = (
                f", stride: {round(1 / factor)}"
                if 0 < factor < 1 and wanted[1] == -(-shape[1] // round(1 / factor))
                else ""
            )
            return [
                f"a {{type: Conv2d, out_channels: {wanted[0]}, kernel_size: 1{stride}}} from {name} would fit {first}"
            ]
        if shape[1:] != wanted[1:] and len(shape) == 3 and spec.cls is not nn.Multiply:
            larger, smaller = (name, first) if shape[1] > wanted[1] else (first, name)
            return [f"{larger} is larger: padding before {smaller}, or a stride after {larger}, makes them alike"]
    return []


def joined_size(shapes: Sequence[tuple[int, ...]], appended: bool) -> int:
    """At most so many numbers come of joining samples of these shapes."""
    if appended:
        return sum(map(math.prod, shapes))
    return math.prod(max(sizes) for sizes in zip(*shapes))
