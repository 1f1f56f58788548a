"""Workers: every trial is trained once and to its end, whoever dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.runs.history import read_history
from lenetcli.runs.lock import is_locked, locked
from lenetcli.runs.table import at, read_run
from lenetcli.sweep import trial as claims
from lenetcli.sweep.plan import NAME, Plan, Way
from lenetcli.sweep.trials import Given, Trials
from lenetcli.sweep.work import results, work
from lenetcli.train.events import Event, Step
from tests.conftest import ROOT
from tests.train.small import difference, write_config

WAYS: list[Way] = ["random", "optuna"]
AXES = ["optimizer.lr=log(1e-3, 1e-1)", "model.layers.fc1.out_features=int(3, 9)"]


class Killed(BaseException):
    """Stands for a SIGKILL: nothing is done after it."""


def plan_of(place: Path, way: Way = "grid", count: int | None = None, *more: str, **changes: Any) -> Plan:
    axes = ["optimizer.lr=[0.01, 0.02]", "model.layers.fc1.out_features=[4, 5]"]
    if way != "grid":
        axes = AXES
    options: dict[str, Any] = {"seed": 0, "metric": "loss", "prune": False, **changes}
    path = place / "small.yaml"
    return Plan.of(str(path if path.exists() else write_config(place)), [*axes, *more], way, count, **options)


def trials_of(plan: Plan, place: Path) -> Trials:
    plan.settle(place)
    if plan.way == "optuna":
        pytest.importorskip("optuna")
        from lenetcli.sweep.study import Proposed

        return Proposed(place, plan)
    return Given(place, plan.points())


def run(plan: Plan, place: Path, also: Callable[[Event], None] | None = None) -> list[tuple[int, str]]:
    """Works until nothing is left; gives the trials that this worker was through with."""
    told: list[tuple[int, str]] = []
    stop = work(plan, trials_of(plan, place), lambda t, how: told.append((t.number, how)), lambda count: None, also)
    assert stop is None
    return told


def states(place: Path) -> dict[str, str | None]:
    return {entry.name: claims.ended(entry) for entry in sorted(place.iterdir()) if entry.name.isdigit()}


def test_a_grid_trains_every_combination_and_the_best_comes_first(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path), tmp_path / "sweep"
    assert run(plan, place) == [(number, "finished") for number in (1, 2, 3, 4)]
    rows = results(plan, place)
    losses = [row.loss for row in rows]
    assert losses == sorted(losses)  # type: ignore[type-var]  # none of them is None
    points = {(at(row.config, "optimizer.lr"), at(row.config, "model.layers.fc1.out_features")) for row in rows}
    assert points == {(0.01, 4), (0.01, 5), (0.02, 4), (0.02, 5)}
    assert run(plan, place) == []  # once more: nothing is left to do


@pytest.mark.parametrize("way", WAYS)
def test_a_trial_whose_worker_was_killed_goes_on_from_its_checkpoint(tmp_path: Path, way: Way) -> None:
    plan = plan_of(tmp_path, way, 3)
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    run(plan, whole)
    count = 0

    def die(event: Event) -> None:
        nonlocal count
        count += isinstance(event, Step)
        if count == 12 + 7:  # in the second trial, after its first checkpoint
            raise Killed

    with pytest.raises(Killed):
        run(plan, torn, die)
    assert states(torn) == {"0001": "finished", "0002": None}
    assert [number for number, _ in run(plan, torn)] == [2, 3]
    for name in ("0001", "0002", "0003"):
        assert difference(whole / name, torn / name) is None


@pytest.mark.parametrize("way", WAYS)
def test_a_later_command_may_ask_for_more_trials(tmp_path: Path, way: Way) -> None:
    run(plan_of(tmp_path, way, 2), tmp_path / "sweep")
    assert [number for number, _ in run(plan_of(tmp_path, way, 4), tmp_path / "sweep")] == [3, 4]


def test_a_trial_that_diverges_does_not_end_the_sweep(tmp_path: Path) -> None:
    path = str(write_config(tmp_path))
    plan = Plan.of(path, ["optimizer.lr=[.01, 1e300]", "optimizer.type=[SGD]"], "grid", None, 0, "loss", False)
    assert run(plan, tmp_path / "sweep") == [(1, "finished"), (2, "diverged")]
    assert run(plan, tmp_path / "sweep") == []
    assert [row.status for row in results(plan, tmp_path / "sweep")] == ["finished", "diverged"]


def test_a_signal_ends_the_worker_and_the_next_one_goes_on(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path), tmp_path / "sweep"
    trials = trials_of(plan, place)

    def interrupt(event: Event) -> None:
        if isinstance(event, Step) and event.step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    assert work(plan, trials, lambda trial, how: None, lambda count: None, interrupt) == "SIGINT"
    assert states(place) == {"0001": None}
    assert run(plan, place)[0] == (1, "finished")
    assert read_history(place / "0001").steps.step.tolist() == list(range(1, 13))


def test_what_another_worker_trains_is_left_to_it(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path), tmp_path / "sweep"
    trials = trials_of(plan, place)
    (place / "0001").mkdir()
    with locked(place / "0001"):
        trial = trials.take()
        assert trial is not None
        assert trial.number == 2
        assert trials.others == 1
        trial.held.close()


def test_what_another_command_shares_out_is_left_to_it(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path), tmp_path / "sweep"
    trials = trials_of(plan, place)
    with locked(place), pytest.raises(ConfigError, match=f"shares out its trials: process {os.getpid()} on"):
        work(plan, trials, lambda trial, how: None, lambda count: None)


# Plans


def test_a_directory_keeps_to_one_sweep(tmp_path: Path) -> None:
    place = tmp_path / "sweep"
    plan_of(tmp_path).settle(place)
    plan_of(tmp_path).settle(place)
    for other, what in (
        (plan_of(tmp_path, "grid", None, "train.epochs=4"), "another configuration"),
        (plan_of(tmp_path, "random", 3), 'way "grid", not "random"'),
        (plan_of(tmp_path, seed=1), "seed 0, not 1"),
    ):
        with pytest.raises(ConfigError, match=f"holds another sweep \\({what}\\)"):
            other.settle(place)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").touch()
    with pytest.raises(ConfigError, match="holds other files"):
        plan_of(tmp_path).settle(tmp_path / "other")
    with pytest.raises(LenetError, match="cannot make"):
        plan_of(tmp_path).settle(tmp_path / "other" / "letter.txt")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"way": 3}'])
def test_a_damaged_plan_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / NAME).write_text(text)
    with pytest.raises((DataError, ConfigError), match=r"damaged|another sweep"):
        plan_of(tmp_path).settle(tmp_path / "sweep")


def test_the_same_command_finds_its_directory_again(tmp_path: Path) -> None:
    assert plan_of(tmp_path).place() == plan_of(tmp_path).place()
    assert plan_of(tmp_path, "random", 3).place() == plan_of(tmp_path, "random", 9).place()
    assert plan_of(tmp_path).place() != plan_of(tmp_path, seed=1).place()
    assert str(plan_of(tmp_path).place()).startswith("runs/small/sweep-")


# Optuna


def test_what_does_worse_than_the_median_is_pruned(tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    path, place = str(write_config(tmp_path)), tmp_path / "sweep"
    plan = Plan.of(path, ["optimizer.lr=log(1e-5, 1e-1)"], "optuna", 14, 0, "loss", prune=True)
    outcomes = [how for _, how in run(plan, place)]
    assert outcomes.count("pruned") >= 2
    assert outcomes.count("finished") >= 5
    pruned = next(row for row in results(plan, place) if row.status == "pruned")
    assert 0 < pruned.epoch < pruned.epochs
    assert read_run(Path(pruned.run)).status == "pruned"
    assert run(plan, place) == []


def test_a_trial_that_ends_while_another_worker_looks_at_it_is_not_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, place = plan_of(tmp_path, "optuna", 2), tmp_path / "sweep"
    one, other = trials_of(plan, place), trials_of(plan, place)
    taken = one.take()
    assert taken is not None

    def end_it_first(where: Path) -> Any:
        monkeypatch.setattr(other, "_claim", claims.claim)
        one.settle(taken, "diverged")
        taken.held.close()
        return claims.claim(where)

    monkeypatch.setattr(other, "_claim", end_it_first)
    next_one = other.take()
    assert next_one is not None
    assert next_one.number == 2
    next_one.held.close()


def test_a_torn_line_at_the_end_of_the_journal_is_taken_away(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path, "optuna", 3), tmp_path / "sweep"
    run(plan_of(tmp_path, "optuna", 1), place)
    with (place / "journal.log").open("ab") as journal:
        journal.write(b'{"op_code":4,"worker_')
    assert [number for number, _ in run(plan, place)] == [2, 3]


def test_a_damaged_journal_is_one_message(tmp_path: Path) -> None:
    plan, place = plan_of(tmp_path, "optuna", 1), tmp_path / "sweep"
    run(plan, place)
    (place / "journal.log").write_bytes(b"what is this?\n" * 5)
    with pytest.raises(DataError, match=r"journal\.log: damaged"):
        trials_of(plan, place)


# Random kills

WORKER = """
import sys, time
from pathlib import Path
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.trials import Given
from lenetcli.sweep.work import work

place, way = Path(sys.argv[1]), sys.argv[2]
plan = Plan.of(str(place / "small.yaml"), sys.argv[3:], way, 7, 0, "loss", False)
plan.settle(place / "sweep")
if way == "optuna":
    from lenetcli.sweep.study import Proposed
    trials = Proposed(place / "sweep", plan)
else:
    trials = Given(place / "sweep", plan.points())
work(plan, trials, lambda trial, how: None, lambda count: None, lambda event: time.sleep(0.01))
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Way], subprocess.Popen[bytes]]]:
    """Starts a worker in a process of its own."""
    started: list[subprocess.Popen[bytes]] = []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}

    def one(way: Way) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-c", WORKER, str(tmp_path), way, *AXES]
        started.append(subprocess.Popen(words, env=environment, stderr=subprocess.PIPE))
        return started[-1]

    yield one
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()  # type: ignore[union-attr]  # it is a pipe


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
@pytest.mark.parametrize("way", [pytest.param("random", marks=pytest.mark.slow), "optuna"])
def test_three_workers_and_random_kills_end_with_every_trial_trained_once(
    tmp_path: Path, way: Way, start: Callable[[Way], subprocess.Popen[bytes]]
) -> None:
    if way == "optuna":
        pytest.importorskip("optuna")
    draw, place = random.Random(7), tmp_path / "sweep"
    write_config(tmp_path)
    workers = [start(way) for _ in range(3)]
    kills = 0
    while kills < 3 and any(worker.poll() is None for worker in workers):
        begun = len(states(place)) if place.is_dir() else 0
        if begun <= kills:  # once a further trial has begun, somebody dies
            time.sleep(0.02)
            continue
        time.sleep(draw.uniform(0, 0.2))
        victim = draw.randrange(3)
        if workers[victim].poll() is None:
            workers[victim].kill()
            kills += 1
            workers[victim].wait()
            workers[victim] = start(way)
    for worker in workers:
        assert worker.wait(timeout=120) == 0, worker.stderr.read().decode()  # type: ignore[union-attr]  # it is a pipe
    assert kills == 3
    assert list(states(place).values()) == ["finished"] * 7
    for number in range(1, 8):
        run_directory = place / f"{number:04d}"
        lines = (run_directory / "metrics.jsonl").read_text().splitlines()
        steps = [event["step"] for event in map(json.loads, lines) if event["event"] == "step"]
        assert steps == list(range(1, 13))  # each step stands there once, whoever made it
        assert not is_locked(run_directory)
    if way == "optuna":
        trials = trials_of(plan_of(tmp_path, way, 7), place)
        told = trials._study.get_trials()  # type: ignore[attr-defined]  # of Proposed
        assert [trial.state.name for trial in told] == ["COMPLETE"] * 7
        best = [row.loss for row in results(plan_of(tmp_path, way, 7), place)]
        assert sorted(trial.value for trial in told) == pytest.approx(best)
