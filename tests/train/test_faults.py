"""Killed, out of space or damaged at any moment, a run goes on from a whole checkpoint to the very same end."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from lenetcli.errors import DataError, LenetError
from lenetcli.runs.directory import MetricsFile
from lenetcli.train.events import Evaluated, Event, Saved, Step
from tests.train.faults import BROKEN, NO_ROOM, boundaries, changes, killed_at, refusing
from tests.train.small import at, difference, resume, train, write_config

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no fork"),
    pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning"),  # JAX, where a benchmark has imported it
]

SHORT = ("train.epochs=2", "train.batch_size=7", "train.keep_checkpoints=1", "train.ema=0.9")  # 2 epochs of 2 steps


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing happened to."""
    place = tmp_path_factory.mktemp("whole") / "run"
    assert train(config, place, *SHORT) == 0
    return place


def finish(config: Path, run: Path) -> None:
    """What a user does after a mishap: resume, or start where nothing had begun."""
    if (run / "config.yaml").exists():
        assert resume(run) == 0
    else:
        assert train(config, run, *SHORT) == 0


def clean(run: Path) -> bool:
    """Nothing is left of what was under way."""
    names = [p.name for p in (*run.iterdir(), *(run / "checkpoints").iterdir())]
    return not any(name.startswith(".") or name.endswith(".old") or name == "lock" for name in names)


def interrupted(config: Path, run: Path) -> Path:
    """A run stopped in its second epoch, its newest checkpoint damaged: resuming it has the most to do."""
    assert (
        train(config, run, *SHORT, "train.keep_checkpoints=3", also=at(3, lambda: os.kill(os.getpid(), signal.SIGINT)))
        == 130
    )
    newest = run / "checkpoints" / "000003" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-1])
    (run / "model.safetensors").unlink()
    return run


def save_often(event: Event) -> None:
    """Asks for checkpoints as SIGUSR1 does: in the middle of an epoch, and where the end of one replaces it."""
    if isinstance(event, Step) and event.step in (2, 3):
        os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.parametrize(
    "also",
    [pytest.param(None, id="as it is", marks=pytest.mark.slow), pytest.param(save_often, id="saved often")],
)  # all that is written as it is, is written also by a run that saves more often
def test_a_kill_at_every_call_of_a_training_loses_nothing(
    also: Any, config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, run, count = 0, tmp_path / "run", tmp_path / "count"
    numbers = changes(lambda: train(config, count, *SHORT, also=also), count)
    for number in numbers:
        kills += killed_at(number, lambda: train(config, run, *SHORT, also=also))
        finish(config, run)
        assert difference(whole, run) is None, f"killed at call {number}"
        assert clean(run), f"killed at call {number}"
        shutil.rmtree(run)
    assert kills == len(numbers)
    with capsys.disabled():
        print(
            f"\n{kills} kills in a training, one at each call that finds other files: "
            "resumed and ended bit-identical after every one"
        )


@pytest.mark.slow
@pytest.mark.parametrize("also", [None, save_often], ids=["as it is", "saved often"])
def test_a_power_failure_at_every_call_of_a_training_loses_nothing(
    also: Any, config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a kill, but every byte and every name that has not been synced is lost besides."""
    run, told = tmp_path / "run", tmp_path / "told"

    def listen(event: Event) -> None:
        if isinstance(event, Saved):
            told.write_text(f"{event.step:06d}")
        if also is not None:
            also(event)

    count = boundaries(lambda: train(config, tmp_path / "count", *SHORT, also=listen))
    for number in range(1, count + 1):
        told.write_text("")
        killed_at(number, lambda: train(config, run, *SHORT, also=listen), power=run)
        if told.read_text():
            assert (run / "checkpoints" / "latest").read_text() >= told.read_text(), f"power failed at call {number}"
        finish(config, run)
        assert difference(whole, run) is None, f"power failed at call {number}"
        shutil.rmtree(run)
    with capsys.disabled():
        print(f"\n{count} power failures, one at each call: resumed and ended bit-identical after every one")


def test_a_kill_at_every_call_of_a_resumption_loses_nothing(
    config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = interrupted(config, tmp_path / "start")
    run = tmp_path / "run"

    def again() -> Path:
        shutil.rmtree(run, ignore_errors=True)
        return Path(shutil.copytree(start, run))

    again()
    numbers = changes(lambda: resume(run), run)
    kills = 0
    for number in numbers:
        again()
        kills += killed_at(number, lambda: resume(run))
        assert resume(run) == 0
        assert difference(whole, run) is None, f"killed at call {number}"
        assert clean(run), f"killed at call {number}"
    assert kills == len(numbers)
    with capsys.disabled():
        print(
            f"\n{kills} kills in a resumption, one at each call that finds other files: "
            "resumed and ended bit-identical after every one"
        )


# A disk that is full, or broken


def complaint(work: Callable[[], Any]) -> str | None:
    """The message of a run that failed, as one with exit code 1; None where it did not."""
    try:
        work()
    except LenetError as error:
        return str(error) if error.exit_code == 1 else f"exit code {error.exit_code}"
    return None


@pytest.mark.parametrize(
    ("error", "lasting"),
    [
        pytest.param(NO_ROOM, True, id="full"),
        pytest.param(BROKEN, False, id="broken once"),
        pytest.param(NO_ROOM, False, id="full once", marks=pytest.mark.slow),  # nothing asks which of the two it was
    ],
)
def test_a_call_that_fails_is_one_clear_error_and_loses_nothing(
    error: int, lasting: bool, config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with refusing(10**9, error, lasting) as counted:
        train(config, tmp_path / "count", *SHORT)
    run, failures = tmp_path / "run", 0
    numbers = range(1, counted.count + 1, 3 if error == BROKEN else 1)  # a kill comes at every call, too
    for number in numbers:
        with refusing(number, error, lasting):
            message = complaint(lambda: train(config, run, *SHORT))
        if message is not None:
            failures += 1
            assert os.strerror(error) in message, f"call {number}"
            assert "\n" not in message
        finish(config, run)
        assert difference(whole, run) is None, f"call {number} failed"
        assert clean(run), f"call {number} failed"
        shutil.rmtree(run)
    assert failures >= len(numbers) / 2  # the others are of tidying up, which comes again with the next save
    with capsys.disabled():
        print(f"\n{len(numbers)} calls that failed ({os.strerror(error)}): {failures} clear errors, none lost anything")


def test_a_full_disk_leaves_the_older_checkpoint_and_says_so(config: Path, tmp_path: Path) -> None:
    def fill(event: Event) -> None:
        if isinstance(event, Evaluated) and event.split == "test" and event.step == 4:
            full.enter_context(refusing(2, NO_ROOM, lasting=True))

    with ExitStack() as full, pytest.raises(LenetError) as caught:
        train(config, tmp_path / "run", *SHORT, also=fill)
    run = tmp_path / "run"
    assert str(caught.value) == (
        f"cannot save checkpoint 000004 in {run}: No space left on device; checkpoint 000004 is whole. "
        f"When that is mended, continue with: lenet train --resume {run}"
    )  # it was saved before the evaluation
    assert sorted(os.listdir(run / "checkpoints")) == ["000002", "000004", "latest"]


def test_too_little_room_is_found_before_the_training(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(LenetError, match=r"0\.0 MB free, but 3 checkpoints of this model may take .* MB"):
        train(config, tmp_path / "run", *SHORT)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_cannot_be_made_is_found_before_the_training(config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LenetError, match=r"cannot make the run directory .*choose another with --out DIR") as caught:
        train(config, tmp_path / "file" / "run")
    assert caught.value.exit_code == 1


# Damaged files


@pytest.mark.parametrize("file", ["model.safetensors", "average.safetensors", "optimizer.safetensors", "state.json"])
def test_any_damaged_byte_of_a_checkpoint_is_noticed(
    file: str, config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stop = at(3, lambda: os.kill(os.getpid(), signal.SIGINT))
    train(config, tmp_path / "start", *SHORT, "train.keep_checkpoints=3", also=stop)
    rng = random.Random(file)
    run = tmp_path / "run"
    size = (tmp_path / "start" / "checkpoints" / "000003" / file).stat().st_size
    places = [0, size - 1, *(rng.randrange(size) for _ in range(10))]
    skipped = 0
    for place in places:
        shutil.copytree(tmp_path / "start", run)
        path = run / "checkpoints" / "000003" / file
        content = bytearray(path.read_bytes())
        content[place] ^= 1 << rng.randrange(8)
        path.write_bytes(content)
        assert resume(run) == 0
        skipped += "from checkpoint 000002; skipped: " in capsys.readouterr().err
        assert difference(whole, run) is None, f"byte {place}"
        shutil.rmtree(run)
    assert skipped >= len(places) - (2 if file == "state.json" else 0)  # a space that became another one is no damage
    with capsys.disabled():
        print(f"\n{len(places)} damaged bytes of {file}: {skipped} older checkpoints taken, all ended bit-identical")


@pytest.mark.parametrize("file", ["checkpoints/latest", "model.safetensors", "environment.json", "metrics.jsonl"])
@pytest.mark.parametrize("content", [None, b"", b"999999", b"../../..", b"\xff\x00" * 50], ids=repr)
def test_other_damaged_files_do_not_matter(
    file: str, content: bytes | None, config: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    train(config, run, *SHORT, also=at(3, lambda: os.kill(os.getpid(), signal.SIGINT)))
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_bytes(content)
    assert resume(run) == 0
    assert difference(whole, run) in (None, "metrics.jsonl" if file == "metrics.jsonl" else None)


def test_events_torn_anywhere_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    known, saved, later = (
        b'{"event": "step"}\n{"event": "evaluated"}\n',
        b'{"event": "saved"}\n',
        b'{"event": "step"}\n',
    )
    for end in range(len(known + saved + later)):
        path.write_bytes((known + saved + later)[:end])
        MetricsFile(tmp_path, keep=len(known)).close()
        whole = (
            known + saved
            if end >= len(known + saved)
            else known
            if end >= len(known)
            else known[: known[:end].rfind(b"\n") + 1]
        )
        assert path.read_bytes() == whole
    path.write_bytes(b"\x00" * 10**6)
    MetricsFile(tmp_path, keep=10**6).close()
    assert path.stat().st_size <= 10**6


def test_when_nothing_is_whole_nothing_is_changed(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(config, run, *SHORT)
    for state in run.glob("checkpoints/*/state.json"):
        state.write_text("")
    before = sorted((p, p.stat().st_mtime_ns) for p in run.rglob("*"))
    with pytest.raises(DataError, match=r"no whole checkpoint to resume from; skipped: .*state\.json"):
        resume(run)
    assert [p for p, _ in before] == sorted(run.rglob("*"))
    assert all(p.stat().st_mtime_ns == when for p, when in before if p.is_file())
