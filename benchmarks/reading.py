"""Reading a file of weights beside torch.load (mmap off): wall time and processor time, the sides in turn.

python benchmarks/reading.py [--megabytes 100] [--rounds 9]

Each round starts a process for each side. It reads the file once, as a script does, and then a few times more; what is
said is the median of the rounds. The file lies in the system's cache.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

CHILD = """
import json, sys, time
side, path = sys.argv[1:]
if side == "torch":
    import torch
    def read(): return torch.load(path, weights_only=True)
else:
    from lenetcli import load  # now, since names are imported when they are asked for
    def read(): return load(path)
found = []
for _ in range(6):
    wall, processor = time.perf_counter(), time.process_time()
    weights = read()
    found.append((time.perf_counter() - wall, time.process_time() - processor))
    count = len(weights)
    del weights
print(json.dumps(found))
"""
SIDES = ("lenet", "torch")
Times = list[tuple[float, float]]  # wall and processor seconds of each reading in a process


def write(path: Path, megabytes: int) -> None:
    """A state dict of 4 MiB tensors, as torch.save writes it."""
    import torch

    torch.manual_seed(0)
    torch.save({f"layers.{i}.weight": torch.randn(1024, 1024) for i in range(round(megabytes / 4.194304))}, path)


def measured(path: Path, rounds: int) -> dict[str, list[Times]]:
    """Each side's rounds."""
    found: dict[str, list[Times]] = {side: [] for side in SIDES}
    for _ in range(rounds):
        for side in SIDES:
            said = subprocess.run([sys.executable, "-c", CHILD, side, str(path)], check=True, stdout=subprocess.PIPE)
            found[side].append(json.loads(said.stdout))
    return found


def rows(found: dict[str, list[Times]]) -> list[str]:
    """A table of medians in milliseconds, and of torch's by ours."""
    lines = ["| reading | time | lenet, ms | torch, ms | torch's by lenet's |", "|---|---|---|---|---|"]
    for words, some in (("the first in a process", slice(0, 1)), ("again", slice(1, None))):
        for column, kind in enumerate(("wall", "processor")):
            by_round = {
                side: [statistics.median(times[column] for times in process[some]) for process in found[side]]
                for side in SIDES
            }
            ratio = statistics.median(theirs / ours for ours, theirs in zip(by_round["lenet"], by_round["torch"]))
            ours, theirs = (1000 * statistics.median(by_round[side]) for side in SIDES)
            lines.append(f"| {words} | {kind} | {ours:.1f} | {theirs:.1f} | {ratio:.2f} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "weights.pth"
        write(path, args.megabytes)
        print("\n".join(rows(measured(path, args.rounds))))


if __name__ == "__main__":
    main()
