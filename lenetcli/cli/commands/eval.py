"""`lenet eval`: loss, accuracy, per-class table and confusion matrix of a run's best model."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli.options import Json, Places, RunDir, check_place, check_split, show
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from lenetcli.train.evaluate import Evaluation


def evaluate(
    run: RunDir,
    places: Places = None,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    int8: Annotated[
        bool, typer.Option("--int8", help="The model in integers of 8 bits, as `lenet export --int8` writes it.")
    ] = False,
    curves: Annotated[
        Path | None,
        typer.Option(help="Draw ROC and precision against recall of each class or label to this SVG file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Evaluate a run's best model: loss, metrics with 95 % intervals, per-class table, confusion matrix.

    Which metrics there are depends on the task: classes, yes and no, several labels at once, or numbers. The intervals
    are those of 300 bootstraps (fewer of many samples), the same with each call.

    Example: lenet eval runs/lenet/001
    """
    from lenetcli.autograd.random import drawing_from
    from lenetcli.data import DataLoader
    from lenetcli.disk import write_file
    from lenetcli.inspection.model.judgement import metrics_of, thresholds_of
    from lenetcli.report.model.curves import curves_svg
    from lenetcli.report.model.metrics import draw_metrics
    from lenetcli.runs.open import load_run
    from lenetcli.train.evaluate import evaluate as measure
    from lenetcli.train.losses import main_term
    from lenetcli.train.scores import Scores

    check_split(split)
    check_place(curves, "--curves", ".svg")
    loaded = load_run(run, places or [])
    model = loaded.model
    if int8:
        from lenetcli.runs.integers import InIntegers, integers_of

        model = InIntegers(integers_of(loaded))
    with drawing_from(loaded.random):
        batches = DataLoader(loaded.split(split), 256)
        scores = Scores(main_term(loaded.criterion).criterion)
        found = measure(model, batches, loaded.criterion, len(loaded.classes), scores=scores)
    measured = scores.measured()
    told = None if measured is None else metrics_of(measured)
    record = {"split": split, **({"int8": True} if int8 else {}), **_record(found, loaded.classes)}
    if measured is not None and told is not None:
        record["task"], record["metrics"] = measured.task, told.record()
        record["thresholds"] = thresholds_of(measured, loaded.classes)
    if curves is not None:
        if measured is None or not measured.columns:
            raise ConfigError("--curves: the outputs of this run are neither classes nor labels")
        write_file(curves, curves_svg(measured, loaded.classes, f"{run}, {split} split").encode())
        print(printable(str(curves)), file=sys.stderr)
    if found.outputs is not None:
        record["outputs"] = {name: _record(each, loaded.classes) for name, each in found.outputs.items()}

    def drawing(console: Any) -> Iterator[Any]:
        from lenetcli.report.model.evaluation import draw, draw_outputs

        training = loaded.config.train
        judge = "validation" if loaded.has_validation else "test"
        chosen = split == judge and training.epochs > 1
        what = f"{run}{', int8' * int8}, {split} split{' (which chose the best epoch)' if chosen else ''}"
        if found.outputs is None:
            yield from draw(found, loaded.classes, what, console.width)
        else:
            yield from draw_outputs(found, found.outputs, loaded.classes, what, console.width)
        if told is not None:
            yield from draw_metrics(told, record["thresholds"])

    show(record, drawing, as_json)


def _record(found: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    from lenetcli.train.evaluate import class_records

    return {
        "loss": found.loss, "accuracy": found.accuracy, "count": found.count, "ignored": found.ignored,
        "confusion": found.counts.record() if found.counts is not None else None,
        "calibration_error": found.calibration_error,
        "classes": class_records(found, classes) if found.counts is not None else None,
    }  # fmt: skip
