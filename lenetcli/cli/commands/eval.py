"""`lenet eval`: loss, accuracy, per-class table and confusion matrix of a run's best model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_split, show

if TYPE_CHECKING:
    from lenetcli.train.evaluate import Evaluation


def evaluate(
    run: RunDir,
    places: Places = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    as_json: Json = False,
) -> None:
    """Evaluate a run's best model: loss, accuracy, calibration error, per-class table, confusion matrix.

    Example: lenet eval runs/lenet/001
    """
    from lenetcli.autograd.random import drawing_from
    from lenetcli.data import DataLoader
    from lenetcli.runs.open import load_run
    from lenetcli.train.evaluate import evaluate as measure

    check_split(split)
    loaded = load_run(run, places or [])
    with drawing_from(loaded.random):
        batches = DataLoader(loaded.split(split), 256)
        found = measure(loaded.model, batches, loaded.criterion, len(loaded.classes))
    confusion, classes = None, None
    if found.confusion is not None:
        confusion = found.confusion.tolist()
        classes = [{"class": name, **asdict(figures)} for name, figures in zip(loaded.classes, found.per_class)]
    record = {
        "split": split, "loss": found.loss, "accuracy": found.accuracy, "count": found.count, "ignored": found.ignored,
        "confusion": confusion, "calibration_error": found.calibration_error,
        "classes": classes,
    }  # fmt: skip
    show(record, lambda console: _drawing(f"{run}, {split} split", found, loaded.classes, console.width), as_json)


def _drawing(what: str, found: Evaluation, classes: Sequence[str], width: int) -> Iterator[Any]:
    from lenetcli.report.tables import class_table, confusion_table

    accuracy = "" if found.accuracy is None else f", accuracy {found.accuracy:.4f}"
    calibration = "" if found.calibration_error is None else f", calibration error {found.calibration_error:.4f}"
    ignored = f" ({found.ignored:,} ignored)" if found.ignored else ""
    yield f"{what}, {found.count:,} samples{ignored}: loss {found.loss:.4f}{accuracy}{calibration}"
    if found.confusion is not None:
        yield ""
        yield class_table(found, classes)
        yield "\nconfusion: true class down, predicted class across\n"
        yield confusion_table(found, classes, width)
