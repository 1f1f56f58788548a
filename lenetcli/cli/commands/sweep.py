"""`lenet sweep`: many trainings, each with other values."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lenetcli.cli.options import PICTURES, Config, Json, NoLock, check_place, show, trust
from lenetcli.errors import ConfigError, printable

if TYPE_CHECKING:
    from lenetcli.report.training.runs import Differences
    from lenetcli.runs.table import RunRow
    from lenetcli.sweep.executors import Pool
    from lenetcli.sweep.plan import Plan, Way
    from lenetcli.sweep.trials import Trial, Trials
    from lenetcli.sweep.work import Shown
    from lenetcli.train.run import Run

Progress = Literal["auto", "bar", "plain", "off"]


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
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Let workers of dask.distributed train: of a scheduler's address, of this machine, or Slurm's jobs.",
            metavar="ADDRESS|local|slurm",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            "--jobs",
            "-j",
            min=1,
            max=1024,
            help="With --cluster local or slurm: so many workers.",
            metavar="N",
            show_default="local: one a processor; slurm: 1",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw parallel coordinates.", metavar="FILE.png|.svg", show_default=False),
    ] = None,
    progress: Annotated[
        Progress,
        typer.Option(help="How to show the epochs of a trial; auto is a bar in a terminal, and nothing elsewhere."),
    ] = "auto",
    no_lock: NoLock = False,
    as_json: Json = False,
) -> None:
    """Train CONFIG with every combination of values, or with some of them, and show the best.

    A key varies over a list, [0.01, 0.1], or, with --random and --optuna, a range: uniform(0, 0.5), log(1e-4, 1e-1),
    int(16, 128), logint(16, 128). Each trial is a run directory like any other. The same command again goes on where it
    was stopped, and several at once share the trials; those of a worker that dies are taken over by the others. Over
    several machines: --cluster, or mpiexec.

    Example: lenet sweep configs/lenet.yaml 'optimizer.lr=[0.01,0.1]' 'model.layers.0.out_channels=[4,8]'
    """
    from lenetcli.parallel.launch import launched
    from lenetcli.report.training.outlet import outlets
    from lenetcli.sweep.executors import HERE, dask, mpi
    from lenetcli.sweep.plan import Plan
    from lenetcli.sweep.work import results
    from lenetcli.train.signals import EXIT_CODES

    size, rank = launched()
    with mpi(size) if size > 1 else nullcontext() as pool:
        if rank:
            return  # it has worked, and all is done
        if random is not None and optuna is not None:
            raise ConfigError("--random or --optuna, not both")
        if prune and optuna is None:
            raise ConfigError("--prune: only with --optuna N")
        if prune and (cluster is not None or pool is not None):
            raise ConfigError(
                "--prune: not with --cluster or mpiexec, whose workers do not see the study; the same command several "
                "times at once shares it, on one machine"
            )
        if cluster is not None and pool is not None:
            raise ConfigError("--cluster or mpiexec, not both")
        if jobs is not None and cluster not in HERE:
            raise ConfigError(f"--jobs N: only with --cluster {' or '.join(HERE)}")
        if no_lock and (cluster is not None or pool is not None):
            raise ConfigError("--no-lock: not with --cluster or mpiexec, where many workers are there")
        trust(no_lock)
        if plot is not None:
            from lenetcli.report.training.plot_file import check_installed

            check_place(plot, "--plot", *PICTURES)
            check_installed()
        way: Way = "random" if random is not None else "optuna" if optuna is not None else "grid"
        plan = _judged(Plan.of(config, values, way, random or optuna, seed, metric or "accuracy", prune), metric)
        trials, place = _trials(plan, out, here=cluster is None and pool is None)
        with outlets():
            if cluster is not None:
                with dask(cluster, jobs) as pool:
                    stop = _train(plan, trials, pool, progress)
            else:
                stop = _train(plan, trials, pool, progress)
    if stop is not None:
        print(printable(f"stopped by {stop}; the same command goes on with {place}"), file=sys.stderr)
        raise typer.Exit(EXIT_CODES[stop])
    rows = results(plan, place)
    _show(plan, place, rows, as_json)
    if plot is not None:
        from lenetcli.report.training.parallel_coordinates import write

        write(plot, rows, _varied(plan, rows), plan.metric)
        print(printable(plot), file=sys.stderr if as_json else sys.stdout)


def _judged(plan: Plan, metric: str | None) -> Plan:
    """The plan, by the loss where there are no classes; or what is wrong with the configuration or its data is said."""
    from lenetcli.build.parts import build_run

    if build_run(plan.config()).classes:
        return plan
    if metric == "accuracy":
        raise ConfigError("--metric accuracy: this data has no classes; use --metric loss")
    return replace(plan, metric="loss")


def _train(plan: Plan, trials: Trials, pool: Pool | None, progress: Progress) -> str | None:
    """Trains here, or has the workers of a pool train; gives the signal that ended it."""
    from lenetcli.report.training.runs import shown
    from lenetcli.runs.table import read_run
    from lenetcli.sweep.schedule import share_out
    from lenetcli.sweep.work import work

    def told(trial: Trial, outcome: str) -> None:
        values = ", ".join(f"{key}={shown(value)}" for key, value in trial.point.items())
        figure = read_run(trial.place).value(plan.metric)
        did = "" if figure is None else f", {plan.metric} {figure:.4f}"
        print(printable(f"trial {trial.number}/{trials.total}: {values}: {outcome}{did}"), file=sys.stderr)

    def waits(count: int) -> None:
        print(
            printable(f"waiting for {count} trial{'' if count == 1 else 's'} that other workers train"), file=sys.stderr
        )

    def showing(trial: Trial, run: Run) -> Shown:
        from lenetcli.report.training.sweep_progress import trial_progress

        return trial_progress(progress, trial, trials.total, run)

    if pool is None:
        return work(plan, trials, told, waits, show=showing)
    if pool.description:
        print(printable(pool.description), file=sys.stderr)
    return share_out(plan, trials, pool, told)


def _trials(plan: Plan, out: Path | None, here: bool) -> tuple[Trials, Path]:
    """The trials and the directory they have, once all that can be known to be wrong is refused.

    Args:
        here: this process trains them itself.
    """
    from lenetcli.build.parts import check
    from lenetcli.sweep.schedule import Submitted
    from lenetcli.sweep.trial import claim
    from lenetcli.sweep.trials import Given

    take = claim if here else Submitted()
    place = out if out is not None else plan.place()
    if plan.way == "optuna":
        from lenetcli.sweep.study import Proposed

        plan.settle(place)
        return Proposed(place, plan, take), place
    points = plan.points()
    for point in points:
        check(plan.config(point))
    plan.settle(place)
    return Given(place, points, take), place


def _varied(plan: Plan, rows: list[RunRow]) -> Differences:
    return {axis.key: [row.value(axis.key) for row in rows] for axis in plan.axes}


def _show(plan: Plan, place: Path, rows: list[RunRow], as_json: bool) -> None:
    from lenetcli.report.training.runs import draw, record

    varied = _varied(plan, rows)
    found = {"directory": str(place), "way": plan.way, "metric": plan.metric, **record(rows, varied)}
    show(found, lambda _: draw(rows, varied), as_json)
