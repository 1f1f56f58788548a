"""no-nonlinearity: layers without activations between them are one layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli import nn
from lenetcli.inspection.lab.bench import Bench, output_of, plain_step
from lenetcli.inspection.lab.lesson import Cell, Finding, Lesson
from lenetcli.nn import activation, smooth_activation
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.run import Run

STEPS = 40
ACTIVATIONS = (activation.__name__, smooth_activation.__name__)


def wrong(run: Run) -> None:
    for parent, name, layer in inner_layers(run.model):
        if is_activation(layer):
            setattr(parent, name, nn.Identity())
        elif isinstance(layer, nn.MaxPool2d):  # max is not linear either
            mean: Any = nn.AvgPool2d
            setattr(parent, name, mean(layer.kernel_size, layer.stride))


def right(run: Run) -> None:
    pass  # the model stays as the configuration says


def compare(bench: Bench) -> Finding:
    """Both trained for a while, then tested for what only a linear function has."""
    columns: list[list[Cell]] = []
    for way in (wrong, right):
        run = bench.make()
        way(run)
        layers = sum(1 for m in run.model.modules() if any(p.ndim > 1 for p in m._parameters.values() if p is not None))
        taken = bench.train(run, plain_step, STEPS)
        run.model.eval()
        count = sum(p.numel() for p in run.model.parameters())
        accuracy = bench.judge(run).accuracy
        columns.append([layers, count, *linearity(run), taken[-1].loss, accuracy])
    names = (
        "layers with weights",
        "parameters",
        "|f(a + b) − f(a) − f(b) + f(0)| / |f|",
        "|f(x) − (W x + f(0))| / |f|",
        f"loss after {STEPS} steps",
        "accuracy",
    )
    rows = [(name, a, b) for name, a, b in zip(names, *columns) if (a, b) != (None, None)]
    return Finding(
        ("", "wrong", "right"),
        rows,
        (
            f"f(a + b) = f(a) + f(b) − f(0) up to rounding ({columns[0][2]:.1g}): the wrong net is linear",
            (
                f"one matrix W, read off column by column, replaces all {columns[0][0]} layers (error "
                f"{columns[0][3]:.1g}); with activations there is no such matrix (error {columns[1][3]:.1g})"
            ),
        ),
    )


def linearity(run: Run) -> tuple[float, float]:
    """How far the model is from additive, and from the matrix that its outputs on unit inputs make."""
    shape = next(iter(run.train_loader.batches(0)))[0].array.shape[1:]
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((8, *shape)).astype(np.float32) for _ in range(2))
    f_a, f_b, f_sum, f_0 = (_outputs(run, x) for x in (a, b, a + b, np.zeros((1, *shape), np.float32)))
    size = float(np.abs(f_sum).mean())
    additive = float(np.abs(f_sum - f_a - f_b + f_0).mean()) / size
    spots = random.choice(int(np.prod(shape)), 64, replace=False) if np.prod(shape) > 64 else np.arange(np.prod(shape))
    units = np.zeros((len(spots), int(np.prod(shape))), np.float32)
    units[np.arange(len(spots)), spots] = 1
    columns = _outputs(run, units.reshape(-1, *shape)) - f_0  # W, a row for each place of the input
    x = random.standard_normal((8, len(spots))).astype(np.float32)
    by_matrix = x @ columns + f_0
    by_net = _outputs(run, (x @ units).reshape(-1, *shape))
    return additive, float(np.abs(by_net - by_matrix).mean()) / size


def _outputs(run: Run, inputs: Any) -> Any:
    found = output_of(run.model, from_numpy(inputs))
    return found.reshape(len(found), -1).astype(np.float64)


def is_activation(layer: nn.Module) -> bool:
    """Whether a layer is an activation function."""
    return type(layer).__module__ in ACTIVATIONS


def inner_layers(model: nn.Module) -> list[tuple[nn.Module, str, nn.Module]]:
    """Every layer that holds no other, with the module it is in and its name there."""
    return [
        (parent, name, layer)
        for parent in list(model.modules())
        for name, layer in list(parent.named_children())
        if not list(layer.children())
    ]


LESSON = Lesson(
    "no-nonlinearity",
    "the activations between the layers are missing",
    wrong,
    right,
    compare,
    "A linear function of a linear function is linear: W₂ (W₁ x + b₁) + b₂ = (W₂ W₁) x + (W₂ b₁ + b₂). However many "
    "layers and parameters there are, such a net can learn nothing that a single layer could not. On easy data its "
    "accuracy may even look fine, and that is what hides the mistake.",
    "Put an activation such as ReLU after every layer but the last.",
)
