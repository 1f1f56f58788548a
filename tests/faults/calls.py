"""Each call to the system that reads or writes fails, in turn: a command says so in a line, and nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.faults import table
from tests.faults.outcome import Found, exit_code
from tests.faults.table import READERS, READING, READS, SHORT, WRITERS, WRITES, WRITING, Commands
from tests.train.small import write_config

OLD = b"what was there before"
FAILING = ("a write fails", "a write and all later ones fail")


def _ended(place: Path, call: Commands) -> tuple[Path, Path]:
    """The configuration and the run that nothing happened to."""
    config, end = write_config(place), place / "end"
    done = call(["train", str(config), *SHORT, "--out", str(end), "--progress", "off"], place, end)
    assert done["code"] == 0, done["err"]
    table.with_foreign(end)
    np.save(place / "four.npy", np.zeros((4, 2, 2), np.uint8))
    return config, end


def words_of(line: list[str], end: Path, place: Path) -> list[str]:
    """A command's words, with the run's place in them."""
    return [
        str(end) if word == "R" else word.replace("R/", f"{end}/").replace("D/", f"{place}/") if "/" in word else word
        for word in line
    ]


def reads(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Commands that cannot read at one place, and a run that goes on."""
    config, end = _ended(place, call)
    start = table.begun(config, place, call)
    for at in range(1 + seed % stride, table.reads_of_resuming(start, place, call) + 1, stride):
        for name, error in READING.items():
            came, wrong = table.resuming(start, end, place, call, error, at)
            yield Found("a read fails", "train --resume", came, wrong, name, f"read {at}")
    for command, line in READERS.items():
        words = words_of(line, end, place)
        whole = call(words, place, end, READS)
        count = whole["calls"]
        if whole["code"] or not count:
            yield Found("no fault", command, exit_code(whole["code"]), f"{count} reads: {whole['err'][-300:]}")
        table.clear(place)
        for at in range(1 + seed % stride, count + 1, stride):
            for name, error in READING.items():
                came, wrong = table.reading(words, end, place, call, error, at, whole["out"])
                yield Found("a read fails", command, came, wrong, name, f"read {at} of {count}")


def writes(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Trainings, and commands that write a file, that cannot write at one place, or from there on."""
    config, end = _ended(place, call)
    start = table.begun(config, place, call)
    words = ["train", str(config), *SHORT, "--out", str(place / "run"), "--progress", "off"]
    count = call(words, place, place / "run", WRITES)["calls"]
    shutil.rmtree(place / "run")
    for at in range(1 + seed % stride, count + 1, stride):
        for name, error in WRITING.items():
            for lasting in (False, True):
                fault, detail = FAILING[lasting], f"write {at} of {count}"
                came, wrong = table.writing(config, end, place, call, error, at, lasting)
                yield Found(fault, "train", came, wrong, name, detail)
                came, wrong = table.resuming_unwritten(start, end, place, call, error, at, lasting)
                yield Found(fault, "train --resume", came, wrong, name, detail)
    for command, line in WRITERS.items():
        yield from _written(command, line, end, place, call, stride, seed)


def _written(
    command: str, line: list[str], end: Path, place: Path, call: Commands, stride: int, seed: int
) -> Iterator[Found]:
    """A command that writes beside the run: the file that was there is whole, or there is none."""
    out = next((word for word in line if word.startswith("OUT")), None)
    root = place / out if out else end
    words, work = [str(root) if word == out else word for word in words_of(line, end, place)], place / "work"
    work.mkdir(exist_ok=True)
    keeps = out is not None and out not in ("OUTDIR", "OUT.yaml")
    watched = place if out else end  # temporary files lie beside a file
    table.clear(place)
    whole, before = call(words, work, watched, WRITES), table.content(end)
    count = whole["calls"]
    if whole["code"] or not count:
        yield Found("no fault", command, exit_code(whole["code"]), f"{count} writes: {whole['err'][-300:]}")
    for at in range(1 + seed % stride, count + 1, stride):
        for name, error in WRITING.items():
            for lasting in (False, True):
                table.clear(place)
                if keeps:
                    root.write_bytes(OLD)
                done = call(words, work, watched, WRITES, error, at, lasting)
                came, wrong = exit_code(done["code"]), table.complaint(done)
                if done["code"] not in (0, 1):
                    wrong = wrong or f"exit code {done['code']}: {done['err'][-300:]}"
                if table.content(end) != before:
                    wrong = wrong or "the run was changed"
                if keeps and done["code"] == 0 and root.read_bytes() == OLD:
                    wrong = wrong or "exit code 0, and the file is the old one"
                if keeps and done["code"]:
                    wrong = wrong or (None if root.exists() else "the old file is gone")
                    came += ", the old file is whole" if root.read_bytes() == OLD else ", the new one is whole"
                left = table.clear(place)
                hidden = [name for name in left if name.startswith(".")]
                if hidden and not lasting:
                    wrong = wrong or f"left {hidden}"
                yield Found(FAILING[lasting], command, came, wrong, name, f"write {at} of {count}")
