"""`lenet plot`: curves of one run or several, in the terminal or as a picture."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import PICTURES, Json, check_place, show
from lenetcli.errors import ConfigError, DataError, printable

if TYPE_CHECKING:
    from lenetcli.inspection.training.curves import Curve
    from lenetcli.runs.history import History


def plot(
    runs: Annotated[
        list[Path],
        typer.Argument(
            help="Run directories, or directories of runs.", metavar="RUN...", autocompletion=completion.runs
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE.png|.svg", help="Write a picture instead.", show_default=False),
    ] = None,
    metric: Annotated[Literal["loss", "accuracy", "lr"], typer.Option(help="What goes up and down.")] = "loss",
    by: Annotated[
        Literal["step", "epoch", "time"] | None,
        typer.Option(help="What goes to the right.", show_default="epoch; step with --smooth or a single epoch"),
    ] = None,
    smooth: Annotated[
        float, typer.Option(metavar="SHARE", help="Smooth the training curve: 0 is not at all, 0.9 much.")
    ] = 0.0,
    group: Annotated[
        str | None,
        typer.Option(
            help="One curve for all runs that differ in their seed only or, with KEYS, have the same value of those: "
            "their mean, with the standard deviation as error bars.",
            metavar="[KEYS]",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the loss, accuracy or learning rate of runs, to compare them.

    A directory stands for all runs below it, such as a sweep's. What is no run is left out.

    Example: lenet plot runs/lenet/001
    """
    from lenetcli.inspection.training.curves import curves
    from lenetcli.runs.selection import select, tell_left_out

    _check(metric, by, smooth, group, out)
    if out is not None:
        from lenetcli.report.training.plot_file import check_installed

        check_installed()
    places, others = select(runs)
    tell_left_out(others)
    histories = _histories({_name(place): place for place in places})
    if by is None:
        epochs = min(len(history.judged) for history in histories.values())
        by = "step" if smooth or epochs < 2 else "epoch"
    drawn = {name: curves(history, name, metric, by, smooth) for name, history in histories.items()}
    shown = drawn if group is None else _means(drawn, [key for key in group.split(",") if key])
    if as_json:
        print(json.dumps({"metric": metric, "by": by, "smooth": smooth, "runs": _record(shown, histories)}))
    for name, found in drawn.items():
        if histories[name].skipped:
            print(
                printable(f"{name}: {_lines(histories[name].skipped)} of metrics.jsonl left out: no events"),
                file=sys.stderr,
            )
        if not found and not as_json:
            print(printable(f"{name}: has no {metric} to show"), file=sys.stderr)
    together = [curve for found in shown.values() for curve in found]
    if not together:
        raise ConfigError(f"--metric {metric}: there is nothing to show")
    if out is not None:
        from lenetcli.report.training.plot_file import write

        write(out, together, metric, by)
        print(printable(out), file=sys.stderr if as_json else sys.stdout)
    elif not as_json:
        from lenetcli.report.training.plot import draw

        whole: dict[str, Any] = {"crop": False, "no_wrap": True, "overflow": "ignore"}
        show(None, lambda console: draw(together, metric, by, console), False, **whole)


def _check(metric: str, by: str | None, smooth: float, group: str | None, out: Path | None) -> None:
    """Refuses options that do not fit together."""
    if not 0 <= smooth < 1:
        raise ConfigError(f"--smooth: wanted a share from 0 to below 1, got {smooth:g}")
    if smooth and metric == "lr":
        raise ConfigError("--smooth: a learning rate has no noise to smooth")
    check_place(out, "-o", *PICTURES)
    if group is not None and by == "time":
        raise ConfigError("--group: no two runs take the same time; use --by epoch or --by step")


def _record(shown: dict[str, list[Curve]], histories: dict[str, History]) -> list[dict[str, Any]]:
    """The curves as `--json` shows them; of a run, not of a group, with the lines that were left out."""
    return [
        {"run": name, "curves": [c.record() for c in found]}
        | ({"skipped_lines": histories[name].skipped} if name in histories else {})
        for name, found in shown.items()
    ]


def _histories(names: dict[str, Path]) -> dict[str, History]:
    """What the runs have written down; of several, one that cannot be read is told and left out.

    Raises:
        DataError: none can be read.
    """
    from lenetcli.runs.history import read_history

    found: dict[str, History] = {}
    failed = None
    for name, run in names.items():
        try:
            found[name] = read_history(run)
        except DataError as error:
            if failed is not None or len(names) > 1:
                print(printable(f"left out: {error}"), file=sys.stderr)
            failed = error
    if not found:
        assert failed is not None, "there is a run at least"
        raise failed
    return found


def _means(drawn: dict[str, list[Curve]], keys: list[str]) -> dict[str, list[Curve]]:
    """The curves of groups of runs."""
    from lenetcli.inspection.training.curves import mean_curve
    from lenetcli.runs.groups import grouped
    from lenetcli.runs.table import read_run

    groups = grouped([replace(read_run(Path(name)), run=name) for name in drawn], keys)
    found = {}
    for group in groups:
        runs = f"{len(group.rows)} run{'' if len(group.rows) == 1 else 's'}"
        name = f"{group.name} ({runs})" if group.name else runs
        parts = [curve for row in group.rows for curve in drawn[row.run]]
        splits = dict.fromkeys(curve.split for curve in parts)
        found[name] = [mean_curve(name, [c for c in parts if c.split == split]) for split in splits]
    return found


def _name(run: Path) -> str:
    """How a run is called: as it was given, but for a slash at the end."""
    return str(run) if run.name else str(run.absolute())


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"
