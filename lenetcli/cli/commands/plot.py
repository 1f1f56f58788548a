"""`lenet plot`: curves of one run or several, in the terminal or as a picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from lenetcli.cli import completion
from lenetcli.cli.options import PICTURES, Json, check_place, show
from lenetcli.errors import ConfigError


def plot(
    runs: Annotated[
        list[Path], typer.Argument(help="Run directories.", metavar="RUN...", autocompletion=completion.runs)
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
    as_json: Json = False,
) -> None:
    """Draw the loss, accuracy or learning rate of runs, to compare them.

    Example: lenet plot runs/lenet/001
    """
    from lenetcli.inspection.training.curves import curves
    from lenetcli.runs.history import read_history

    if not 0 <= smooth < 1:
        raise ConfigError(f"--smooth: wanted a share from 0 to below 1, got {smooth:g}")
    if smooth and metric == "lr":
        raise ConfigError("--smooth: a learning rate has no noise to smooth")
    check_place(out, "-o", *PICTURES)
    for run in runs:
        if not (run / "metrics.jsonl").exists():
            raise ConfigError(f"{run}: not a run directory (no metrics.jsonl in it)")
    names = {_name(run): run for run in runs}
    histories = {name: read_history(run) for name, run in names.items()}
    if by is None:
        epochs = min(len(history.judged) for history in histories.values())
        by = "step" if smooth or epochs < 2 else "epoch"
    drawn = {name: curves(history, name, metric, by, smooth) for name, history in histories.items()}
    if as_json:
        record = {
            "metric": metric,
            "by": by,
            "smooth": smooth,
            "runs": [
                {"run": name, "curves": [c.record() for c in found], "skipped_lines": histories[name].skipped}
                for name, found in drawn.items()
            ],
        }
        print(json.dumps(record))
    for name, found in drawn.items():
        if histories[name].skipped:
            print(f"{name}: {_lines(histories[name].skipped)} of metrics.jsonl left out: no events", file=sys.stderr)
        if not found and not as_json:
            print(f"{name}: has no {metric} to show", file=sys.stderr)
    together = [curve for found in drawn.values() for curve in found]
    if not together:
        raise ConfigError(f"--metric {metric}: there is nothing to show")
    if out is not None:
        from lenetcli.report.training.plot_file import write

        write(out, together, metric, by)
        print(out, file=sys.stderr if as_json else sys.stdout)
    elif not as_json:
        from lenetcli.report.training.plot import draw

        whole: dict[str, Any] = {"crop": False, "no_wrap": True, "overflow": "ignore"}
        show(None, lambda console: draw(together, metric, by, console), False, **whole)


def _name(run: Path) -> str:
    """How a run is called: as it was given, but for a slash at the end."""
    return str(run) if run.name else str(run.absolute())


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count:,} lines"
