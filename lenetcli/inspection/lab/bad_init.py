"""bad-init: weights that start at zero, or far too large."""

from __future__ import annotations

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.inspection.lab.bench import Bench, batches, plain_step
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.train.run import Run
from lenetcli.train.step import Step

STEPS = 30


def wrong(run: Run) -> None:
    with no_grad():
        for parameter in run.model.parameters():
            parameter.zero_()


def wrong_too_large(run: Run) -> None:
    """The other way to get it wrong."""
    with no_grad():
        for parameter in run.model.parameters():
            parameter.mul_(10)


def right(run: Run) -> None:
    pass  # each layer draws its weights from a range that suits its size


def compare(bench: Bench) -> Finding:
    """The gradient that reaches each parameter first; then some training."""
    ways = {"wrong: zeros": wrong, "right": right, "wrong: 10 times": wrong_too_large}
    gradients: list[dict[str, float]] = []
    ends: list[tuple[float, float, float | None, int]] = []
    for way in ways.values():
        run = bench.make()
        way(run)
        Step(run, strict=False).make([next(batches(run, 1))], before="limit")
        gradients.append({
            name: float(np.abs(p.grad.array).mean()) for name, p in run.model.named_parameters() if p.grad is not None
        })  # fmt: skip
        taken = bench.train(run, plain_step, STEPS)
        ends.append((taken[0].loss, taken[-1].loss, bench.judge(run).accuracy, different_units(run)))
    rows: list[tuple[Cell, ...]] = [
        (f"first mean |grad| of {name}", *(g.get(name) for g in gradients)) for name in gradients[1]
    ]
    titles = ("first loss", f"loss after {STEPS} steps", "accuracy after them", "different units in the first layer")
    rows += [(title, *values) for title, values in zip(titles, zip(*ends)) if any(v is not None for v in values)]
    still, units = sum(g == 0 for g in gradients[0].values()), (ends[0][3], ends[1][3])
    return Finding(
        ("", *ways),
        rows,
        (
            (
                f"zeros: {still} of {len(gradients[0])} parameters get a gradient of exactly 0 and do not move; after "
                f"{STEPS} steps the first layer's units are {units[0]} in kind, right ones are {units[1]}"
            ),
            f"10 times too large: the first loss is {ends[2][0]:.4g} instead of {ends[1][0]:.4g}",
        ),
    )


def different_units(run: Run) -> int:
    """How many units of the first layer with weights differ from each other."""
    weight = next(p.array for p in run.model.parameters() if p.ndim > 1)
    return len(np.unique(weight.reshape(len(weight), -1), axis=0))


LESSON = Lesson(
    "bad-init",
    "all weights start at zero; or ten times larger than they should",
    wrong,
    right,
    compare,
    "With zeros every unit of a layer computes the same and gets the same gradient, so they stay the same for ever; "
    "and what flows back through a zero weight is zero, so all layers but the last stand still. Weights that are "
    "too large multiply the signal at every layer: outputs, loss and gradients explode, the softmax is sure and "
    "wrong.",
    "Keep the layers' own initialisation, or use lenetcli.nn.init (kaiming_normal_ for ReLU); only biases may start "
    "at zero.",
)
