"""Commands, faults and what has to come of them: a call to the system fails at each place where one is made.

A read that fails is an error of its own: exit 1 or 3, one line, nothing on disk is changed, and what could be read is
not taken for damaged. A write that fails is exit 1; what was saved before is whole, and the run goes on from there to
the same bits.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conftest import ROOT
from tests.train.small import difference

READS, WRITES = 1, 2
READING = {"EIO": errno.EIO, "EACCES": errno.EACCES, "ESTALE": errno.ESTALE}
WRITING = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
SHORT = ("train.epochs=2", "train.batch_size=7", "train.keep_checkpoints=2", "train.ema=0.9")  # 2 epochs of 2 steps

READERS = {  # commands that read a run, R; they write nothing into it
    "eval": ["eval", "R"],
    "eval --json": ["eval", "R", "--json"],
    "inspect-params": ["inspect-params", "R"],
    "inspect-params --updates": ["inspect-params", "R", "--updates"],
    "trace-grad": ["trace-grad", "R", "--json"],
    "step": ["step", "R", "--json"],
    "report": ["report", "R", "-o", "OUT.html"],
    "plot": ["plot", "R", "-o", "OUT.png"],
    "diff": ["diff", "R", "R"],
    "export npz": ["export", "R", "-o", "OUT.npz"],
    "export huggingface": ["export", "R", "--format", "huggingface", "-o", "OUTDIR"],
    "runs": ["runs", "ROOT"],
}


class Commands:
    """Commands whose calls to the system can be made to fail."""

    def __init__(self, shim: Path) -> None:
        environment = {**os.environ, "LD_PRELOAD": str(shim), "PYTHONPATH": str(ROOT), "LENET_THREADS": "1"}
        environment["OPENBLAS_NUM_THREADS"] = "1"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.driver"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=environment, cwd=ROOT,
        )  # fmt: skip

    def __call__(
        self, argv: list[str], cwd: Path, root: Path, kinds: int = 0, error: int = 0, at: int = 0, lasting: bool = False
    ) -> dict[str, Any]:
        told = {
            "argv": argv, "cwd": str(cwd), "root": str(root), "kinds": kinds, "error": error, "at": at,
            "lasting": lasting,
        }  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        found: dict[str, Any] = json.loads(self._process.stdout.readline())
        return found

    def close(self) -> None:
        """Ends the process that runs them."""
        self._process.communicate()


@contextmanager
def commands(place: Path) -> Iterator[Commands]:
    """Compiles the shim and starts; raises FileNotFoundError where there is no compiler."""
    shim = place / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
    found = Commands(shim)
    try:
        yield found
    finally:
        found.close()


def content(run: Path) -> dict[str, str]:
    """What lies in a directory, but for the lock."""
    found = {}
    for path in sorted(run.rglob("*")):
        name = str(path.relative_to(run))
        if name != "lock" and not name.startswith(".lenet-runs"):  # the index of `lenet runs` decides nothing
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "directory"
    return found


def complaint(done: dict[str, Any]) -> str | None:
    """What is wrong with how a command failed; None where it said in its own words what was the matter."""
    if done["code"] < 0 or done["code"] >= 70:
        return f"ended with {done['code']}: {done['err'][-600:]}"
    if "Traceback" in done["err"] or "--debug shows where" in done["err"]:
        return f"no message of its own: {done['err'][-600:]}"
    if done["code"] and not done["err"].strip():
        return f"exit code {done['code']} and nothing said"
    return None


def reading(command: list[str], run: Path, place: Path, call: Commands, error: int, at: int) -> str | None:
    """A command whose read number `at` fails; what is wrong with that."""
    before = content(run)
    done = call(command, place, run, READS, error, at)
    for left in place.glob("OUT*"):
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    if content(run) != before:
        return f"the run was changed (exit code {done['code']})"
    if done["code"] not in (0, 1, 3):
        return complaint(done) or f"exit code {done['code']}: {done['err'][-300:]}"
    if done["code"] and not re.search("cannot (be )?(read|look|write)", done["err"]):
        return f"does not say that it cannot be read: {done['err'][-300:]}"
    return complaint(done)


def begun(config: Path, place: Path, call: Commands) -> Path:
    """A run that has come half of its way."""
    start = place / "start"
    if not start.exists():
        words = ["train", str(config), *SHORT, "train.epochs=1", "--out", str(start), "--progress", "off"]
        done = call(words, place, start)
        assert done["code"] == 0, done["err"]
        path = start / "config.yaml"
        path.write_text(path.read_text().replace("epochs: 1", "epochs: 2"))
    return start


def reads_of_resuming(start: Path, place: Path, call: Commands) -> int:
    """How many reads there are, where a run goes on."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(start, run)
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run, READS)
    assert done["code"] == 0, done["err"]
    count: int = done["calls"]
    return count


def resuming(start: Path, end: Path, place: Path, call: Commands, error: int, at: int) -> str | None:
    """A run that goes on, and cannot read at one place: it goes on from its newest checkpoint, or changes nothing."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    shutil.copytree(start, run)
    before, newest = content(run), (run / "checkpoints" / "latest").read_text()
    done = call(["train", "--resume", str(run), "--progress", "off"], place, run, READS, error, at)
    wrong = complaint(done)
    if wrong:
        return wrong
    if "damaged" in done["err"] or any(run.rglob("*.damaged")):
        return f"taken for damaged: {done['err'][-300:]}"
    if done["code"] == 0:
        if f"from checkpoint {newest}" not in done["err"]:
            return f"went on from another checkpoint than {newest}: {done['err'][-300:]}"
        return difference(end, run)
    if f"resuming {run}" in done["err"]:  # it had begun: what was saved is whole
        return _goes_on(run, end, place, call)
    if done["code"] != 3 and not (done["code"] == 1 and "cannot write" in done["err"]):
        return f"exit code {done['code']}: {done['err'][-300:]}"
    if content(run) != before:
        return f"changed: {sorted(set(content(run).items()) ^ set(before.items()))[:4]}: {done['err'][-300:]}"
    return None


def writing(config: Path, end: Path, place: Path, call: Commands, error: int, at: int, lasting: bool) -> str | None:
    """A training that cannot write at one place: exit code 1, and it goes on from there to the same end."""
    run = place / "run"
    shutil.rmtree(run, ignore_errors=True)
    command = ["train", str(config), *SHORT, "--out", str(run), "--progress", "off"]
    done = call(command, place, run, WRITES, error, at, lasting)
    wrong = complaint(done)
    if wrong:
        return wrong
    if done["code"] not in (0, 1):
        return f"exit code {done['code']}: {done['err'][-300:]}"
    if done["code"] == 0:
        return difference(end, run)
    if not (run / "config.yaml").exists():
        left = sorted(p.name for p in run.iterdir()) if run.exists() else []
        again = call(command, place, run)
        return complaint(again) or (f"cannot begin again: {left}: {again['err']}" if again["code"] else None)
    return _goes_on(run, end, place, call)


def _goes_on(run: Path, end: Path, place: Path, call: Commands) -> str | None:
    again = call(["train", "--resume", str(run), "--progress", "off"], place, run)
    if again["code"]:
        return f"does not go on: {again['code']}: {again['err'][-300:]}"
    return difference(end, run)
