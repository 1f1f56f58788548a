"""A part of the table of faults, on each machine with a compiler; tools/faults.py goes through all of it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import table
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
    assert {at: wrong for at, wrong in found.items() if wrong} == {}


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
    assert {at: wrong for at, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("name", ["eval", "export npz", "runs", "report"])
def test_a_command_that_cannot_read_says_so(name: str, end: tuple[Path, int], place: Path, call: Commands) -> None:
    words = [{"R": str(end[0]), "ROOT": str(end[0])}.get(word, word) for word in READERS[name]]
    count = call(words, place, end[0], READS)["calls"]
    assert count > 3
    errors = list(READING.values())
    found = {
        at: table.reading(words, end[0], place, call, errors[at % 3], at) for at in range(1, count + 1, 1 + count // 6)
    }
    assert {at: wrong for at, wrong in found.items() if wrong} == {}
