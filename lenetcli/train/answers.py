"""What a model's outputs say, as its loss takes them: probabilities of classes, and which class was decided for.

Whoever shows or counts answers asks here: training, evaluation, predictions, reports, exports.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lenetcli.nn.loss import CrossEntropyLoss, Loss
from lenetcli.nn.module import Module

Array = npt.NDArray[Any]

NEAR_ONE = 1e-4  # how far a row's sum may be from 1 where nothing but its numbers tells that it holds probabilities


class Decisions(NamedTuple):
    """Of each sample: the class that the model decided for, the right one, and whether it counts (None: all do)."""

    predicted: Any
    wanted: Any
    counted: Any


def meaning(criterion: Module) -> str | None:
    """What the loss takes outputs for: one of `nn.loss.Outputs`; None where that is not known, of a user's own loss."""
    return criterion.outputs if isinstance(criterion, Loss) else None


def is_binary(output: Any, criterion: Module) -> bool:
    """Whether outputs (N,) or (N, 1) are one number for each sample, which decides between two classes."""
    one = output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1)
    return one and meaning(criterion) in ("logits", "probabilities")


def decisions(output: Any, target: Any, criterion: Module) -> Decisions | None:
    """What outputs decide for, beside targets (arrays, also of a device); None where targets are no classes.

    Scores (N, C) decide for the class of the highest one; one logit or probability of each sample for class 1 where it
    is above 0 or 0.5, and then targets say 1 by any number above 0.5.
    """
    if is_binary(output, criterion) and output.size == target.size:
        threshold = 0 if meaning(criterion) == "logits" else 0.5
        predicted = (output.reshape(-1) > threshold).astype(np.int64)
        return Decisions(predicted, (target.reshape(-1) > 0.5).astype(np.int64), None)
    if target.dtype.kind not in "iu" or output.ndim != 2 or target.ndim != 1 or _is_one(output, criterion):
        return None
    counted = criterion.counted(target) if isinstance(criterion, Loss) else None
    return Decisions(output.argmax(axis=1), target, counted)


def probabilities(output: Array, criterion: Module) -> Array | None:
    """A model's outputs (N, C) as probabilities of classes; None where its loss takes them for mere numbers.

    One logit or probability of each sample, (N,) or (N, 1), gives the probabilities of two classes, (N, 2).
    """
    kind = meaning(criterion)
    if is_binary(output, criterion):
        yes = output.reshape(-1)
        yes = sigmoid(yes) if kind == "logits" else yes
        return np.stack([1 - yes, yes], axis=1)
    if output.ndim != 2 or kind == "numbers" or _is_one(output, criterion):
        return None
    if kind == "logarithms":
        return np.asarray(np.exp(output))
    if kind == "logits":
        return sigmoid(output)
    if kind == "probabilities" or (not isinstance(criterion, CrossEntropyLoss) and _are_probabilities(output)):
        return output
    shifted = np.exp(output - output.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def class_names(classes: Sequence[str], count: int) -> list[str]:
    """The names of so many classes."""
    return [class_name(classes, i) for i in range(count)]


def class_name(classes: Sequence[str], index: int) -> str:
    """The name of a class: its number, where it has none."""
    return classes[index] if index < len(classes) else str(index)


def answered(output: Array, criterion: Module, classes: Sequence[str]) -> tuple[Array, list[str]]:
    """What outputs (N, ...) say: probabilities and the names of the classes; or the outputs, and no names.

    Args:
        classes: their names, as far as they are known; empty where the data has no classes.
    """
    shares = probabilities(output, criterion) if classes or meaning(criterion) is not None else None
    return (output, []) if shares is None else (shares, class_names(classes, shares.shape[1]))


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), also of large numbers."""
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, small) / (1 + small))


def _is_one(output: Any, criterion: Module) -> bool:
    """Whether there is one output, which a loss of the user's own may take for anything: not for one class of one."""
    return output.shape[1] == 1 and meaning(criterion) is None


def _are_probabilities(output: Array) -> bool:
    return bool((output >= 0).all() and np.abs(output.sum(axis=1) - 1).max(initial=0) < NEAR_ONE)
