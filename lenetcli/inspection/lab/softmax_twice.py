"""softmax-twice: a softmax layer in front of a loss that has its own."""

from __future__ import annotations

import math

from lenetcli import nn
from lenetcli.inspection.lab.bench import Bench, paired, plain_step, side, some
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.train.run import Run

STEPS = 80


def wrong(run: Run) -> None:
    run.model = nn.Sequential(run.model, nn.Softmax(dim=1))
    run.criterion = nn.CrossEntropyLoss()


def right(run: Run) -> None:
    run.criterion = nn.CrossEntropyLoss()


def compare(bench: Bench) -> Finding:
    """Some training each."""
    found = []
    for way in (wrong, right):
        run = bench.make()
        classes = bench.needs_classes(run, LESSON.name)
        way(run)
        found.append((bench.train(run, plain_step, STEPS), bench.judge(run).accuracy))
    (a, accuracy_a), (b, accuracy_b) = found
    rows = [
        (step, *side(w, "loss", "gradient"), *side(r, "loss", "gradient"))
        for step, w, r in paired(a, b)
        if step in some(STEPS)
    ]
    floor = math.log(math.e + classes - 1) - 1
    lowest = min(taken.loss for taken in a)
    return Finding(
        ("step", "wrong: loss", "wrong: |grad|", "right: loss", "right: |grad|"),
        rows,
        (
            (
                f"after {STEPS} steps the loss is {a[-1].loss:.4g} instead of {b[-1].loss:.4g}; it can never fall "
                f"below log(e + {classes - 1}) − 1 = {floor:.4g}, however sure the net is (lowest here: {lowest:.4g})"
            ),
            f"the first gradient is {b[0].gradient / (a[0].gradient or 1):.1f} times smaller than it should be",
            f"test accuracy {accuracy_a:.1%} instead of {accuracy_b:.1%}: nothing fails, the net only learns slowly",
        ),
    )


LESSON = Lesson(
    "softmax-twice",
    "the model ends in Softmax although CrossEntropyLoss expects raw scores",
    wrong,
    right,
    compare,
    "CrossEntropyLoss applies log-softmax itself. Fed with probabilities it sees scores between 0 and 1, so the "
    "best it can believe is e : 1 for the right class. The loss has a floor well above 0, and gradients shrink "
    "twice, once in each softmax.",
    "Let the model end in its last Linear layer; or, if it ends in LogSoftmax, use NLLLoss.",
)
