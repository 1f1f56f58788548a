"""Run: everything one training holds in its hands, and how far it has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from lenetcli.autograd.random import Generator, default_generator
from lenetcli.data.inputs import Inputs
from lenetcli.data.left_out import LeftOut
from lenetcli.data.loader import DataLoader
from lenetcli.nn.module import Module
from lenetcli.optim.optimizer import Optimizer
from lenetcli.optim.swa_utils import AveragedModel
from lenetcli.train.evaluate import Evaluation
from lenetcli.train.events import Evaluated
from lenetcli.train.several_tally import AnyTally
from lenetcli.train.signals import Stoppable

Batch = tuple[Any, ...]
PLAIN = ("loss", "accuracy")  # what every evaluation tells


@dataclass
class Progress:
    """How far a run has come: what a checkpoint keeps beside weights, optimizer and random numbers.

    A checkpoint saves every field by its name and puts it back, so state that a resumed run must go on from becomes a
    field here: a number, a text or None, which JSON holds exactly. Tensors are no fields; those of the averaged weights
    are in `Run.average`. Checkpoints are made between optimizer steps only, when no gradient waits to be used.
    """

    epoch: int = 0  # epochs finished
    batch: int = 0  # batches finished in the current epoch
    step: int = 0  # optimizer steps made
    seconds: float = 0.0  # up to the last checkpoint, resumed parts counted in
    best_epoch: int | None = None
    best_loss: float | None = None
    best_accuracy: float | None = None
    best_metric: float | None = None  # of train.best, where that is another
    epoch_loss_sum: float = 0.0  # of the samples seen in the current epoch, each with its weight
    epoch_weight: float = 0.0  # of all of them: what the mean is divided by
    epoch_count: int = 0
    epoch_right: int | None = None
    epoch_ignored: int = 0  # neither right nor wrong
    epoch_losses: str | None = None  # of several losses, the sums of each: `SeveralTally.state`
    watched: float | None = None  # best value of the metric that early stopping watches
    stale: int = 0  # epochs in a row without improvement of it

    def next_epoch(self) -> None:
        """Moves on to the next epoch, of which no sample has been seen."""
        self.epoch, self.batch = self.epoch + 1, 0
        self.epoch_loss_sum, self.epoch_weight, self.epoch_count = 0.0, 0.0, 0
        self.epoch_right, self.epoch_ignored, self.epoch_losses = None, 0, None

    def is_better(self, loss: float, accuracy: float | None, gain: float | None = None) -> bool:
        """Whether these figures beat the best so far: by a metric where one is given, then by accuracy where there is
        one, else by loss.

        Args:
            gain: of the metric, the more the better; NaN is never.
        """
        if self.best_loss is None:
            return True
        if gain is not None and gain != self.best_metric:
            return self.best_metric is None or gain > self.best_metric or self.best_metric != self.best_metric
        if accuracy is not None and self.best_accuracy is not None and accuracy != self.best_accuracy:
            return accuracy > self.best_accuracy
        return loss < self.best_loss


class Place(NamedTuple):
    """Where a run directory is while it trains.

    Args:
        name: what it is called now.
        way: what leads there whatever it is called by then.
        events: bytes of metrics.jsonl that are on disk.
    """

    name: Path
    way: Path
    events: int


class CheckpointStore(Protocol):
    """Where a run's checkpoints are kept: `lenetcli.runs.checkpoint`."""

    directory: Path  # the run's
    events: int  # bytes of metrics.jsonl that were there at the last save
    before_save: Callable[[], Place] | None  # says where the directory is now

    def save(self, run: Run, best: bool) -> str:
        """Writes the run's state down; gives its path."""

    def restore(self, run: Run) -> str:
        """Puts the run back to the newest one."""

    def load_best(self, model: Module) -> None:
        """Puts the best weights so far into the model."""

    def exist(self) -> bool:
        """Whether there is any."""

    def names(self) -> list[str]:
        """Their names, oldest first."""

    def settle(self) -> None:
        """Takes the directory by its name again: it trains no more."""


class StoppingRule(Protocol):
    """When a run that does not improve is over: `lenetcli.train.stopping`."""

    @property
    def patience(self) -> int:
        """Epochs in a row without improvement, after which it is."""

    @property
    def metric(self) -> str:
        """What has to improve."""

    def watch(self, progress: Progress, evaluated: Evaluated) -> None:
        """Counts them in the progress."""


class Reducer(Protocol):
    """Sums over the processes that train the same run, each with its part of every batch: `lenetcli.parallel`.

    All have the same weights always.
    """

    def reduce_step(
        self, run: Run, group: Sequence[Batch], tally: AnyTally, losses: Sequence[float]
    ) -> tuple[Sequence[float], int]:
        """Makes gradients, tally and wishes to stop those of all processes; gives the step's losses and its samples.

        Args:
            group: this process's part of the step's batches.
            tally: of the epoch, with this process's part of the step counted in.
            losses: this process's share of the step's loss, and of each of several.
        """

    def sum_weights(self, weights: Sequence[float]) -> list[float]:
        """What the step's batches of all processes weigh for each of several losses, before they are compared."""

    def reduce_evaluation(self, run: Run, found: Evaluation | None) -> Evaluation | None:
        """The evaluation over the data of all processes; None where one of them was asked to stop."""

    @property
    def wishes(self) -> Stoppable:
        """What signals ask of this process."""


class Freezing(Protocol):
    """Which parameters do not train, and until when: `lenetcli.build.freezing`."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """Their names."""

    @property
    def norms(self) -> tuple[str, ...]:
        """Names of the batch norms that stay in evaluation mode."""

    @property
    def until(self) -> int | None:
        """The first epoch, counted from 1, in which they train after all."""

    def is_on(self, epochs: int) -> bool:
        """Whether they are frozen after so many epochs."""

    def apply(self, model: Module, epochs: int) -> None:
        """Freezes them, or lets them train, as it has to be after so many epochs."""


@dataclass
class Run:
    """Model, data, loss, optimizer, schedule and options of one training.

    Args:
        validation_loader: held-back training data; where there is some, it decides which epoch is best, and the test
            data is for the end.
        best: the metric that makes an epoch the best; None: accuracy where there is one, else loss.
        accumulate: batches whose gradients make one step.
        clip_norm: greatest norm of all gradients together.
        clip_value: greatest size of a gradient's numbers.
        warmup: steps in which the learning rate rises to what the schedule says.
        average: the moving average of the weights; where there is one, it is evaluated and kept as the best.
        early_stopping: when to stop before all epochs are done.
        max_seconds: longest time of the run.
        max_batches: batches of an epoch to use.
        log_gradients: every how many steps the gradients are written down, or "epoch": at the end of each; the first
            step's are in any case. None: never.
        look_every: every how many steps they are measured beside that, for somebody who watches.
        stop: set by a signal, or to "pruned" by a sweep: finish the step, save, end.
        save_now: set by a signal: finish the step, save, go on.
        config: the configuration as plain data, which checkpoints keep.
        random: what the training draws from: dropout, and layers of the user's own.
        init_random: where the random stream of the initial weights ended.
        device: where model and batches are: "cpu" or "cuda:0".
        inputs: how other pictures are made into what the model takes; None where its data is no images.
        scheduler_step: what the scheduler steps after; None: what its class is meant for.
        scheduler_watch: what a ReduceLROnPlateau looks at; None: what its mode means, the loss (min) or accuracy (max).
        notes: what should be known of its data before it trains.
        fingerprint: the hash of its data, when asked for; None where nobody knows it.
        initial: the file of weights that a new run begins with, and its hash, when asked for; None where there is none.
        freezing: which parameters do not train.
        keep_features: bytes of what frozen layers give that may be kept between epochs; 0: none.
        kept: what is kept; False where nothing can be. features: the same, while an epoch goes on that uses it.
        tell: takes a line for whoever watches.
        left_out: what the data set found and does not use.
        changes: what of the configuration is another than before the run was put back to a checkpoint, by its path: the
            value before and the one now.
        around: makes each phase of each step (`lenetcli.train.step`), given the step and the phase, for those who look
            at a whole training from within.
        needs_graph: whether they look at graphs, so that batches are not made by a recording.
        reducer: sums up with the other processes that train this run, too; None where it has one only.
    """

    model: Module
    criterion: Module
    optimizer: Optimizer
    train_loader: DataLoader
    test_loader: DataLoader
    epochs: int
    scheduler: Any = None
    classes: tuple[str, ...] = ()
    checkpoints: CheckpointStore | None = None
    progress: Progress = field(default_factory=Progress)
    stop: str | None = None
    validation_loader: DataLoader | None = None
    best: str | None = None
    accumulate: int = 1
    clip_norm: float | None = None
    clip_value: float | None = None
    warmup: int = 0
    average: AveragedModel | None = None
    early_stopping: StoppingRule | None = None
    max_seconds: float | None = None
    max_batches: int | None = None
    log_gradients: Literal["epoch"] | int | None = None
    look_every: int | None = None
    save_now: bool = False
    config: dict[str, Any] | None = None
    random: Generator = field(default_factory=default_generator)
    init_random: dict[str, Any] | None = None
    inputs: Inputs | None = None
    device: str = "cpu"
    reducer: Reducer | None = None
    scheduler_step: Literal["epoch", "batch"] | None = None
    scheduler_watch: Literal["loss", "accuracy"] | None = None
    notes: tuple[str, ...] = ()
    fingerprint: Callable[[], dict[str, Any]] | None = None
    initial: Callable[[], dict[str, Any]] | None = None
    freezing: Freezing | None = None
    keep_features: int = 0
    kept: Any = None
    features: Any = None
    tell: Callable[[str], None] = lambda line: None
    left_out: tuple[LeftOut, ...] = ()
    changes: dict[str, list[Any]] = field(default_factory=dict)
    around: Callable[[Any, Callable[[], None]], None] | None = None
    needs_graph: bool = True
    _began: float | None = None

    @property
    def lr(self) -> float:
        """Learning rate of the next step, in the first parameter group."""
        return float(self.optimizer.param_groups[0]["lr"]) * self.warm

    @property
    def warm(self) -> float:
        """What part of the scheduled learning rate the next step takes: 1 after warm-up."""
        return min(1.0, (self.progress.step + 1) / self.warmup) if self.warmup else 1.0

    @property
    def metric(self) -> str | None:
        """The metric that decides which epoch is best, where that is neither the loss nor the accuracy."""
        return None if self.best in (None, *PLAIN) else self.best

    @property
    def measures(self) -> bool:
        """Whether metrics beyond loss and accuracy are looked at after each epoch."""
        stopping = None if self.early_stopping is None else self.early_stopping.metric
        return self.metric is not None or stopping not in (None, *PLAIN)

    @property
    def batches(self) -> int:
        """Batches of an epoch."""
        count = len(self.train_loader)
        return count if self.max_batches is None else min(count, self.max_batches)

    @property
    def steps(self) -> int:
        """Optimizer steps of an epoch."""
        return -(-self.batches // self.accumulate)

    @property
    def shown_model(self) -> Module:
        """The model that is evaluated and whose weights are kept as the best: the average, where there is one."""
        return self.model if self.average is None else self.average.module

    def freeze(self) -> None:
        """Freezes what does not train in the epoch where the progress stands."""
        if self.freezing is not None:
            self.freezing.apply(self.model, self.progress.epoch)

    def begin_training(self) -> None:
        """Puts the model into training mode, with what is frozen in the epoch where the progress stands."""
        self.features = None
        self.freeze()
        self.model.train()
        if self._began is None:
            self.start_clock()

    def start_clock(self) -> None:
        """From now on `elapsed` counts, from where the progress stands."""
        self._began = time.perf_counter() - self.progress.seconds

    def leave_out(self, seconds: float) -> None:
        """Time in which the run waited because somebody said so does not count."""
        if self._began is not None:
            self._began += seconds

    @property
    def elapsed(self) -> float:
        """Seconds that the run has taken, resumed parts counted in."""
        return self.progress.seconds if self._began is None else time.perf_counter() - self._began
