"""What the live view costs: processor time of a training with `--progress live` beside the same without.

python benchmarks/live.py [CONFIG] [CHANGES ...] [--pairs 20] [--beside off] [--lines 48] [--columns 160]

Both write to a terminal of that size, each a process of its own, in turn; which of a pair comes first alternates. User
and system time of the whole process count. Shown are the median of the pairs' ratios, the interval that holds it with
at least 95% (between two of the sorted ratios, by their ranks, whatever their distribution), and whether all trainings
came to the same weights. Without CONFIG, configs/lenet.yaml.
"""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import pty
import statistics
import struct
import sys
import tempfile
import termios
from collections.abc import Sequence
from pathlib import Path

from lenetcli.runs.checkpoint import Checkpoints

ROOT = Path(__file__).parent.parent
AIM = 0.01  # of the processor time, at most


def seconds(words: Sequence[str], lines: int, columns: int) -> float:
    """Processor time of `lenet WORDS` on a terminal of this size.

    Raises:
        RuntimeError: it failed.
    """
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "lenetcli", *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    shown = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # how Linux says that the other side has closed
            break
        if not part:
            break
        shown = (shown + part)[-4096:]
    os.close(terminal)
    _, status, used = os.wait4(child, 0)
    if status:
        raise RuntimeError(f"lenet {' '.join(words)} ended with status {status}: {shown.decode(errors='replace')}")
    return used.ru_utime + used.ru_stime


def ranks(count: int, certain: float = 0.95) -> tuple[int, int]:
    """Which of so many sorted values, from 0, the median of what they are drawn from lies between, so certainly.

    The widest pair, the least and the greatest value, where no other is certain enough.
    """
    below, low = 0.0, 0
    for at in range(count // 2):
        below += math.comb(count, at) / 2**count  # the chance that the median is less than value number `at`
        if 2 * below > 1 - certain:
            break
        low = at
    return low, count - 1 - low


def met(ratio: float) -> str:
    """Whether it is."""
    return "yes" if ratio - 1 <= AIM else "no"


def weights(run: Path) -> dict[str, bytes]:
    """What a run's newest checkpoint has of weights and of the optimizer's memory, as it is on the disk."""
    checkpoints = Checkpoints(run)
    newest = checkpoints.root / checkpoints.names()[-1]
    return {file.name: file.read_bytes() for file in newest.glob("*.safetensors")}


def main() -> None:
    """Measures, a line for each pair, and the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="CONFIG or CHANGE")
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--beside", default="off", help="another --progress")
    parser.add_argument("--lines", type=int, default=48)
    parser.add_argument("--columns", type=int, default=160)
    given = parser.parse_args()
    words = given.words or [str(ROOT / "configs" / "lenet.yaml")]
    ratios, same = [], True
    with tempfile.TemporaryDirectory() as place:
        first: dict[str, bytes] = {}
        for pair in range(given.pairs):
            times = {}
            for mode in (("live", given.beside), (given.beside, "live"))[pair % 2]:
                run = Path(place) / f"{pair}-{mode}"
                command = ["train", *words, "--progress", mode, "--out", str(run)]
                times[mode] = seconds(command, given.lines, given.columns)
                made = weights(run)
                first = first or made
                same = same and bool(made) and made == first
            ratios.append(times["live"] / times[given.beside])
            told = ", ".join(f"{mode} {times[mode]:.2f} s" for mode in ("live", given.beside))
            print(f"pair {pair + 1}: {told}, ratio {ratios[-1]:.4f}", flush=True)
    low, high = ranks(len(ratios))
    ordered, middle = sorted(ratio - 1 for ratio in ratios), statistics.median(ratios) - 1
    print(f"{len(ratios)} pairs: median {middle:+.2%}, interval {ordered[low]:+.2%} to {ordered[high]:+.2%}")
    print(f"at most {AIM:.0%}: {'yes' if middle <= AIM else 'no'}")
    print(f"weights and the optimizer's memory: {'the same bits' if same else 'they differ'}")


if __name__ == "__main__":
    main()
