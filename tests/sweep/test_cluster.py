"""Trials that workers of other processes train: the same runs, to the last bit, as in one process; once each."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lenetcli.errors import ConfigError, LenetError
from lenetcli.runs.lock import locked
from lenetcli.sweep import schedule, trial
from lenetcli.sweep.executors import Pool
from lenetcli.sweep.plan import Plan
from lenetcli.sweep.trial import Record, Task, ended, perform
from lenetcli.sweep.trials import Given
from tests.commands import inside, run
from tests.parallel.ranks import LENET, MPIEXEC, environment, needs_mpi
from tests.train.small import difference, write_config

HAS_DASK = importlib.util.find_spec("distributed") is not None
needs_dask = pytest.mark.skipif(not HAS_DASK, reason="dask.distributed is not here: pip install 'lenet[cluster]'")
WORDS = ["sweep", "small.yaml", "optimizer.lr=log(1e-3, 1e-1)", "--random", "6"]


SLOW = """
import os, time
from lenetcli import nn

class Slow(nn.Module):
    def forward(self, x):
        time.sleep(float(os.environ.get("SLOW", 0)))
        return x
"""


def start(place: Path, *words: str, before: tuple[str, ...] = (), **more: str) -> subprocess.Popen[str]:
    variables, pipe = {**environment(), **more}, subprocess.PIPE
    return subprocess.Popen(
        [*before, *LENET, *words], cwd=place, env=variables, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    )


def until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    write_config(tmp_path)
    return tmp_path


def check_same(place: Path, count: int = 6) -> None:
    """Each trial ended once, and is what one process makes of it."""
    assert run([*WORDS, "--out", "serial"], place).code == 0
    for number in range(1, count + 1):
        serial, shared = (place / name / f"{number:04d}" for name in ("serial", "shared"))
        assert difference(serial, shared) is None
        assert (serial / "config.yaml").read_text() == (shared / "config.yaml").read_text()
        lines = (shared / "metrics.jsonl").read_text().splitlines()
        assert sum('"event": "ended"' in line for line in lines) == 1


# Engines


@needs_dask
def test_workers_of_dask_train_what_one_process_trains_though_one_is_killed(place: Path) -> None:
    command = start(place, *WORDS, "--out", "shared", "--cluster", "local", "--jobs", "2")
    until(lambda: list(place.glob("shared/*/lock")) or command.poll() is not None)
    holder = next(iter(place.glob("shared/*/lock")))
    until(lambda: not holder.exists() or holder.read_text())
    if holder.exists():
        os.kill(json.loads(holder.read_text())["pid"], signal.SIGKILL)
    out, err = command.communicate(timeout=100)
    assert command.returncode == 0, err
    assert sum(line.startswith("trial ") for line in err.splitlines()) == 6
    assert out.endswith("6 runs\n")
    check_same(place)
    again = run([*WORDS, "--out", "shared"], place)  # in one process: nothing is left to do
    assert (again.code, again.out) == (0, out)


@needs_mpi
def test_ranks_train_what_one_process_trains(place: Path) -> None:
    assert MPIEXEC is not None
    command = start(place, *WORDS, "--out", "shared", before=(MPIEXEC, "-n", "3"))
    out, err = command.communicate(timeout=100)
    assert command.returncode == 0, err
    assert sum(line.startswith("trial ") for line in err.splitlines()) == 6
    assert out.count("6 runs\n") == 1
    check_same(place)


@needs_mpi
def test_what_is_wrong_is_one_message_of_all_ranks(place: Path) -> None:
    assert MPIEXEC is not None
    command = start(place, "sweep", "small.yaml", "optimizer.lr=0.1", before=(MPIEXEC, "-n", "3"))
    out, err = command.communicate(timeout=100)
    assert (command.returncode, out) == (2, "")
    assert err.count("nothing to vary") == 1


SBATCH = """#!/bin/sh
cp "$1" "$JOBS/script.$$"  # dask-jobqueue takes its own away
setsid bash "$JOBS/script.$$" >"$JOBS/log.$$" 2>&1 </dev/null &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
for job in "$@"; do kill -- "-$job"; done
"""


@needs_dask
@pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for Slurm needs setsid and a device called lo")
def test_jobs_of_slurm_train_what_one_process_trains(place: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    programs = place / "bin"
    programs.mkdir()
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    settings = {"CORES": "1", "MEMORY": "4GB", "INTERFACE": "lo"}
    variables = {f"DASK_JOBQUEUE__SLURM__{key}": value for key, value in settings.items()}
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    words = [*WORDS, "--out", "shared", "--cluster", "slurm", "--jobs", "2"]
    command = start(place, *words, PATH=path, JOBS=str(place), **variables)
    _, err = command.communicate(timeout=100)
    assert command.returncode == 0, err
    assert len(list(place.glob("script.*"))) == 2
    check_same(place)


def test_without_dask_the_message_says_how_to_get_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    found = run([*WORDS, "--cluster", "local"], place)
    assert (found.code, found.out) == (2, "")
    assert "python -m pip install 'lenet[cluster]'" in found.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "2"], "--jobs N: only with --cluster local or slurm"),
        (["--jobs", "2", "--cluster", "tcp://here:1"], "--jobs N: only with --cluster local or slurm"),
        (["--no-lock", "--cluster", "local"], "--no-lock: not with --cluster"),
        pytest.param(["--cluster", "nonsense"], "--cluster nonsense: no scheduler answers there", marks=needs_dask),
        pytest.param(["--cluster", ""], "no scheduler answers there", marks=needs_dask),
    ],
)
def test_wrong_words_are_one_message(place: Path, words: list[str], message: str) -> None:
    found = run([*WORDS, "--out", "new", *words], place)
    assert (found.code, found.out) == (2, "")
    assert message in found.err
    assert not list(place.glob("new/0*"))


def test_pruning_is_refused_where_workers_do_not_see_the_study(place: Path) -> None:
    words = ["sweep", "small.yaml", "optimizer.lr=log(1e-3, 1e-1)", "--optuna", "3", "--prune", "--cluster", "local"]
    found = run(words, place)
    assert (found.code, "--prune: not with --cluster or mpiexec, whose" in found.err) == (2, True)


# The process that shares out


@pytest.fixture
def pool() -> Iterator[Executor]:
    with ThreadPoolExecutor(1) as found:
        yield found


def share(place: Path, submit: Any) -> list[tuple[int, str]]:
    told: list[tuple[int, str]] = []
    plan = Plan.of("small.yaml", ["optimizer.lr=[0.01, 0.02, 0.03]"], "grid", None, 0, "loss", False)
    with inside(place):
        plan.settle(Path("shared"))
        trials = Given(Path("shared"), plan.points(), schedule.Submitted())
        stop = schedule.share_out(plan, trials, Pool(submit, lambda: 1), lambda t, how: told.append((t.number, how)))
    assert stop is None
    return told


def test_a_trial_that_got_lost_on_its_way_is_sent_once_more(place: Path, pool: Executor) -> None:
    sent: list[str] = []

    def submit(function: Any, task: Task) -> Future[Record]:
        sent.append(task.place)
        if len(sent) != 2:
            return pool.submit(function, task)
        lost: Future[Record] = Future()
        lost.cancel()
        lost.set_running_or_notify_cancel()
        return lost

    assert sorted(share(place, submit)) == [(1, "finished"), (2, "finished"), (3, "finished")]
    assert sorted(sent) == ["shared/0001", "shared/0002", "shared/0002", "shared/0003"]


def test_an_error_of_a_worker_is_that_of_the_command(place: Path, pool: Executor) -> None:
    def fail(task: Task) -> Record:
        raise ValueError("what is this?")

    with pytest.raises(LenetError, match="trial 1: ValueError: what is this"):
        share(place, lambda function, task: pool.submit(fail, task))
    with pytest.raises(ConfigError, match="no good"):
        share(place, lambda function, task: pool.submit(lambda: Record(error=(2, "no good"))))


def test_one_command_alone_shares_out_a_sweep(place: Path, pool: Executor) -> None:
    share(place, pool.submit)
    with locked(place / "shared"), pytest.raises(ConfigError, match="another command shares out its trials: process"):
        share(place, pool.submit)


# The worker


def task_of(place: Path) -> Task:
    (place / "shared").mkdir(exist_ok=True)
    text = (place / "small.yaml").read_text()
    return Task("small.yaml", text, "shared/0001", "shared", str(place))


def test_a_worker_that_does_not_see_the_sweeps_lock_does_not_train(place: Path) -> None:
    with inside(place):
        error = perform(task_of(place)).error
    assert error is not None
    assert "shared is not locked: the command that shares out its trials is gone, or the locks of that disk" in error[1]
    assert not (place / "shared" / "0001").exists()


def test_a_worker_without_the_disk_says_so(place: Path) -> None:
    error = perform(Task("a.yaml", "", "shared/0001", "shared", str(place / "elsewhere"))).error
    assert error is not None
    assert "the machines of a sweep share its disk" in error[1]


def test_a_worker_waits_for_another_that_has_the_trial(place: Path, pool: Executor) -> None:
    task = task_of(place)
    (place / "shared" / "0001").mkdir()
    with inside(place), locked(place / "shared"):
        with locked(place / "shared" / "0001"):
            answer = pool.submit(perform, task)
            time.sleep(2 * trial.PAUSE)
            assert not answer.done()
        assert answer.result(60) == Record("finished")


def test_a_training_that_nobody_waits_for_any_more_saves_and_ends(
    place: Path, pool: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trial, "LOOK", 0.0)
    monkeypatch.setattr(trial, "is_locked", _seen(3))
    with inside(place):
        assert perform(task_of(place)) == Record("interrupted", trial.GIVEN_UP)
    assert ended(place / "shared" / "0001") is None
    assert list((place / "shared" / "0001" / "checkpoints").glob("0*"))


def _seen(times: int) -> Any:
    """A look at the lock that sees it so many times."""
    looks = iter(range(times))
    return lambda place: next(looks, None) is not None


# Signals


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("engine", [pytest.param("dask", marks=needs_dask), pytest.param("mpi", marks=needs_mpi)])
def test_a_signal_has_the_workers_save_and_the_same_command_goes_on(
    place: Path, engine: str, number: signal.Signals
) -> None:
    (place / "slow.py").write_text(SLOW)
    text = (place / "small.yaml").read_text()
    (place / "small.yaml").write_text(
        text.replace("- {type: Flatten}", "- {type: 'slow.py:Slow'}\n    - {type: Flatten}")
    )
    before = (str(MPIEXEC), "-n", "3") if engine == "mpi" else ()
    words = [*WORDS, "--out", "shared", *(["--cluster", "local", "--jobs", "2"] if engine == "dask" else [])]
    command = start(place, *words, before=before, SLOW="0.3")
    until(lambda: any('"step": 2' in path.read_text() for path in place.glob("shared/*/metrics.jsonl")))
    if number == signal.SIGINT:  # a terminal's Ctrl-C comes to all processes
        os.killpg(command.pid, number)
    else:
        command.send_signal(number)
    _, err = command.communicate(timeout=100)
    assert command.returncode == 128 + number, err
    assert f"stopped by {number.name}; the same command goes on with shared" in err
    assert "Traceback" not in err
    assert not list(place.glob("shared/**/lock"))
    assert all('"interrupted"' in path.read_text() for path in place.glob("shared/*/metrics.jsonl"))
    again = start(place, *words, before=before)
    _, err = again.communicate(timeout=100)
    assert again.returncode == 0, err
    check_same(place)
