"""The end of a run: how its best model does on the test split."""

from __future__ import annotations

from lenetcli.data.loader import DataLoader
from lenetcli.data.transfer import moved
from lenetcli.train.evaluate import Evaluation, evaluate
from lenetcli.train.run import Run


def evaluate_split(run: Run, loader: DataLoader) -> Evaluation:
    """How the model that is shown does on a split."""
    found = evaluate(run.shown_model, moved(loader, run.device), run.criterion)
    return found if run.reducer is None else run.reducer.reduce_evaluation(found)


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
    return found.loss, found.accuracy
