"""`lenet runs`: runs side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from lenetcli.cli.options import PICTURES, Json, check_place, show
from lenetcli.errors import ConfigError, DataError, printable


def runs(
    directory: Annotated[
        Path, typer.Argument(help="Where to look: a directory of runs, at any depth.", metavar="[DIR]")
    ] = Path("runs"),
    sort: Annotated[
        str, typer.Option(help="A column or a key, such as accuracy or optimizer.lr.", metavar="KEY")
    ] = "run",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    conditions: Annotated[
        list[str] | None,
        typer.Option("--filter", help="Keep runs such as 'optimizer.lr<0.1'; several must all hold.", metavar="COND"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw parallel coordinates, the best run marked.", metavar="FILE.png|.svg", show_default=False
        ),
    ] = None,
    group: Annotated[
        str | None,
        typer.Option(
            help="Mean and spread over the seeds or, with KEYS such as optimizer.lr,seed, of each value of those.",
            metavar="[KEYS]",
            show_default=False,
        ),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values, all figures in full.")] = False,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Read every run again, and make a new index.")] = False,
    as_json: Json = False,
) -> None:
    """List runs: what they differ in, their best and their last epoch, how far they came, how long that took.

    Columns to sort and filter by are run, status, epoch, epochs, accuracy, loss (of the best epoch), best_epoch,
    last_accuracy, last_loss, test_accuracy, test_loss and seconds, beside every key of the configurations. --group
    alone puts runs together that differ in their seed only. What has been read is kept in an index,
    .lenet-runs.sqlite in DIR, which may be deleted at any time.

    Example: lenet runs --filter 'optimizer.lr<0.1' --sort accuracy
    """
    from lenetcli.runs.groups import grouped
    from lenetcli.runs.index import list_runs
    from lenetcli.runs.table import chosen, differences, ordered

    if as_csv and as_json:
        raise ConfigError("--csv or --json, not both")
    if plot is not None:
        from lenetcli.report.training.plot_file import check_installed

        check_place(plot, "--plot", *PICTURES)
        check_installed()

    def failed(error: DataError) -> None:
        print(printable(f"left out: {error}"), file=sys.stderr)

    found = ordered(chosen(list_runs(directory, failed, rebuild), conditions or []), sort, reverse)
    differing = differences(found)
    groups = None if group is None else grouped(found, [key for key in group.split(",") if key], sort, reverse)
    if as_csv:
        from lenetcli.runs.table_csv import groups_csv, runs_csv

        print(runs_csv(found, differing) if groups is None else groups_csv(groups), end="")
    elif groups is not None:
        from lenetcli.report.training import run_groups

        show(run_groups.record(groups), lambda console: run_groups.draw(groups, console), as_json)
    else:
        from lenetcli.report.training.runs import draw, record

        show(record(found, differing) if as_json else None, lambda _: draw(found, differing), as_json)
    if plot is not None:
        from lenetcli.report.training.parallel_coordinates import write

        write(plot, found, differing, "loss" if all(row.accuracy is None for row in found) else "accuracy")
        print(printable(plot), file=sys.stderr if as_json or as_csv else sys.stdout)
