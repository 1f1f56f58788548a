"""Connectionist temporal classification: the loss of a sequence whose places in time nobody has marked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels.device import beside, to_host
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.mse_loss import check_reduction
from lenetcli.ops.operands import quiet, wanted_tensors

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Lengths = Any  # a tensor, or a sequence of integers


class Paths(NamedTuple):
    """The states that a path may be in: blank, first label, blank, second label ... blank."""

    labels: Array  # (N, S), the class of each state
    skips: Array  # (N, S), whether a path may come from the state before the last
    steps: Array  # (N,)
    last: Array  # (N,), the last state


class CtcLoss(Op):
    """All steps forward in one call, all backward in one, in float64 on the host."""

    formula = "y[n] = −log Σ over the paths that spell targets[n] of Π_t exp(x[t,n,path[t]])"
    gradient = ("d_x[t,n] = grad[n] · (exp(x[t,n]) − the share of the paths that are at each class at t)",)

    @quiet
    def forward(ctx: Any, x: Array, *, paths: Paths, zero_infinity: bool) -> Array:
        scores = to_host(x).astype(np.float64)  # (T, N, C)
        emitted = np.take_along_axis(scores, paths.labels[None], 2)  # (T, N, S)
        ctx.save(x)
        ctx.paths, ctx.emitted, ctx.alpha = paths, emitted, _alpha(emitted, paths)
        rows, end = np.arange(len(paths.steps)), np.maximum(paths.steps - 1, 0)
        ends = [ctx.alpha[end, rows, paths.last], ctx.alpha[end, rows, paths.last - 1]]
        ends[1][paths.last == 0] = -np.inf
        loss = -np.logaddexp(*ends)
        loss[paths.steps == 0] = np.where(paths.last == 0, 0.0, np.inf)[paths.steps == 0]
        ctx.loss, ctx.zero_infinity = loss, zero_infinity
        return beside(x, loss.astype(x.dtype))

    @quiet
    def backward(ctx: Any, grad: Array) -> Array:
        (x,) = ctx.saved
        paths, loss, scores = ctx.paths, ctx.loss[:, None], to_host(x).astype(np.float64)
        shares = np.exp(ctx.alpha + _beta(ctx.emitted, paths) - ctx.emitted + loss)  # (T, N, S), of each state
        steps, count, classes = scores.shape
        shares[np.isneginf(ctx.alpha) & np.isfinite(loss)] = 0
        rows = np.arange(steps * count).reshape(steps, count, 1) * classes + paths.labels
        visited = np.bincount(rows.ravel(), shares.ravel(), scores.size).reshape(scores.shape)
        slope = np.where(np.isneginf(scores) | np.isinf(loss), np.nan, np.exp(scores) - visited)
        slope *= to_host(grad)[:, None]
        slope[np.arange(steps)[:, None] >= paths.steps] = 0
        if ctx.zero_infinity:
            slope[:, np.isinf(ctx.loss)] = 0
        return beside(x, slope.astype(x.dtype))


def _alpha(emitted: Array, paths: Paths) -> Array:
    """The logarithm of all ways to each state at each step, itself included."""
    alpha = np.full_like(emitted, -np.inf)
    if len(alpha):
        alpha[0, :, 0] = emitted[0, :, 0]
        alpha[0, :, 1:2] = np.where(paths.last[:, None] > 0, emitted[0, :, 1:2], -np.inf)
    for t in range(1, len(alpha)):
        before = alpha[t - 1]
        ways = before.copy()
        ways[:, 1:] = np.logaddexp(ways[:, 1:], before[:, :-1])
        ways[:, 2:] = np.where(paths.skips[:, 2:], np.logaddexp(ways[:, 2:], before[:, :-2]), ways[:, 2:])
        alpha[t] = ways + emitted[t]
    return alpha


def _beta(emitted: Array, paths: Paths) -> Array:
    """The logarithm of all ways from each state at each step to the end, itself included."""
    beta = np.full_like(emitted, -np.inf)
    rows = np.arange(emitted.shape[1])
    after = beta[0] if len(beta) else beta
    for t in range(len(beta) - 1, -1, -1):
        ways = after.copy()
        ways[:, :-1] = np.logaddexp(ways[:, :-1], after[:, 1:])
        further = np.logaddexp(ways[:, :-2], after[:, 2:])
        ways[:, :-2] = np.where(paths.skips[:, 2:], further, ways[:, :-2])
        ending = rows[paths.steps == t + 1]
        ways[ending, paths.last[ending]] = 0
        before = np.maximum(paths.last[ending] - 1, 0)
        ways[ending, before] = 0  # of an empty target the same state
        beta[t] = after = ways + emitted[t]
    return beta


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Lengths,
    target_lengths: Lengths,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """How unlikely a sequence of labels is, wherever in time each may stand.

    Every path of classes through the steps counts that spells the target once repeated classes are one and blanks are
    left out.

    Formula:
        -log of the sum over those paths of exp(sum over steps of log_probs[t, path[t]])

    Args:
        log_probs: logarithms of probabilities, as `log_softmax` gives them.
        targets: the labels, padded to one length or one sequence after the other.
        input_lengths: steps of each sequence, in a tensor or a sequence of integers.
        target_lengths: labels of each sequence, alike.
        blank: the class that says nothing.
        reduction: 'mean' (of losses divided by their target's length), 'sum' or 'none'.
        zero_infinity: a target that no path can spell, as there are too few steps, counts 0 instead of inf.

    Shape:
        log_probs (T, N, C), targets (N, S) or (sum of target_lengths,) -> () or, with reduction 'none', (N,);
        a single sequence (T, C) with targets (S,)

    Gradient:
        That of a `log_softmax` in front, as in torch: exp(log_probs) less the share of the paths at each class. NaN for
        an infinite loss, 0 with `zero_infinity` and beyond a sequence's length. It has no second derivative.

    Raises:
        RuntimeError: lengths that do not fit, a label or blank that is no class.
        NotImplementedError: integers or halves as logarithms.

    Source: torch.nn.functional.ctc_loss; Graves et al. 2006, equations 7 to 16.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x = lenet.tensor([[0.5, 0.5], [0.5, 0.5]]).log()
        >>> F.ctc_loss(x, lenet.tensor([1]), (2,), (1,)).exp()  # three of four paths: 1-, -1, 11
        tensor(1.3333)
    """
    wanted_tensors("ctc_loss", log_probs, targets)
    check_reduction(reduction)
    single = log_probs.array.ndim == 2
    scores = log_probs.unsqueeze(1) if single else log_probs
    paths = _checked(scores, targets, input_lengths, target_lengths, blank, single)
    loss = CtcLoss.apply(scores, paths=paths, zero_infinity=zero_infinity)
    if zero_infinity:
        loss = loss.masked_fill(loss.isinf(), 0.0)
    if reduction == "sum":
        return loss.sum()
    if reduction == "none":
        return loss.squeeze(0) if single else loss
    lengths = np.maximum(paths.last // 2, 1).astype(loss.array.dtype)
    return (loss / like(loss, beside(loss.array, lengths))).mean()


def _checked(
    scores: Tensor, targets: Tensor, input_lengths: Lengths, target_lengths: Lengths, blank: int, single: bool
) -> Paths:
    """The states of each sequence, after all checks."""
    x, labels = scores.array, to_host(targets.array)
    if x.dtype.kind != "f" or x.dtype.itemsize < 4:
        raise NotImplementedError(f"ctc_loss: not implemented for {scores.dtype}; call float() first")
    if x.ndim != 3:
        raise ShapeError(f"ctc_loss: expected log_probs (T, N, C) or (T, C), got {x.ndim - single} dimensions")
    if not x.size:
        raise RuntimeError(f"ctc_loss: log_probs tensor must not be empty, got {list(x.shape)}")
    most, count, classes = x.shape
    if not 0 <= blank < classes:
        raise RuntimeError(f"ctc_loss: blank must be in label range, 0 to {classes - 1}, got {blank}")
    steps = _lengths("input_lengths", input_lengths, count, most)
    lengths = _lengths("target_lengths", target_lengths, count, None)
    if labels.ndim not in (1, 2):
        raise ShapeError(f"ctc_loss: expected targets of 1 or 2 dimensions, got {labels.ndim}")
    longest = int(lengths.max(initial=0))
    if labels.ndim == 1:
        if len(labels) != lengths.sum():
            raise RuntimeError(
                f"ctc_loss: targets one after the other must be the {lengths.sum()} of target_lengths, got "
                f"{len(labels)}"
            )
        inside = np.arange(longest) < lengths[:, None]
        padded = np.full((count, longest), blank, np.int64)
        padded[inside] = labels
    elif len(labels) != count or labels.shape[1] < longest:
        raise RuntimeError(
            f"ctc_loss: padded targets must be ({count}, {longest} or more) for a batch of {count} whose longest "
            f"target has {longest}, got {list(labels.shape)}"
        )
    else:
        padded = labels[:, :longest].astype(np.int64)
        inside = np.arange(longest) < lengths[:, None]
        padded[~inside] = blank
    wrong = inside & ((padded < 0) | (padded >= classes))
    if wrong.any():
        raise RuntimeError(
            f"ctc_loss: label {padded[wrong][0]} is no class; the classes of log_probs are 0 to {classes - 1}"
        )
    states = np.full((count, 2 * longest + 1), blank, np.int64)
    states[:, 1::2] = padded
    skips = np.zeros(states.shape, bool)
    skips[:, 2:] = states[:, 2:] != states[:, :-2]
    return Paths(states, skips, steps, 2 * lengths)


def _lengths(name: str, given: Lengths, count: int, most: int | None) -> Array:
    array = getattr(given, "array", None)
    found = np.asarray(to_host(array) if array is not None else given if isinstance(given, Sequence) else list(given))
    if found.size and found.dtype.kind not in "iu":
        raise TypeError(f"ctc_loss: {name} must be integers, got {given!r}")
    found = found.reshape(-1).astype(np.int64)
    if len(found) != count:
        raise RuntimeError(f"ctc_loss: {name} must be of size batch_size, {count}, got {len(found)}")
    if (found < 0).any() or (most is not None and (found > most).any()):
        bounds = "at least 0" if most is None else f"at least 0 and at most {most}"
        wrong = found[(found < 0) | (found > (found if most is None else most))][0]
        raise RuntimeError(f"ctc_loss: expected {name} to have values {bounds}, but got value {wrong}")
    return found
