"""wrong-loss-targets: outputs (N, 1) compared with targets (N,) broadcast to N x N pairs."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.autograd.silence import silence
from lenetcli.errors import ConfigError
from lenetcli.inspection.lab.bench import Bench, first_samples, output_of, paired, side, some
from lenetcli.inspection.lab.lesson import Finding, Lesson
from lenetcli.nn import functional as F
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train.run import Run

STEPS = 80


def wrong(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output[:, :1], target)  # (N, 1) and (N,)


def right(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output[:, 0], target)  # (N,) and (N,)


def compare(bench: Bench) -> Finding:
    """Regression: the first output is trained to be the target's number, scaled to mean 0 and variance 1."""
    found, spreads, warned = [], [], []
    for way in (wrong, right):
        run = bench.make()
        inputs, targets = first_samples(run.train_loader, min(len(run.train_loader.dataset), 256))
        if run.train_loader.batch_size < 2 or len(inputs) < 2:
            raise ConfigError(f"lab {LESSON.name}: wants batches of at least 2 samples; try train.batch_size=16")
        mean, std = float(number(targets).mean()), float(number(targets).std()) or 1.0

        def step(
            run: Run, inputs: Tensor, targets: Tensor, way: Any = way, mean: float = mean, std: float = std
        ) -> Any:
            run.optimizer.zero_grad()
            loss = way(run.model(inputs), from_numpy((number(targets) - np.float32(mean)) / np.float32(std)))
            loss.backward()
            run.optimizer.step()
            return loss

        with silence() as heard:
            found.append(bench.train(run, step, STEPS))
        warned += heard[:1]
        run.model.eval()
        spreads.append(float(output_of(run.model, inputs)[:, 0].std()))
    a, b = found
    rows = [(step, *side(w, "loss"), *side(r, "loss")) for step, w, r in paired(a, b) if step in some(STEPS)]
    return Finding(
        ("step", "wrong: loss", "right: loss"),
        rows,
        (
            (
                f"after {STEPS} steps: loss {a[-1].loss:.4g} and {b[-1].loss:.4g}; the wrong one cannot fall below the "
                "variance of a batch's targets, about 1 here"
            ),
            (
                f"the predictions have a standard deviation of {spreads[0]:.3g} (right: {spreads[1]:.3g}, targets: 1): "
                "the wrong ones are all drawn to the targets' mean"
            ),
            *(f"the only hint was a warning: {text}" for text in warned),
        ),
    )


def number(targets: Tensor) -> Any:
    """One number for each sample: the class, or the first of its target's numbers."""
    return targets.array.reshape(len(targets.array), -1)[:, 0].astype(np.float32)


LESSON = Lesson(
    "wrong-loss-targets",
    "outputs of shape (N, 1) are compared with targets of shape (N,)",
    wrong,
    right,
    compare,
    "(N, 1) and (N,) broadcast to (N, N): every prediction is compared with every target of the batch, not with its "
    "own. What makes that smallest is to predict the mean of the targets for everything. The loss falls at first, "
    "then stops, as if the task were too hard.",
    "Give output and target the same shape: output[:, 0] or target[:, None]. Take the warning seriously.",
)
