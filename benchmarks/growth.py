"""How cost grows with batch, width, image and depth: time and memory per image, here and in torch, in turn.

python benchmarks/growth.py [batch width image layers ...] [--rounds 5] [--write]

Each size runs in processes of its own: one for the time of a training step, both sides in turn, and one a side for the
memory that such steps add once everything is warm. --write puts the tables that were measured into
benchmarks/GROWTH.md and leaves its other parts as they are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from page import Page
from rounds import Times, in_child, in_turn, machine
from work import Work, cnn, deep_cnn, deep_mlp, sequential, training

PAGE = Path(__file__).with_name("GROWTH.md")
BEHIND = 0.67  # below this ratio a size needs a reason, in the page's notes
HEAD = "| net | {} | images a step | ratio | spread | us an image | torch | kB an image | torch |\n|---|" + "---:|" * 8


@dataclass(frozen=True)
class Size:
    """One row: a training step of a net.

    Args:
        net: its name.
        size: what grows, as the table shows it.
        batch: images of a step.
    """

    net: str
    size: int
    batch: int
    work: Work


def sizes(axis: str) -> Iterator[Size]:
    """The rows of a table."""
    if axis == "batch":
        for batch in (1, 4, 16, 64, 256, 1024, 4096):
            yield Size("LeNet", batch, batch, training(sequential, (batch, 1, 32, 32)))
        for batch in (1, 4, 16, 64, 256):
            yield Size("BatchNorm CNN", batch, batch, training(cnn, (batch, 3, 32, 32)))
    elif axis == "width":
        for width in (1, 2, 4, 8, 16):
            yield Size("LeNet", width, 64, training(partial(sequential, width=width), (64, 1, 32, 32)))
    elif axis == "image":
        for image in (32, 64, 96, 128, 160, 192, 224):
            yield Size("LeNet", image, 16, training(partial(sequential, image=image), (16, 1, image, image)))
        for image in (32, 64, 128, 224):
            yield Size("BatchNorm CNN", image, 8, training(partial(cnn, image=image), (8, 3, image, image)))
    elif axis == "layers":
        for layers in (5, 15, 51, 151, 501):
            yield Size("Linear 64, ReLU", layers, 64, training(partial(deep_mlp, layers=layers), (64, 64)))
        for layers in (6, 16, 52, 152, 502):
            yield Size("Conv2d 8, ReLU", layers, 16, training(partial(deep_cnn, layers=layers), (16, 8, 16, 16)))


def kilobytes(work: Work, name: str, steps: int = 5) -> float:
    """By which some steps of one side raise the peak of resident memory, once its libraries are warm."""

    def body() -> float:
        for warm in (training(sequential, (2, 1, 32, 32)), training(cnn, (2, 3, 32, 32))):
            warm(name)()
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
        before = _status("VmRSS")
        step = work(name)
        for _ in range(steps):
            step()
        return max(0.0, _status("VmHWM") - before)

    return float(in_child(body))


def _status(key: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return float(line.split()[1])
    raise RuntimeError(f"/proc/self/status has no {key}")


def row(size: Size, rounds: int) -> str:
    """The line of the table, measured."""

    def body() -> dict[str, list[float]]:
        return dict(in_turn({name: size.work(name) for name in ("lenet", "torch")}, rounds, 0.15).seconds)

    times = Times(in_child(body))
    us = {name: times.best(name) / size.batch * 1e6 for name in times.seconds}
    kb = {name: kilobytes(size.work, name) / size.batch for name in times.seconds}
    ratio = f"{times.ratio():.2f}" + (" (behind)" if times.ratio() < BEHIND else "")
    cells = [size.net, f"{size.size}", f"{size.batch}", ratio, times.spread()]
    cells += [f"{us['lenet']:,.1f}", f"{us['torch']:,.1f}", f"{kb['lenet']:,.0f}", f"{kb['torch']:,.0f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints each row as it is measured; with --write, changes the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("axes", nargs="*", default=["batch", "width", "image", "layers"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    page = Page(PAGE)
    for axis in arguments.axes:
        lines = [HEAD.format(axis)]
        print(lines[0])
        for size in sizes(axis):
            lines.append(row(size, arguments.rounds))
            print(lines[-1], flush=True)
        if arguments.write:
            page.put(axis, "\n".join([*lines, "", f"`python benchmarks/growth.py {axis}` on {machine()}."]))


if __name__ == "__main__":
    main()
