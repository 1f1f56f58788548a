"""Many small pictures in files beside torchvision's ImageFolder: listing them, the first epoch, memory.

python benchmarks/small_files.py [--files 50000] [--rounds 3] [--workers 0]

Each round starts a process for each side. It lists a folder of PNGs of 28 to 48 pixels in ten classes, then goes
through one epoch of batches of 64, resized to 32x32 and normalised; said are the medians of the rounds and the most
memory that a process has had. torchvision decodes in the training's process, or in `--workers` others; lenet in its
threads.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

CHILD = """
import json, resource, sys, time
side, place, workers = sys.argv[1:]
def clocks(): return time.perf_counter(), time.process_time()
began = clocks()
if side == "lenet":
    from lenetcli.data import DataLoader, ImageFolder
    imported = clocks()
    data = ImageFolder(place, resize=(32, 32), normalize=(0.5, 0.25)).train
    listed = clocks()
    loader = DataLoader(data, 64, shuffle=True)
else:
    import torch
    from torchvision import transforms
    from torchvision.datasets import ImageFolder
    imported = clocks()
    steps = [transforms.Resize((32, 32)), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
    data = ImageFolder(place + "/train", transforms.Compose(steps))
    listed = clocks()
    loader = torch.utils.data.DataLoader(data, 64, shuffle=True, num_workers=int(workers))
count = sum(len(targets) for _, targets in loader)
ended = clocks()
most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(json.dumps({
    "pictures": count, "listing": [b - a for a, b in zip(imported, listed)],
    "epoch": [b - a for a, b in zip(listed, ended)], "memory": most / 1024,
}))
"""
SIDES = ("lenet", "torchvision")


def write(place: Path, files: int) -> None:
    """The folder: noise, so that no picture is cheaper than another."""
    from PIL import Image

    draw = np.random.default_rng(0)
    for split, count in (("train", files), ("test", 20)):
        for i in range(count):
            folder = place / split / f"class{i % 10}"
            folder.mkdir(parents=True, exist_ok=True)
            side = int(draw.integers(28, 49))
            Image.fromarray(draw.integers(0, 256, (side, side, 3)).astype(np.uint8)).save(folder / f"{i}.png")


def measured(place: Path, side: str, workers: int) -> dict[str, list[float] | float]:
    """One process of a side."""
    words = [sys.executable, "-c", CHILD, side, str(place), str(workers)]
    found: dict[str, list[float] | float] = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return found


def rows(found: dict[str, list[dict[str, list[float] | float]]]) -> list[str]:
    """A table of medians, and of torchvision's by ours."""
    lines = ["| | lenet | torchvision | ratio |", "|---|---|---|---|"]
    kinds = [("listing", 0, "s"), ("listing", 1, "s of processor"), ("epoch", 0, "s"), ("epoch", 1, "s of processor")]
    for key, at, unit in [*kinds, ("memory", -1, "MiB")]:
        sides = []
        for side in SIDES:
            values = [each[key][at] if at >= 0 else each[key] for each in found[side]]  # type: ignore[index]
            sides.append(statistics.median(values))
        ours, theirs = sides
        lines.append(f"| {key}, {unit} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as held:
        write(Path(held), given.files)
        found: dict[str, list[dict[str, list[float] | float]]] = {side: [] for side in SIDES}
        for _ in range(given.rounds):
            for side in SIDES:
                found[side].append(measured(Path(held), side, given.workers))
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
