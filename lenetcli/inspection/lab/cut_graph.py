"""cut-graph: a detach() (or .item(), .numpy()) in the middle of the model."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.errors import ConfigError
from lenetcli.inspection.lab.bench import Bench, batches
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.nn.graph import Graph
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


def wrong(model: list[Module], inputs: Tensor) -> Any:
    *body, head = model
    for layer in body:
        inputs = layer(inputs)
    return head(inputs.detach())


def right(model: list[Module], inputs: Tensor) -> Any:
    *body, head = model
    for layer in body:
        inputs = layer(inputs)
    return head(inputs)


def compare(bench: Bench) -> Finding:
    """One step each; what reaches the parameters, and whether they move."""
    found, losses = [], []
    for way in (wrong, right):
        run = bench.make()
        layers = list(run.model.children())
        if isinstance(run.model, Graph):
            raise ConfigError(f"lab {LESSON.name}: wants a chain of layers, this model has branches")
        if not list(layers[-1].parameters()) or sum(1 for m in layers if list(m.parameters())) < 2:
            raise ConfigError(f"lab {LESSON.name}: wants a model of two layers with weights that ends in one of them")
        inputs, targets = next(batches(run, 1))
        before = {name: p.array.copy() for name, p in run.model.named_parameters()}
        loss = run.criterion(way(layers, inputs), targets)
        loss.backward()
        run.optimizer.step()
        losses.append(loss.item())
        found.append({
            name: (None if p.grad is None else float(np.abs(p.grad.array).mean()), moved(before[name], p.array))
            for name, p in run.model.named_parameters()
        })  # fmt: skip
    rows: list[tuple[Cell, ...]] = []
    for name, (grad, change) in found[0].items():
        rows.append((name, "None" if grad is None else grad, change, *found[1][name]))
    stuck = [name for name, (grad, _) in found[0].items() if grad is None]
    return Finding(
        ("parameter", "wrong: |grad|", "wrong: change", "right: |grad|", "right: change"),
        rows,
        (
            f"the loss is the same, {losses[0]:.5g}: forward does not notice",
            f".grad is None for {len(stuck)} of {len(rows)} parameters, and they did not move: {', '.join(stuck)}",
        ),
    )


def moved(before: Any, after: Any) -> float:
    """Mean size of a change."""
    return float(np.abs(after.astype(np.float64) - before).mean())


LESSON = Lesson(
    "cut-graph",
    "a detach() in the middle of the model cuts the graph",
    wrong,
    right,
    compare,
    "Gradients flow along recorded operations only. detach(), .item(), a trip through NumPy or a block under "
    "no_grad() give the same numbers without that record, so everything before them gets no gradient and keeps its "
    "random initial weights. The layers behind still learn, so the loss falls, just not far.",
    "Look for parameters whose .grad is None after backward(): `lenet trace-grad` and `lenet step` show them.",
)
