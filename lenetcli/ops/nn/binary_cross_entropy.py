"""Losses between probabilities, and of predicted distributions: binary cross entropy, Kullback-Leibler, likelihoods."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import saved_tensors
from lenetcli.autograd.tape import Variable, like
from lenetcli.errors import ShapeError
from lenetcli.kernels.activation import log_sigmoid, logistic
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.mse_loss import brought_together, check_reduction, reduced, scaled
from lenetcli.ops.operands import broadcast_shape, floating, quiet, together
from lenetcli.ops.pointwise.clamp import where
from lenetcli.ops.pointwise.gelu import LogSigmoid

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


_LEAST = float(np.float32(1e-12))  # the divisor of torch's gradient, in float64 as well


class BinaryCrossEntropy(Op):
    formula = "y = {reduction} of −(target log x + (1 − target) log(1 − x))"
    gradient = ("d_x = grad · (x − target) / (x (1 − x)){share}", "d_target = grad · (log(1 − x) − log x){share}")

    @quiet
    def forward(ctx: Any, x: Array, target: Array, *, weight: Array | None, reduction: str) -> Array:
        ctx.save(x, target if ctx.needs_input_grad[0] else None)
        ctx.weight, ctx.reduction = weight, reduction
        losses = (target - 1) * np.maximum(np.log1p(-x), -100) - target * np.maximum(np.log(x), -100)
        return reduced(losses if weight is None else losses * weight, reduction)

    def backward(ctx: Any, grad: Array) -> Any:
        x, target = ctx.saved
        need_x, need_target = ctx.needs_input_grad
        grad = scaled(grad, x.size, ctx.reduction)
        if ctx.weight is not None:
            grad = grad * ctx.weight
        return (
            grad * (x - target) / np.maximum((1 - x) * x, _LEAST) if need_x else None,
            grad * (np.log1p(-x) - np.log(x)) if need_target else None,
        )

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, target = saved_tensors(ctx)
        need_x, need_target = ctx.needs_input_grad
        if ctx.reduction == "mean" and x.array.size:
            grad = grad / x.array.size
        grad = grad if ctx.weight is None else grad * like(x, ctx.weight)
        return (
            grad * (x - target) / ((1 - x) * x + _LEAST) if need_x else None,  # as torch's second derivative has it
            grad * ((-x).log1p() - x.log()) if need_target else None,
        )


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Cross entropy of yes-or-no probabilities. Where the input is a sigmoid, use the form with logits instead.

    Formula:
        -weight (target log(input) + (1 - target) log(1 - input)), each log limited to -100 from below

    Args:
        input, target: probabilities in [0, 1], of one shape and type.
        weight: of each element; broadcasts to the shape of input. No gradient flows to it.
        reduction: 'mean', 'sum' or 'none'.

    Gradient:
        (input - target) / max(input (1 - input), 1e-12)

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
        RuntimeError: a value outside [0, 1], types that differ, a weight that requires gradients.

    Source: torch.nn.functional.binary_cross_entropy.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.binary_cross_entropy(lenet.tensor([0.9, 0.2]), lenet.tensor([1.0, 0.0]))
        tensor(0.1643)
    """
    check_reduction(reduction, size_average, reduce)
    name = "binary_cross_entropy"
    _check_same_shape(name, input, target)
    x, wanted = input.array, target.array
    if x.dtype != wanted.dtype:
        raise RuntimeError(f"{name}: found a target of type {wanted.dtype} but expected {x.dtype}")
    if x.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {x.dtype}; convert to float first")
    for which, values in (("input", x), ("target", wanted)):
        if not ((values >= 0) & (values <= 1)).all():
            raise RuntimeError(f"{name}: all elements of {which} should be between 0 and 1")
    return BinaryCrossEntropy.apply(input, target, weight=_constant(name, "weight", weight, input), reduction=reduction)


def _check_same_shape(name: str, input: Any, target: Any) -> None:
    if not isinstance(input, Variable) or not isinstance(target, Variable):
        got = f"{type(input).__name__} and {type(target).__name__}"
        raise TypeError(f"{name}: input and target must be tensors, got {got}")
    if input.array.shape != target.array.shape:
        raise ValueError(
            f"{name}: target size {list(target.array.shape)} must be the same as input size {list(input.array.shape)}"
        )


def _constant(name: str, which: str, weight: Tensor | None, input: Tensor) -> Array | None:
    """A copy of weights that broadcast to the shape of `input`, in its type."""
    if weight is None:
        return None
    if weight.requires_grad:
        raise RuntimeError(f"{name} is not differentiable with respect to {which}; use {which}.detach()")
    if broadcast_shape(weight.array.shape, input.array.shape) != input.array.shape:
        raise ShapeError(
            f"{name}: {which} of shape {list(weight.array.shape)} does not broadcast to {list(input.array.shape)}"
        )
    return weight.array.astype(input.array.dtype)


class BinaryCrossEntropyWithLogits(Op):
    formula = "y = {reduction} of log(1 + e^x) − target · x"
    gradient = ("d_x = grad · (1/(1 + e^−x) − target){share}", "d_target = −grad · x{share}")

    @quiet
    def forward(
        ctx: Any, x: Array, target: Array, *, weight: Array | None, pos_weight: Array | None, reduction: str
    ) -> Array:
        x, target = together(x, target)
        ctx.save(x, target if ctx.needs_input_grad[0] else None)
        ctx.weight, ctx.pos_weight, ctx.reduction = weight, pos_weight, reduction
        log_p = log_sigmoid(x)
        losses = (1 - target) * x - (log_p if pos_weight is None else ((pos_weight - 1) * target + 1) * log_p)
        return reduced(losses if weight is None else losses * weight, reduction)

    def backward(ctx: Any, grad: Array) -> Any:
        x, target = ctx.saved
        need_x, need_target = ctx.needs_input_grad
        grad = scaled(grad, x.size, ctx.reduction)
        if ctx.weight is not None:
            grad = grad * ctx.weight
        if ctx.pos_weight is None:
            return grad * (logistic(x) - target) if need_x else None, grad * -x if need_target else None
        yes: Any = ctx.pos_weight * target if need_x else None
        return (
            grad * ((yes + 1 - target) * logistic(x) - yes) if need_x else None,
            grad * (log_sigmoid(-x) - ctx.pos_weight * log_sigmoid(x)) if need_target else None,
        )

    def backward_graph(ctx: Any, grad: Any) -> Any:
        x, target = saved_tensors(ctx)
        need_x, need_target = ctx.needs_input_grad
        if ctx.reduction == "mean" and x.array.size:
            grad = grad / x.array.size
        weight, positive = (None if w is None else like(x, w) for w in (ctx.weight, ctx.pos_weight))
        if weight is not None:
            grad = grad * weight
        if positive is None:
            return grad * (x.sigmoid() - target) if need_x else None, grad * -x if need_target else None
        yes: Any = positive * target if need_x else None
        return (
            grad * ((yes + 1 - target) * x.sigmoid() - yes) if need_x else None,
            grad * (LogSigmoid.apply(-x) - positive * LogSigmoid.apply(x)) if need_target else None,
        )


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Cross entropy of yes-or-no decisions, from logits: exact where a sigmoid would round to 0 or 1.

    Formula:
        -weight (pos_weight target log(s) + (1 - target) log(1 - s)), s = sigmoid(input)

    Args:
        input: logits, any numbers.
        target: probabilities, of the shape of input.
        weight: of each element; broadcasts to the shape of input. No gradient flows to it or to `pos_weight`.
        reduction: 'mean', 'sum' or 'none'.
        pos_weight: of the yes part, such as one for each class; broadcasts to the shape of input.

    Raises:
        ValueError: the shapes differ, or an unknown reduction.
        RuntimeError: an integer target, weights that require gradients or do not broadcast.

    Source: torch.nn.functional.binary_cross_entropy_with_logits.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.binary_cross_entropy_with_logits(lenet.tensor([0.0, -200.0]), lenet.tensor([1.0, 1.0]))
        tensor(100.3466)
    """
    check_reduction(reduction, size_average, reduce)
    name = "binary_cross_entropy_with_logits"
    _check_same_shape(name, input, target)
    for which, array in (("input", input.array), ("target", target.array)):
        if array.dtype.kind != "f":
            raise NotImplementedError(f"{name}: {which} must be of a floating-point type, got {array.dtype}")
    return BinaryCrossEntropyWithLogits.apply(
        input,
        target,
        weight=_constant(name, "weight", weight, input),
        pos_weight=_constant(name, "pos_weight", pos_weight, input),
        reduction=reduction,
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """Kullback-Leibler divergence: what is lost where `input` stands for the distribution `target`.

    Formula:
        target (log(target) - input), 0 where target is 0; with `log_target`: exp(target) (target - input)

    Args:
        input: log-probabilities, such as `log_softmax` gives.
        target: probabilities, or their logarithms with `log_target`.
        reduction: 'batchmean' (the sum divided by the batch size: the divergence itself), 'mean' (over all elements:
            warns, as in torch), 'sum' or 'none'.
        log_target: whether target holds logarithms.

    Raises:
        ValueError: an unknown reduction.
        ShapeError: the shapes do not broadcast.

    Source: torch.nn.functional.kl_div.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.kl_div(lenet.tensor([[0.5, 0.5]]).log(), lenet.tensor([[1.0, 0.0]]), reduction="batchmean")
        tensor(0.6931)
    """
    check_reduction("sum" if reduction == "batchmean" else reduction, size_average, reduce)
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition.",
            UserWarning,
            stacklevel=2,
        )
    losses = target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    if reduction != "batchmean":
        return brought_together(losses, reduction)
    return losses.sum() / len(input) if input.array.ndim else losses.sum()


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: None = None,
    eps: float = 1e-8,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of counts under a Poisson distribution.

    Formula:
        exp(input) - target input; without `log_input`: input - target log(input + eps)
        `full` adds target log(target) - target + log(2 pi target) / 2 where target > 1 (Stirling's formula)

    Args:
        input: the expected count, or its logarithm with `log_input`.
        target: counts.
        eps: keeps the logarithm from 0.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: an unknown reduction.

    Source: torch.nn.functional.poisson_nll_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.poisson_nll_loss(lenet.tensor([0.0, 1.0]), lenet.tensor([1.0, 2.0]))
        tensor(0.8591)
    """
    check_reduction(reduction, size_average, reduce)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        losses = losses + where(target <= 1, 0.0, stirling)
    return brought_together(losses, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of values under normal distributions.

    Formula:
        (log(v) + (input - target)^2 / v) / 2, v = max(var, eps); `full` adds log(2 pi) / 2

    Args:
        input: the expected values.
        target: the values.
        var: their variances: one number, in the shape of input, or one for all of its last dimension.
        eps: the smallest variance; the gradient passes this limit as if it were not there.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: a negative variance, variances of another shape, or an unknown reduction.

    Source: torch.nn.functional.gaussian_nll_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.gaussian_nll_loss(lenet.tensor([0.0, 1.0]), lenet.tensor([1.0, 2.0]), lenet.tensor([1.0, 4.0]))
        tensor(0.6591)
    """
    check_reduction(reduction)
    variance = _variance(input, var).clone()
    with no_grad():
        variance.clamp_(min=eps)
    losses = 0.5 * (variance.log() + (input - target) ** 2 / variance)
    if full:
        losses = losses + 0.5 * math.log(2 * math.pi)
    return brought_together(losses, reduction)


def _variance(input: Tensor, var: Any) -> Tensor:
    """The variances as a tensor that broadcasts against the input."""
    if isinstance(var, float):
        var = like(input, np.full_like(floating(input.array), var))
    elif not isinstance(var, Variable):
        raise TypeError(f"gaussian_nll_loss: var must be a tensor or a float, got {type(var).__name__}")
    shape, given = input.array.shape, var.array.shape
    if (var.array < 0).any():
        raise ValueError("gaussian_nll_loss: var has negative entry/entries")
    if given != shape and given == shape[:-1]:
        return var.unsqueeze(-1)
    if given != shape and (len(given) != len(shape) or sum(v for s, v in zip(shape, given) if s != v) != 1):
        raise ValueError(f"gaussian_nll_loss: var is of incorrect size {list(given)} for input {list(shape)}")
    return var
