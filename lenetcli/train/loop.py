"""The training loop, on one screen: a generator of events."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from lenetcli.errors import DivergedError
from lenetcli.optim.lr_scheduler import ReduceLROnPlateau
from lenetcli.train.evaluate import Tally, evaluate
from lenetcli.train.events import Ended, Evaluated, Event, Saved, Step
from lenetcli.train.run import Run


def fit(run: Run) -> Iterator[Event]:
    """Trains until all epochs are done or `run.stop` is set, from where `run.progress` stands.

    Raises:
        DivergedError: the loss became NaN or infinite; the message names the step.
    """
    began = time.perf_counter() - run.progress.seconds
    while run.progress.epoch < run.epochs and run.stop is None:
        yield from train_epoch(run)
        run.progress.seconds = time.perf_counter() - began
        better = False
        if run.stop is None:
            evaluated = test(run)
            better = _finish_epoch(run, evaluated)
            yield evaluated
        if run.checkpoints is not None:
            path = run.checkpoints.save(run, better)
            yield Saved(max(run.progress.epoch, 1), run.progress.step, str(path), better)
    p = run.progress
    reason = "interrupted" if run.stop else "finished"
    yield Ended(
        max(p.epoch, 1), p.step, reason, time.perf_counter() - began, p.best_epoch, p.best_loss, p.best_accuracy
    )


def train_epoch(run: Run) -> Iterator[Event]:
    """One epoch, or what is left of it."""
    p, tally, began = run.progress, Tally(), time.perf_counter()
    tally.loss_sum, tally.count, tally.right = p.epoch_loss_sum, p.epoch_count, p.epoch_right
    before, number = tally.count, p.epoch + 1
    run.model.train()
    for inputs, targets in run.train_loader.batches(p.epoch, p.batch):
        step_began, lr = time.perf_counter(), run.lr
        run.optimizer.zero_grad()
        output = run.model(inputs)
        loss = run.criterion(output, targets)
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(diverged(run, value))
        loss.backward()
        run.optimizer.step()
        p.batch += 1
        p.step += 1
        tally.add(value, output, targets)
        samples = len(inputs)
        yield Step(number, p.step, value, lr, samples, samples / (time.perf_counter() - step_began))
        if run.stop is not None:
            break
    p.epoch_loss_sum, p.epoch_count, p.epoch_right = tally.loss_sum, tally.count, tally.right
    if run.stop is None:
        seconds = time.perf_counter() - began
        speed = (tally.count - before) / seconds
        yield Evaluated(number, p.step, "train", tally.loss, tally.accuracy, tally.count, run.lr, seconds, speed)


def test(run: Run) -> Evaluated:
    """The model's figures on the test split."""
    found = evaluate(run.model, run.test_loader, run.criterion)
    p = run.progress
    return Evaluated(
        p.epoch + 1, p.step, "test", found.loss, found.accuracy, found.count, run.lr, found.seconds,
        found.count / found.seconds,
    )  # fmt: skip


def _finish_epoch(run: Run, evaluated: Evaluated) -> bool:
    """Moves schedule and progress to the next epoch; True where the model is the best so far."""
    p = run.progress
    if isinstance(run.scheduler, ReduceLROnPlateau):
        run.scheduler.step(evaluated.loss)
    elif run.scheduler is not None:
        run.scheduler.step()
    p.epoch, p.batch = p.epoch + 1, 0
    p.epoch_loss_sum, p.epoch_count, p.epoch_right = 0.0, 0, None
    better = p.is_better(evaluated.loss, evaluated.accuracy)
    if better:
        p.best_epoch, p.best_loss, p.best_accuracy = p.epoch, evaluated.loss, evaluated.accuracy
    return better


def diverged(run: Run, value: float) -> str:
    """What to tell the user when the loss is no number any more."""
    p = run.progress
    return (
        f"the loss became {value} at step {p.step + 1} (epoch {p.epoch + 1}, batch {p.batch + 1}) with lr {run.lr:g}; "
        "the last checkpoint is kept. Try a smaller optimizer.lr"
    )
