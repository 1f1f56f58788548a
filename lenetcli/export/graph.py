"""A model as a graph of ONNX's operators: the module tree is walked once, each layer adds its nodes.

A layer's function stands in the file of its family, marked `@lowers(its class)`. It gets the layer, a builder and the
value that goes in, and gives the name of what comes out. Sizes are known, all but that of the batch, which is the first
dimension everywhere; so a layer may work out at export what depends on sizes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli._tensor import Tensor, from_numpy
from lenetcli.autograd.modes import no_grad
from lenetcli.errors import ConfigError
from lenetcli.nn.module import Module

Array = npt.NDArray[Any]
L = TypeVar("L", bound=Module)
Lowering = Callable[[Any, "Builder", "Value"], str]

BATCH = 2  # samples that follow the walk, to learn the sizes
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
        self.graph.constants.setdefault(name, np.ascontiguousarray(array))
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
        self.graph.constants[name] = np.ascontiguousarray(array)
        return name

    def _free(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}.{number}"
        self._taken.add(name)
        return name


LOWERINGS: dict[type[Module], Lowering] = {}


def lowers(*layers: type[L]) -> Callable[[Callable[[L, Builder, Value], str]], Callable[[L, Builder, Value], str]]:
    """Marks the function that lowers these layers."""

    def register(function: Callable[[L, Builder, Value], str]) -> Callable[[L, Builder, Value], str]:
        for layer in layers:
            LOWERINGS[layer] = function
        return function

    return register


def lower(model: Module, sample: tuple[int, ...], kind: np.dtype[Any] = FLOAT) -> Graph:
    """The graph of a model in evaluation mode.

    Args:
        model: layers of `lenetcli.nn` in Sequential and Residual.
        sample: shape of one input sample.
        kind: type of the input: float32, or int64 for a model that begins with an Embedding.

    Raises:
        NotExportable: a layer that ONNX or this exporter has no words for; the message names it.
    """
    if not sample or min(sample) < 1:
        raise NotExportable(f"a sample of shape {list(sample)} cannot be exported")
    batch = from_numpy(np.zeros((BATCH, *sample), kind))
    graph = Graph(Value("input", (BATCH, *sample)), np.dtype(kind))
    names = {id(t): name for name, t in (*model.named_parameters(), *model.named_buffers())}
    builder = Builder(graph, names)
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of deprecated uses, which training has told already
            name, output = _walk(builder, "", model, graph.input.name, batch)
    finally:
        for module in was_training:
            module.training = True
    if name == graph.input.name:
        builder.path = ""
        name = builder.add("Identity", name)
    graph.output = Value(name, tuple(output.array.shape))
    return graph


def _walk(builder: Builder, path: str, module: Module, name: str, batch: Tensor) -> tuple[str, Tensor]:
    """Adds the nodes of a layer or block; gives the name of its output, and the samples behind it."""
    builder.path, builder.layer = path, module
    if module.has_hooks or "forward" in module.__dict__:
        raise builder.refusal("it has hooks or a forward of its own")
    if type(module) in (nn.Sequential, nn.Residual):
        found, after = name, batch
        for child, layer in module._modules.items():
            if layer is not None:
                found, after = _walk(builder, f"{path}.{child}" if path else child, layer, found, after)
        if type(module) is nn.Residual:
            builder.path, builder.layer = path, module
            found, after = builder.add("Add", name, found), batch + after
        return found, after
    lowering = LOWERINGS.get(type(module))
    if lowering is None:
        raise builder.refusal(_reason(module))
    after = module(batch)
    if not isinstance(after, Tensor):
        raise builder.refusal("it gives more than one tensor")
    if after.ndim < 1 or after.array.shape[0] != BATCH:
        raise builder.refusal("it joins the samples of a batch")
    return lowering(module, builder, Value(name, tuple(batch.array.shape))), after


def _reason(module: Module) -> str:
    if not type(module).__module__.startswith("lenetcli."):
        return "only layers of lenetcli.nn can be, not classes of your own"
    if type(module).__name__.endswith("Loss"):
        return "it is a loss"
    if isinstance(module, (nn.ModuleList, nn.ModuleDict, nn.ParameterList, nn.ParameterDict)):
        return "it has no forward pass"
    return "it takes two inputs"
