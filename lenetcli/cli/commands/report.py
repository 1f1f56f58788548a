"""`lenet report`: everything about a run on one page."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import check_place, check_split, without_places
from lenetcli.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from lenetcli.inspection.training.run_report import RunReport
    from lenetcli.runs.open import Loaded

NAME = "report.html"
TOGETHER = "comparison.html"
SOME = 4  # places that the page names


def report(
    run: Annotated[
        list[str],
        typer.Argument(
            help="A run directory; several, or a directory of runs, are compared.",
            metavar="RUN... [K=V ...]",
            autocompletion=completion.runs,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help="The page.",
            show_default=f"RUN/{NAME}; {TOGETHER} beside the runs that are compared",
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=0, metavar="N", help="How many of the worst mistakes to show.")] = 12,
    image: Annotated[int, typer.Option(min=0, metavar="INDEX", help="The sample whose feature maps are shown.")] = 0,
    split: Annotated[str, typer.Option(help="train, validation or test: what the model is judged on.")] = "test",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON; write a page only with -o.")
    ] = False,
) -> None:
    """Write one HTML page about a run: curves, confusion, mistakes, filters, feature maps, attention, configuration.

    Of several runs, or a directory of them such as a sweep's: their figures side by side, means over seeds, curves
    together. The page needs no network and runs no scripts. Where something cannot be had, such as data that is not
    there any more, the page says so.

    Example: lenet report runs/lenet/001
    """
    check_split(split)
    check_place(out, "-o")
    words, places = without_places(run)
    runs = list(map(Path, words))
    if not runs:
        raise ConfigError("which run? Name a run directory")
    if len(runs) > 1 or (runs[0].is_dir() and not (runs[0] / "config.yaml").exists()):
        if places:
            raise ConfigError(
                f"{' '.join(places)}: runs are compared by what they have written down, without their data"
            )
        _compare(runs, out, as_json)
        return
    place = runs[0]
    found = _gather(place, places, split, images, image)
    reasons: dict[str, list[str]] = {}
    for section, reason in found.problems.items():
        reasons.setdefault(reason, []).append(section)
    for reason, sections in reasons.items():
        print(printable(f"left out ({', '.join(sections)}): {reason}"), file=sys.stderr)
    if as_json:
        print(json.dumps(found.record(), allow_nan=False))
    if out is not None or not as_json:
        from lenetcli.report.training.run_page.page import page

        data = page(found).encode()
        _write(place / NAME if out is None else out, data, as_json, inside=place if out is None else None)


def _write(place: Path, data: bytes, as_json: bool, inside: Path | None = None) -> None:
    from lenetcli.disk import check_inside, write_atomically, write_file

    if inside is None:
        write_file(place, data)
    else:
        write_atomically(check_inside(inside, place), data)
    print(printable(f"{place}: {len(data) / 1000:,.0f} kB"), file=sys.stderr if as_json else sys.stdout)


def _compare(places: list[Path], out: Path | None, as_json: bool) -> None:
    """The page, or the figures, of several runs."""
    from lenetcli.runs.groups import grouped
    from lenetcli.runs.history import read_history
    from lenetcli.runs.selection import select, tell_left_out
    from lenetcli.runs.table import differences, read_run

    runs, others = select(places)
    tell_left_out(others)
    rows, histories = [], {}
    for place in runs:
        try:
            rows.append(read_run(place))
            histories[str(place)] = read_history(place, steps=False)
        except DataError as error:
            print(printable(f"left out: {error}"), file=sys.stderr)
    if not rows:
        raise DataError("none of these runs can be read")
    differing, groups = differences(rows), grouped(rows)
    if as_json:
        from lenetcli.report.training import run_groups
        from lenetcli.report.training.runs import record

        print(json.dumps(record(rows, differing) | run_groups.record(groups), allow_nan=False))
    if out is not None or not as_json:
        from lenetcli.report.compare.page import Comparison, page

        where = places[0] if len(places) == 1 else Path(os.path.commonpath([place.absolute().parent for place in runs]))
        asked = " ".join(map(str, places[:SOME])) + (f" and {len(places) - SOME} more" if len(places) > SOME else "")
        data = page(Comparison(asked, rows, differing, groups, histories)).encode()
        _write(_shorter(where) / TOGETHER if out is None else out, data, as_json)


def _shorter(place: Path) -> Path:
    """The place from where we are, if it is below."""
    here = Path.cwd()
    return place.relative_to(here) if place.is_absolute() and place.is_relative_to(here) else place


def _gather(run: Path, places: list[str], split: str, images: int, image: int) -> RunReport:
    from lenetcli.build.parts import build_model
    from lenetcli.inspection.model.feature_maps import first_filters
    from lenetcli.inspection.training.run_report import LayerLine, RunReport
    from lenetcli.runs.directory import read_config_text, read_environment
    from lenetcli.runs.history import read_history
    from lenetcli.runs.open import load_run, load_unfinished

    try:
        loaded, problem = load_run(run, places), None
    except DataError as error:
        loaded, problem = load_unfinished(run, places), str(error)
    if split == "validation" and not loaded.has_validation:
        raise ConfigError("--split validation: this run holds nothing back for validation (train.validation)")
    _, rows = build_model(loaded.config)
    parameters = list(loaded.model.parameters())
    found = RunReport(
        loaded.config.name,
        str(run),
        read_config_text(run),
        list(loaded.config.model.input),
        [LayerLine(row.path.removeprefix("model."), row.kind, list(row.output or ()), row.parameters) for row in rows],
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
    )
    found.environment = found.attempt("environment", lambda: read_environment(run))
    found.history = found.attempt("history", lambda: read_history(run))
    if problem is not None:
        found.problems["weights"] = problem
    else:
        found.filters = first_filters(loaded.model, tuple(loaded.config.model.input))
        _look_at_data(found, loaded, split, images, image)
    _follow_checkpoints(found, loaded, run)
    return found


def _look_at_data(found: RunReport, loaded: Loaded, split: str, images: int, image: int) -> None:
    """Evaluation, mistakes and feature maps: what needs data and weights."""
    import numpy as np

    from lenetcli.inspection.data.mistakes import judge, shown
    from lenetcli.inspection.model.feature_maps import feature_maps
    from lenetcli.inspection.model.inner_views import inner_views
    from lenetcli.train.answers import answered

    data = found.attempt("maps", lambda: _split(loaded, split))
    if data is None:
        found.problems["judged"] = found.problems["maps"]
        return
    found.classes = loaded.classes
    steps = getattr(data, "preprocessing", getattr(loaded.source, "preprocessing", None))
    found.judged = found.attempt(
        "judged", lambda: judge(loaded.model, data, loaded.criterion, len(found.classes), split, images, steps)
    )
    if image >= len(data):
        raise ConfigError(f"--image {image}: the {split} split has {len(data):,} samples, numbered from 0")
    inputs, target = data[image]
    answering = loaded.answering
    found.maps, found.image = feature_maps(loaded.model, inputs.array, output=answering.index), image
    found.inside = inner_views(loaded.model, inputs.array)
    found.output = answering.name
    found.picture = shown(inputs.array, steps)
    rows, names = answered(np.atleast_1d(found.maps.output)[None], answering.criterion, found.classes)
    if names:
        found.probabilities = rows[0].tolist()
    if found.classes and np.size(target) == 1:
        found.target = int(float(np.asarray(target).reshape(())) + 0.5)


def _follow_checkpoints(found: RunReport, loaded: Loaded, place: Path) -> None:
    """Weights and gradients over time, from the initial weights on."""
    from lenetcli.build.parts import build_model, build_run
    from lenetcli.inspection.training.checkpoint_history import checkpoint_flow
    from lenetcli.runs.beginning import begun
    from lenetcli.train.accumulate import batches_of_steps
    from lenetcli.train.run import Batch, Run

    def beginning() -> tuple[Run, list[Batch]]:
        run = begun(build_run(loaded.config), place)
        return run, next(batches_of_steps(run))

    run, group = found.attempt("gradients", beginning) or (None, [])
    model = run.model if run is not None else build_model(loaded.config)[0]
    found.flow = found.attempt("flow", lambda: checkpoint_flow(place, model, run, group))


def _split(loaded: Loaded, name: str) -> Any:
    """A split whose samples fit the model.

    Raises:
        ConfigError: they do not, or there is no such split.
        DataError: the data cannot be read.
    """
    return loaded.split(name)
