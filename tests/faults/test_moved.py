"""Each part of a run directory is renamed or removed while a training goes on in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lenetcli.disk import has_content
from lenetcli.errors import LenetError
from lenetcli.runs import checkpoint
from lenetcli.runs.lock import Lost, held, is_locked, is_taken, locked
from lenetcli.train.events import Evaluated, Event, Saved, Step
from tests.conftest import ROOT
from tests.faults.moments import take_away
from tests.faults.table import content
from tests.train.small import difference, resume, train, write_config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open directory cannot be moved there")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_config(tmp_path_factory.mktemp("config"))


@pytest.fixture(scope="module")
def whole(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole") / "run"
    assert train(config, place, "train.validation=0.3") == 0
    return place


@pytest.mark.parametrize("nth", [2, 5, 9])
def test_a_run_that_is_renamed_within_a_save_is_saved_in_its_new_place(
    nth: int, config: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run has its name by then, and nothing is written there."""
    made, write = [], checkpoint.write_new

    def writes(path: Path, data: bytes) -> None:
        made.append(path)
        if len(made) == nth:
            os.rename(tmp_path / "run", tmp_path / "good-name")
            (tmp_path / "run" / "checkpoints").mkdir(parents=True)
        write(path, data)

    monkeypatch.setattr(checkpoint, "write_new", writes)
    assert train(config, tmp_path / "run", "train.validation=0.3") == 0
    assert difference(whole, tmp_path / "good-name") is None
    assert list((tmp_path / "run").rglob("*")) == [tmp_path / "run" / "checkpoints"]


CALLS = ("open", "mkdir", "rename", "replace", "link", "unlink", "rmdir")  # that a directory's name decides


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="paths by way of an open directory")
@pytest.mark.parametrize("first", range(5, 15))
def test_at_no_call_does_another_run_get_what_is_written(
    first: int, config: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole run gets the name of the one that trains, just before one call to the system, each tenth in turn."""
    other, before = Path(shutil.copytree(whole, tmp_path / "other")), content(whole)
    made = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *rest: Any, **named: Any) -> Any:
            nonlocal made
            made += (run / "checkpoints" / "latest").exists()
            if made == nth:
                made += 1
                rename(run, away)
                rename(other, run)
            return real(path, *rest, **named)

        return call

    rename = os.rename
    for name in CALLS:
        monkeypatch.setattr(os, name, counted(getattr(os, name)))
    for nth in range(first, 1000, 10):
        run, away, made = tmp_path / f"run-{nth}", tmp_path / f"away-{nth}", 0
        assert train(config, run, "train.validation=0.3") == 0
        if not away.exists():
            break
        assert content(run) == before
        rename(run, other)
        assert difference(whole, away) is None
    assert nth > 50  # it came to the end


def after(step: int, act: Callable[[], object]) -> Callable[[Event], None]:
    """A listener that acts once, after a step; a step of 0 means the first evaluation."""
    done: list[Event] = []

    def listen(event: Event) -> None:
        hit = isinstance(event, Step) and event.step == step
        if step == 0:
            hit = isinstance(event, Evaluated) and event.split != "train"
        if hit and not done:
            done.append(event)
            act()

    return listen


PARTS = [
    "lock", "config.yaml", "environment.json", "metrics.jsonl", "model.safetensors", "checkpoints",
    "checkpoints/latest", "checkpoints/000003",
]  # fmt: skip


@pytest.mark.parametrize("how", ["renamed", "removed", "emptied", "replaced"])
@pytest.mark.parametrize("step", [0, 5, 7])
@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_taken_away_is_there_again_at_the_end(
    part: str, step: int, how: str, config: Path, whole: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"

    def take() -> None:
        take_away(run / part, how)

    assert train(config, run, "train.validation=0.3", also=after(step, take)) == 0
    if (part, how) != ("metrics.jsonl", "emptied"):  # what was in the open file is gone
        assert difference(whole, run) is None
    expected = [part for part in PARTS if part not in ("lock", "checkpoints/000003")]
    assert [name for name in expected if not has_content(run / name) and name != "checkpoints"] == []
    assert not (run / "lock").exists()
    events = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert events[-1]["event"] == "ended"
    assert list((run / "checkpoints").glob("[0-9]*"))
    assert resume(run, "train.epochs=4") == 0


@pytest.mark.parametrize("step", [0, 2, 7])
def test_a_directory_that_is_renamed_goes_on_under_its_new_name(
    step: int, config: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, moved = tmp_path / "run", tmp_path / "elsewhere" / "good-name"
    moved.parent.mkdir()
    assert train(config, run, "train.validation=0.3", also=after(step, lambda: run.rename(moved))) == 0
    assert not run.exists()
    assert difference(whole, moved) is None
    assert not (moved / "lock").exists()
    last = [json.loads(line) for line in (moved / "metrics.jsonl").read_text().splitlines() if '"saved"' in line][-1]
    assert Path(last["path"]).resolve() == moved / "checkpoints" / "000009"


@pytest.mark.parametrize("step", [0, 2, 7])
def test_a_directory_that_is_removed_ends_the_training_in_a_line(step: int, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(LenetError) as ended:
        train(config, run, also=after(step, lambda: shutil.rmtree(run)))
    assert ended.value.exit_code == 1
    assert str(ended.value) == f"{run}: moved or removed while a training was running there; nothing more is written"
    assert not run.exists()


@pytest.mark.parametrize("step", [0, 2, 7])
def test_another_run_of_the_same_name_is_left_alone(step: int, config: Path, whole: Path, tmp_path: Path) -> None:
    """The directory is renamed, and another training begins under its old name before the first saves."""
    run, moved, seen = tmp_path / "run", tmp_path / "moved", []

    def swap() -> None:
        run.rename(moved)
        other = train(config, run, "train.validation=0.3", "seed=1")
        seen.append((other, sorted(str(p.relative_to(run)) for p in run.rglob("*"))))

    assert train(config, run, "train.validation=0.3", also=after(step, swap)) == 0
    assert seen == [(0, sorted(str(p.relative_to(run)) for p in run.rglob("*")))]
    assert difference(whole, moved) is None
    newest = (run / "checkpoints" / "latest").read_text()
    assert json.loads((run / "checkpoints" / newest / "state.json").read_text())["config"]["seed"] == 1


def test_a_lock_that_is_another_process_s_ends_the_training_and_stays(config: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", []

    def take() -> None:
        (run / "lock").unlink()
        code = "import sys\nfrom pathlib import Path\nfrom lenetcli.runs.lock import locked\n"
        code += "with locked(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()"
        started = subprocess.Popen(
            [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert started.stdout is not None
        assert started.stdout.readline() == "held\n"
        other.append(started)

    with pytest.raises(Lost, match="another process has locked it; nothing more is written"):
        train(config, run, also=after(5, take))
    assert is_locked(run)
    assert (run / "checkpoints" / "latest").read_text() == "000004"
    other[0].communicate()
    assert not is_locked(run)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "small"


def test_a_number_is_not_given_twice_while_its_first_owner_lives(config: Path, runs: Path) -> None:
    numbers = []

    def swap() -> None:
        (runs / "001").rename(runs / "good-name")
        assert is_taken(runs, 1)
        assert train(config, None) == 0  # type: ignore[arg-type]  # the next number
        numbers.append(sorted(p.name for p in runs.iterdir() if not p.name.startswith(".")))

    assert train(config, None, also=after(5, swap)) == 0  # type: ignore[arg-type]
    assert numbers == [["002", "good-name"]]
    assert not is_taken(runs, 1)
    assert sorted(p.name for p in runs.iterdir()) == ["002", "good-name"]
    assert (runs / "good-name" / "model.safetensors").exists()


@pytest.mark.parametrize("name", ["²", "١٢", "00²", "-1", "1.5", " 7", "9" * 200])
def test_other_names_beside_the_numbers_are_no_numbers(name: str, config: Path, runs: Path) -> None:
    runs.mkdir(parents=True)
    (runs / name).mkdir()
    assert train(config, None, "train.epochs=1") == 0  # type: ignore[arg-type]
    assert (runs / "001" / "config.yaml").exists()


def test_a_lock_is_found_by_whoever_holds_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with locked(tmp_path / "run") as mine:
        assert held(tmp_path / "run") is mine
        (tmp_path / "run").rename(tmp_path / "away")
        assert mine.place().resolve() == tmp_path / "away"
    assert held(tmp_path / "run") is None
    assert list((tmp_path / "away").iterdir()) == []


def test_saved_events_name_where_the_checkpoint_is(config: Path, tmp_path: Path) -> None:
    paths: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Saved):
            paths.append(event.path)
        if isinstance(event, Step) and event.step == 5:
            (tmp_path / "run").rename(tmp_path / "new")

    assert train(config, tmp_path / "run", also=listen) == 0
    assert [Path(path).resolve().parent.parent.name for path in paths] == ["run", "new", "new"]
