"""Training steps on one GPU beside torch on the same GPU, in turn in one process; TF32 is off in both.

python benchmarks/gpu.py [--rounds 7] [--write docs/gpu-results.md]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import numpy as np
import torch

import lenetcli as lenet
from lenetcli.kernels.layout import logical, stored


def lenet5(nn: Any) -> Any:
    """The net of configs/lenet.yaml."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def cnn(nn: Any) -> Any:
    """BatchNorm CNN 3-32-64-128."""
    layers: list[Any] = []
    for before, after in ((3, 32), (32, 64), (64, 128)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(2048, 10))


MODELS: dict[str, tuple[Callable[[Any], Any], int]] = {"LeNet": (lenet5, 1), "BatchNorm CNN": (cnn, 3)}


def step_of(package: Any, make: Callable[[Any], Any], channels: int, batch: int) -> Callable[[], Any]:
    """A training step: SGD with momentum on cross entropy, the batch on the GPU."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((batch, channels, 32, 32), np.float32), random.integers(0, 10, batch)
    tensor = torch.from_numpy if package is torch else lenet.from_numpy
    inputs = tensor(x if package is torch else logical(stored(x))).to("cuda")
    targets = tensor(y).to("cuda")
    model = make(package.nn).to("cuda")
    criterion = package.nn.CrossEntropyLoss()
    optimizer = package.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> Any:
        optimizer.zero_grad()
        loss = criterion(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss

    return step


def milliseconds(step: Callable[[], Any], steps: int) -> float:
    """Of a step, over a row of steps that are waited for at the end."""
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(steps):
        step()
    torch.cuda.synchronize()
    return (time.perf_counter() - began) / steps * 1000


def rows(rounds: int) -> list[list[str]]:
    """Each model and batch size: the median step of both packages."""
    found = []
    for name, (make, channels) in MODELS.items():
        for batch in (256, 4096):
            ours, theirs = (step_of(package, make, channels, batch) for package in (lenet, torch))
            sides = {"lenet": ours, "torch": theirs, "torch, cudnn.benchmark": theirs}
            times: dict[str, list[float]] = {side: [] for side in sides}
            count = 50 if batch == 256 else 10
            for number in range(rounds + 1):  # the first is for compilation and cuDNN's search
                for side, step in sides.items():
                    torch.backends.cudnn.benchmark = side.endswith("benchmark")
                    taken = milliseconds(step, count)
                    times[side] += [taken] if number else []
            medians = {side: statistics.median(values) for side, values in times.items()}
            best = min(medians["torch"], medians["torch, cudnn.benchmark"])
            cells = [f"{value:.3f}" for value in medians.values()]
            found.append([f"{name}, batch {batch}", *cells, f"{best / medians['lenet']:.2f}"])
            print("  ".join(found[-1]), flush=True)
            del ours, theirs, sides, step
            torch.cuda.empty_cache()
            lenet.cuda.empty_cache()
    return found


def table(found: list[list[str]]) -> str:
    """The rows as Markdown."""
    head = ["training step", "lenet, ms", "torch, ms", "torch with cudnn.benchmark, ms", "ratio to the better one"]
    lines = [head, ["---", *["---:"] * 4], *found]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def main() -> None:
    """Prints each row as it is measured; with --write, a file too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    print(f"{torch.cuda.get_device_name()}: torch {torch.__version__}, CuPy {cupy.__version__}, NumPy {np.__version__}")
    text = table(rows(options.rounds))
    if options.write:
        options.write.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
