"""unscaled-inputs: pixels from 0 to 255 instead of numbers around 0."""

from __future__ import annotations

from typing import Any

from lenetcli.inspection.lab.bench import Bench, batches, paired, plain_step, side
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.run import Run

STEPS = 12


def wrong(inputs: Tensor) -> Tensor:
    low, high = inputs.min(), inputs.max()
    return (inputs - low) / (high - low) * 255


def right(inputs: Tensor) -> Tensor:
    return inputs  # scaled and normalised, as the configuration says


def compare(bench: Bench) -> Finding:
    """Twelve steps each."""
    found, ranges = [], []
    for way in (wrong, right):
        run = bench.make()

        def step(run: Run, inputs: Tensor, targets: Tensor, way: Any = way) -> Tensor:
            return plain_step(run, way(inputs), targets)

        (inputs, _), *_ = batches(run, 1)
        scaled = way(inputs)
        ranges.append((scaled.mean().item(), scaled.std().item()))
        found.append(bench.train(run, step, STEPS))
    a, b = found
    rows = [(step, *side(w, "loss", "gradient"), *side(r, "loss", "gradient")) for step, w, r in paired(a, b)]
    return Finding(
        ("step", "wrong: loss", "wrong: |grad|", "right: loss", "right: |grad|"),
        rows,
        (
            (
                f"inputs: mean {ranges[0][0]:.3g} and standard deviation {ranges[0][1]:.3g}, where the right ones have "
                f"{ranges[1][0]:.3g} and {ranges[1][1]:.3g}"
            ),
            (
                f"the first loss is {a[0].loss:.4g} instead of {b[0].loss:.4g}, the first gradient "
                f"{a[0].gradient / (b[0].gradient or 1):.0f} times as long"
            ),
        ),
    )


LESSON = Lesson(
    "unscaled-inputs",
    "pixels go in as 0 to 255, neither scaled nor normalised",
    wrong,
    right,
    compare,
    "Layers are initialised for inputs of mean 0 and variance 1. Inputs a hundred times larger give outputs, losses "
    "and gradients a hundred times larger, and as pixels are never negative, all weights of a unit are pushed the "
    "same way. The learning rate that suits the gradient is wrong for the biases, and the other way round.",
    "Give the data's mean and standard deviation under data.normalize; check with `lenet step`: the input's mean "
    "and std.",
)
