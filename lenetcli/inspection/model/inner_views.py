"""What layers hide inside, of one sample, as pictures: whom each step attends to, and the gates of recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.autograd.modes import fusion, no_grad, switches, watch
from lenetcli.nn.module import Module
from lenetcli.nn.recurrent.base import RecurrentLayer
from lenetcli.ops.nn.attention import SafeSoftmax
from lenetcli.ops.nn.lstm import Gru, Lstm, Recurrent
from lenetcli.ops.nn.softmax import Softmax
from lenetcli.tensors.tensor import from_numpy

Array = npt.NDArray[Any]

MOST_LAYERS = 24
GATES = {
    Gru: ("reset gate r", "update gate z", "candidate n", "output y"),
    Lstm: ("input gate i", "forget gate f", "candidate g", "output gate o", "cell c", "output y"),
}


@dataclass(frozen=True)
class InnerMaps:
    """Pictures from within one layer.

    Args:
        layer: its path in the model, with the number and direction of one of several.
        kind: its class.
        names: of each picture: "head 2", "forget gate f".
        rows, columns: what goes down and to the right: "query" and "key", or "step" and "unit".
        maps: of each name a picture (rows, columns).
    """

    layer: str
    kind: str
    names: list[str]
    rows: str
    columns: str
    maps: list[Array]

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {**vars(self), "maps": [values.tolist() for values in self.maps]}


def inner_views(model: Module, sample: Array) -> list[InnerMaps]:
    """Runs a model in evaluation mode on one sample, and keeps attention weights and gates.

    Args:
        sample: without N.

    Example:
        >>> from lenetcli import nn
        >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        >>> [found] = inner_views(layer, np.ones((5, 8), np.float32))
        >>> found.kind, found.names, found.maps[0].shape, found.maps[0].sum(axis=1).round(4).tolist()
        ('MultiheadAttention', ['head 0', 'head 1'], (5, 5), [1.0, 1.0, 1.0, 1.0, 1.0])
    """
    found: list[InnerMaps] = []
    paths = {id(module): path for path, module in model.named_modules()}
    calls: dict[int, int] = {}

    def see(node: Any, operands: Any, parameters: Any, results: Sequence[Any]) -> None:
        module = switches.scopes[-1][1] if switches.scopes else None
        path, kind = paths.get(id(module), ""), type(module).__name__
        if isinstance(module, nn.MultiheadAttention) and isinstance(node, (Softmax, SafeSoftmax)):
            heads = np.array(results[0].array[0], np.float64)  # (H, L, S)
            found.append(InnerMaps(path, kind, [f"head {i}" for i in range(len(heads))], "query", "key", list(heads)))
        elif isinstance(module, RecurrentLayer) and isinstance(node, Recurrent):
            number = calls[id(module)] = calls.get(id(module), -1) + 1
            path += f" layer {number // module.directions}" if module.num_layers > 1 else ""
            path += " backward" if number % module.directions else ""
            names, maps = _gates(node, results[0].array)
            found.append(InnerMaps(path, kind, names, "step", "unit", maps))

    training = model.training
    model.eval()
    try:
        with no_grad(), fusion(False), watch(see):
            model(from_numpy(np.ascontiguousarray(sample[None], np.float32)))
    finally:
        model.train(training)
    return found[:MOST_LAYERS]


def _gates(node: Any, output: Array) -> tuple[list[str], list[Array]]:
    """Names and pictures (steps, units) of a recurrent op of one sequence."""
    y = output.reshape(-1, output.shape[-1])
    if isinstance(node, Gru):
        maps = [*np.split(node.saved[4], 3, axis=1), y]  # type: ignore[index]  # it has run
    elif isinstance(node, Lstm):
        maps = [*np.split(node.saved[5], 4, axis=1), node.saved[6], y]  # type: ignore[index]
    else:
        return ["output y"], [np.array(y, np.float64)]
    return list(GATES[type(node)]), [np.array(values, np.float64) for values in maps]
