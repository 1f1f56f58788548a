"""Whole processes, here and in torch: start-up, the first step, an MNIST epoch, peak memory; and installed size."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from rounds import Times

ROOT = Path(__file__).parent.parent
LENET = [sys.executable, "-m", "lenetcli"]
CONFIG = str(ROOT / "configs" / "lenet.yaml")

# A small process starts the measured one: a child's peak memory begins with that of the process it was forked from.
START = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""

TORCH_LENET = """
import sys, gzip, struct, numpy as np, torch
from torch import nn
model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
def step(x, y):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()
"""
TORCH_STEP = TORCH_LENET + "step(torch.randn(32, 1, 32, 32), torch.randint(10, (32,)))\n"
TORCH_MNIST = (
    TORCH_LENET
    + """
root = sys.argv[1]
def read(name):
    raw = gzip.open(f"{root}/{name}.gz").read()
    dims = struct.unpack(">" + "I" * raw[3], raw[4 : 4 + 4 * raw[3]])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(dims)
def images(name):
    x = torch.tensor(read(name)).unsqueeze(1).float() / 255
    return (nn.functional.interpolate(x, (32, 32), mode="bilinear") - 0.1307) / 0.3081
x, y = images("train-images-idx3-ubyte"), torch.tensor(read("train-labels-idx1-ubyte")).long()
a, b = images("t10k-images-idx3-ubyte"), torch.tensor(read("t10k-labels-idx1-ubyte")).long()
for rows in torch.randperm(len(x)).split(64):
    step(x[rows], y[rows])
with torch.no_grad():
    print(sum((model(p).argmax(1) == q).sum().item() for p, q in zip(a.split(256), b.split(256))) / len(a))
"""
)


def processes(data: Path | None, rounds: int) -> Iterator[tuple[str, float | None, Times, dict[str, float]]]:
    """Work, target, times and the peak memory in MB, by side; rows that need MNIST only where it is."""
    with tempfile.TemporaryDirectory() as place:
        number = iter(range(10_000))

        def train(*words: str) -> list[str]:
            return [*LENET, "train", *words, "--progress", "off", "--out", f"{place}/{next(number)}"]

        yield measured("`lenet --help`, beside `import torch`", None, rounds, {
            "lenet": lambda: [*LENET, "--help"], "torch": lambda: [sys.executable, "-c", "import torch"],
        })  # fmt: skip
        yield measured("`lenet inspect-params`, beside `import torch`", None, rounds, {
            "lenet": lambda: [*LENET, "inspect-params", CONFIG],
            "torch": lambda: [sys.executable, "-c", "import torch"],
        })  # fmt: skip
        yield measured("one trained step, start to end", None, rounds, {
            "lenet": lambda: train(CONFIG, "train.epochs=1", "train.limit_batches=1"),
            "torch": lambda: [sys.executable, "-c", TORCH_STEP],
        })  # fmt: skip
        if data is not None:
            mnist = str(ROOT / "configs" / "lenet-mnist.yaml")
            changes = [f"data.root={data}", "train.epochs=1", "scheduler.T_max=3"]
            yield measured("one MNIST epoch, start to end", 3, rounds, {
                "lenet": lambda: train(mnist, *changes),
                "torch": lambda: [sys.executable, "-c", TORCH_MNIST, str(data)],
            })  # fmt: skip
            yield measured("`lenet train configs/mnist-99.yaml`, beside the recipe in torch", 4, rounds, {
                "lenet": lambda: train(str(ROOT / "configs" / "mnist-99.yaml"), f"data.root={data}"),
                "torch": lambda: [sys.executable, str(ROOT / "benchmarks" / "mnist_99.py"), str(data)],
            })  # fmt: skip


def measured(
    work: str, target: float | None, rounds: int, sides: dict[str, Callable[[], list[str]]]
) -> tuple[str, float | None, Times, dict[str, float]]:
    """Both sides in turn, a process each."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    peaks: dict[str, float] = {}
    for _ in range(rounds):
        for name, command in sides.items():
            seconds, peak = run(command())
            times[name].append(seconds)
            peaks[name] = max(peak, peaks.get(name, 0.0))
    return work, target, Times(times), peaks


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of a command, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", START, *command], env=environment, stdout=subprocess.PIPE, check=True)
    seconds, kilobytes = map(float, done.stdout.split())
    return seconds, kilobytes / 1024


def installed_sizes() -> dict[str, float]:
    """MB of the files of each side with all that it needs at run time; this project's own are those of its package."""
    own = sum(f.stat().st_size for f in (ROOT / "lenetcli").rglob("*") if f.suffix not in (".cc", ".h", ".txt"))
    needed = _closure("lenet") - {"lenet"}
    return {"lenet": (own + sum(map(_bytes, needed))) / 1e6, "torch": sum(map(_bytes, _closure("torch"))) / 1e6}


def _closure(name: str) -> set[str]:
    """A distribution and what it requires, without extras."""
    found: set[str] = set()
    stack = [name]
    while stack:
        here = stack.pop()
        if here in found or (package := _distribution(here)) is None:
            continue
        found.add(here)
        for line in package.requires or []:
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
                stack.append(wanted.name.lower().replace("_", "-"))
    return found


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None  # for another system


def _bytes(name: str) -> int:
    files = (Path(str(f.locate())) for f in distribution(name).files or ())
    return sum(f.stat().st_size for f in files if f.is_file())
