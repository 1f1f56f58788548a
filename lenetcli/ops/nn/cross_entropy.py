"""Losses of classification: how improbable the right class was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.composite import Composite, use
from lenetcli.autograd.modes import switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear, weights
from lenetcli.autograd.tape import Variable, like
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.device import as_array, beside, is_array, on_device
from lenetcli.kernels.layout import Array
from lenetcli.kernels.recording import unchanged
from lenetcli.kernels.sums import sum_over
from lenetcli.ops.nn.mse_loss import check_reduction
from lenetcli.ops.nn.softmax import log_softmax
from lenetcli.ops.operands import quiet
from lenetcli.ops.pointwise.clamp import where

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

FLOAT, LONG = np.dtype(np.float32), np.dtype(np.int64)


class NllLoss(Op):
    """Picks the log-probability of each target class: log_p (N, C, ...) and target (N, ...), or (C,) and ()."""

    formula = "y = {reduction} of −log_p[n, target[n]]"
    gradient = ("d_log_p[n, target[n]] = −grad{share}, else 0",)
    backward_graph = linear

    @quiet
    def forward(
        ctx: Any, log_p: Array, *, target: Array, weight: Array | None, ignore_index: int, reduction: str
    ) -> Array:
        classes = log_p.shape[1 if log_p.ndim > 1 else 0]
        ctx.target = None
        if log_p.ndim == 2 and weight is None and reduction == "mean" and on_device(log_p) == on_device(target):
            copy = target.copy()  # backward must not see a change
            y, counted = kernels.nll_mean(log_p, copy, ignore_index)
            if on_device(log_p) or y == y:  # NaN may mean a target that is no class: see below
                ctx.save(log_p)
                ctx.target, ctx.ignore_index, ctx.count = copy, ignore_index, counted
                return y
        target, kept, bad = _counting(target, classes, ignore_index)
        ctx.save(log_p)
        ctx.kept, ctx.reduction = kept, reduction
        ctx.index = index = _places(target if kept is not None else target.copy())  # backward must not see a change
        values = as_array(-log_p[index])
        ctx.share = share = None if weight is None else weight[target]
        if share is not None:
            values *= share
        if kept is not None:
            values = np.where(kept, values, log_p.dtype.type(0))
        if bad is not None:
            values = np.where(bad, log_p.dtype.type(np.nan), values)
        if reduction == "none":
            return values
        total = sum_over(values)
        if reduction == "sum":
            return total
        count: Any
        if share is None:
            count = values.size if kept is None else kept.sum()
        else:
            count = sum_over(share if kept is None else np.where(kept, share, share.dtype.type(0)))
        ctx.count = count.astype(log_p.dtype) if is_array(count) else log_p.dtype.type(count)
        return as_array(total / ctx.count)

    def backward(ctx: Any, grad: Array) -> Array:
        (log_p,) = ctx.saved
        if ctx.target is not None:
            return kernels.nll_mean_backward(grad, log_p, ctx.target, ctx.ignore_index, ctx.count)
        d_picked = -grad
        if ctx.reduction == "mean":
            d_picked = d_picked / ctx.count
        if ctx.share is not None:
            d_picked = d_picked * ctx.share
        if ctx.kept is not None:
            d_picked = np.where(ctx.kept, d_picked, grad.dtype.type(0))
        d_log_p = np.zeros_like(log_p)
        d_log_p[ctx.index] = d_picked
        return d_log_p

    def jvp(ctx: Any, tangent: Array) -> Array:
        shares = tangent * weights(ctx)
        return sum_over(shares, 1 if shares.ndim > 1 else 0) if ctx.outputs[0][0] else sum_over(shares)

    @staticmethod
    def is_plain(seen: Any) -> bool:
        """Whether the loss is that of unweighted rows, all of them counting."""
        p, target = seen.parameters, seen.parameters["target"]
        plain = p["weight"] is None and p["reduction"] in ("mean", "sum") and seen["log_p"].ndim == 2 and target.size
        return bool(plain and (target != p["ignore_index"]).all())

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        if not NllLoss.is_plain(seen):
            return None
        target = seen.parameters["target"]
        numbers, value = seen.sum(seen["log_p"][np.arange(len(target)), target])
        if seen.parameters["reduction"] == "sum":
            return "y = −Σ_n log_p[n, target[n]]", f"−({numbers})", -value
        return "y = −mean of log_p[n, target[n]]", f"−({numbers}) / {len(target)}", -value / len(target)

    @staticmethod
    def example_d_log_p(seen: Any, at: tuple[int, ...]) -> Any:
        if not NllLoss.is_plain(seen):
            return None
        target, grad, n = seen.parameters["target"], float(seen.grad), seen.number
        formula, count = seen.element("d_log_p", at), len(target)
        if target[at[0]] != at[1]:
            return f"{formula}: not the target, {int(target[at[0]])}", "0", 0.0
        if seen.parameters["reduction"] == "sum":
            return f"{formula} = −grad", f"−{n(grad)}", -grad
        return f"{formula} = −grad / count", f"−{n(grad)} / {count}", -grad / count


class NllLoss2D(NllLoss):
    """The same of images and sequences, under torch's name."""

    formula = "y = {reduction} of −log_p[n, target[n], ·]"
    gradient = ("d_log_p[n, target[n], ·] = −grad{share}, else 0",)


def _counting(target: Array, classes: int, ignore_index: int) -> tuple[Array, Array | None, Array | None]:
    """The targets, 0 for those that do not count; where they count, None: everywhere; where a device's are no class.

    Looking at a device's targets would wait for it: one out of range makes the loss NaN there.

    Raises:
        IndexError: a target out of range.
    """
    looked_at = not on_device(target)
    if looked_at and not (target.size and (target.min() < 0 or target.max() >= classes or 0 <= ignore_index < classes)):
        return target, None, None
    kept = as_array(target != ignore_index)
    bad = as_array(kept & ((target < 0) | (target >= classes)))
    if not looked_at:
        return np.where(kept & ~bad, target, 0), kept, bad
    if bad.any():
        raise IndexError(
            f"Target {target[bad].flat[0]} is out of bounds: there are {classes} classes, "
            f"so that class indices run from 0 to {classes - 1}"
        )
    return np.where(kept, target, 0), kept, None


def _places(target: Array) -> tuple[Array, ...]:
    """The index of each target's class in an array (N, C, ...), or (C,) for a single target."""
    if target.ndim < 2:
        return (np.arange(len(target), like=target), target) if target.ndim else (target,)
    axes: tuple[Array, ...] = np.indices(target.shape, sparse=True)
    grid = [beside(target, at) for at in axes]
    return (grid[0], target, *grid[1:])


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of the target classes, given log-probabilities.

    Formula:
        l_n = -weight[t_n] input[n, t_n]; their sum, or mean: sum(l_n) / sum(weight[t_n])

    Args:
        input: log-probabilities, such as `log_softmax` gives.
        target: class indices, int64 (or uint8).
        weight: of each class; 1 unless given. No gradient flows to it.
        ignore_index: targets of this value count for nothing; it may lie outside of the classes.
        reduction: 'mean', 'sum' or 'none'.

    Shape:
        input (N, C), target (N,); or (C,) and (); or (N, C, d1, ...) and (N, d1, ...). The result is (), or that of
        target with reduction 'none'.

    Raises:
        IndexError: a target is neither a class nor `ignore_index`.
        ValueError: another batch size of target, or an unknown reduction.
        ShapeError: other sizes that do not fit.
        RuntimeError: target of another type.

    Source: torch.nn.functional.nll_loss.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.nll_loss(lenet.tensor([[0.9, 0.1], [0.2, 0.8]]).log(), lenet.tensor([0, 1]))
        tensor(0.1643)
    """
    check_reduction(reduction, size_average, reduce)
    _check_tensors("nll_loss", input, target, weight)
    return _nll(input, target, weight, ignore_index, reduction)


def _check_tensors(name: str, input: Any, target: Any, weight: Any) -> None:
    for argument, value in (("input", input), ("target", target), ("weight", weight)):
        if not isinstance(value, Variable) and not (value is None and argument == "weight"):
            raise TypeError(f"{name}: {argument} must be a tensor, got {type(value).__name__}")


def _nll(input: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    log_p, classes = input.array, target.array
    if log_p.dtype.kind != "f":
        raise NotImplementedError(f"nll_loss: not implemented for {log_p.dtype}; convert to float first")
    if not log_p.ndim:
        raise ValueError("nll_loss: expected 1 or more dimensions (got 0)")
    wanted = log_p.shape[:1] + log_p.shape[2:] if log_p.ndim > 1 else ()
    if classes.shape != wanted:
        if classes.ndim and log_p.ndim > 1 and len(classes) != len(log_p):
            raise ValueError(
                f"Expected input batch_size ({len(log_p)}) to match target batch_size ({len(classes)}): "
                f"got input {list(log_p.shape)} and target {list(classes.shape)}"
            )
        raise ShapeError(
            f"Expected target size {list(wanted)}, got {list(classes.shape)}: one class for each place of an input "
            f"of size {list(log_p.shape)}"
        )
    if classes.dtype not in (np.int64, np.uint8):
        raise RuntimeError(
            f"expected target dtype to be int64 or uint8, but got {classes.dtype}; use target.long(), "
            "or class probabilities of the input's shape"
        )
    if weight is not None:
        _check_weight(weight, log_p.shape[1 if log_p.ndim > 1 else 0])
        if weight.requires_grad:
            raise RuntimeError("nll_loss is not differentiable with respect to weight; use weight.detach()")
        if weight.array.dtype != log_p.dtype:
            raise RuntimeError(f"nll_loss: expected a weight of type {log_p.dtype} but found {weight.array.dtype}")
    return (NllLoss if log_p.ndim < 3 else NllLoss2D).apply(
        input,
        target=classes,
        weight=None if weight is None else weight.array,
        ignore_index=ignore_index,
        reduction=reduction,
    )


def _check_weight(weight: Tensor, classes: int) -> None:
    if weight.array.shape != (classes,):
        raise ShapeError(
            f"weight tensor should be defined either for all {classes} classes or no classes "
            f"but got weight tensor of shape: {list(weight.array.shape)}"
        )


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: None = None,
    ignore_index: int = -100,
    reduce: None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Cross entropy between logits and target classes: `nll_loss` of `log_softmax`.

    Formula:
        class indices: l_n = -weight[t_n] log softmax(input[n])[t_n]; their mean is sum(l_n) / sum(weight[t_n])
        class probabilities: l_n = -sum_c weight[c] target[n, c] log softmax(input[n])[c]; their mean is over n
        label smoothing e: the target is (1 - e) target + e / C

    Args:
        input: logits, any numbers.
        target: class indices (int64 or uint8), or class probabilities in the shape of input.
        weight: of each class; 1 unless given.
        ignore_index: class indices of this value count for nothing; it may lie outside of the classes.
        reduction: 'mean', 'sum' or 'none'.
        label_smoothing: from 0 (none) to 1 (the target is the uniform distribution).

    Shape:
        input (N, C), target (N,); or (C,) and (); or (N, C, d1, ...) and (N, d1, ...); or probabilities in the shape
        of input. The result is (), or that of the class indices with reduction 'none'.

    Raises:
        IndexError: a class index is neither a class nor `ignore_index`.
        ValueError: another batch size of target, or an unknown reduction.
        ShapeError: other sizes that do not fit.
        RuntimeError: class indices of another type, `ignore_index` beside probabilities, smoothing outside [0, 1].

    Source: torch.nn.functional.cross_entropy; label smoothing: Szegedy et al. 2015, "Rethinking the Inception
    Architecture for Computer Vision", section 7.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.cross_entropy(lenet.tensor([[2.0, 0.0], [0.0, 0.0]]), lenet.tensor([0, 1]))
        tensor(0.4100)
    """
    check_reduction(reduction, size_average, reduce)
    _check_tensors("cross_entropy", input, target, weight)
    if not 0 <= label_smoothing <= 1:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if weight is None and reduction == "mean" and not label_smoothing:
        at_once = of_plain_rows(input, target, ignore_index)
        if at_once is not None:
            return at_once
    class_dim = 0 if input.array.ndim == 1 else 1
    log_p = log_softmax(input, class_dim)
    if input.array.shape == target.array.shape:
        return _of_probabilities(log_p, target, weight, ignore_index, reduction, label_smoothing)
    loss = _nll(log_p, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return loss
    smooth = _smooth_loss(log_p, target, weight, ignore_index, reduction)
    return (1 - label_smoothing) * loss + label_smoothing / log_p.array.shape[class_dim] * smooth


def of_plain_rows(
    input: Tensor, target: Tensor, ignore_index: int, scope: tuple[Any, Any] | None = None
) -> Tensor | None:
    """The mean loss of rows as one node, log_softmax and nll_loss together; None where that may not or cannot be.

    Args:
        scope: the module that asks, where it is not being called.
    """
    if not use.on or kernels.twin != "native" or not switches.fusion or switches.anomaly or switches.observers:
        return None
    if not (isinstance(input, Variable) and isinstance(target, Variable)):
        return None
    x, classes = input.array, target.array
    if x.dtype is not FLOAT or x.ndim != 2 or not x.size or on_device(x) or on_device(classes):
        return None
    if not (x.flags.f_contiguous and x.flags.aligned) or classes.dtype is not LONG or classes.shape != x.shape[:1]:
        return None
    classes = unchanged(classes)  # backward must not see a change
    loss, count, log_p = kernels.cross_entropy(x, classes, ignore_index)
    if loss != loss:  # a target may be no class
        return None
    result: Tensor = like(input, loss)
    if switches.grad and input.requires_grad:

        def work(logits: Tensor) -> Tensor:
            return _nll(log_softmax(logits, 1), like(logits, classes), None, ignore_index, "mean")

        def backward(node: Composite, grad: Array) -> tuple[Array]:
            return (kernels.cross_entropy_backward(grad, log_p, classes, ignore_index, count),)

        as_it_was = like(input, x.copy("K"))  # the tape has kept what came of the logits: they may be changed in place
        Composite("NllLossBackward", work, as_it_was, backward, (input.gradient_edge(),), (), result, scope)
    return result


def _along_classes(weight: Tensor, ndim: int) -> Tensor:
    """(C,) in a shape that broadcasts over (N, C, ...)."""
    return weight.reshape(-1, *[1] * (ndim - 2))


def _of_probabilities(
    log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str, label_smoothing: float
) -> Tensor:
    if target.array.dtype.kind != "f":
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.array.dtype} "
            f"(a target of the input's shape {list(target.array.shape)} holds probabilities)"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    ndim = log_p.array.ndim
    class_dim = 0 if ndim == 1 else 1
    classes = log_p.array.shape[class_dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / classes
    products = log_p * target
    if weight is not None:
        _check_weight(weight, classes)
        products = products * _along_classes(weight, ndim)
    if reduction == "none":
        return -products.sum(class_dim)
    total = -products.sum()
    if reduction == "sum":
        return total
    return total / (log_p.array.size / classes if log_p.array.size else float("nan"))


def _smooth_loss(log_p: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int, reduction: str) -> Tensor:
    """The loss of a target that is spread evenly over the classes, times C."""
    ndim = log_p.array.ndim
    class_dim = 0 if ndim == 1 else 1
    products = log_p if weight is None else log_p * _along_classes(weight, ndim)
    classes = target.array.reshape(products.array.shape[:class_dim] + products.array.shape[2:])
    kept = classes != ignore_index
    losses = where(like(log_p, as_array(kept)), -products.sum(class_dim), 0.0)
    if reduction == "none":
        return losses
    total = losses.sum()
    if reduction == "sum":
        return total
    if weight is None:
        count = kept.sum()
    else:
        count = sum_over(np.where(kept, weight.array[np.where(kept, classes, 0)], weight.array.dtype.type(0)))
    return total / like(log_p, as_array(count).astype(log_p.array.dtype))
