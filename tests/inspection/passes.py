"""A trace of any model on any batch."""

from __future__ import annotations

from typing import Any

from lenetcli import Tensor, optim
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.inspection.graph import trace as tracing
from lenetcli.inspection.graph.trace import Trace
from lenetcli.nn import Module
from lenetcli.train.run import Progress, Run


def trace(model: Module, criterion: Module, x: Tensor, y: Tensor, shown: list[str], step: int = 0, **how: Any) -> Trace:
    """The step that a training of this model would make with this batch."""
    loader = DataLoader(TensorDataset(x, y), len(x))
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    run = Run(model, criterion, optimizer, loader, loader, epochs=1, progress=Progress(step=step))
    return tracing.trace(run, shown, [(x, y)], **how)
