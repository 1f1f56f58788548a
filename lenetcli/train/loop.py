"""The training loop, on one screen: a generator of events."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import suppress

from lenetcli.autograd.random import draws_from
from lenetcli.errors import ConfigError, DivergedError
from lenetcli.train import divergence, out_of_memory
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.evaluate import Evaluation
from lenetcli.train.evaluate_best import evaluate_best, evaluate_split
from lenetcli.train.events import CONFUSED, Changed, Data, Ended, Evaluated, Event, Saved
from lenetcli.train.features import kept_features
from lenetcli.train.gradient_log import GradientLog
from lenetcli.train.loss_readout import readout_of, resumed_tally
from lenetcli.train.losses import main_term
from lenetcli.train.metrics import SMALLER
from lenetcli.train.run import Run
from lenetcli.train.schedule import after_epoch, after_step
from lenetcli.train.scores import Measured, Scores
from lenetcli.train.several_tally import SeveralTally
from lenetcli.train.step import Step
from lenetcli.train.stopping import out_of_time, value_of, why_over


@draws_from(lambda run: run.random)
def fit(run: Run) -> Iterator[Event]:
    """Trains until all epochs are done, `run.stop` is set or an option ends it, from where `run.progress` stands.

    Who is told of an event may change the run's configuration, and leaves that in `run.changes`: it is told next.

    Raises:
        DivergedError: a loss, gradient or weight became NaN or infinite; the message names the step.
        ConfigError: several processes train a run that is judged by another metric than loss or accuracy.
        DeviceError: a batch does not fit into the GPU's memory; the message names a size that would.
    """
    if run.measures and run.reducer is not None:
        raise ConfigError("train.best and early_stopping.metric: several processes know loss and accuracy only")
    run.start_clock()
    if run.left_out and run.progress.step == 0:
        yield Data(1, 0, [part.record() for part in run.left_out])
    yield from _changed(run)
    for event in _trained(run):
        yield event
        yield from _changed(run)


def _changed(run: Run) -> Iterator[Event]:
    if run.changes:
        found, run.changes = run.changes, {}
        yield Changed(run.progress.epoch + 1, run.progress.step, found)


def _trained(run: Run) -> Iterator[Event]:
    """All epochs, and the end."""
    reason = None
    try:
        while (reason := why_over(run)) is None:
            saved = yield from train_epoch(run)
            evaluated = evaluate_epoch(run) if run.stop is None else None
            if evaluated is not None:
                better = _end_epoch(run, evaluated)
                yield evaluated
                yield from save(run, better)
            else:  # a signal came: what it cut short comes when the run goes on
                yield from save(run, best=False) if saved is None else saved
    except DivergedError:
        yield Ended(run.progress.epoch + 1, run.progress.step, "diverged", run.elapsed, run.progress.best_epoch)
        raise
    except MemoryError:
        if run.device == "cpu":
            raise
    if reason is None:  # memory ran out: said here, when the failed step's arrays are gone
        raise out_of_memory.too_large(run)
    loss, accuracy = evaluate_best(run)
    p, reason = run.progress, why_over(run) or reason
    yield Ended(max(p.epoch, 1), p.step, reason, run.elapsed, p.best_epoch, loss, accuracy)


def train_epoch(run: Run) -> Generator[Event, None, list[Event] | None]:
    """One epoch, or what is left of it, saved before anything can go wrong while it is evaluated.

    Returns:
        The event of that; none where no step was left. None where a signal ended the epoch, and it is to be saved.
    """
    run.begin_training()
    run.features = kept_features(run)
    p, tally, began = run.progress, resumed_tally(run), run.elapsed
    first = p.step
    before, number, readout, log = tally.count, p.epoch + 1, readout_of(run, tally), GradientLog(run)
    step, groups = Step(run, readout, recorded=run.around is None or not run.needs_graph), batches_of_steps(run)
    for group in groups:  # one batch a step, or as many as train.accumulate says
        step_began, lr, watched = time.perf_counter(), run.lr, log.due(len(group))
        for phase in step.phases(group):
            if watched and phase.__name__ == "limit":
                log.before_update()
            phase() if run.around is None else run.around(step, phase)
        after_step(run)
        log.after_update()
        yield from map(log.with_gradients, readout.end_step(number, lr, step.samples, step_began))
        if run.stop is not None or out_of_time(run):
            groups.close()
            break
        if run.save_now:
            yield from map(log.with_gradients, readout.flush())
            yield from save(run, best=False)
    yield from map(log.with_gradients, readout.flush())
    if run.stop is not None:
        return None
    seconds = run.elapsed - began
    speed = (tally.count - before) / seconds
    saved: list[Event] = []
    if p.step > first:
        with suppress(DivergedError):  # the evaluation says so, too, and more clearly
            saved = list(save(run, best=False))
    outputs = tally.figures if isinstance(tally, SeveralTally) else None
    yield Evaluated(number, p.step, "train", tally.loss, tally.accuracy, tally.count, run.lr, seconds, speed, outputs)
    return saved


def evaluate_epoch(run: Run) -> Evaluated | None:
    """Loss and accuracy on the validation split or, without one, the test split; None where a signal ends it."""
    split, loader = "validation", run.validation_loader
    if loader is None:
        split, loader = "test", run.test_loader
    scores = Scores(main_term(run.criterion).criterion) if run.measures else None
    found = evaluate_split(run, loader, max(1, len(run.classes)) if run.reducer is None else 0, scores)
    if found is None:
        return None
    measured = None if scores is None else scores.measured()
    divergence.check_evaluation(run, split, found)
    p = run.progress
    return Evaluated(
        p.epoch + 1, p.step, split, found.loss, found.accuracy, found.count, run.lr, found.seconds,
        found.count / found.seconds, found.figures, _confusion(found), _known(measured),
    )  # fmt: skip


def _known(measured: Measured | None) -> dict[str, float] | None:
    """The metrics that are defined."""
    return None if measured is None else {name: v for name, v in measured.values().items() if v == v}


def _confusion(found: Evaluation) -> list[list[int]] | None:
    """Which class was taken for which, where there are classes, and few enough for a line."""
    counts = found.counts
    return None if counts is None or counts.classes > CONFUSED else counts.matrix().tolist()


def save(run: Run, best: bool) -> Iterator[Event]:
    """A checkpoint of a model that is sound, where the run keeps any."""
    run.save_now = False
    if run.checkpoints is not None:
        divergence.check_weights(run)
        run.progress.seconds = run.elapsed
        path = run.checkpoints.save(run, best)
        yield Saved(max(run.progress.epoch, 1), run.progress.step, path, best)


def _gain(run: Run, evaluated: Evaluated) -> float | None:
    """The metric that decides, the more the better; None where that is for accuracy and loss to do."""
    if run.best is None or (run.best == "accuracy" and evaluated.accuracy is None):
        return None
    value = value_of(evaluated, run.best)
    return -value if run.best in SMALLER else value


def _end_epoch(run: Run, evaluated: Evaluated) -> bool:
    """Takes an evaluation in and moves on after a whole epoch; True where the model is the best so far."""
    p = run.progress
    if p.batch >= run.batches:  # not where time ran out in the middle
        after_epoch(run, evaluated)
        if run.early_stopping is not None:
            run.early_stopping.watch(p, evaluated)
        p.next_epoch()
    gain = _gain(run, evaluated)
    better = p.is_better(evaluated.loss, evaluated.accuracy, gain)
    if better:
        p.best_metric = gain
        p.best_epoch, p.best_loss, p.best_accuracy = evaluated.epoch, evaluated.loss, evaluated.accuracy
    return better
