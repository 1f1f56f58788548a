"""Run: everything one training holds in its hands, and how far it has come."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lenetcli.data.loader import DataLoader
from lenetcli.nn.module import Module
from lenetcli.optim.optimizer import Optimizer
from lenetcli.train.checkpoint import Checkpoints


@dataclass
class Progress:
    """How far a run has come: what a checkpoint keeps beside weights, optimizer and random numbers."""

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches finished in the current epoch
    step: int = 0  # optimizer steps made
    seconds: float = 0.0
    best_epoch: int | None = None
    best_loss: float | None = None
    best_accuracy: float | None = None
    epoch_loss_sum: float = 0.0  # of the samples seen in the current epoch
    epoch_count: int = 0
    epoch_right: int | None = None

    def is_better(self, loss: float, accuracy: float | None) -> bool:
        """Whether these figures beat the best so far: by accuracy where there is one, else by loss."""
        if self.best_loss is None:
            return True
        if accuracy is not None and self.best_accuracy is not None and accuracy != self.best_accuracy:
            return accuracy > self.best_accuracy
        return loss < self.best_loss


@dataclass
class Run:
    """Model, data, loss, optimizer and schedule of one training."""

    model: Module
    criterion: Module
    optimizer: Optimizer
    train_loader: DataLoader
    test_loader: DataLoader
    epochs: int
    scheduler: Any = None
    classes: tuple[str, ...] = ()
    checkpoints: Checkpoints | None = None
    progress: Progress = field(default_factory=Progress)
    stop: str | None = None  # set by a signal: finish the step, save, end

    @property
    def lr(self) -> float:
        """Learning rate of the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"])
