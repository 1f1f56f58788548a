"""Batch norm over a batch whose parts lie in several processes. How their sums are added up is handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.ops.nn.batch_norm import Running, changed, check_momentum, check_types, running_arrays, track, widened
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Total = Callable[[Array], Array]  # a float64 array of each process -> the sum of them, in every process


class SyncBatchNorm(Op):
    gradient = (
        "d_x = weight / σ · (grad − mean(grad) − x̂ · mean(grad · x̂)), means over all parts",
        "d_weight = Σ grad · x̂ of this part",
        "d_bias = Σ grad of this part",
    )

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        *,
        total: Total,
        running: Running | None,
        momentum: float,
        eps: float,
    ) -> Array:
        values, c = widened(x), x.shape[1]
        own = np.zeros((3, c))  # elements, their sum, the sum of their squares
        if x.size:
            moments = kernels.batch_norm(values, None, None, eps)[1]
            mean = moments.mean
            own[0], own[1], own[2] = 1, mean, moments.var + mean * mean
            own *= x.size // c
        count, mean, square = total(own)
        if count[0] == 1:
            raise ValueError("Expected more than 1 value per channel when training, got 1 in all processes together")
        mean, square = mean / count, square / count
        var = np.maximum(square - mean * mean, 0)
        ctx.save(x, weight if ctx.needs_input_grad[0] else None)
        ctx.total, ctx.count, ctx.eps = total, count[0], eps
        ctx.moments = mean.astype(values.dtype), var
        if running is not None:
            track(running, momentum, mean, var * count / (count - 1))
        return kernels.channel_norm(values, ctx.moments[0], var, weight, bias, eps).astype(x.dtype, copy=False)

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = ctx.saved
        grad, values = widened(grad), widened(x)
        mean, var = ctx.moments
        _, d_weight, d_bias = kernels.channel_norm_backward(grad, values, mean, var, None, ctx.eps)
        means = ctx.total(np.stack([d_weight, d_bias]).astype(np.float64)) / ctx.count  # of grad z and of grad
        place = (-1, *(1,) * (x.ndim - 2))
        along_z, along_1 = (m.astype(values.dtype).reshape(place) for m in means)
        d_x = kernels.channel_norm(values, mean, var, None, None, ctx.eps)  # z
        d_x *= -along_z
        d_x += grad
        d_x -= along_1
        inverse = 1 / np.sqrt(var + ctx.eps)
        d_x *= (inverse if weight is None else inverse * weight).astype(values.dtype).reshape(place)
        return d_x, d_weight, d_bias


def sync_batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    momentum: float,
    eps: float,
    total: Total,
) -> Tensor:
    """`batch_norm` in training, of one batch whose parts lie in several processes; a part may be empty.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over all parts

    Args:
        input: this process's part of the batch.
        running_mean, running_var, weight, bias, momentum, eps: as those of `batch_norm`.
        total: adds up a float64 array over the processes; called once forward and once backward.

    Shape:
        input (N, C, *), the others (C,) -> (N, C, *)

    Gradient:
        Of x as the whole batch's; of weight and bias this part's share.

    Raises:
        ValueError: one value per channel in all processes together.

    Source: torch.nn.SyncBatchNorm.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.ops.nn.sync_batch_norm import sync_batch_norm
        >>> x = lenet.tensor([[1.0, 5.0], [3.0, 5.0]])
        >>> sync_batch_norm(x, None, None, None, None, 0.1, 1e-5, total=lambda sums: sums)
        tensor([[-1.0000,  0.0000],
                [ 1.0000,  0.0000]])
    """
    shape = input.array.shape
    if len(shape) < 2:
        raise ShapeError(f"sync_batch_norm: expected an input (N, C, ...), got shape {list(shape)}")
    check_momentum("sync_batch_norm", momentum)
    running = running_arrays("sync_batch_norm", running_mean, running_var, False, shape[1], (weight, bias))
    check_types("sync_batch_norm", input, weight, bias, running_mean, running_var)
    y: Tensor = SyncBatchNorm.apply(input, weight, bias, total=total, running=running, momentum=momentum, eps=eps)
    changed(running_mean, running_var)
    return y
