"""forget-eval: judging a model that still drops units and normalises by the batch."""

from __future__ import annotations

import numpy as np

from lenetcli import nn
from lenetcli.inspection.lab.bench import JUDGED, Bench, first_samples, output_of, plain_step
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.inspection.lab.no_nonlinearity import inner_layers, is_activation
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.run import Run

STEPS = 60
NOISY = ("Dropout", "BatchNorm")
ADDED = "the model has neither dropout nor batch norm, so Dropout(0.5) was put behind its activations"


def wrong(model: Module, inputs: Tensor) -> object:
    model.train()
    return output_of(model, inputs)


def right(model: Module, inputs: Tensor) -> object:
    model.eval()
    return output_of(model, inputs)


def compare(bench: Bench) -> Finding:
    """The same samples twice, and one of them alone."""
    run = bench.make()
    added = not has_modes(run.model)
    if added:
        add_dropout(run)
    bench.train(run, plain_step, STEPS)
    count = min(len(run.test_loader.dataset), JUDGED)
    inputs, targets = first_samples(run.test_loader, count)
    state = {name: b.array.copy() for name, b in run.model.named_buffers()}
    columns: list[list[Cell]] = []
    for way in (wrong, right):
        for name, buffer in run.model.named_buffers():
            buffer.array[...] = state[name]
        passes = [np.asarray(way(run.model, inputs)) for _ in range(2)]
        losses = [run.criterion(of_array(outputs), targets).item() for outputs in passes]
        moved = max((float(np.abs(b.array - state[n]).max()) for n, b in run.model.named_buffers()), default=0.0)
        accuracies: list[Cell] = [None, None]
        if run.classes:
            accuracies = [float((outputs.argmax(axis=1) == targets.array).mean()) for outputs in passes]
        difference = float(np.abs(passes[0] - passes[1]).max())
        columns.append([*losses, *accuracies, difference, moved])
    names = (
        "loss, first pass",
        "loss, second pass",
        "accuracy, first pass",
        "accuracy, second pass",
        "largest difference of the outputs of both",
        "change of the running statistics",
    )
    if not state:
        columns = [column[:-1] for column in columns]  # no running statistics
    rows = [(name, a, b) for name, a, b in zip(names, *columns) if a is not None]
    wrong_, right_ = columns
    return Finding(
        ("", "wrong: train()", "right: eval()"),
        rows,
        (
            *([ADDED] if added else []),
            f"without eval() the same samples give other outputs the second time (by up to {wrong_[4]:.3g})",
            f"loss {wrong_[0]:.4g} in training mode, {right_[0]:.4g} in evaluation mode: the first is not the model's",
        ),
    )


def has_modes(model: Module) -> bool:
    """Whether a layer behaves differently in training."""
    return any(word in type(m).__name__ for m in model.modules() for word in NOISY)


def add_dropout(run: Run) -> None:
    """Dropout behind each activation."""
    for parent, name, layer in inner_layers(run.model):
        if is_activation(layer):
            setattr(parent, name, nn.Sequential(layer, nn.Dropout(0.5)))


LESSON = Lesson(
    "forget-eval",
    "the model is judged in training mode: eval() was not called",
    wrong,
    right,
    compare,
    "In training, dropout removes random units and batch norm takes mean and variance of the batch. Both are noise "
    "that helps to learn and must not be there when the model is used: results change from call to call and depend "
    "on which samples share a batch, and every pass over the test data moves the running statistics towards it.",
    "Call model.eval() before evaluating and model.train() before training goes on; `lenet eval` does.",
)
