"""Signals to the program itself, at any moment: what was trained is saved, and goes on to the same bits."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.errors import DataError
from lenetcli.train import evaluate_best
from lenetcli.train.events import Event, Step
from lenetcli.train.signals import ECHO, EXIT_CODES
from tests.conftest import ROOT
from tests.train.small import difference, resume, train, write_config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it has other signals")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
LONG = ("train.epochs=100000", "train.keep_checkpoints=1")


def started(place: Path, *arguments: str, before: Callable[[], Any] | None = None) -> subprocess.Popen[str]:
    """The program, training in `place`/run until a signal ends it."""
    command = [sys.executable, "-m", "lenetcli", "train", *arguments]
    return subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,
        cwd=place,
    )


def until(condition: Callable[[], bool]) -> None:
    """Waits for it."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def last_step(run: Path) -> int:
    """The last step that metrics.jsonl knows of."""
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return max((event["step"] for event in events if event["event"] == "step"), default=0)


@pytest.mark.parametrize("name", EXIT_CODES)
def test_a_signal_saves_the_last_step_and_ends_with_its_code(name: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    program = started(tmp_path, str(write_config(tmp_path)), *LONG, "--out", str(run))
    until(lambda: (run / "checkpoints" / "latest").exists())
    program.send_signal(getattr(signal, name))
    complained = program.communicate()[1]
    assert program.returncode == 128 + getattr(signal, name) == EXIT_CODES[name]
    assert f"stopped by {name} after step {last_step(run)}" in complained
    assert int((run / "checkpoints" / "latest").read_text()) == last_step(run)
    assert not (run / "lock").exists()


@pytest.mark.parametrize("name", EXIT_CODES)
def test_a_signal_that_came_in_ignored_stays_ignored(name: str, tmp_path: Path) -> None:
    run, number = tmp_path / "run", getattr(signal, name)
    config = str(write_config(tmp_path))
    program = started(
        tmp_path, config, "train.epochs=100", "--out", str(run), before=lambda: signal.signal(number, signal.SIG_IGN)
    )
    until(lambda: (run / "checkpoints" / "latest").exists())
    program.send_signal(number)
    program.communicate()
    assert program.returncode == 0
    assert last_step(run) == 400


def test_sigusr1_ends_nothing_before_the_first_step_and_after_the_last(tmp_path: Path) -> None:
    """It is sent all the time, from when the program can take it on."""
    run, early = tmp_path / "run", tmp_path / "early"
    program = started(tmp_path, str(write_config(tmp_path)), "train.epochs=3", "--out", str(run))
    status = Path(f"/proc/{program.pid}/status")
    if status.exists():
        mask = 1 << (signal.SIGUSR1 - 1)

        def caught() -> bool:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
            return bool(int(lines["SigCgt"], 16) & mask)

        until(caught)
        early.write_text(str(run.exists()))
        assert early.read_text() == "False"  # the run had not even a directory
    else:
        until(run.exists)
    while program.poll() is None:
        program.send_signal(signal.SIGUSR1)
        time.sleep(0.002)
    complained = program.communicate()[1]
    assert program.returncode == 0, complained
    train(write_config(tmp_path), tmp_path / "whole", "train.epochs=3")
    assert difference(tmp_path / "whole", run) is None


@pytest.mark.parametrize("names", [["SIGHUP"] * 3, ["SIGXCPU"] * 3, ["SIGHUP", "SIGTERM"], ["SIGTERM", "SIGTERM"]])
def test_signals_that_come_more_than_once_for_one_reason_do_not_end_it_at_once(
    names: list[str], tmp_path: Path
) -> None:
    def listen(event: Event) -> None:
        if isinstance(event, Step) and event.step == 6:
            for name in names:
                os.kill(os.getpid(), getattr(signal, name))

    assert train(write_config(tmp_path), tmp_path / "run", also=listen) == EXIT_CODES[names[0]]
    assert (tmp_path / "run" / "checkpoints" / "latest").read_text() == "000006"
    assert ECHO < 1


class Slow:
    """Stands in for the batches of an evaluation; does something before the second one."""

    def __init__(self, act: Callable[[], Any]) -> None:
        self.act, self.calls, self.real = act, 0, evaluate_best.moved

    def __call__(self, batches: Any, device: str) -> Any:
        for number, batch in enumerate(self.real(batches, device)):
            self.calls += 1
            if number == 1:
                self.act()
            yield batch


EACH = ("train.eval_batch_size=1", "train.epochs=3")  # four batches to evaluate


@pytest.mark.parametrize("validation", ["null", "0.3"])
def test_a_stop_is_heard_between_the_batches_of_an_evaluation(
    validation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, run, changes = write_config(tmp_path), tmp_path / "run", (*EACH, f"train.validation={validation}")
    assert train(config, tmp_path / "whole", *changes) == 0
    with monkeypatch.context() as patch:
        slow = Slow(lambda: os.kill(os.getpid(), signal.SIGTERM))
        patch.setattr(evaluate_best, "moved", slow)
        assert train(config, run, *changes) == 143
    assert slow.calls == 2
    step = int((run / "checkpoints" / "latest").read_text())
    assert step == last_step(run) > 0
    assert not (run / "model.safetensors").exists()
    assert resume(run) == 0
    assert difference(tmp_path / "whole", run) is None


def test_a_kill_in_an_evaluation_costs_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, run = write_config(tmp_path), tmp_path / "run"
    assert train(config, tmp_path / "whole", *EACH) == 0
    child = os.fork()
    if child == 0:
        evaluate_best.moved = Slow(lambda: os.kill(os.getpid(), signal.SIGKILL))  # type: ignore[assignment]
        train(config, run, *EACH)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (run / "checkpoints" / "latest").read_text() == "000004"
    assert resume(run) == 0
    assert difference(tmp_path / "whole", run) is None


@pytest.mark.parametrize("error", [DataError("picture.png: damaged"), ValueError("class 7"), RuntimeError("shape")])
def test_whatever_an_evaluation_raises_the_epoch_is_kept(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise error

    config, run = write_config(tmp_path), tmp_path / "run"
    assert train(config, tmp_path / "whole", *EACH) == 0
    with monkeypatch.context() as patch:
        patch.setattr(evaluate_best, "moved", Slow(fail))
        with pytest.raises(type(error)):
            train(config, run, *EACH)
    assert (run / "checkpoints" / "latest").read_text() == "000004"
    assert resume(run) == 0
    assert difference(tmp_path / "whole", run) is None


def test_batches_for_which_there_is_no_memory_are_halved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = evaluate_best.evaluate

    def small(model: Any, batches: Any, criterion: Any, *more: Any, **options: Any) -> Any:
        def checked() -> Any:
            for batch in batches:
                if len(batch[0]) > 1:
                    raise np._core._exceptions._ArrayMemoryError((4, 1), np.dtype(float))  # type: ignore[attr-defined]
                yield batch

        return real(model, checked(), criterion, *more, **options)

    monkeypatch.setattr(evaluate_best, "evaluate", small)
    assert train(write_config(tmp_path), tmp_path / "run") == 0
    told = capsys.readouterr().err
    assert "no memory to evaluate 256 samples at a time: now 128 (train.eval_batch_size)" in told
    assert told.count("no memory") == 8  # down to 1, once
    monkeypatch.undo()
    assert train(write_config(tmp_path), tmp_path / "one", "train.eval_batch_size=1") == 0
    last = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("run", "one")]
    assert last[0] == last[1]


def test_sigusr1_ends_no_verify_resume(tmp_path: Path) -> None:
    """It trains, too, and saves what it is asked to."""
    place = tmp_path / "tmp"
    place.mkdir()
    command = [sys.executable, "-m", "lenetcli", "verify-resume", str(write_config(tmp_path)), "train.epochs=30"]
    environment = {**ENVIRONMENT, "TMPDIR": str(place)}
    program = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until(lambda: any(place.iterdir()))
    while program.poll() is None:
        program.send_signal(signal.SIGUSR1)
        time.sleep(0.01)
    complained = program.communicate()[1]
    assert program.returncode == 0, complained


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_verify_resume_takes_its_folders_with_it(name: str, tmp_path: Path) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    command = [sys.executable, "-m", "lenetcli", "verify-resume", str(write_config(tmp_path)), "train.epochs=100000"]
    program = subprocess.Popen(command, env={**ENVIRONMENT, "TMPDIR": str(place)}, stderr=subprocess.PIPE, text=True)
    until(lambda: any(place.glob("*/whole/metrics.jsonl")))
    program.send_signal(getattr(signal, name))
    assert program.communicate()[1].strip() == f"ended by {name}"
    assert program.returncode == EXIT_CODES[name]
    assert list(place.iterdir()) == []


SWALLOWED = """
import os, signal, sys, time, weakref
from lenetcli.train.signals import orderly, polite_stop

class Wish:
    stop, save_now = None, False

class Thing: pass

def act(unused=None):
    os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    for _ in range(100): pass

with orderly(trains=True):
    if sys.argv[2] == "nothing can be raised":
        thing = Thing()
        reference = weakref.ref(thing, act)
        del thing  # what the callback raises is printed, and the program goes on
        time.sleep(5)
        print("went on")
    try:
        act()
    except BaseException:  # as code of C does that takes any exception for an answer
        pass
    wish = Wish()
    with polite_stop(wish):
        print(wish.stop)
"""


@pytest.mark.parametrize("name", EXIT_CODES)
def test_a_signal_is_not_lost_where_what_it_raises_is_swallowed(name: str) -> None:
    def ended(how: str) -> subprocess.CompletedProcess[str]:
        words = [sys.executable, "-c", SWALLOWED, name, how]
        return subprocess.run(words, env=ENVIRONMENT, capture_output=True, text=True, check=False)

    done = ended("nothing can be raised")
    assert done.returncode == EXIT_CODES[name]
    assert "went on" not in done.stdout
    assert "Exception ignored" not in done.stderr
    assert ended("it is caught").stdout.strip() == name


def test_ctrl_c_before_the_first_step_says_a_line(tmp_path: Path) -> None:
    """Typer would make an exit code of it, and say nothing."""
    slow = "import time\nfrom lenetcli import nn\nclass Slow(nn.Flatten):\n    def __init__(self): time.sleep(60)\n"
    (tmp_path / "slow.py").write_text(slow)
    config = write_config(tmp_path)
    config.write_text(config.read_text().replace("type: Flatten", "type: 'slow.py:Slow'"))
    program = started(tmp_path, str(config), "--out", "run")
    assert program.stderr is not None
    assert program.stderr.readline().startswith("runs Python of its own: ")
    program.send_signal(signal.SIGINT)
    assert (program.communicate()[1], program.returncode) == ("interrupted\n", 130)
