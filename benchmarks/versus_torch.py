"""The speed tables: this project and torch (and JAX and ONNX Runtime, where installed) on the same work, in turn.

python benchmarks/versus_torch.py [PART ...] [--rounds 7] [--data DIR] [--write]

Parts: steps, ops, layers, processes, memory, neighbour; all of them take some minutes. Both sides use all cores,
float32, the same shapes and the same code. A ratio is the median of the rounds' ratios torch / lenet, so that noise of
the machine hits both; the spread is that of the rounds. --data names the directory with the MNIST files, for the row
that trains on them. --write puts each part into benchmarks/RESULTS.md as soon as it is measured and leaves the rest as
it is: what was interrupted goes on by naming the parts that are left.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import in_jax
import in_onnxruntime
import memory
import neighbour
from blocks import grouped_residuals, inverted_residuals, pixels_as_tokens
from page import Page
from rounds import Times, in_turn, machine
from whole_process import installed_sizes, processes
from work import (
    Piece,
    Work,
    all_convolutional,
    autoencoder,
    basic_mnist,
    by_hand,
    cnn,
    convolutional_autoencoder,
    group_norm_net,
    in_training,
    inference,
    layers,
    mlp,
    resnet,
    rows,
    separable,
    sequential,
    small_mlp,
    small_ops,
    tanh_lenet,
    training,
    vgg,
)

from lenetcli.kernels import dispatch

PAGE = Path(__file__).with_name("RESULTS.md")
Arguments = argparse.Namespace

Others = dict[str, Callable[[], Piece]]  # the same work in other tools


def training_in_jax(make: Callable[[int], Piece], batch: int) -> Others:
    return {"JAX": lambda: make(batch)} if in_jax.INSTALLED else {}


def answers(batch: int) -> tuple[Work, int, Others]:
    """LeNet's, here and by ONNX Runtime."""
    net = sequential, (batch, 1, 32, 32)
    other = {"ONNX Runtime": lambda: in_onnxruntime.inference(*net)} if in_onnxruntime.INSTALLED else {}
    return inference(*net), batch, other


# work, target beside torch, what it is, images of one piece, the same in other tools
WORK: list[tuple[str, float, Work, int, Others]] = [
    *(
        (f"train step, LeNet as Sequential, batch {n}", target, training(sequential, (n, 1, 32, 32)), n,
         training_in_jax(in_jax.lenet, n))
        for n, target in ((64, 6.5), (256, 7.5), (1024, 7.5))
    ),
    *(
        (f"train step, LeNet written op by op, batch {n}", target, training(by_hand, (n, 1, 32, 32)), n, {})
        for n, target in ((64, 4.5), (256, 5.5))
    ),
    *(
        (f"train step, LeNet, batch {n}", 5, training(sequential, (n, 1, 32, 32)), n, training_in_jax(in_jax.lenet, n))
        for n in (1, 8)
    ),
    ("train step of Trainer, LeNet, batch 1", 9, in_training(sequential, (1, 1, 32, 32)), 1, {}),
    ("inference, LeNet, batch 1", 5, *answers(1)),
    ("inference, LeNet, batch 256", 8, *answers(256)),
    ("train step, MLP 784-512-512-10, batch 128", 1.4, training(mlp, (128, 784)), 128,
     training_in_jax(in_jax.mlp, 128)),
    ("train step, MLP 784-64-64-10, batch 32", 5, training(small_mlp, (32, 784)), 32, {}),
    *(
        (f"train step, BatchNorm CNN 3-32-64-128, batch {n}", goal, training(cnn, (n, 3, 32, 32)), n, {})
        for n, goal in ((1, 2.2), (8, 3), (64, 2.6))
    ),
    *(
        (f"train step, ResNet-20, batch {n}", goal, training(resnet, (n, 3, 32, 32)), n, {})
        for n, goal in ((8, 2.5), (64, 2.2))
    ),
    ("train step, VGG-like 3-32-64-128, batch 32", 2.5, training(vgg, (32, 3, 32, 32)), 32, {}),
    ("train step, depthwise-separable net, 64 px, batch 32", 2, training(separable, (32, 3, 64, 64)), 32, {}),
    ("train step, LeNet-5 with Tanh and AvgPool, batch 64", 2, training(tanh_lenet, (64, 1, 28, 28)), 64, {}),
    ("train step, GroupNorm, SiLU, grouped convolutions, batch 32", 2,
     training(group_norm_net, (32, 3, 32, 32)), 32, {}),
    ("train step, convolutional auto-encoder, Adam, batch 64", 2,
     training(convolutional_autoencoder, (64, 1, 28, 28), "Adam", of_itself=True), 64, {}),
    ("train step, linear auto-encoder, Adam, batch 128", 1.3,
     training(autoencoder, (128, 784), "Adam", of_itself=True), 128, {}),
    ("train step, torch's basic MNIST net, Adadelta, batch 64", 2.2,
     training(basic_mnist, (64, 1, 28, 28), "Adadelta"), 64, {}),
    *(
        (f"train step, all-convolutional net, batch {n}", 2, training(all_convolutional, (n, 3, 32, 32)), n, {})
        for n in (1, 16)
    ),
    *(
        (f"train step, {name}, batch 16", 1.7, training(make, (16, 3, side, side)), 16, {})
        for name, make, side in (
            ("inverted residuals, 32 px", inverted_residuals, 32),
            ("pixels as tokens, 64 px", pixels_as_tokens, 64),
            ("grouped residuals, 32 px", grouped_residuals, 32),
        )
    ),
    *((f"train step, {kind} of 128 over 28 rows, batch 64", 1.5, training(rows(kind), (64, 28, 28)), 64, {})
      for kind in ("GRU", "LSTM")),
]  # fmt: skip


def steps(arguments: Arguments) -> Iterator[str]:
    """The target table."""
    yield "| work | ratio | spread | target | met | here | torch | ratio to another | which |"
    yield "|---|---:|---:|---:|---|---:|---:|---:|---|"
    for name, target, work, unit, others in WORK:
        sides = {side: work(side) for side in ("lenet", "torch")} | {other: make() for other, make in others.items()}
        times = in_turn(sides, arguments.rounds)
        speeds = {side: f"{unit / times.best(side):,.0f}/s" for side in sides}
        cells = [name, f"{times.ratio():.2f}", times.spread(), f"{target:g}", met(times, target)]
        cells += [speeds["lenet"], speeds["torch"]]
        cells.append(", ".join(f"{times.ratio(other):.2f}" for other in others))
        cells.append(", ".join(f"{other} {speeds[other]}" for other in others))
        yield row(cells)


def ops(arguments: Arguments) -> Iterator[str]:
    """Single ops on a 3x3 tensor, forward and backward."""
    yield "| op | ratio | spread | here | torch |\n|---|---:|---:|---:|---:|"
    for name, work in small_ops().items():
        times = in_turn({side: work(side) for side in ("lenet", "torch")}, arguments.rounds)
        speeds = [f"{times.best(side) * 1e6:.1f} us" for side in ("lenet", "torch")]
        yield row([name, f"{times.ratio():.2f}", times.spread(), *speeds])


def windows(arguments: Arguments) -> Iterator[str]:
    """Single layers: beside torch, and beside NumPy's kernels."""
    yield "| layer | ratio | spread | here | torch | ratio to NumPy's kernels |\n|---|---:|---:|---:|---:|---:|"
    for name, work in layers().items():
        sides = {"lenet": work("lenet"), "torch": work("torch"), "numpy": with_numpy(work("lenet"))}
        times = in_turn(sides, arguments.rounds)
        speeds = [f"{times.best(side) * 1e6:,.0f} us" for side in ("lenet", "torch")]
        yield row([name, f"{times.ratio():.2f}", times.spread(), *speeds, f"{times.ratio('numpy'):.1f}"])


def with_numpy(piece: Piece) -> Piece:
    """The piece with the kernels' NumPy twins."""

    def run() -> None:
        with dispatch.force("numpy"):
            piece()

    return run


def whole(arguments: Arguments) -> Iterator[str]:
    """Whole processes, with their peak memory; installed sizes."""
    yield "| process | ratio | spread | target | met | here | torch | MB here | torch |"
    yield "|---|---:|---:|---:|---|---:|---:|---:|---:|"
    for name, target, times, peaks in processes(arguments.data, min(5, arguments.rounds)):
        goal = ["", ""] if target is None else [f"{target:g}", met(times, target)]
        speeds = [f"{times.best(side):.2f} s" for side in ("lenet", "torch")]
        memories = [f"{peaks[side]:.0f}" for side in ("lenet", "torch")]
        yield row([name, f"{times.ratio():.2f}", times.spread(), *goal, *speeds, *memories])
    sizes = installed_sizes()
    share = sizes["lenet"] / sizes["torch"]
    yield (
        f"\nInstalled with all that is needed at run time: {sizes['lenet']:.0f} MB, {share:.0%} of torch's "
        f"{sizes['torch']:.0f} MB."
    )


def pages(arguments: Arguments) -> Iterator[str]:
    """Page faults and memory."""
    return memory.lines(memory.NETS)


def beside(arguments: Arguments) -> Iterator[str]:
    """A busy neighbour."""
    works = {
        "LeNet, batch 64": training(sequential, (64, 1, 32, 32)),
        "BatchNorm CNN, batch 64": training(cnn, (64, 3, 32, 32)),
    }
    return neighbour.lines(works, arguments.rounds)


PARTS = {"steps": steps, "ops": ops, "layers": windows, "processes": whole, "memory": pages, "neighbour": beside}


def met(times: Times, target: float) -> str:
    """Whether the ratio reaches its target, and by how much it does not."""
    return "yes" if times.ratio() >= target else f"no, {times.ratio() / target - 1:.0%}"


def row(cells: list[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Prints each row as it is measured; with --write, changes the page part by part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=list(PARTS), metavar="PART")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    page = Page(PAGE)
    for part in arguments.parts:
        lines = []
        for line in PARTS[part](arguments):
            print(line, flush=True)
            lines.append(line)
        if arguments.write:
            data = " --data DIR" if part == "processes" and arguments.data else ""
            command = f"python benchmarks/versus_torch.py {part} --rounds {arguments.rounds}{data}"
            page.put(part, "\n".join([*lines, "", f"`{command}` on {machine()}."]))


if __name__ == "__main__":
    sys.exit(main())
