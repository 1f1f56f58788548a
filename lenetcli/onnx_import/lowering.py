"""A net of operators as layers: each operator's function stands in the file of its family, marked `@reads("Conv")`.

Layers keep pictures as (N, C, H, W). Where a file has them as (N, H, W, C), nothing is turned: what flows remembers
which of the layer's axes each of the file's is, and a flattened picture remembers the order of its columns, until a
layer with weights takes both up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lenetcli.onnx_import import paths
from lenetcli.onnx_import.net import Array, Net, Node, Sizes

INPUT = -1  # the place of what enters the net, among those of layers
Read = Callable[["Reader", Node], "Flow | None"]


@dataclass
class Layer:
    """One layer of the configuration to be.

    Args:
        inputs: places of the layers whose outputs it takes.
        weights: parameters and buffers, by their names in the layer.
        path: of the module that it was, as far as names tell.
        affine: the place of the layer that takes up factors and offsets of this one's output; None: itself, if any.
    """

    type: str
    args: dict[str, Any]
    inputs: list[int]
    weights: dict[str, Array] = field(default_factory=dict)
    path: str = ""
    label: str = ""
    affine: int | None = None


@dataclass(frozen=True)
class Flow:
    """A value of the file as a layer gives it.

    Args:
        at: the layer's place.
        axes: which of the layer's axes each of the file's is; None: the same.
        order: where in the layer's flat output each of the file's columns is; None: the same.
    """

    at: int
    axes: Sizes | None = None
    order: Array | None = None

    @property
    def plain(self) -> bool:
        """The file and the layer have it alike."""
        return self.axes is None and self.order is None


class Reader:
    """Makes layers of the operators, one after the other."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.layers: list[Layer] = []
        self.flows: dict[str, Flow] = {}
        self.names: dict[int, list[str]] = {}  # of what each layer gives
        self.uses = net.users()
        self.notes: list[str] = []
        self.in_training = False  # the file does what layers do in training, at random or by the batch

    def run(self, given: Flow) -> list[Flow]:
        """The layers of the whole net; gives what its outputs are.

        Raises:
            NotImportable: an operator that no layer stands for.
        """
        self.flows[self.net.input] = given
        for node in self.net.nodes:
            read = READERS.get(node.op)
            if read is None:
                raise node.refusal("is an operator that no layer here stands for")
            found = read(self, node)
            if found is not None:
                self.flows[node.output] = found
                self.names.setdefault(found.at, []).append(node.output)
        return [self.flows[name] for name in self.net.outputs]

    def shape(self, name: str) -> Sizes:
        """Sizes as the file has them."""
        return self.net.shapes[name]

    def flow(self, node: Node, at: int = 0) -> Flow:
        """An input that comes from the samples.

        Raises:
            NotImportable: it is a constant, or a result that is not read.
        """
        name = node.inputs[at]
        if name not in self.flows:
            what = "a constant" if name in self.net.constants else "a result that is not read"
            raise node.refusal(f"its input {name!r} is {what}; only what comes from the samples is read there")
        return self.flows[name]

    def plain(self, node: Node, at: int = 0) -> Flow:
        """An input whose axes are those of the layers.

        Raises:
            NotImportable: it is turned.
        """
        found = self.flow(node, at)
        if not found.plain:
            shape = list(self.shape(node.inputs[at]))
            raise node.refusal(f"takes {shape}, which are turned (channels last): no layer does that here")
        return found

    def constant(self, node: Node, at: int) -> Array | None:
        """An input that is a constant; None where it is left out.

        Raises:
            NotImportable: it comes from the samples.
        """
        if at >= len(node.inputs) or not node.inputs[at]:
            return None
        if node.inputs[at] not in self.net.constants:
            raise node.refusal(f"its input {node.inputs[at]!r} comes from the samples; only constants are read there")
        return self.net.constants[node.inputs[at]]

    def floats(self, node: Node, at: int) -> Array | None:
        """A constant as float32.

        Raises:
            NotImportable: it is of integers, or comes from the samples.
        """
        found = self.constant(node, at)
        if found is not None and found.dtype.kind != "f":
            raise node.refusal(f"its input {node.inputs[at]!r} is {found.dtype}; wanted floats")
        return None if found is None else found.astype(np.float32, copy=False)

    def is_constant(self, name: str) -> bool:
        return name in self.net.constants

    def add(
        self,
        node: Node,
        kind: str,
        args: dict[str, Any] | None = None,
        inputs: Sequence[int] = (),
        weights: Mapping[str, Array | None] | None = None,
        path: str | None = None,
    ) -> int:
        """A layer; gives its place."""
        kept = {name: array for name, array in (weights or {}).items() if array is not None}
        made = Layer(kind, args or {}, list(inputs), kept, node.path if path is None else path, node.label)
        self.layers.append(made)
        return len(self.layers) - 1

    def path(self, node: Node, *places: int) -> str:
        """The module that a node with weights is: by their names, else by its own."""
        for at in places:
            if at < len(node.inputs) and (found := paths.of_array(node.inputs[at])):
                return found
        return node.path

    def alone(self, name: str) -> bool:
        """Only one operator takes a value, so that the layer that gives it may give something else."""
        return self.uses.get(name, 0) == 1

    def before(self, node: Node, at: int = 0) -> Layer | None:
        """The layer that gives an input, where nobody else takes what it gives, as it is or turned."""
        flow = self.flows.get(node.inputs[at])
        alone = flow is not None and flow.at >= 0 and all(map(self.alone, self.names.get(flow.at, ())))
        return self.layers[flow.at] if flow is not None and alone else None


READERS: dict[str, Read] = {}


def reads(*ops: str) -> Callable[[Read], Read]:
    """Marks the function that reads these operators."""

    def register(function: Read) -> Read:
        for op in ops:
            READERS[op] = function
        return function

    return register


def dims_of(reader: Reader, node: Node) -> int:
    """Dimensions of the picture that a layer with windows takes: 1, 2 or 3.

    Raises:
        NotImportable: it has others.
    """
    dims = len(reader.shape(node.inputs[0])) - 2
    if dims not in (1, 2, 3):
        raise node.refusal(f"takes {dims + 2} dimensions; sequences (3), pictures (4) and volumes (5) are read")
    return dims


def per_channel(constant: Array, shape: Sizes, axis: int) -> Array | None:
    """A constant as one number for each place of an axis; None where it differs along others, or makes sizes grow."""
    if constant.ndim > len(shape):
        if any(n != 1 for n in constant.shape[: constant.ndim - len(shape)]):
            return None
        constant = constant.reshape(constant.shape[constant.ndim - len(shape) :])
    sizes = (1,) * (len(shape) - constant.ndim) + constant.shape
    if any(n != 1 for i, n in enumerate(sizes) if i != axis) or sizes[axis] not in (1, shape[axis]):
        return None
    return np.broadcast_to(constant.reshape(-1), (shape[axis],)).astype(np.float32)


def one_or_each(values: Sequence[int]) -> int | list[int]:
    """As a configuration has it: one number where all are the same."""
    return int(values[0]) if len(set(values)) == 1 else [int(v) for v in values]


def product(sizes: Sequence[int]) -> int:
    return math.prod(sizes)


def moved(flow: Flow, at: int) -> Flow:
    """The same axes, of another layer's output."""
    return replace(flow, at=at)
