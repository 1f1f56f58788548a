"""The end of a run: how its best model does on the test split."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from lenetcli.data.loader import DataLoader
from lenetcli.data.transfer import moved
from lenetcli.errors import LenetError
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.features import parts_of
from lenetcli.train.run import Run
from lenetcli.train.scores import Scores


class _Stopped(Exception):
    """A signal came between two batches."""


def evaluate_split(run: Run, loader: DataLoader, classes: int = 0, scores: Scores | None = None) -> Evaluation | None:
    """How the model that is shown does on a split; None where a signal asks for the end meanwhile.

    Batches for which there is no memory are halved, as often as it takes.

    Args:
        classes: of the confusion; 0 counts none.
        scores: takes the answers, to be measured.

    Raises:
        LenetError: not even one sample fits.
    """
    found: Evaluation | None
    try:
        found = _fitting(run, loader, classes, scores)
    except _Stopped:
        found = None
    return found if run.reducer is None else run.reducer.reduce_evaluation(run, found)


def _fitting(run: Run, loader: DataLoader, classes: int, scores: Scores | None) -> Evaluation:
    """The evaluation, in batches that fit into memory."""
    random, model = run.random.get_state(), run.shown_model
    parts = parts_of(model) if run.features is not None and run.features.keeps(loader) else None
    judged = model if parts is None else parts.head
    judged.training = model.training
    while True:
        if scores is not None:
            scores.clear()
        seen = loader if parts is None else run.features.loader_of(loader)
        try:
            batches = _until_stopped(run, moved(seen, run.device))
            return evaluate(judged, batches, run.criterion, classes, calibrated=False, scores=scores)
        except MemoryError:
            if loader.batch_size == 1:
                raise LenetError(
                    "out of memory while the model is evaluated, sample by sample (train.eval_batch_size=1): "
                    "make it smaller"
                ) from None
        size, loader.batch_size = loader.batch_size, loader.batch_size // 2
        run.tell(f"no memory to evaluate {size} samples at a time: now {loader.batch_size} (train.eval_batch_size)")
        run.random.set_state(random)


def _until_stopped(run: Run, batches: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    wishes = run if run.reducer is None else run.reducer.wishes
    for batch in batches:
        if wishes.stop is not None:
            raise _Stopped
        yield batch


def evaluate_best(run: Run) -> tuple[float | None, float | None]:
    """Loss and accuracy of the best epoch on the test split; None where they are not known.

    Where a validation split decides which epoch is best, the test split is looked at here for the first time: with the
    best weights that the run directory holds, or those of the last step where the run has no directory.
    """
    p = run.progress
    if run.validation_loader is None:
        return p.best_loss, p.best_accuracy
    if run.stop is not None or p.best_epoch is None:
        return None, None
    model = run.shown_model
    now = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    try:
        if run.checkpoints is not None:
            run.checkpoints.load_best(model)
        found = evaluate_split(run, run.test_loader)
    finally:
        model.load_state_dict(now)
    return (None, None) if found is None else (found.loss, found.accuracy)
