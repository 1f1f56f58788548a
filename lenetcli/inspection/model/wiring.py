"""A model as its layers and what each takes: the branches that a list of layers does not show."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lenetcli import nn
from lenetcli.inspection.model.summary import summary
from lenetcli.nn.graph import INPUT
from lenetcli.nn.module import Module

ENTERS = -1  # the number of what enters the model


@dataclass(frozen=True)
class Place:
    """A layer of the model.

    Args:
        path: of its module; of the sum of a Residual, that block's.
        kind: its class.
        inputs: numbers of the layers whose values it takes; ENTERS: what enters the model.
        output: shape of what it gives for one sample; None where that is no tensor.
        parameters: its numbers that are learnt.
        leaves: its value is one of the model's outputs.
    """

    path: str
    kind: str
    inputs: tuple[int, ...]
    output: list[int] | None
    parameters: int
    leaves: bool = False


def wired(model: Module, sample: tuple[int, ...]) -> list[Place]:
    """The layers in the order of their calls; those within Sequential, Residual and Graph, not these themselves.

    Args:
        sample: the shape of one sample, without N.

    Example:
        >>> from lenetcli import nn
        >>> found = wired(nn.Residual(nn.Linear(4, 4), nn.ReLU()), (4,))
        >>> [(place.path, place.kind, place.inputs) for place in found]
        [('0', 'Linear', (-1,)), ('1', 'ReLU', (0,)), ('', 'Add', (1, -1))]
    """
    walk = _Walk({layer.path: layer.output for layer in summary(model, sample).layers})
    walk.through(model, "", ENTERS)
    outputs = set(walk.outputs or [len(walk.found) - 1])
    return [replace(place, leaves=i in outputs) for i, place in enumerate(walk.found)]


class _Walk:
    def __init__(self, shapes: dict[str, list[int] | None]) -> None:
        self.shapes, self.found = shapes, list[Place]()
        self.outputs: list[int] = []  # of the model, where it has several

    def through(self, module: Module, path: str, source: int) -> int:
        """Notes a module's layers; gives the number of the one whose value comes out, the first of several."""
        if type(module) is nn.Graph:
            return self._graph(module, path, source)
        if type(module) in (nn.Sequential, nn.Residual):
            last = source
            for name, child in module.named_children():
                last = self.through(child, f"{path}.{name}" if path else name, last)
            return last if type(module) is nn.Sequential else self._add("Add", path, (last, source), 0)
        return self._layer(module, path, (source,))

    def _graph(self, graph: nn.Graph, path: str, source: int) -> int:
        values, wiring = {INPUT: source}, graph.wiring
        for name, inputs in wiring.wires.items():
            child, taken = graph[name], tuple(values[given] for given in inputs)
            below = f"{path}.{name}" if path else name
            values[name] = self.through(child, below, taken[0]) if len(taken) == 1 else self._layer(child, below, taken)
        if isinstance(wiring.outputs, str):
            return values[wiring.outputs]
        if not path:
            self.outputs = [values[name] for name in wiring.outputs]
        return values[wiring.outputs[0]]

    def _layer(self, module: Module, path: str, inputs: tuple[int, ...]) -> int:
        return self._add(type(module).__name__, path, inputs, sum(p.numel() for p in module.parameters()))

    def _add(self, kind: str, path: str, inputs: tuple[int, ...], parameters: int) -> int:
        self.found.append(Place(path, kind, inputs, self.shapes.get(path), parameters))
        return len(self.found) - 1
