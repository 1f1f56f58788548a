"""lr-too-high: steps so long that each lands higher up the other side."""

from __future__ import annotations

from collections.abc import Callable

from lenetcli.inspection.lab.bench import Bench, Taken, paired, plain_step, side
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.train.run import Run

STEPS = 12
FACTORS = (10.0, 100.0, 1000.0, 1e4)


def wrong(run: Run, factor: float) -> None:
    for group in run.optimizer.param_groups:
        group["lr"] *= factor


def right(run: Run, factor: float) -> None:
    pass  # the learning rate stays what the configuration says


def compare(bench: Bench) -> Finding:
    """Twelve steps each; the wrong rate is the first power of ten too many that does not train."""
    b, right_lr = _tried(bench, right, 1)
    for factor in FACTORS:
        a, lr = _tried(bench, wrong, factor)
        if not a[-1].loss <= max(a[0].loss, b[0].loss):  # NaN counts as high
            break
    rows = [(step, *side(w, "loss", "update"), *side(r, "loss", "update")) for step, w, r in paired(a, b)]
    worst = max(taken.loss for taken in a)
    return Finding(
        ("step", "wrong: loss", "wrong: change", "right: loss", "right: change"),
        rows,
        (
            (
                f"lr {lr:g} instead of {right_lr:g}, {factor:g} times too high: the loss goes from {a[0].loss:.4g} to "
                f"{a[-1].loss:.4g} (at worst {worst:.4g}), the right one to {b[-1].loss:.4g}"
            ),
            (
                f"change is the norm of a step by the norm of all weights: {a[0].update:.3g} at first instead of "
                f"{b[0].update:.3g}; a few hundredths are much already, more tears up what was learnt"
            ),
        ),
    )


def _tried(bench: Bench, way: Callable[[Run, float], None], factor: float) -> tuple[list[Taken], float]:
    """The steps of one way, and the learning rate of the first."""
    run = bench.make()
    way(run, factor)
    lr = run.lr
    return bench.train(run, plain_step, STEPS), lr


LESSON = Lesson(
    "lr-too-high",
    "the learning rate is some powers of ten higher than what trains",
    wrong,
    right,
    compare,
    "A gradient tells the slope at one point only; it is good for a step as long as the slope stays about the same. "
    "Longer steps overshoot: the loss jumps instead of falling, gradients grow with it, and it ends in NaN or in "
    "weights so large that every unit is stuck.",
    "Watch the relative change of the weights, try `lenet find-lr CONFIG`, warm up (train.warmup) or clip gradients.",
)
