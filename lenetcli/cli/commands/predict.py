"""`lenet predict`: what a run's best model says of pictures."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lenetcli.cli.options import Json, RunDir, check_place, show, without_places
from lenetcli.errors import ConfigError, DataError, plain_text, printable

if TYPE_CHECKING:
    from lenetcli.inspection.data.contact_sheet import Sheet
    from lenetcli.inspection.data.predictions import Prediction


def predict(
    run: RunDir,
    files: Annotated[
        list[str],
        typer.Argument(
            help="Pictures, .npy files or .csv files of pixels, directories of them, patterns such as '**/*.png', or - "
            "for stdin; beside them data.root=DIR, where a run that knows no inputs.json wants its data.",
            metavar="FILE...",
        ),
    ],
    top: Annotated[int, typer.Option(help="How many classes to show of each picture.", min=1)] = 3,
    invert: Annotated[
        bool, typer.Option("--invert", help="Swap black and white, as for dark ink on light paper.")
    ] = False,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    submission: Annotated[
        Path | None,
        typer.Option(help="Write the likeliest class of each picture to this CSV file, as competitions want it."),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show where each answer comes from: class activation map, gradient, covered parts."
        ),
    ] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="With --explain, write the pictures to this PNG file.")
    ] = None,
    columns: Annotated[
        str, typer.Option(help="With --submission, its two columns: the picture (its number from 1, or its name).")
    ] = "ImageId,Label",
) -> None:
    """Classify pictures with a run's best model.

    A picture (PNG, JPEG, BMP, WebP, TIFF, GIF or PPM) of any size is brought into the form of the images that the run
    was trained on: gray or colours, resized, scaled and normalised the same way. In .npy files, integers are pixels
    from 0 to 255 and floats are values as after the data's own scaling, usually 0 to 1; what an axis is follows from
    the shape of the run's own images. What cannot be read is told on stderr, the rest is done, and the
    exit code is 3.

    Example: lenet predict runs/lenet/001 digit.png more/*.png
    """
    from lenetcli.autograd.random import drawing_from
    from lenetcli.data.left_out import Tally
    from lenetcli.data.picture_files import are_pictures
    from lenetcli.disk import write_file
    from lenetcli.inspection.data.predictions import STDIN, Predictor
    from lenetcli.report.data.explained import MOST_EXPLAINED, explanations
    from lenetcli.report.data.submission import submission_of
    from lenetcli.runs.open import inputs_of, load_run

    if as_json + as_csv + (submission is not None) > 1:
        raise ConfigError("--json, --csv or --submission: one of them")
    files, places = without_places(files)
    if not files:
        raise ConfigError("which pictures? Name files, directories or patterns")
    if files.count(STDIN) > 1:
        raise ConfigError("stdin (-) can be read only once")
    loaded = load_run(run, places)
    predictor = Predictor(loaded.model, loaded.criterion, inputs_of(run, loaded), top, invert)
    failures: list[DataError] = []
    left_out = Tally()

    def failed(error: DataError) -> None:
        failures.append(error)
        print(printable(f"error: {error}"), file=sys.stderr)

    check_place(submission, "--submission", ".csv")
    check_place(output, "--output", ".png")
    if output is not None and not explain:
        raise ConfigError("--output goes with --explain")
    if explain and (as_json or as_csv or submission is not None):
        raise ConfigError("--explain draws; leave --json, --csv and --submission away")
    with drawing_from(loaded.random):
        if explain:
            sheets = list(islice(explanations(predictor, files, failed, left_out), MOST_EXPLAINED))
            _show_explained(sheets, output)
            if failures:
                raise typer.Exit(DataError.exit_code)
            return
        found = list(predictor(files, failed, left_out))
    for part in filter(are_pictures, left_out.found()):
        print(printable(part), file=sys.stderr)
    if submission is not None:
        write_file(submission, submission_of(found, columns))
        print(f"{submission}: {len(found):,} pictures")
    elif as_csv:
        _write_csv(found, top)
    elif found or as_json:
        from lenetcli.report.tables import prediction_table

        show([prediction.record() for prediction in found], lambda _: [prediction_table(found)], as_json)
    if failures:
        raise typer.Exit(DataError.exit_code)


def _show_explained(sheets: Sequence[Sheet], output: Path | None) -> None:
    """Draws explanations in the terminal, or writes them to a file."""
    from lenetcli.disk import write_file
    from lenetcli.report.console import results
    from lenetcli.report.data.contact_sheet import ContactSheet, png_sheet
    from lenetcli.report.data.explained import together

    if not sheets:
        return
    if output is not None:
        write_file(output, png_sheet(together(sheets), len(sheets[0].names)))
        print(output)
        return
    for sheet in sheets:
        results().print(ContactSheet(sheet))


def _write_csv(found: Sequence[Prediction], top: int) -> None:
    """A line for each picture: file, index, then label and probability of each of the likeliest classes."""
    lines = csv.writer(sys.stdout, lineterminator="\n")
    ranked = bool(found) and bool(found[0].top)
    count = max((len(p.top) for p in found), default=top)
    numbered = [("", ""), *((f"_{i}", f"_{i}") for i in range(2, count + 1))]
    heads = [f"{word}{end}" for pair in numbered for word, end in zip(("label", "probability"), pair)]
    lines.writerow(["file", "index", *(heads if ranked or not found else ["output"])])
    for prediction in found:
        cells = [cell for pair in prediction.top for cell in pair] if ranked else [json.dumps(prediction.output)]
        line = [prediction.file, "" if prediction.index is None else prediction.index, *cells]
        lines.writerow([plain_text(cell) if isinstance(cell, str) else cell for cell in line])
