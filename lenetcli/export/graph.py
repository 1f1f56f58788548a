"""A graph of ONNX's operators, and what a layer's function needs to add its own.

That function stands in the file of the layer's family, marked `@lowers(its class)`. It gets the layer, a builder and
the value that goes in, and gives the name of what comes out. Sizes are known, all but that of the batch, which is the
first dimension everywhere; so it may work out at export what depends on sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import ConfigError
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor

Array = npt.NDArray[Any]
Lowering = Callable[[Any, "Builder", "Value"], str]

FLOAT, INDEX = np.dtype(np.float32), np.dtype(np.int64)


class NotExportable(ConfigError):
    """A layer that the format cannot express; the message names it."""


@dataclass(frozen=True)
class Value:
    """What flows between nodes: its name and its sizes, of which the first is the batch."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operator. Inputs are names of values or constants; an empty name stands for one that is left out."""

    op: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]
    layer: str  # the path of the layer that it belongs to


@dataclass
class Graph:
    """Operators in the order they run, and the constants they use: weights under their names in the state dict."""

    input: Value
    kind: np.dtype[Any]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)  # of each layer's input, by its path
    output: Value = field(default_factory=lambda: Value("", ()))


class Builder:
    """Adds the nodes of one layer to a graph."""

    def __init__(self, graph: Graph, names: dict[int, str]) -> None:
        self.graph, self._names = graph, names
        self._taken = {graph.input.name, *names.values()}
        self.path, self.layer = "", Module()

    def add(self, op: str, *inputs: str | Array | None, **attributes: Any) -> str:
        """A node; arrays among its inputs become constants, None leaves an input out. Gives the name of its output."""
        name = self._free(self.path or op)
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        found = tuple("" if x is None else x if isinstance(x, str) else self._constant(name, x) for x in inputs)
        self.graph.nodes.append(Node(op, found, name, attributes, self.path))
        return name

    def weight(self, tensor: Tensor | None) -> str | None:
        """A parameter or buffer of the model, as a constant under its name there."""
        if tensor is None:
            return None
        array, name = tensor.array, self._names[id(tensor)]
        if array.dtype.kind == "f" and array.dtype != FLOAT:
            raise self.refusal(f"{name} is {array.dtype}; only float32 is exported: convert the model with .float()")
        self.graph.constants.setdefault(name, np.asarray(array, order="C"))
        return name

    def column(self, tensor: Tensor, behind: int) -> str | Array | None:
        """A parameter of one number per channel, shaped to broadcast where `behind` dimensions follow the channels."""
        if behind == 0 or tensor.numel() == 1:
            return self.weight(tensor)
        self.weight(tensor)  # refuses other types
        return tensor.array.reshape(-1, *(1,) * behind)

    def refusal(self, reason: str) -> NotExportable:
        """The error that names the layer and says why it cannot be exported."""
        return NotExportable(f"{self.path or 'the model'} ({type(self.layer).__name__}): cannot be exported: {reason}")

    def check_dims(self, x: Value, *wanted: int) -> None:
        """Refuses an input of another number of dimensions: one that the layer takes for a sample without a batch."""
        if len(x.shape) not in wanted:
            raise self.refusal(
                f"its input has {len(x.shape)} dimensions with the batch, wanted {' or '.join(map(str, wanted))}"
            )

    def _constant(self, owner: str, array: Array) -> str:
        name = self._free(f"{owner}.constant")
        self.graph.constants[name] = np.asarray(array, order="C")  # ascontiguousarray would give a scalar a dimension
        return name

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}.{number}"
        self._taken.add(name)
        return name


LOWERINGS: dict[type[Module], Lowering] = {}


def lowers(*layers: type[Module]) -> Callable[[Lowering], Lowering]:
    """Marks the function that lowers these layers."""

    def register(function: Lowering) -> Lowering:
        for layer in layers:
            LOWERINGS[layer] = function
        return function

    return register
