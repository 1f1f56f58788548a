"""Normalisation of channels with statistics that are tracked over batches: batch norm and instance norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import restated
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.norm import Moments
from lenetcli.ops import fusion
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Running = tuple[Array, Array]  # mean and variance, changed in place


def scaled_and_moved(z: Any, weight: Any, bias: Any, shape: Sequence[int]) -> Any:
    """z * weight + bias over tensors, the parameters in this shape."""
    if weight is not None:
        z = z * weight.reshape(shape)
    return z if bias is None else z + bias.reshape(shape)


class NativeBatchNorm(Op):
    formula = (
        "y = {weight_times}x̂{and_bias}, x̂ = (x − mean) / σ, σ = √(var + {eps:g}), "
        "mean and var {of_whom} for each channel"
    )
    gradient = (
        "d_x = {weight_times}{arriving} / σ",
        "d_weight = Σ grad · x̂",
        "d_bias = Σ grad",
    )
    moments: Any  # of the batch, or mean and variance that were given
    bias: Array | None = None  # where relu was done with it in training
    backward_graph = restated

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        weight: Array | None,
        bias: Array | None,
        *,
        running: Running | None,
        training: bool,
        momentum: float,
        eps: float,
        moments: Moments | None = None,
    ) -> Array:
        """`moments`: those of the batch, where they have been tracked already."""
        ctx.keep(x, weight, training, eps)
        values = widened(x)
        if training and moments is not None:
            ctx.moments = moments
            return kernels.by_moments(values, moments, weight, bias, eps)
        if training:
            y, ctx.moments = kernels.batch_norm(values, weight, bias, eps)
            if running is not None and x.size:
                kernels.track(*running, ctx.moments, momentum, x.size // x.shape[1])
        else:
            assert running is not None, "the caller has checked"
            mean, var = (moment.astype(values.dtype, copy=False) for moment in running)
            y = kernels.channel_norm(values, mean, var, weight, bias, eps)
            ctx.moments = (mean.copy(), var.copy()) if any(ctx.needs_input_grad) else None  # the running ones move on
        return y.astype(x.dtype, copy=False)

    def keep(self, x: Array, weight: Array | None, training: bool, eps: float) -> None:
        """Saves what the gradients need."""
        self.save(x, weight if self.needs_input_grad[0] else None)  # without it those of weight and bias hold
        self.eps, self.training = eps, training

    def backward(ctx: Any, grad: Array) -> Any:
        x, weight = ctx.saved
        grad, x = widened(grad), widened(x)
        if ctx.training:
            return kernels.batch_norm_backward(grad, x, weight, ctx.moments, ctx.eps)
        mean, var = ctx.moments
        return kernels.channel_norm_backward(grad, x, mean, var, weight, ctx.eps)

    saves = ("x", "weight")

    def restate(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
        shape = (-1, *(1,) * (x.array.ndim - 2))
        if ctx.training:
            over = (0, *range(2, x.array.ndim))
            centred = x - x.mean(over, keepdim=True)
            var = (centred * centred).mean(over, keepdim=True)
        else:
            mean, var = (like(x, moment).reshape(shape) for moment in ctx.moments)
            centred = x - mean
        return scaled_and_moved(centred * (var + ctx.eps).rsqrt(), weight, bias, shape)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        if not seen.parameters["training"]:
            return None  # the running statistics may have moved since
        channel, n = at[1], seen.number
        x, values = float(seen["x"][at]), seen["x"][:, at[1]].astype(np.float64)
        mean, deviation = float(values.mean()), math.sqrt(float(values.var()) + seen.parameters["eps"])
        numbers, value = f"({n(x)} − {n(mean)}) / {n(deviation)}", (x - mean) / deviation
        weight, bias = seen["weight"], seen["bias"]
        formula = "(x − mean) / σ"
        if weight is not None:
            formula, numbers = f"weight[{channel}] · {formula}", f"{n(weight[channel])} · {numbers}"
            value *= float(weight[channel])
        if bias is not None:
            formula, numbers = f"{formula} + bias[{channel}]", f"{numbers} + {n(bias[channel])}"
            value += float(bias[channel])
        return f"{seen.element('y', at)} = {formula}", numbers, value

    @staticmethod
    def example_d_bias(seen: Any, at: tuple[int, ...]) -> Any:
        return seen.sum_of_channel("d_bias", at)


def widened(x: Array) -> Array:
    """float16 as float32, in which statistics are computed; other types as they are."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def track(running: Running, momentum: float, mean: Array, var: Array) -> None:
    """Moves running statistics towards new ones: running <- (1 - momentum) running + momentum new."""
    for kept, new in zip(running, (mean, var)):
        kept[...] = kept * (1 - momentum) + new * momentum


def check_types(name: str, input: Tensor, *others: Tensor | None) -> None:
    """Refuses integers, and parameters of another type than the input's (float32 ones serve float16 inputs, too)."""
    kind = input.array.dtype
    if kind.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; wanted a floating-point tensor")
    given = {other.array.dtype for other in others if other is not None}
    if given - {kind} and not (kind == np.float16 and given == {np.dtype(np.float32)}):
        raise RuntimeError(
            f"{name}: mixed dtype: all inputs must share the same type, the input is {input.dtype}, "
            f"parameters or statistics are {', '.join(sorted(k.name for k in given))}"
        )


def running_arrays(
    name: str, mean: Tensor | None, var: Tensor | None, needed: bool, channels: int, rest: tuple[Tensor | None, ...]
) -> Running | None:
    """Checks statistics, weight and bias; gives the statistics' arrays."""
    if (mean is None) != (var is None):
        raise ValueError(f"{name}: running_mean and running_var must either both be None or neither be None")
    for what, tensor in zip(("running_mean", "running_var", "weight", "bias"), (mean, var, *rest)):
        if tensor is not None and tensor.array.shape != (channels,):
            raise ShapeError(
                f"{name}: {what} should contain {channels} elements not {list(tensor.array.shape)}, one for each "
                "channel of the input (its second dimension)"
            )
    if mean is None or var is None:
        if needed:
            raise RuntimeError(f"{name}: running_mean and running_var must be defined in evaluation mode")
        return None
    if mean.requires_grad or var.requires_grad:
        raise RuntimeError(f"{name} is not differentiable with respect to running_mean and running_var")
    return mean.array, var.array


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Brings each channel to mean 0 and variance 1 over the batch, then scales and shifts it.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias
        running <- (1 - momentum) running + momentum batch    (running_var takes the unbiased variance)

    Args:
        input: samples with channels as second dimension.
        running_mean, running_var: changed in place in training, used as mean and variance otherwise.
        weight, bias: one number per channel.
        training: use the batch's own mean and variance.
        momentum: how far the running statistics move, in [0, 1].
        eps: added to the variance.

    Shape:
        input (N, C, *), the others (C,) -> (N, C, *)

    Raises:
        ValueError: one value per channel in training.
        ShapeError: statistics or parameters do not have one number per channel.
        RuntimeError: no running statistics outside of training, or types that differ.

    Source: Ioffe and Szegedy, Batch normalization, 2015; torch.nn.functional.batch_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.batch_norm(lenet.tensor([[1.0, 5.0], [3.0, 5.0]]), None, None, training=True)
        tensor([[-1.0000,  0.0000],
                [ 1.0000,  0.0000]])
    """
    shape = input.array.shape
    if shape == (0,):
        return input.clone()
    if len(shape) < 2:
        raise IndexError(f"batch_norm: expected an input (N, C, ...), got shape {list(shape)}")
    check_momentum("batch_norm", momentum)
    if training and shape[0] * math.prod(shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(shape)}")
    running = running_arrays("batch_norm", running_mean, running_var, not training, shape[1], (weight, bias))
    check_types("batch_norm", input, weight, bias, running_mean, running_var)
    y: Tensor = fusion.begin(
        NativeBatchNorm, shape, input, weight, bias, running=running, training=training, momentum=momentum, eps=eps
    )
    if training:
        changed(running_mean, running_var)
    return y


def check_momentum(name: str, momentum: Any) -> None:
    """Refuses what is no number."""
    if isinstance(momentum, bool) or not isinstance(momentum, (int, float)):
        raise TypeError(f"{name}: momentum must be a number, got {type(momentum).__name__}")


def changed(*tensors: Tensor | None) -> None:
    """Notes a change in place, for backward's check."""
    for tensor in tensors:
        if tensor is not None:
            tensor.counter[0] += 1
