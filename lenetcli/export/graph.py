"""A graph of ONNX's operators, and what an op's function needs to add its own.

That function stands in the file of the op's family, marked `@lowers(the op)`. It gets a builder and the op's operands
and parameters under their own names, and gives the name of what comes out. Sizes are known, all but those that grow
with the number of samples; so it may work out at export what depends on sizes.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import byte_bounds

from lenetcli.errors import ConfigError
from lenetcli.export.places import Place

Array = npt.NDArray[Any]
Lowering = Callable[..., Any]

FLOAT, INDEX, TRUTH = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)
BATCH = 2  # samples of the first of the two runs that a trace is made of; the second has one more


class NotExportable(ConfigError):
    """Something that the format cannot express; the message names it."""


class Growing(int):
    """A whole number of the trace that grows with the number of samples: its value for BATCH, and by how much."""

    more: int

    def __new__(cls, value: int, more: int) -> Growing:
        found = super().__new__(cls, value)
        found.more = more
        return found

    @property
    def rest(self) -> int:
        """What there would be without samples."""
        return int(self) - BATCH * self.more


@dataclass(frozen=True)
class Value:
    """What flows between nodes.

    Args:
        name: where it is a constant, that of the state dict, or "".
        shape: its sizes; those that depend on the number of samples are `Growing`.
        kind: the type of its elements.
        array: its values, where it is a constant.
    """

    name: str
    shape: tuple[int, ...]
    kind: np.dtype[Any] = FLOAT
    array: Array | None = field(default=None, compare=False)

    @cached_property
    def label(self) -> list[int | str]:
        """The sizes in ONNX's words: N is the number of samples."""
        return [size_label(n) for n in self.shape]

    def sizes_of(self, count: int) -> list[Any]:
        """The sizes for so many samples."""
        return [n.rest + n.more * count if isinstance(n, Growing) else int(n) for n in self.shape]

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)


def size_label(size: int) -> int | str:
    """A size as a file shows it: 5, N, 4*N or N+1."""
    if not isinstance(size, Growing):
        return int(size)
    times = "N" if size.more == 1 else f"{size.more}*N"
    return times if not size.rest else f"{times}{size.rest:+d}"


def fixed(sizes: Sequence[Any]) -> bool:
    """None of the sizes grows with the number of samples."""
    return not any(isinstance(n, Growing) for n in sizes)


@dataclass(frozen=True)
class Node:
    """One operator. Inputs are names of values or constants; an empty name stands for one that is left out."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    layer: str  # the path of the module that it belongs to
    ndim: int = 0  # of its first input
    part_of: str = ""  # the engine's op that it is, or is a part of

    @property
    def output(self) -> str:
        """The first output, which is the only one of most."""
        return self.outputs[0]


@dataclass(frozen=True)
class View:
    """What a constant shows of a parameter or buffer.

    Args:
        name: of that in the state dict.
        start: the place of its first number there.
        steps: places from one number to the next, along each of the constant's dimensions.
    """

    name: str
    start: int
    steps: tuple[int, ...]


@dataclass
class Graph:
    """Operators in the order they run, and the constants they use: weights under their names in the state dict.

    Args:
        inputs, outputs: values, outputs with the names that the model gives them in `names`.
        names: of the outputs: "output", or of several their keys or numbers.
        views: of those constants that have no name in the state dict, but show a part of what has one.
    """

    inputs: list[Value]
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    outputs: list[Value] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    views: dict[str, View] = field(default_factory=dict)

    @property
    def input(self) -> Value:
        """The first input."""
        return self.inputs[0]

    @property
    def output(self) -> Value:
        """The first output."""
        return self.outputs[0]


class Builder:
    """Adds the nodes of one op to a graph.

    Attributes:
        path, kind: of the module that runs the op, and its class; what the nodes are named by.
        op, where: the op's name, and the user's line that calls it.
        results: shapes and types of what the op gives.
    """

    def __init__(self, graph: Graph, state: Mapping[str, Array] | None = None) -> None:
        self.graph = graph
        self.state = {place_of(array): (name, array) for name, array in (state or {}).items()}
        self._whole = [(*byte_bounds(array), name, array) for name, array in (state or {}).items() if array.size]
        self._taken = {*(value.name for value in graph.inputs), *graph.constants, *(state or ())}
        self._taken |= {name for node in graph.nodes for name in node.outputs}
        self._batch = ""
        self.path, self.kind, self.op, self.where = "", "", "", ""
        self.results: tuple[Value, ...] = ()

    @property
    def out(self) -> Value:
        """What the op gives, where that is one tensor."""
        return self.results[0]

    def add(self, op: str, *inputs: Any, outputs: Any = 1, ndim: Any = None, **attributes: Any) -> Any:
        """A node. Gives the name of its output, or several.

        Args:
            inputs: values, names of values, arrays (which become constants), None for one that is left out.
            ndim: dimensions of the first input, where it is a name.
        """
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        if not all(fixed(value if isinstance(value, (list, tuple)) else [value]) for value in attributes.values()):
            raise self.refusal("it depends on the number of samples; give that number with --batch")
        names = tuple(self._free(self.path or op) for _ in range(outputs))
        found = tuple(self._named(names[0], x) for x in inputs)
        if ndim is None:
            ndim = inputs[0].ndim if inputs and isinstance(inputs[0], (Value, np.ndarray)) else 0
        self.graph.nodes.append(Node(op, found, names, attributes, self.path, ndim, self.op))
        return names if outputs > 1 else names[0]

    def constant(self, array: Array) -> Value:
        """A constant: a parameter or buffer, or a view of one that shows all of it, has its name in the state dict."""
        name, _ = self.state.get(place_of(array), ("", None))
        return Value(name, array.shape, array.dtype, array)

    def column(self, x: Value, behind: int) -> Value:
        """A parameter of one number per channel, shaped to broadcast where `behind` dimensions follow the channels."""
        if behind == 0 or x.shape == (1,):
            return x
        shape = (*x.shape, *(1,) * behind)
        if x.array is None:
            return Value(self.add("Reshape", x, self.sizes(*shape)), shape, x.kind)
        return Value("", shape, x.kind, x.array.reshape(shape))

    def sizes(self, *sizes: int) -> Any:
        """A vector of sizes: a constant or, where some grow with the number of samples, computed from that."""
        if fixed(sizes):
            return np.array(sizes, INDEX)
        more = np.array([n.more if isinstance(n, Growing) else 0 for n in sizes], INDEX)
        rest = np.array([n.rest if isinstance(n, Growing) else n for n in sizes], INDEX)
        found = self.samples() if (more == 1).all() else self.add("Mul", self.samples(), more)
        return self.add("Add", found, rest) if rest.any() else found

    def samples(self) -> str:
        """The number of samples: a vector of one."""
        if not self._batch:
            grown = next((v for v in self.graph.inputs if not fixed(v.shape)), None)
            assert grown is not None, "a size grows with that of an input"
            at = next(i for i, n in enumerate(grown.shape) if isinstance(n, Growing))
            self._batch = self.add("Gather", self.add("Shape", grown), np.array([at], INDEX), axis=0)
        return self._batch

    def cast(self, x: Any, kind: np.dtype[Any], there: np.dtype[Any] | None = None) -> Any:
        """A value in another type; numbers become constants."""
        if isinstance(x, Growing):
            number = self.add("Squeeze", self.sizes(x), np.array([0], INDEX))
            return number if kind == INDEX else self.add("Cast", number, to=kind)
        if isinstance(x, Value):
            if x.kind == kind:
                return x
            if x.array is not None:
                return Value("", x.shape, kind, x.array.astype(kind))
        elif not isinstance(x, str):
            return np.array(x, kind)
        elif there == kind:
            return x
        return self.add("Cast", x, to=kind)

    def refusal(self, reason: str) -> NotExportable:
        """The error that names the op, its module and the user's line, and says why it cannot be exported."""
        return NotExportable(f"{self.whose()}: cannot be exported: {reason}")

    def whose(self) -> str:
        """The module of the op and, where users call it themselves, their line."""
        return str(Place(self.path, self.kind, self.where))

    def check_dims(self, x: Value, *wanted: int) -> None:
        """Refuses an input of another number of dimensions: one that is taken for a sample without a batch."""
        if len(x.shape) not in wanted:
            raise self.refusal(
                f"its input has {len(x.shape)} dimensions with the batch, wanted {' or '.join(map(str, wanted))}"
            )

    def _named(self, owner: str, x: Any) -> str:
        if x is None:
            return ""
        if isinstance(x, str):
            return x
        if isinstance(x, Value):
            if x.array is None:
                return x.name
            if x.name:
                self._check_type(x.name, x.array)
                self.graph.constants.setdefault(x.name, np.asarray(x.array, order="C"))
                return x.name
            x = x.array
        self._check_type("a constant", x)
        name = self._free(f"{owner}.constant")
        self.graph.constants[name] = np.asarray(x, order="C")  # ascontiguousarray would give a scalar a dimension
        view = self._view(x)
        if view is not None:
            self.graph.views[name] = view
        return name

    def _view(self, x: Array) -> View | None:
        """Which parameter or buffer it shows a part of, if it does."""
        if not x.size or x.base is None:
            return None
        low, high = byte_bounds(x)
        for start, end, name, whole in self._whole:
            if start <= low and high <= end and whole.dtype == x.dtype and whole.flags.c_contiguous:
                size = x.itemsize
                return View(name, (place_of(x)[0] - start) // size, tuple(step // size for step in x.strides))
        return None

    def check_type(self, x: Value) -> None:
        """Refuses floats of another type than float32, by the constant's name."""
        if x.array is not None:
            self._check_type(x.name or "a constant", x.array)

    def _check_type(self, name: str, array: Array) -> None:
        if array.dtype.kind == "f" and array.dtype != FLOAT:
            raise self.refusal(f"{name} is {array.dtype}; only float32 is exported: convert the model with .float()")

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}.{number}"
        self._taken.add(name)
        return name


def place_of(array: Array) -> Any:
    """Where in memory the elements of an array lie, and how."""
    return array.__array_interface__["data"][0], array.shape, array.strides, array.dtype


@dataclass(frozen=True)
class Rule:
    """How an op becomes nodes.

    Args:
        any_batch: it minds sizes that grow in whatever dimension; else only the first dimension of each operand may.
    """

    function: Lowering
    any_batch: bool

    @cached_property
    def parameters(self) -> frozenset[str]:
        """The names of the op's operands and parameters that it wants to know; b is the builder, b_ the op's own b."""
        found = list(inspect.signature(self.function).parameters)[1:]
        return frozenset("b" if name == "b_" else name for name in found)


LOWERINGS: dict[Any, Rule] = {}


def lowers(*ops: Any, any_batch: bool = False) -> Callable[[Lowering], Lowering]:
    """Marks the function that lowers these ops, or calls of these functions (of those that are marked `whole`)."""

    def register(function: Lowering) -> Lowering:
        for op in ops:
            LOWERINGS[inspect.unwrap(op)] = Rule(function, any_batch)
        return function

    return register
