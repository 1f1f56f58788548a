"""The loss of each sample of a batch by itself."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.modes import no_grad
from lenetcli.nn.loss import ClassLoss, Loss
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.evaluate import adds_up, weight_of
from lenetcli.train.losses import Losses
from lenetcli.train.pairing import is_elementwise, paired

Array = npt.NDArray[Any]


def sample_losses(criterion: Module, output: Any, targets: Tensor, inputs: Any = None) -> tuple[Array, Array]:
    """What a criterion gives for each sample alone, and what that weighs in the mean over all.

    A sample that does not count (`ignore_index`) has loss and weight 0. Of several losses the weighted sum is given,
    and samples weigh the same.

    Args:
        output, targets, inputs: of a batch, as `loss_of` takes them.

    Shape: (N,) and (N,), float64.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> output, targets = lenet.tensor([[2.0, 0.0], [0.0, 0.0]]), lenet.tensor([0, 1])
        >>> criterion = nn.CrossEntropyLoss(weight=lenet.tensor([1.0, 3.0]))
        >>> losses, weights = sample_losses(criterion, output, targets)
        >>> losses.round(3).tolist(), weights.tolist()
        ([0.127, 0.693], [1.0, 3.0])
        >>> mean = float((losses * weights).sum() / weights.sum())
        >>> round(mean, 4) == round(criterion(output, targets).item(), 4)
        True
    """
    with no_grad():
        if not isinstance(criterion, Losses):
            return _of_one(criterion, output, targets)
        parts = [t.weight * _of_one(t.criterion, t.of(output), t.wanted(targets, inputs))[0] for t in criterion.terms]
    return np.sum(parts, axis=0), np.ones(len(parts[0]))


def _of_one(criterion: Module, output: Tensor, targets: Tensor) -> tuple[Array, Array]:
    targets = paired(criterion, output, targets)
    count = len(targets.array)
    weights = _weights(criterion, targets, count)
    by_class = isinstance(criterion, ClassLoss) and type(criterion).forward.__module__.startswith("lenetcli.")
    if not isinstance(criterion, Loss) or not (by_class or is_elementwise(criterion)):
        alone = (criterion(output[i : i + 1], targets[i : i + 1]).item() for i in range(count) if weights[i])
        losses = np.zeros(count)
        losses[weights > 0] = list(alone)
        return losses, weights
    single = copy(criterion)
    single.reduction = "none"
    elements = single(output, targets).array.astype(np.float64).reshape(count, -1)
    if adds_up(criterion):
        return elements.sum(axis=1), weights
    if by_class:
        return np.divide(elements.sum(axis=1), weights, out=np.zeros(count), where=weights > 0), weights
    return elements.mean(axis=1), weights


def _weights(criterion: Module, targets: Tensor, count: int) -> Array:
    if not isinstance(criterion, Loss) or type(criterion).divisor is Loss.divisor:
        return np.ones(count)
    if isinstance(criterion, ClassLoss) and criterion.weight is None and targets.ndim == 1:
        counted = criterion.counted(targets.array)
        return np.ones(count) if counted is None else np.asarray(counted, np.float64)
    return np.array([float(weight_of(criterion, targets[i : i + 1])) for i in range(count)])
