"""Starts trainings of several ranks, as a user does: `mpiexec -n K python -m lenetcli train ...`."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MPIEXEC = shutil.which("mpiexec", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
PRESENT = MPIEXEC is not None and importlib.util.find_spec("mpi4py") is not None
needs_mpi = pytest.mark.skipif(not PRESENT, reason="mpi4py or mpiexec is not here: pip install 'lenet[mpi]'")
LENET = [sys.executable, "-m", "lenetcli"]
PATIENCE = 100.0  # seconds that a test waits for a whole training

CONFIG = """
model:
  input: [1, 6, 6]
  layers:
    - {type: Conv2d, name: conv, out_channels: 3, kernel_size: 3}
    - {type: BatchNorm2d, name: norm}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 4}
data: {type: Random, shape: [1, 6, 6], classes: 4, train: 41, test: 30}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.05, momentum: 0.9}
scheduler: {type: StepLR, step_size: 1, gamma: 0.5}
train: {epochs: 1, batch_size: 10, eval_batch_size: 7, sync_batchnorm: true}
"""  # four batches of 10, which three ranks cannot share alike, and one of 1, of which some get nothing


def write_config(place: Path, text: str = CONFIG) -> Path:
    """The configuration's file."""
    path = place / "small.yaml"
    path.write_text(text)
    return path


def environment(**more: str) -> dict[str, str]:
    """The variables of the processes; Open MPI minds root and more ranks than cores."""
    open_mpi = {
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    return {**os.environ, **open_mpi, "PYTHONPATH": str(ROOT), "LENET_THREADS": "1", **more}


def start(*commands: Sequence[str], ranks: int = 1, **more: str) -> subprocess.Popen[str]:
    """Starts `ranks` processes of each command, as one team."""
    assert MPIEXEC is not None
    line = [MPIEXEC]
    for number, command in enumerate(commands):
        line += [*([":"] if number else []), "-n", str(ranks), *command]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        line, env=environment(**more), stdout=pipe, stderr=pipe, stdin=subprocess.DEVNULL, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a team once it has ended."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, out, err


def train_all(ranks: int, config: Path, runs: Mapping[Path, Sequence[str]]) -> None:
    """Trainings, or continuations of those that are there, one after the other by the same ranks; all end well."""
    lines = json.dumps([[str(out), *changes] for out, changes in runs.items()])
    command = [sys.executable, "-m", "tests.parallel.several", str(config), lines]
    code, printed, complained = ended(start(command, ranks=ranks))
    assert code == 0, f"{printed}\n{complained}"


def wait_for(condition: Callable[[], bool]) -> None:
    """Until something has happened in another process."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


def processes(out: Path) -> list[int]:
    """The ranks of the training in `out`, by process number, in order; rank 0 holds the directory's lock."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                variables = dict(v.partition(b"=")[::2] for v in (entry / "environ").read_bytes().split(b"\0"))
            except OSError:
                continue  # it has just ended
            rank = variables.get(b"PMI_RANK", variables.get(b"OMPI_COMM_WORLD_RANK"))
            if words[:3] == [w.encode() for w in LENET] and str(out).encode() in words and rank is not None:
                found.append((int(rank), int(entry.name)))
    return [number for _, number in sorted(found)]
