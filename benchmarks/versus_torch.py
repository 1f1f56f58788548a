"""The speed table: this project and torch on the same work, in turn, in one process; writes benchmarks/RESULTS.md.

python benchmarks/versus_torch.py [--rounds 9] [--data DIR] [--write]

Both sides use all cores, float32, the same shapes and the same code. A figure is the median of the rounds' ratios
torch / lenet, so that noise of the machine hits both; the spread is that of the rounds. --data names the directory with
the MNIST files, for the rows that train on them from the command line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import lenetcli as lenet
from lenetcli.kernels import active
from lenetcli.kernels.layout import logical, stored

ROOT = Path(__file__).parent.parent
SECONDS = 0.35  # that one round of one side takes about


@dataclass(frozen=True)
class Row:
    """One piece of work on both sides.

    Args:
        work: what it is.
        target: the ratio aimed at.
        ratios: torch's time by ours, a round each.
        ours, theirs: best time of a piece, seconds.
        unit: images of one piece; 0 shows times instead of images a second.
    """

    work: str
    target: float
    ratios: list[float]
    ours: float
    theirs: float
    unit: int

    def cells(self) -> list[str]:
        """The line of the table."""
        median = statistics.median(self.ratios)
        spread = f"{min(self.ratios):.2f}-{max(self.ratios):.2f}"
        verdict = "yes" if median >= self.target else "no"
        return [
            self.work,
            f"{median:.2f}",
            spread,
            f"{self.target:g}",
            verdict,
            self._speed(self.ours),
            self._speed(self.theirs),
        ]

    def _speed(self, seconds: float) -> str:
        if self.unit:
            return f"{self.unit / seconds:,.0f}/s"
        return f"{seconds * 1e6:,.0f} us" if seconds < 0.1 else f"{seconds:.2f} s"


def sequential(nn: Any) -> Any:
    """The seed net as a Sequential."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def by_hand(nn: Any) -> Any:
    """The seed net as a Module with its own forward, op by op."""
    functional, flatten = nn.functional, torch.flatten if nn is torch.nn else lenet.flatten

    class Net(nn.Module):  # type: ignore[misc]  # of either package
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3)
            self.fc1, self.fc2, self.fc3 = nn.Linear(576, 120), nn.Linear(120, 84), nn.Linear(84, 10)

        def forward(self, x: Any) -> Any:
            x = functional.max_pool2d(functional.relu(self.conv1(x)), 2)
            x = functional.max_pool2d(functional.relu(self.conv2(x)), 2)
            x = functional.relu(self.fc1(flatten(x, 1)))
            return self.fc3(functional.relu(self.fc2(x)))

    return Net()


def mlp(nn: Any) -> Any:
    """784-512-512-10."""
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))


def cnn(nn: Any) -> Any:
    """BatchNorm CNN 3-32-64-128."""
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


def data(shape: tuple[int, ...]) -> dict[str, tuple[Any, Any]]:
    """The same batch for both sides, each in its own memory order."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal(shape, np.float32), random.integers(0, 10, shape[0])
    ours = logical(stored(x)) if x.ndim == 4 else x
    return {"lenet": (lenet.from_numpy(ours), lenet.tensor(y)), "torch": (torch.tensor(x), torch.tensor(y))}


def training(make: Callable[[Any], Any], shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """A step of SGD with momentum on both sides."""
    batches = data(shape)

    def step_of(package: Any, name: str) -> Callable[[], Any]:
        model, criterion, (x, y) = make(package.nn), package.nn.CrossEntropyLoss(), batches[name]
        optimizer = package.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

        def step() -> None:
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()

        return step

    return {"lenet": step_of(lenet, "lenet"), "torch": step_of(torch, "torch")}


def inference(make: Callable[[Any], Any], shape: tuple[int, ...]) -> dict[str, Callable[[], Any]]:
    """A forward pass in evaluation on both sides."""
    batches = data(shape)

    def call_of(package: Any, name: str) -> Callable[[], Any]:
        model, (x, _) = make(package.nn).eval(), batches[name]

        def call() -> None:
            with package.no_grad():
                model(x)

        return call

    return {"lenet": call_of(lenet, "lenet"), "torch": call_of(torch, "torch")}


def measured(work: str, target: float, sides: dict[str, Callable[[], Any]], rounds: int, unit: int) -> Row:
    """Runs both sides in turn."""
    counts = {name: max(1, round(SECONDS / _seconds(piece, 3))) for name, piece in sides.items()}
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, piece in sides.items():
            times[name].append(_seconds(piece, counts[name]))
    ratios = [theirs / ours for ours, theirs in zip(times["lenet"], times["torch"])]
    return Row(work, target, ratios, min(times["lenet"]), min(times["torch"]), unit)


def _seconds(piece: Callable[[], Any], count: int) -> float:
    piece()
    began = time.perf_counter()
    for _ in range(count):
        piece()
    return (time.perf_counter() - began) / count


def small_ops() -> Iterator[tuple[str, dict[str, Callable[[], Any]]]]:
    """Single ops on tiny tensors, forward and backward: what the tape itself costs."""

    def pair(make: Callable[[Any], Callable[[], Any]]) -> dict[str, Callable[[], Any]]:
        return {"lenet": make(lenet), "torch": make(torch)}

    def op(body: Callable[[Any, Any], Any]) -> Callable[[Any], Callable[[], Any]]:
        def make(package: Any) -> Callable[[], Any]:
            x = package.ones(1, 1, 3, 3, requires_grad=True)
            extra = {"conv": package.nn.Conv2d(1, 1, 3), "linear": package.nn.Linear(3, 1)}

            def run() -> None:
                body((package, extra), x).sum().backward()

            return run

        return make

    yield "add", pair(op(lambda p, x: x + x))
    yield "relu", pair(op(lambda p, x: x.relu()))
    yield "linear", pair(op(lambda p, x: p[1]["linear"](x)))
    yield "conv2d", pair(op(lambda p, x: p[1]["conv"](x)))


TORCH_SCRIPT = """
import sys, time, gzip, struct, numpy as np, torch
from torch import nn
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
model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for rows in torch.randperm(len(x)).split(64):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
    optimizer.step()
with torch.no_grad():
    print(sum((model(p).argmax(1) == q).sum().item() for p, q in zip(a.split(256), b.split(256))) / len(a))
"""


def processes(data_place: Path, rounds: int) -> Iterator[Row]:
    """Whole processes: an MNIST epoch from the command line beside a torch script; and start-up times."""
    with tempfile.TemporaryDirectory() as place:
        script = Path(place) / "train.py"
        script.write_text(TORCH_SCRIPT)
        number = iter(range(10_000))

        def ours() -> None:
            changes = [f"data.root={data_place}", "train.epochs=1", "scheduler.T_max=3"]
            run([sys.executable, "-m", "lenetcli", "train", str(ROOT / "configs" / "lenet-mnist.yaml"), *changes,
                 "--progress", "off", "--out", f"{place}/{next(number)}"])  # fmt: skip

        sides = {"lenet": ours, "torch": lambda: run([sys.executable, str(script), str(data_place)])}
        yield whole("one MNIST epoch from the command line, start to end", 3, sides, rounds)
        peaks = {name: peak(piece) for name, piece in sides.items()}
        print(f"peak memory of that run: {peaks['lenet']:.0f} MB, torch {peaks['torch']:.0f} MB", flush=True)


def whole(work: str, target: float, sides: dict[str, Callable[[], Any]], rounds: int) -> Row:
    """Both sides in turn, a process each."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, piece in sides.items():
            began = time.perf_counter()
            piece()
            times[name].append(time.perf_counter() - began)
    ratios = [theirs / ours for ours, theirs in zip(times["lenet"], times["torch"])]
    return Row(work, target, ratios, min(times["lenet"]), min(times["torch"]), 0)


def peak(piece: Callable[[], Any]) -> float:
    """Largest resident memory of the process that a piece starts, in MB."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        import resource

        piece()
        os.write(writer, str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader) as pipe:
        return int(pipe.read()) / 1024


def run(command: list[str]) -> None:
    """Runs a command, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def startup(words: list[str], rounds: int = 5) -> float:
    """Best wall time of a `lenet` command, in seconds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        run([sys.executable, "-m", "lenetcli", *words])
        times.append(time.perf_counter() - began)
    return min(times)


def rows(rounds: int) -> Iterator[Row]:
    """Every row of the table that runs in this process."""
    for batch, target in ((64, 4), (256, 4)):
        work = f"train step, LeNet as Sequential, batch {batch}"
        yield measured(work, target, training(sequential, (batch, 1, 32, 32)), rounds, batch)
    for batch in (64, 256):
        work = f"train step, LeNet written op by op, batch {batch}"
        yield measured(work, 2.5, training(by_hand, (batch, 1, 32, 32)), rounds, batch)
    yield measured("train step, LeNet, batch 1", 2, training(sequential, (1, 1, 32, 32)), rounds, 1)
    yield measured("inference, LeNet, batch 1", 1.5, inference(sequential, (1, 1, 32, 32)), rounds, 1)
    yield measured("inference, LeNet, batch 256", 4, inference(sequential, (256, 1, 32, 32)), rounds, 256)
    yield measured("train step, MLP 784-512-512-10, batch 128", 1.2, training(mlp, (128, 784)), rounds, 128)
    yield measured("train step, BatchNorm CNN, batch 64", 1.5, training(cnn, (64, 3, 32, 32)), rounds, 64)


def page(found: list[Row], ops: list[Row], starts: dict[str, float], arguments: list[str]) -> str:
    """benchmarks/RESULTS.md."""
    lines = [
        "# Speed beside torch",
        "",
        f"`python benchmarks/versus_torch.py {' '.join(arguments)}`",
        f"on {os.cpu_count()} cores of {processor()}; Python {platform.python_version()}, NumPy {np.__version__},",
        f"torch {torch.__version__}, kernels: {active.twin}.",
        "",
        "Ratio: torch's time by ours, the median over the rounds (above 1: faster than torch). Both run in turn in one",
        "process with all cores.",
        "",
        "| work | ratio | spread | target | met | here | torch |",
        "|---|---:|---:|---:|---|---:|---:|",
        *("| " + " | ".join(row.cells()) + " |" for row in found),
        "",
        "Single ops on a 3x3 tensor, forward and backward:",
        "",
        "| op | ratio | spread | here | torch |",
        "|---|---:|---:|---:|---:|",
        *("| " + " | ".join([c for i, c in enumerate(row.cells()) if i not in (3, 4)]) + " |" for row in ops),
        "",
        "Start-up, best of 5: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in starts.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def processor() -> str:
    """The processor's name."""
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Prints each row as it is measured; with --write, the page too."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = []
    for row in rows(arguments.rounds):
        found.append(row)
        print(" | ".join(row.cells()), flush=True)
    ops = [measured(name, 1, sides, arguments.rounds, 0) for name, sides in small_ops()]
    for row in ops:
        print(" | ".join(row.cells()), flush=True)
    if arguments.data is not None:
        for row in processes(arguments.data, max(3, arguments.rounds // 3)):
            found.append(row)
            print(" | ".join(row.cells()), flush=True)
    config = str(ROOT / "configs" / "lenet.yaml")
    starts = {"`lenet --help`": startup(["--help"]), "`lenet inspect-params`": startup(["inspect-params", config])}
    starts["`import torch` alone"] = _seconds(lambda: run([sys.executable, "-c", "import torch"]), 3)
    print(json.dumps(starts))
    if arguments.write:
        words = sys.argv[1:]
        shown = ["DIR" if before == "--data" else word for before, word in zip(["", *words], words)]
        (ROOT / "benchmarks" / "RESULTS.md").write_text(page(found, ops, starts, shown), "utf-8")


if __name__ == "__main__":
    main()
