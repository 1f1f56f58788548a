"""`lenet eval`: loss, accuracy, per-class table and confusion matrix of a run's best model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_split, show

if TYPE_CHECKING:
    from lenetcli.train.evaluate import Evaluation


def evaluate(
    run: RunDir,
    places: Places = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    int8: Annotated[
        bool, typer.Option("--int8", help="The model in integers of 8 bits, as `lenet export --int8` writes it.")
    ] = False,
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
    model = loaded.model
    if int8:
        from lenetcli.runs.integers import InIntegers, integers_of

        model = InIntegers(integers_of(loaded))
    with drawing_from(loaded.random):
        batches = DataLoader(loaded.split(split), 256)
        found = measure(model, batches, loaded.criterion, len(loaded.classes))
    record = {"split": split, **({"int8": True} if int8 else {}), **_record(found, loaded.classes)}
    if found.outputs is not None:
        record["outputs"] = {name: _record(each, loaded.classes) for name, each in found.outputs.items()}

    def drawing(console: Any) -> Iterator[Any]:
        from lenetcli.report.model.evaluation import draw, draw_outputs

        training = loaded.config.train
        chosen = split == ("test" if training.validation is None else "validation") and training.epochs > 1
        what = f"{run}{', int8' * int8}, {split} split{' (which chose the best epoch)' if chosen else ''}"
        if found.outputs is None:
            return draw(found, loaded.classes, what, console.width)
        return draw_outputs(found, found.outputs, loaded.classes, what, console.width)

    show(record, drawing, as_json)


def _record(found: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    from lenetcli.train.evaluate import class_records

    return {
        "loss": found.loss, "accuracy": found.accuracy, "count": found.count, "ignored": found.ignored,
        "confusion": found.counts.record() if found.counts is not None else None,
        "calibration_error": found.calibration_error,
        "classes": class_records(found, classes) if found.counts is not None else None,
    }  # fmt: skip
