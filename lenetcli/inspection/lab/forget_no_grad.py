"""forget-no-grad: an evaluation that records a graph for a backward pass that never comes."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.op import Op
from lenetcli.inspection.lab.bench import Bench, batches
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.run import Run

BATCHES = 8


def wrong(run: Run, total: Any, inputs: Tensor, targets: Tensor) -> Any:
    return total + run.criterion(run.model(inputs), targets)


def right(run: Run, total: Any, inputs: Tensor, targets: Tensor) -> Any:
    with no_grad():
        return total + run.criterion(run.model(inputs), targets).item()


def compare(bench: Bench) -> Finding:
    """The sum of the losses of eight batches; after each, what the graph behind it holds."""
    found = []
    for way in (wrong, right):
        run, total, held = bench.make(), 0.0, []
        run.model.eval()
        for inputs, targets in batches(run, BATCHES):
            total = way(run, total, inputs, targets)
            held.append(graph_size(total, run))
        found.append((held, float(total)))
    (a, sum_a), (b, sum_b) = found
    rows = [(i + 1, *left, *right_) for i, (left, right_) in enumerate(zip(a, b))]
    return Finding(
        ("batch", "wrong: nodes", "wrong: numbers kept", "right: nodes", "right: numbers kept"),
        rows,
        (
            f"the sums are the same: {sum_a:.5g} and {sum_b:.5g}; the mistake costs memory and time, not correctness",
            (
                f"each batch adds {a[1][0] - a[0][0]} nodes and {a[1][1] - a[0][1]:,} numbers that backward would "
                "need; none is freed while the sum lives"
            ),
        ),
    )


def graph_size(value: Any, run: Run) -> tuple[int, int]:
    """Nodes of the graph behind a value, and how many numbers they keep besides the parameters."""
    if not isinstance(value, Tensor) or value.grad_fn is None:
        return 0, 0
    own = {id(p.array) for p in run.model.parameters()}
    arrays: dict[int, int] = {}
    seen, stack = {value.grad_fn}, [value.grad_fn]
    while stack:
        node = stack.pop()
        for array in node.saved or () if isinstance(node, Op) else ():
            if isinstance(array, np.ndarray) and id(array) not in own and array.base is None:
                arrays[id(array)] = array.size
        for below, _ in node.next_functions:
            if below is not None and below not in seen:
                seen.add(below)
                stack.append(below)
    return len(seen), sum(arrays.values())


LESSON = Lesson(
    "forget-no-grad",
    "an evaluation without no_grad() adds up losses that still carry their graphs",
    wrong,
    right,
    compare,
    "Every operation on parameters records a node and keeps what its backward needs. Adding the loss itself, not "
    "its number, ties all these graphs together: memory grows with every batch until it runs out, far from the line "
    "that is wrong.",
    "Evaluate inside `with no_grad():`, and take numbers out of tensors with .item() before adding them up.",
)
