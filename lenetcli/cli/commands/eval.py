"""`lenet eval`: loss, accuracy, per-class table and confusion matrix of a run's best model."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lenetcli.cli.options import Json, RunDir, check_split


def evaluate(
    run: RunDir,
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
    loaded = load_run(run)
    with drawing_from(loaded.random):
        batches = DataLoader(loaded.split(split), 256)
        found = measure(loaded.model, batches, loaded.criterion, len(loaded.classes))
    if as_json:
        confusion = None if found.confusion is None else found.confusion.tolist()
        record = {
            "split": split,
            "loss": found.loss,
            "accuracy": found.accuracy,
            "count": found.count,
            "ignored": found.ignored,
            "confusion": confusion,
            "calibration_error": found.calibration_error,
            "classes": [{"class": name, **asdict(figures)} for name, figures in zip(loaded.classes, found.per_class)]
            if confusion is not None
            else None,
        }
        print(json.dumps(record))
        return
    from lenetcli.report.console import results
    from lenetcli.report.tables import class_table, confusion_table

    console = results()
    accuracy = "" if found.accuracy is None else f", accuracy {found.accuracy:.4f}"
    calibration = "" if found.calibration_error is None else f", calibration error {found.calibration_error:.4f}"
    ignored = f" ({found.ignored:,} ignored)" if found.ignored else ""
    console.print(
        f"{run}, {split} split, {found.count:,} samples{ignored}: loss {found.loss:.4f}{accuracy}{calibration}"
    )
    if found.confusion is not None:
        console.print("", class_table(found, loaded.classes), sep="\n")
        console.print("\nconfusion: true class down, predicted class across\n")
        console.print(confusion_table(found, loaded.classes, console.width))
