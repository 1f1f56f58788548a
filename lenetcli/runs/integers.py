"""A run's best model in integers, calibrated on samples of its training split."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.data.dataset import Subset
from lenetcli.data.loader import DataLoader
from lenetcli.export.int8_net import IntegerNet, integer_net
from lenetcli.export.int8_run import run
from lenetcli.export.lowering import lower
from lenetcli.nn.module import Module
from lenetcli.runs.open import Loaded
from lenetcli.tensors.tensor import Tensor, from_numpy

SAMPLES = 512  # of the training split, evenly spread over it
BATCH = 64


def integers_of(loaded: Loaded) -> IntegerNet:
    """The model in integers, the same each time.

    Raises:
        NotExportable: an operator that has no integer form, by name.
        DataError: the training data cannot be read.
    """
    graph = lower(loaded.model, tuple(loaded.config.model.input))
    data = loaded.split("train")
    places = np.unique(np.linspace(0, len(data) - 1, SAMPLES).round().astype(np.int64))
    batches = DataLoader(Subset(data, places.tolist()), BATCH, prefetch=False)
    return integer_net(graph, [np.ascontiguousarray(x.numpy()) for x, *_ in batches])


class InIntegers(Module):
    """A net in integers where a model is wanted: floats in, floats out."""

    def __init__(self, net: IntegerNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, input: Tensor) -> Any:
        """Inputs (N, ...) -> what the bytes of the outputs stand for, as the model gives its outputs."""
        found = [from_numpy(y) for y in self.net.real(run(self.net, np.ascontiguousarray(input.numpy())))]
        names = self.net.graph.names
        if len(found) == 1:
            return found[0]
        return tuple(found) if names == [f"output_{i}" for i in range(len(names))] else dict(zip(names, found))
