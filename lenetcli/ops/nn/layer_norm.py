"""Normalisation within each sample: layer norm, group norm, instance norm, RMS norm, local response norm."""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import gradients_of, restated, saved_tensors, standing_for, zeros_of
from lenetcli.autograd.tape import like
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array, logical, stored
from lenetcli.kernels.norm import Seen, split
from lenetcli.ops.nn.batch_norm import (
    Running,
    batch_norm,
    changed,
    check_momentum,
    check_types,
    running_arrays,
    scaled_and_moved,
    track,
    widened,
)
from lenetcli.ops.operands import number, quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Standardised(Op):
    """y = z * weight + bias, z of mean 0 and variance 1 over `groups` of channels, or the last `dims` dimensions."""

    gradient: ClassVar[tuple[str, ...] | None] = (
        "d_x = (g − mean(g) − x̂ · mean(g · x̂)) / √(var + {eps:g}), g = {weight_times}grad",
        "d_weight = Σ grad · x̂",
        "d_bias = Σ grad",
    )

    centred: ClassVar[bool] = True
    copies_weight: ClassVar[bool] = False  # keeps a copy, so that the weight may change before backward
    copies_input: ClassVar[bool] = False  # so that x, where it needs no gradient, may change

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        weight: Array | None,
        bias: Array | None = None,
        *,
        groups: int = 0,
        dims: int = 0,
        eps: float,
        running: Running | None = None,
        momentum: float = 0.0,
    ) -> Array:
        values = widened(x)
        if groups:
            y, seen = kernels.group_norm(values, groups, weight, bias, eps)
        else:
            y, seen = kernels.element_norm(values, dims, weight, bias, eps, ctx.centred)
        if running is not None and x.size:
            count = x.size // (x.shape[0] * groups)
            mean, var = (v.mean(axis=0) for v in (seen.moments.mean, seen.moments.var))
            track(running, momentum, mean, var * count / (count - 1))
        kept = weight if ctx.needs_input_grad[0] else None
        read, *ctx.rest = seen  # the values are saved for themselves, so that changes in place are noticed
        if seen.inverse is None:
            read = x.copy() if ctx.copies_input and not ctx.needs_input_grad[0] else x
        ctx.save(read, kept.copy() if kept is not None and ctx.copies_weight else kept)
        return y.astype(x.dtype, copy=False)

    def backward(ctx: Any, grad: Array) -> Any:
        values, weight = ctx.saved
        needs = ctx.needs_input_grad
        gradients = kernels.sample_norm_backward(widened(grad), Seen(widened(values), *ctx.rest), weight)
        return tuple(d if needed else None for d, needed in zip(gradients, needs))

    def backward_graph(ctx: Any, grad: Any) -> Any:
        values, weight = saved_tensors(ctx)
        inverse, _moments, groups, dims, eps, centred = ctx.rest
        if inverse is not None:  # z was kept, which is x but for a factor and the mean
            x = values.array.reshape(split(values.array.shape, groups, dims)[0]) / inverse
            values = standing_for(ctx, 0, x.reshape(values.array.shape))
        shape, over, place = split(values.array.shape, groups, dims)
        needs = (*ctx.needs_input_grad, False)[:3]  # RMS norm has no bias
        weight, bias = (
            standing_for(ctx, at, zeros_of(ctx.edges[at], values.array)) if p is None and needs[at] else p
            for at, p in ((1, weight), (2, None))
        )
        each = values.reshape(shape)
        away = each - each.mean(over, keepdim=True) if centred else each
        z = away * ((away * away).mean(over, keepdim=True) + eps).rsqrt()
        y = scaled_and_moved(z.reshape(values.array.shape), weight, bias, place)
        sources = [tensor if needed else None for tensor, needed in zip((values, weight, bias), needs)]
        return gradients_of(y, [grad], sources)[: len(ctx.edges)]


class NativeLayerNorm(Standardised):
    formula = "y = {weight_times}x̂{and_bias}, x̂ = (x − mean) / √(var + {eps:g}) for each sample"


class NativeGroupNorm(Standardised):
    formula = "y = {weight_times}x̂{and_bias}, x̂ = (x − mean) / √(var + {eps:g}) for each group"


class InstanceNorm(Standardised):
    formula = "y = {weight_times}x̂{and_bias}, x̂ = (x − mean) / √(var + {eps:g}) for each channel"
    backward_name = "NativeBatchNorm"  # torch runs it as a batch norm of N C channels, with copies of the weight
    copies_weight = True


class FusedRmsNorm(Standardised):
    formula = "y = {weight_times}x̂, x̂ = x / √(mean(x²) + {eps:g})"
    gradient = ("d_x = (g − x̂ · mean(g · x̂)) / √(mean(x²) + {eps:g}), g = {weight_times}grad", "d_weight = Σ grad · x̂")
    centred = False
    copies_input = True  # torch keeps what it has divided


def _trailing(name: str, x: Array, normalized_shape: Sequence[int], *parameters: Tensor | None) -> tuple[int, ...]:
    """The sizes to normalise over; refuses what does not end in them, and parameters of another shape."""
    if isinstance(normalized_shape, int):
        raise TypeError(f"{name}: normalized_shape must be a tuple of integers, got {normalized_shape}")
    sizes = tuple(normalized_shape)
    if not sizes:
        raise RuntimeError(f"{name}: expected normalized_shape to be at least 1-dimensional, got {list(sizes)}")
    if x.shape[-len(sizes) :] != sizes:
        raise ShapeError(
            f"{name}: given normalized_shape={list(sizes)}, expected input with shape "
            f"[*, {', '.join(map(str, sizes))}], but got input of size {list(x.shape)}"
        )
    for what, tensor in zip(("weight", "bias"), parameters):
        if tensor is not None and tensor.array.shape != sizes:
            raise ShapeError(
                f"{name}: expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(tensor.array.shape)} and normalized_shape = {list(sizes)}"
            )
    return sizes


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Brings the last dimensions of each sample to mean 0 and variance 1, then scales and shifts each element.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance over `normalized_shape`

    Args:
        input: ends in `normalized_shape`.
        normalized_shape: sizes of the last dimensions.
        weight, bias: of the shape `normalized_shape`.
        eps: added to the variance.

    Shape:
        (*, normalized_shape) -> the same

    Raises:
        ShapeError: the input does not end in `normalized_shape`, or parameters of another shape.

    Source: Ba, Kiros and Hinton, Layer normalization, 2016; torch.nn.functional.layer_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.layer_norm(lenet.tensor([[1.0, 3.0], [5.0, 5.0]]), (2,))
        tensor([[-1.0000,  1.0000],
                [ 0.0000,  0.0000]])
    """
    x = input.array
    sizes = _trailing("layer_norm", x, normalized_shape, weight, bias)
    check_types("layer_norm", input, weight, bias)
    return NativeLayerNorm.apply(input, weight, bias, dims=len(sizes), eps=eps)


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """Divides the last dimensions of each sample by their root mean square, then scales each element.

    Formula:
        y = x / sqrt(mean(x^2) + eps) * weight, mean over `normalized_shape`

    Args:
        input: ends in `normalized_shape`.
        normalized_shape: sizes of the last dimensions.
        weight: of the shape `normalized_shape`.
        eps: None means the distance from 1 to the next number of the input's type.

    Shape:
        (*, normalized_shape) -> the same

    Raises:
        ShapeError: the input does not end in `normalized_shape`, or a weight of another shape.

    Source: Zhang and Sennrich, Root mean square layer normalization, 2019; torch.nn.functional.rms_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.rms_norm(lenet.tensor([[1.0, 7.0]]), (2,))
        tensor([[0.2000, 1.4000]])
    """
    x = input.array
    sizes = _trailing("rms_norm", x, normalized_shape, weight)
    check_types("rms_norm", input, weight)
    small = float(np.finfo(x.dtype).eps) if eps is None else eps
    return FusedRmsNorm.apply(input, weight, dims=len(sizes), eps=small)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Brings each group of channels of each sample to mean 0 and variance 1, then scales and shifts each channel.

    Args:
        input: samples with channels as second dimension.
        num_groups: divides the channels.
        weight, bias: one number per channel.
        eps: added to the variance.

    Shape:
        input (N, C, *), weight and bias (C,) -> (N, C, *)

    Raises:
        ValueError: one value per group.
        ShapeError: groups or parameters do not fit the channels.

    Source: Wu and He, Group normalization, 2018; torch.nn.functional.group_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.group_norm(lenet.tensor([[1.0, 3.0, 5.0, 9.0]]), 2)
        tensor([[-1.0000,  1.0000, -1.0000,  1.0000]])
    """
    x = input.array
    if x.ndim < 2:
        raise ShapeError(f"group_norm: expected at least 2 dimensions for input tensor but received {x.ndim}")
    n, c, *image = x.shape
    if num_groups < 1 or c % num_groups:
        raise ShapeError(
            f"group_norm: expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(x.shape)} and num_groups={num_groups}"
        )
    _one_number_per_channel("group_norm", c, weight, bias)
    check_types("group_norm", input, weight, bias)
    if n * (c // num_groups) * math.prod(image) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(x.shape)}")
    return NativeGroupNorm.apply(input, weight, bias, groups=num_groups, eps=eps)


def _one_number_per_channel(name: str, channels: int, *parameters: Tensor | None) -> None:
    for what, tensor in zip(("weight", "bias"), parameters):
        if tensor is not None and tensor.array.shape != (channels,):
            raise ShapeError(
                f"{name}: expected {what} to be a vector of size equal to the number of channels in input, but got "
                f"{what} of shape {list(tensor.array.shape)} and {channels} channels"
            )


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Brings each channel of each sample to mean 0 and variance 1, then scales and shifts it.

    Args:
        input: samples with channels as second dimension.
        running_mean, running_var: changed in place towards the mean over the batch of each sample's statistics; used
            instead of them without `use_input_stats`.
        weight, bias: one number per channel.
        use_input_stats: use each sample's own mean and variance.
        momentum: how far the running statistics move.
        eps: added to the variance.

    Shape:
        input (N, C, *), the others (C,) -> (N, C, *)

    Raises:
        ValueError: images of one element.
        ShapeError: statistics or parameters do not have one number per channel.

    Source: Ulyanov, Vedaldi and Lempitsky, Instance normalization, 2016; torch.nn.functional.instance_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.instance_norm(lenet.tensor([[[1.0, 3.0], [5.0, 9.0]]]))
        tensor([[[-1.0000,  1.0000],
                 [-1.0000,  1.0000]]])
    """
    x = input.array
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("instance_norm: running_mean and running_var must be defined without use_input_stats")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(x.shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {list(x.shape)}")
    if x.ndim < 3:
        raise ShapeError(f"instance_norm: expected an input (N, C, ...), got shape {list(x.shape)}")
    check_momentum("instance_norm", momentum)
    running = running_arrays("instance_norm", running_mean, running_var, False, x.shape[1], (weight, bias))
    check_types("instance_norm", input, weight, bias, running_mean, running_var)
    y: Tensor = InstanceNorm.apply(input, weight, bias, groups=x.shape[1], eps=eps, running=running, momentum=momentum)
    changed(running_mean, running_var)
    return y


class LocalResponseNorm(Op):
    """y = x / d^beta, d = k + alpha / size times the sum of x^2 over `size` channels around."""

    formula = "y = x / ({k:g} + {alpha:g} · mean of x² over {size} channels)^{beta:g}"
    gradient = (
        "d_x = grad · s^−{beta:g} − 2 · {alpha:g} · {beta:g} / {size} · x · Σ grad · y / s over its windows, s = (…)",
    )
    backward_graph = restated

    @quiet
    def forward(ctx: Any, x: Array, *, size: int, alpha: float, beta: float, k: float) -> Array:
        channel = np.arange(x.shape[1], like=x)
        apart = channel - channel[:, None]  # row: channel of the result, column: channel that it sees
        window = ((apart >= -(size // 2)) & (apart <= (size - 1) // 2)).astype(x.dtype) / x.dtype.type(size)
        rows = stored(x).reshape(x.shape[1], -1)
        d = k + alpha * (window @ (rows * rows))
        ctx.k = k
        ctx.alpha, ctx.beta, ctx.window, ctx.shape = alpha, beta, window, x.shape
        ctx.save(x, d)
        return _unrows(rows * d**-beta, x.shape)

    def backward(ctx: Any, grad: Array) -> Array:
        x, d = ctx.saved
        d_y, rows = (stored(v).reshape(d.shape) for v in (grad, x))
        through = ctx.window.T @ (d_y * rows * d ** (-ctx.beta - 1))
        return _unrows(d_y * d**-ctx.beta - (2 * ctx.alpha * ctx.beta) * rows * through, x.shape)

    saves = ("x", None)

    def restate(ctx: Any, x: Any) -> Any:
        channels_first = x.movedim(1, 0)
        squares = (channels_first * channels_first).reshape(len(ctx.window), -1)
        d = like(x, ctx.window).mm(squares) * ctx.alpha + ctx.k
        return x * (d**-ctx.beta).reshape(channels_first.array.shape).movedim(0, 1)


def _unrows(rows: Array, shape: tuple[int, ...]) -> Array:
    """(C, M) -> (N, C, ...)."""
    return logical(rows.reshape(*shape[1:], shape[0]))


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """Divides each value by the activity of the channels around it, at the same place of the image.

    Formula:
        y[c] = x[c] (k + alpha / size sum of x[j]^2)^-beta, j from c - size // 2 to c + (size - 1) // 2

    Args:
        input: samples with channels as second dimension, three dimensions or more.
        size: number of channels in a window; those that do not exist count as 0.
        alpha, beta, k: of the formula.

    Raises:
        ValueError: fewer than three dimensions.

    Source: Krizhevsky, Sutskever and Hinton, 2012, section 3.3; torch.nn.functional.local_response_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.local_response_norm(lenet.full((1, 2, 1), 2.0), 2, alpha=2.0, beta=0.5)
        tensor([[[0.8944],
                 [0.6667]]])
    """
    if input.ndim < 3:
        raise ValueError(
            f"local_response_norm: expected 3D or higher dimensionality input (got {input.ndim} dimensions)"
        )
    size = index(size)
    if size < 1:
        raise RuntimeError(f"local_response_norm: size must be at least 1, got {size}")
    check_types("local_response_norm", input)
    if input.array.size == 0:
        return input
    return LocalResponseNorm.apply(input, size=size, alpha=number(alpha), beta=number(beta), k=number(k))
