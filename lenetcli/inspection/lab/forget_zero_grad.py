"""forget-zero-grad: gradients of all steps so far add up."""

from __future__ import annotations

from typing import Any

from lenetcli.inspection.lab.bench import Bench, paired, side
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.run import Run

STEPS = 10


def wrong(run: Run, inputs: Tensor, targets: Tensor) -> Any:
    loss = run.criterion(run.model(inputs), targets)
    loss.backward()
    run.optimizer.step()
    return loss


def right(run: Run, inputs: Tensor, targets: Tensor) -> Any:
    run.optimizer.zero_grad()
    loss = run.criterion(run.model(inputs), targets)
    loss.backward()
    run.optimizer.step()
    return loss


def compare(bench: Bench) -> Finding:
    """Ten steps each."""
    a = bench.train(bench.make(), wrong, STEPS)
    b = bench.train(bench.make(), right, STEPS)
    rows = [(step, *side(w, "loss", "gradient"), *side(r, "loss", "gradient")) for step, w, r in paired(a, b)]
    last = min(len(a), len(b)) - 1
    times = a[last].gradient / (b[last].gradient or 1)
    return Finding(
        ("step", "wrong: loss", "wrong: |grad|", "right: loss", "right: |grad|"),
        rows,
        (
            f"step 1 is the same in both: |grad| {a[0].gradient:.3g}; there was nothing to forget yet",
            f"by step {last + 1} the wrong gradient is {times:.1f} times the right one: it holds all that came before",
        ),
    )


LESSON = Lesson(
    "forget-zero-grad",
    "optimizer.zero_grad() is missing, so backward() adds each gradient to those of the steps before",
    wrong,
    right,
    compare,
    "backward() adds to .grad, it does not replace it: that is what lets several batches make one step. Without "
    "zero_grad() the optimizer follows the sum of all gradients since the beginning, most of which belong to "
    "weights that are no longer there. The step grows as if momentum were 1. Optimizers that divide by the "
    "gradient's size (Adam) hide the growth, but not the stale direction.",
    "Call optimizer.zero_grad() before each backward(); leave it out on purpose only to accumulate batches.",
)
