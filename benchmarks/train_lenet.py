"""Training speed of the seed LeNet, in images a second; with torch installed, the ratio in the same run, interleaved.

python benchmarks/train_lenet.py [--batch 64] [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.kernels.layout import logical, stored


def lenet_layers(nn: Any) -> Any:
    """The seed net as a Sequential, from lenetcli.nn or torch.nn."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(576, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def training_step(package: Any, nn: Any, optim: Any, x: Any, y: Any) -> Callable[[], Any]:
    """One step of SGD with momentum on one batch; the same code for both packages."""
    model, criterion = lenet_layers(nn), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()

    return step


def milliseconds(step: Callable[[], Any], count: int) -> float:
    """Mean time of a step over `count` of them."""
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count * 1000


def main() -> None:
    """Prints images a second and, where torch is installed, the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    batch = arguments.batch
    rng = np.random.default_rng(0)
    images = rng.standard_normal((batch, 1, 32, 32), np.float32)
    labels = rng.integers(0, 10, batch)

    from lenetcli import nn, optim

    steps = {
        "lenet": training_step(lenet, nn, optim, lenet.from_numpy(logical(stored(images))), lenet.from_numpy(labels))
    }
    try:
        import torch
    except ImportError:
        print("torch is not installed: no ratio")
    else:
        steps["torch"] = training_step(torch, torch.nn, torch.optim, torch.tensor(images), torch.tensor(labels))
    times: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(arguments.rounds + 1):
        for name, step in steps.items():
            times[name].append(milliseconds(step, max(5, 1280 // batch)))
    for name, found in times.items():
        best = statistics.median(found[1:])  # the first round warms up
        print(f"{name}: {best:.3f} ms a step, {batch / best * 1000:,.0f} images/s (batch {batch})")
    if "torch" in times:
        ratios = sorted(theirs / ours for theirs, ours in zip(times["torch"][1:], times["lenet"][1:]))
        print(f"ratio: {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    main()
