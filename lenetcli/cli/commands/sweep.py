"""`lenet sweep`: many trainings, each with other values."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lenetcli.cli.options import PICTURES, Config, Json, check_place, show
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from lenetcli.report.training.runs import Differences
    from lenetcli.runs.table import RunRow
    from lenetcli.sweep.plan import Plan, Way
    from lenetcli.sweep.trials import Trial, Trials
    from lenetcli.sweep.work import Shown
    from lenetcli.train.run import Run


def sweep(
    config: Config,
    values: Annotated[
        list[str],
        typer.Argument(help="What varies, such as 'optimizer.lr=[0.01,0.1]'; other changes.", metavar="K=[...] [K=V]"),
    ],
    random: Annotated[
        int | None, typer.Option(help="Draw this many trials.", metavar="N", min=1, show_default=False)
    ] = None,
    optuna: Annotated[
        int | None, typer.Option(help="Let Optuna propose this many.", metavar="N", min=1, show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Where drawing and proposing start.", min=0)] = 0,
    metric: Annotated[
        Literal["accuracy", "loss"] | None,
        typer.Option(help="What makes a trial good.", show_default="accuracy; loss where there are no classes"),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="With --optuna: end trials that do worse than most at the same epoch.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The sweep's directory; workers share it.", show_default="runs/<name>/sweep-<hash>"),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw parallel coordinates.", metavar="FILE.png|.svg", show_default=False),
    ] = None,
    progress: Annotated[
        Literal["auto", "bar", "plain", "off"],
        typer.Option(help="How to show the epochs of a trial; auto is a bar in a terminal, and nothing elsewhere."),
    ] = "auto",
    as_json: Json = False,
) -> None:
    """Train CONFIG with every combination of values, or with some of them, and show the best.

    A key varies over a list, [0.01, 0.1], or, with --random and --optuna, a range: uniform(0, 0.5), log(1e-4, 1e-1),
    int(16, 128), logint(16, 128). Each trial is a run directory like any other. The same command again goes on where it
    was stopped, and several at once, on machines that share the disk, share the trials; those of a worker that dies are
    taken over by the others.

    Example: lenet sweep configs/lenet.yaml 'optimizer.lr=[0.01,0.1]' 'model.layers.0.out_channels=[4,8]'
    """
    from lenetcli.build.parts import build_run
    from lenetcli.report.training.outlet import outlets
    from lenetcli.report.training.runs import shown
    from lenetcli.runs.table import read_run
    from lenetcli.sweep.plan import Plan
    from lenetcli.sweep.work import results, work
    from lenetcli.train.signals import EXIT_CODES

    if random is not None and optuna is not None:
        raise ConfigError("--random or --optuna, not both")
    if prune and optuna is None:
        raise ConfigError("--prune: only with --optuna N")
    if plot is not None:
        from lenetcli.report.training.plot_file import check_installed

        check_place(plot, "--plot", *PICTURES)
        check_installed()
    way: Way = "random" if random is not None else "optuna" if optuna is not None else "grid"
    plan = Plan.of(config, values, way, random or optuna, seed, metric or "accuracy", prune)
    if not build_run(plan.config()).classes:  # or says what is wrong with the configuration or its data
        if metric == "accuracy":
            raise ConfigError("--metric accuracy: this data has no classes; use --metric loss")
        plan = replace(plan, metric="loss")
    trials, place = _trials(plan, out)

    def told(trial: Trial, outcome: str) -> None:
        values = ", ".join(f"{key}={shown(value)}" for key, value in trial.point.items())
        figure = read_run(trial.place).value(plan.metric)
        did = "" if figure is None else f", {plan.metric} {figure:.4f}"
        print(printable(f"trial {trial.number}/{trials.total}: {values}: {outcome}{did}"), file=sys.stderr)

    def waits(count: int) -> None:
        print(f"waiting for {count} trial{'' if count == 1 else 's'} that other workers train", file=sys.stderr)

    def showing(trial: Trial, run: Run) -> Shown:
        from lenetcli.report.training.sweep_progress import trial_progress

        return trial_progress(progress, trial, trials.total, run)

    with outlets():
        stop = work(plan, trials, told, waits, show=showing)
    if stop is not None:
        print(f"stopped by {stop}; the same command goes on with {place}", file=sys.stderr)
        raise typer.Exit(EXIT_CODES[stop])
    rows = results(plan, place)
    _show(plan, place, rows, as_json)
    if plot is not None:
        from lenetcli.report.training.parallel_coordinates import write

        write(plot, rows, _varied(plan, rows), plan.metric)
        print(plot, file=sys.stderr if as_json else sys.stdout)


def _trials(plan: Plan, out: Path | None) -> tuple[Trials, Path]:
    """The trials and the directory they have, once all that can be known to be wrong is refused."""
    from lenetcli.build.parts import check
    from lenetcli.sweep.trials import Given

    place = out if out is not None else plan.place()
    if plan.way == "optuna":
        from lenetcli.sweep.study import Proposed

        plan.settle(place)
        return Proposed(place, plan), place
    points = plan.points()
    for point in points:
        check(plan.config(point))
    plan.settle(place)
    return Given(place, points), place


def _varied(plan: Plan, rows: list[RunRow]) -> Differences:
    return {axis.key: [row.value(axis.key) for row in rows] for axis in plan.axes}


def _show(plan: Plan, place: Path, rows: list[RunRow], as_json: bool) -> None:
    from lenetcli.report.training.runs import draw, record

    varied = _varied(plan, rows)
    found = {"directory": str(place), "way": plan.way, "metric": plan.metric, **record(rows, varied)}
    show(found, lambda _: draw(rows, varied), as_json)
