"""lr-too-high: steps so long that each lands higher up the other side."""

from __future__ import annotations

from lenetcli.inspect.lab.bench import Bench, paired, plain_step
from lenetcli.inspect.lab.lesson import Finding, Lesson
from lenetcli.train.run import Run

STEPS = 12


def wrong(run: Run) -> None:
    for group in run.optimizer.param_groups:
        group["lr"] *= 100


def right(run: Run) -> None:
    pass  # the learning rate stays what the configuration says


def compare(bench: Bench) -> Finding:
    """Twelve steps each."""
    found, rates = [], []
    for way in (wrong, right):
        run = bench.make()
        way(run)
        rates.append(run.lr)
        found.append(bench.train(run, plain_step, STEPS))
    a, b = found
    rows = [(step, w and w.loss, w and w.update, r and r.loss, r and r.update) for step, w, r in paired(a, b)]
    worst = max(taken.loss for taken in a)
    return Finding(
        ("step", "wrong: loss", "wrong: change", "right: loss", "right: change"),
        rows,
        (
            f"lr {rates[0]:g} instead of {rates[1]:g}: the loss goes from {a[0].loss:.4g} to {a[-1].loss:.4g} "
            f"(at worst {worst:.4g}), the right one to {b[-1].loss:.4g}",
            f"change is the norm of a step by the norm of all weights: {a[0].update:.3g} at first instead of "
            f"{b[0].update:.3g}; a few hundredths are much already, more tears up what was learnt",
        ),
    )


LESSON = Lesson(
    "lr-too-high",
    "the learning rate is 100 times what the configuration says",
    wrong,
    right,
    compare,
    "A gradient tells the slope at one point only; it is good for a step as long as the slope stays about the same. "
    "Longer steps overshoot: the loss jumps instead of falling, gradients grow with it, and it ends in NaN or in weights so "
    "large that every unit is stuck.",
    "Watch the relative change of the weights, try `lenet find-lr CONFIG`, warm up (train.warmup) or clip gradients.",
)
