"""Losses that ask for a margin: between two inputs, between distances, or between a score and its label."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import saved_tensors
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.activation import log_sigmoid_backward
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.distance import pairwise_distance
from lenetcli.ops.nn.mse_loss import brought_together, check_reduction, reduced, scaled
from lenetcli.ops.operands import broadcast_shape, quiet, together
from lenetcli.ops.pointwise.clamp import minimum, where
from lenetcli.ops.pointwise.gelu import logsigmoid

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Makes a distance small where the target is 1, and at least `margin` where it is -1.

    Formula:
        input where target is 1, max(0, margin - input) where it is -1

    Args:
        input: distances.
        target: 1 or -1; of any other value, both terms count.
        reduction: 'mean', 'sum' or 'none'.

    Gradient:
        Where input equals margin, that of the sloping side.

    Raises:
        ValueError: an unknown reduction.

    Source: torch.nn.functional.hinge_embedding_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.hinge_embedding_loss(lenet.tensor([0.2, 0.4]), lenet.tensor([1, -1]), reduction="none")
        tensor([0.2000, 0.6000])
    """
    check_reduction(reduction, size_average, reduce)
    apart = where(target.ne(1), (margin - input).clamp_min(0), 0.0)
    close = where(target.ne(-1), input, 0.0)
    return brought_together(apart + close, reduction)


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Ranks the first input above the second by `margin` where the target is 1, below it where it is -1.

    Formula:
        max(0, -target (input1 - input2) + margin)

    Args:
        input1, input2, target: with the same number of dimensions; they broadcast.
        reduction: 'mean', 'sum' or 'none'.

    Gradient:
        At the corner, that of the sloping side.

    Raises:
        ShapeError: the numbers of dimensions differ.
        ValueError: an unknown reduction.

    Source: torch.nn.functional.margin_ranking_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.margin_ranking_loss(lenet.tensor([0.5]), lenet.tensor([2.0]), lenet.tensor([1]))
        tensor(1.5000)
    """
    check_reduction(reduction, size_average, reduce)
    _same_dimensions("margin_ranking_loss", input1=input1, input2=input2, target=target)
    return brought_together((-target * (input1 - input2) + margin).clamp_min(0), reduction)


def _same_dimensions(name: str, **inputs: Tensor) -> None:
    if len({x.array.ndim for x in inputs.values()}) > 1:
        sizes = ", ".join(f"{which}: {list(x.array.shape)}" for which, x in inputs.items())
        raise ShapeError(f"{name}: all inputs should have the same number of dimensions but got sizes {sizes}")


def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Turns vectors to the same direction where the target is 1, and apart where it is -1.

    Formula:
        1 - cos(input1, input2) where target is 1, max(0, cos(input1, input2) - margin) where it is -1

    Args:
        target: 1 or -1; elsewhere the loss is 0.
        margin: the cosine that is good enough for -1, from -1 to 1.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        inputs (N, D), target (N,); or (D,) and ()

    Raises:
        ShapeError: other numbers of dimensions.
        ValueError: an unknown reduction.

    Source: torch.nn.functional.cosine_embedding_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.cosine_embedding_loss(lenet.tensor([3.0, 4.0]), lenet.tensor([1.0, 0.0]), lenet.tensor(1))
        tensor(0.4000)
    """
    check_reduction(reduction, size_average, reduce)
    ndim = target.array.ndim
    if ndim > 1:
        raise ShapeError(
            "cosine_embedding_loss: 0D or 1D target expected, multi-target not supported, "
            f"got {list(target.array.shape)}"
        )
    if input1.array.ndim != ndim + 1 or input2.array.ndim != ndim + 1:
        raise ShapeError(
            f"cosine_embedding_loss: {ndim}D target expects {ndim + 1}D inputs, but found sizes "
            f"{list(input1.array.shape)} and {list(input2.array.shape)}"
        )
    tiny = 1e-12
    squares = ((input1 * input1).sum(ndim) + tiny) * ((input2 * input2).sum(ndim) + tiny)
    cosine = (input1 * input2).sum(ndim) / squares.sqrt()
    together = where(target.eq(1), 1 - cosine, 0.0)
    apart = where(target.eq(-1), (cosine - margin).clamp_min(0), 0.0)
    return brought_together(together + apart, reduction)


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Wants the anchor closer to the positive than to the negative, by `margin`.

    Formula:
        max(0, d(anchor, positive) - d(anchor, negative) + margin), d(a, b) = ||a - b + eps||_p

    Args:
        anchor, positive, negative: vectors (*, D).
        margin: positive.
        p: of the norm.
        eps: keeps the norm's gradient finite.
        swap: use the distance from positive to negative where it is the smaller one.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: margin is not positive, or an unknown reduction.
        ShapeError: the numbers of dimensions differ.

    Source: torch.nn.functional.triplet_margin_loss; Balntas et al. 2016, "Learning local feature descriptors with
    triplets and shallow convolutional neural networks" (the swap).

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.triplet_margin_loss(lenet.tensor([[0.0, 0.0]]), lenet.tensor([[3.0, 4.0]]), lenet.tensor([[0.0, 2.0]]))
        tensor(4.0000)
    """
    check_reduction(reduction, size_average, reduce)

    def distance(a: Tensor, b: Tensor) -> Tensor:
        return pairwise_distance(a, b, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """`triplet_margin_loss` with a distance of your own.

    Args:
        distance_function: takes two tensors; `pairwise_distance` unless given.

    Raises:
        ValueError: margin is not positive, or an unknown reduction.
        ShapeError: the numbers of dimensions differ.

    Source: torch.nn.functional.triplet_margin_with_distance_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.triplet_margin_with_distance_loss(
        ...     lenet.tensor([0.0]),
        ...     lenet.tensor([3.0]),
        ...     lenet.tensor([1.0]),
        ...     distance_function=lambda a, b: (a - b).abs(),
        ... )
        tensor(3.)
    """
    check_reduction(reduction)
    if not margin > 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    _same_dimensions("triplet_margin_loss", anchor=anchor, positive=positive, negative=negative)
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return brought_together((margin + near - far).clamp_min(0), reduction)


class SoftMarginLoss(Op):
    formula = "y = {reduction} of log(1 + e^(−target · x))"
    gradient = ("d_x = −grad · target / (1 + e^(target · x)){share}",)

    @quiet
    def forward(ctx: Any, x: Array, *, target: Array, reduction: str) -> Array:
        x, target = together(x, target)
        broadcast_shape(x.shape, target.shape)
        ctx.save(x)
        ctx.reduction = reduction
        ctx.target = target.copy()
        margin = target * x
        return reduced(np.log1p(np.exp(-np.abs(margin))) - np.minimum(margin, 0), reduction)

    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        margin = ctx.target * x
        return scaled(grad, margin.size, ctx.reduction) * log_sigmoid_backward(-ctx.target, margin)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        (x,) = saved_tensors(ctx)
        target = like(x, ctx.target)
        margin = target * x
        if ctx.reduction == "mean" and margin.array.size:
            grad = grad / margin.array.size
        return grad * -target * (-margin).sigmoid()


def soft_margin_loss(
    input: Tensor, target: Tensor, size_average: None = None, reduce: None = None, reduction: str = "mean"
) -> Tensor:
    """Two-class logistic loss.

    Formula:
        log(1 + exp(-target input)), finite for every input

    Args:
        target: 1 or -1. No gradient flows to it.
        reduction: 'mean', 'sum' or 'none'.

    Raises:
        ValueError: an unknown reduction.
        RuntimeError: target requires gradients.

    Source: torch.nn.functional.soft_margin_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.soft_margin_loss(lenet.tensor([0.0, 2.0]), lenet.tensor([1, -1]))
        tensor(1.4100)
    """
    check_reduction(reduction, size_average, reduce)
    if target.requires_grad:
        raise RuntimeError("soft_margin_loss is not differentiable with respect to target; use target.detach()")
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"soft_margin_loss: not implemented for {input.array.dtype}; convert to float first")
    return SoftMarginLoss.apply(input, target=target.array, reduction=reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross entropy of several labels at once, from logits.

    Formula:
        -weight (target log(s) + (1 - target) log(1 - s)), s = sigmoid(input), averaged over the C labels

    Args:
        target: 0 or 1 for each label.
        weight: of each label.
        reduction: over the samples: 'mean', 'sum' or 'none'.

    Shape:
        input and target (N, C) or (C,)

    Raises:
        ValueError: an unknown reduction.

    Source: torch.nn.functional.multilabel_soft_margin_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.multilabel_soft_margin_loss(lenet.tensor([[0.0, 2.0]]), lenet.tensor([[1.0, 0.0]]))
        tensor(1.4100)
    """
    check_reduction(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    if not input.array.ndim:
        raise IndexError("multilabel_soft_margin_loss: input needs a dimension of labels, got a number")
    return brought_together(losses.sum(-1) / input.array.shape[-1], reduction)
