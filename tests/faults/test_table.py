"""A part of the table of faults, on each machine with a compiler; tools/faults.py goes through all of it."""

from __future__ import annotations

import errno
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults import table
from tests.faults.calls import words_of
from tests.faults.table import READERS, READING, READS, SHORT, WRITES, WRITING, Commands
from tests.train.small import write_config

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None, reason="LD_PRELOAD and a compiler"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("table")


@pytest.fixture(scope="module")
def call(place: Path) -> Iterator[Commands]:
    with table.commands(place) as found:
        yield found


@pytest.fixture(scope="module")
def config(place: Path) -> Path:
    return write_config(place)


@pytest.fixture(scope="module")
def end(place: Path, config: Path, call: Commands) -> tuple[Path, int]:
    """The run that nothing happened to, and how many calls write it."""
    words = ["train", str(config), *SHORT, "--out", str(place / "end"), "--progress", "off"]
    done = call(words, place, place / "end", WRITES)
    assert done["code"] == 0, done["err"]
    table.with_foreign(place / "end")
    return place / "end", done["calls"]


@pytest.mark.parametrize("name", WRITING)
def test_a_write_that_fails_loses_nothing(
    name: str, config: Path, end: tuple[Path, int], place: Path, call: Commands
) -> None:
    shift = list(WRITING).index(name) * 5
    found = {
        at: table.writing(config, end[0], place, call, WRITING[name], at, lasting=at % 2 == 0)
        for at in range(1 + shift, end[1] + 1, 17)
    }
    assert {at: wrong for at, (_, wrong) in found.items() if wrong} == {}


@pytest.mark.parametrize("name", READING)
def test_a_read_that_fails_is_no_damage(
    name: str, config: Path, end: tuple[Path, int], place: Path, call: Commands
) -> None:
    start = table.begun(config, place, call)
    count = table.reads_of_resuming(start, place, call)
    shift = list(READING).index(name) * 7
    found = {
        at: table.resuming(start, end[0], place, call, READING[name], at) for at in range(1 + shift, count + 1, 23)
    }
    assert {at: wrong for at, (_, wrong) in found.items() if wrong} == {}


LOOKING = ["trace-grad", "step", "inspect-params --updates", "diff", "export huggingface", "eval --json", "predict"]


@pytest.mark.parametrize("name", LOOKING)
def test_a_file_that_cannot_be_read_changes_nothing_of_what_is_shown(
    name: str, end: tuple[Path, int], place: Path, call: Commands
) -> None:
    """It is named, and is not passed over as a damaged one or as one that is not there."""
    run = end[0]
    np.save(place / "four.npy", np.zeros((4, 2, 2), np.uint8))
    words = words_of(READERS[name], run, place)
    shown = call(words, place, run)
    table.clear(place)
    newest = (run / "checkpoints" / "latest").read_text()
    files = [
        run / file for file in ("config.yaml", "environment.json", "inputs.json", "metrics.jsonl", "model.safetensors")
    ]
    for file in [*files, *sorted((run / "checkpoints" / newest).iterdir())]:
        done = call(words, place, file, READS, errno.EIO, 1, lasting=True)
        table.clear(place)
        said = f"{file.name}: cannot be read: Input/output error"
        clear = done["code"] == 3 and said in done["err"]
        assert clear or (done["code"], done["out"]) == (0, shown["out"]), done


@pytest.mark.parametrize("name", READERS)
def test_a_run_that_cannot_be_read_at_all_is_named(
    name: str, end: tuple[Path, int], place: Path, call: Commands
) -> None:
    np.save(place / "four.npy", np.zeros((4, 2, 2), np.uint8))
    done = call(words_of(READERS[name], end[0], place), place, end[0], READS, errno.EIO, 1, lasting=True)
    table.clear(place)
    assert (done["code"] in (2, 3), done["out"]) == (True, ""), done
    assert f"{end[0]}" in done["err"]
    assert re.search("cannot be read( or written)?: Input/output error", done["err"])


NAMING = (
    "runs R", "runs R --csv", "predict R D/four\x1b[2J.npy --csv", "why R fc1.weight[1,2]", "watch R",
    "inspect-params R --at 3", "report R -o OUT.html",
)  # fmt: skip


@pytest.mark.parametrize("line", NAMING)
def test_a_name_that_would_move_the_cursor_is_shown_as_text(
    line: str, end: tuple[Path, int], place: Path, call: Commands
) -> None:
    run, image = place / "r\x1b[2J\x07un", place / "four\x1b[2J.npy"
    if not run.exists():
        shutil.copytree(end[0], run)
        np.save(image, np.zeros((4, 2, 2), np.uint8))
    done = call(words_of(line.split(), run, place), place, run)
    table.clear(place)
    assert done["code"] == 0, done
    assert not {"\x1b", "\x07"} & set(done["out"] + done["err"])


def test_a_damaged_newest_checkpoint_is_not_passed_over_in_silence(config: Path, place: Path, call: Commands) -> None:
    run = Path(shutil.copytree(table.begun(config, place, call), place / "damaged"))
    newest = (run / "checkpoints" / "latest").read_text()
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run)
    assert done["code"] == 0, done["err"]
    newest = (run / "checkpoints" / "latest").read_text()
    (run / "checkpoints" / newest / "model.safetensors").write_bytes(b"damaged")
    done = call(["step", str(run), "--json"], place, run)
    assert done["code"] == 0, done["err"]
    assert f"skipped: {run}/checkpoints/{newest}/model.safetensors: damaged" in done["err"]


SOME = (
    "eval", "export npz", "runs", "report", "import FILE.npz", "import FILE.keras", "inspect-params FILE.onnx",
    "train model.init", "data check npz", "data check pictures", "data check idx", "data check parquet",
)  # fmt: skip


@pytest.mark.parametrize("name", SOME)
def test_a_command_that_cannot_read_says_so(name: str, end: tuple[Path, int], place: Path, call: Commands) -> None:
    words = words_of(READERS[name], end[0], place)
    count = call(words, place, end[0], READS)["calls"]
    table.clear(place)
    assert count > 3
    errors = list(READING.values())
    found = {
        at: table.reading(words, end[0], place, call, errors[at % 3], at) for at in range(1, count + 1, 1 + count // 6)
    }
    assert {at: wrong for at, (_, wrong) in found.items() if wrong} == {}
