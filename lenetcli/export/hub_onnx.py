"""The model of a hub's folder: from what an image processor gives to what image classifiers there give.

Image processors resize once. So a model whose pictures are first brought to the data set's own size and then to that
which the net takes does the second step itself. What comes out are numbers whose softmax are the probabilities.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.data.inputs import Inputs
from lenetcli.export.graph import FLOAT, Builder, Graph, NotExportable, Value
from lenetcli.export.lowering import lower
from lenetcli.nn.module import Module

Array = npt.NDArray[Any]

NAMES = ("pixel_values", "logits")
LEAST = np.finfo(np.float32).tiny  # of a probability, before its logarithm


def hub_graph(model: Module, inputs: Inputs, outputs: str) -> Graph:
    """The graph of processor's pictures to logits.

    Args:
        inputs: what pictures go through; of it the resizing to the net's size is in the graph.
        outputs: what the model's numbers are, as `nn.loss.Outputs` says.

    Raises:
        NotExportable: an op that ONNX has no words for.
    """
    first = nn.Upsample(inputs.size, mode="bilinear") if inputs.size != inputs.shape[1:] else None
    graph = lower(model, inputs.shape, first=first)
    if graph.output.label[:1] != ["N"]:
        raise NotExportable(f"the model: cannot be exported: it joins the samples: its output is {graph.output.label}")
    if outputs not in ("logits", "probabilities"):
        return graph
    b = Builder(graph)
    name, is_one = graph.output.name, graph.output.shape[1:] in ((), (1,))
    if is_one:  # of class 0 and class 1
        column = b.add("Reshape", name, np.array([-1, 1])) if len(graph.output.shape) == 1 else name
        factor, offset = ([0, 1], [0, 0]) if outputs == "logits" else ([-1, 1], [1, 0])
        name = b.add("Mul", column, np.array([factor], FLOAT))
        name = b.add("Add", name, np.array([offset], FLOAT)) if any(offset) else name
    if outputs == "probabilities":
        name = b.add("Log", b.add("Clip", name, np.array(LEAST), np.array(1, FLOAT)))
    graph.outputs = [Value(name, (graph.output.shape[0], 2) if is_one else graph.output.shape), *graph.outputs[1:]]
    return graph


def logits(found: Array, outputs: str) -> Array:
    """What the graph makes of the net's outputs, in NumPy."""
    if outputs not in ("logits", "probabilities"):
        return found
    if found.shape[1:] in ((), (1,)):
        x = found.reshape(-1, 1)
        found = np.concatenate([0 * x if outputs == "logits" else 1 - x, x], 1)
    return found if outputs == "logits" else np.log(np.clip(found, LEAST, 1))
