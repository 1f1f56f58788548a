"""A model as a graph: the module tree is walked once, with samples to learn the sizes; each layer adds its nodes."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli import nn
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.silence import silence
from lenetcli.export import activation, arrangement, convolution, normalization, padding, pooling, resizing
from lenetcli.export.graph import FLOAT, LOWERINGS, Builder, Graph, NotExportable, Value
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, from_numpy

FAMILIES = (activation, arrangement, convolution, normalization, padding, pooling, resizing)  # have filled LOWERINGS
BATCH = 2


def lower(model: Module, sample: tuple[int, ...], kind: np.dtype[Any] = FLOAT, first: Module | None = None) -> Graph:
    """The graph of a model in evaluation mode.

    Args:
        model: layers of `lenetcli.nn` in Sequential and Residual.
        sample: shape of one input sample.
        kind: type of the input: float32, or int64 for a model that begins with an Embedding.
        first: a layer that is put before the model.

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
        with no_grad(), silence():  # deprecated uses: training has told of them already
            name = graph.input.name
            if first is not None:
                name, batch = _walk(builder, "first", first, name, batch)
            name, output = _walk(builder, "", model, name, batch)
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
    builder.graph.ranks[path] = batch.ndim
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
