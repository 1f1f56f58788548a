"""Pools of volumes: those of images for each depth, then along the depths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import like
from lenetcli.kernels import avg_pool, dispatch
from lenetcli.kernels.device import beside
from lenetcli.kernels.layout import Array
from lenetcli.kernels.pool import put, take, winner_index
from lenetcli.kernels.window import extent
from lenetcli.ops.nn.adaptive_pool import AdaptiveAvgPool2D, OutputSize, wanted_size
from lenetcli.ops.nn.avg_pool2d import avg_pool2d, root
from lenetcli.ops.nn.geometry import Sizes, batched, check_image, per_dimension, pool_windows
from lenetcli.ops.nn.max_pool2d import MaxUnpool2D, unpooled_size
from lenetcli.ops.operands import number
from lenetcli.ops.shaping.pad import pad

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Triple = tuple[int, int, int]
Seen = list[tuple[Array, Array]]  # for each tap, the depth that every window meets there, and whether it is one


class Largest(Op):
    """What is common to these: `index` is where in its flattened image or volume each result comes from."""

    gradient = ("d_x = grad at the largest of each window, else 0",)
    backward_graph = linear

    def backward(ctx: Any, grad: Array, _: Any = None) -> Array:
        (index,) = ctx.saved
        n, c, *sizes = ctx.volume
        flat = (n, c, 1, index[0, 0].size if n and c else 0)
        d_x: Array = put(grad.reshape(flat), index.reshape(flat), (1, math.prod(sizes)), np.add).reshape(ctx.volume)
        return d_x

    def jvp(ctx: Any, tangent: Array) -> Any:
        (index,) = ctx.saved
        n, c, *sizes = ctx.volume
        flat = (n, c, 1, index[0, 0].size if n and c else 0)
        y = take(tangent.reshape(n, c, 1, math.prod(sizes)), index.reshape(flat)).reshape(index.shape)
        return (y, None) if len(ctx.outputs) == 2 else y


class MaxPool3DWithIndices(Largest):
    formula = "y = the largest x in each {kernel} window"

    def forward(
        ctx: Any,
        x: Array,
        *,
        kernel: Triple,
        stride: Triple,
        padding: Triple,
        dilation: Triple,
        ceil_mode: bool,
        indices: bool,
    ) -> Any:
        plane = kernel[1:], stride[1:], padding[1:], dilation[1:]
        y, winner = dispatch.max_pool2d(_as_images(x), *plane, ceil_mode)
        index = winner_index(winner, x.shape[3:], *plane)
        count = extent(x.shape[2], kernel[0], stride[0], padding[0], dilation[0], ceil_mode)
        start = np.arange(count) * stride[0] - padding[0]
        seen = [start + t * dilation[0] for t in range(kernel[0])]
        return _kept(ctx, x, y, index, [(d, (d >= 0) & (d < x.shape[2])) for d in seen], indices)


class AdaptiveMaxPool3D(Largest):
    formula = "y = the largest x in each of {out} windows"

    def forward(ctx: Any, x: Array, *, out: Triple, indices: bool) -> Any:
        y, index = avg_pool.adaptive_max_pool2d(_as_images(x), (out[1], out[2]))
        start, end = np.array(avg_pool.adaptive_bounds(x.shape[2], out[0]), np.int64).reshape(-1, 2).T
        seen = [(start + t, start + t < end) for t in range(int((end - start).max(initial=1)))]
        return _kept(ctx, x, y, index, seen, indices)


def _as_images(x: Array) -> Array:
    """(N, C, D, H, W) -> (N, C D, H, W)"""
    n, c, d, h, w = x.shape
    return x.reshape(n, c * d, h, w)


def _kept(ctx: Any, x: Array, best: Array, index: Array, seen: Seen, indices: bool) -> Any:
    """The largest along the depths of what the images of each depth have; the first of equals, the last NaN."""
    shape = (*x.shape[:3], *best.shape[2:])
    best, index = best.reshape(shape), index.reshape(shape)
    y = place = None
    for depth, there in seen:
        at, there = beside(x, np.clip(depth, 0, x.shape[2] - 1)), beside(x, there)
        value, where = best[:, :, at], index[:, :, at] + (at * (x.shape[3] * x.shape[4]))[:, None, None]
        if y is None:
            y, place, empty = value, where, ~there
            continue
        wins = ((value > y) | (value != value) | empty[:, None, None]) & there[:, None, None]
        y, place, empty = np.where(wins, value, y), np.where(wins, where, place), empty & ~there
    ctx.save(place)
    ctx.volume = x.shape
    return (y, place) if indices else y


@whole
def max_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value in each window of a volume; see `max_pool2d`.

    Args:
        input: volumes; a single unbatched one (C, D, H, W) is accepted, as in torch.
        kernel_size, stride, padding, dilation: one number or (depth, rows, columns).
        ceil_mode: keep a last, partial window.
        return_indices: also return where each maximum lies in its flattened volume.

    Shape:
        (N, C, D, H, W) -> (N, C, P, Q, R)

    Gradient:
        Goes to the first of equal values, in row order; where there is NaN, to the last NaN.

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.max_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_pool3d(lenet.arange(8.0).view(1, 2, 2, 2), 2, return_indices=True)
        (tensor([[[[7.]]]]), tensor([[[[7]]]]))
    """
    _check_float("max_pool3d", input)
    if input.array.ndim == 4:
        return batched(
            input, lambda x: max_pool3d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        )
    windows = pool_windows("max_pool3d", input, 3, kernel_size, stride, padding, dilation, ceil_mode)
    return MaxPool3DWithIndices.apply(input, **windows, ceil_mode=ceil_mode, indices=return_indices)


@whole
def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts maxima of volumes back where they were; see `max_unpool2d`.

    Shape:
        (N, C, P, Q, R) or (C, P, Q, R) -> (N, C, D, H, W)

    Raises:
        ShapeError: indices of another shape, or outside of the result.
        ValueError: an output_size that the pool could not have had.

    Source: torch.nn.functional.max_unpool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_unpool3d(*F.max_pool3d(lenet.arange(8.0).view(1, 2, 2, 2), 2, return_indices=True), 2).sum()
        tensor(7.)
    """
    _check_float("max_unpool3d", input)
    image = unpooled_size("max_unpool3d", 3, input, indices, kernel_size, stride, padding, output_size)
    shape = input.array.shape
    flat = (1, *shape) if len(shape) == 4 else shape
    parts = [t.reshape(*flat[:2], 1, flat[2] * flat[3] * flat[4]) for t in (input, indices)]
    y: Tensor = MaxUnpool2D.apply(*parts, image=(1, image[0] * image[1] * image[2])).reshape(*shape[:-3], *image)
    return y


@whole
def avg_pool3d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window of a volume; see `avg_pool2d`.

    Args:
        input: volumes; a single unbatched one (C, D, H, W) is accepted, as in torch.
        kernel_size, stride, padding: one number or (depth, rows, columns).
        ceil_mode: keep a last, partial window.
        count_include_pad: whether the border's zeros count in the mean.
        divisor_override: divide by this instead of the count.

    Shape:
        (N, C, D, H, W) -> (N, C, P, Q, R)

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.avg_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.avg_pool3d(lenet.arange(8.0).view(1, 2, 2, 2), 2)
        tensor([[[[3.5000]]]])
    """
    _check_float("avg_pool3d", input)
    if divisor_override == 0:
        raise RuntimeError("avg_pool3d: divisor must be not zero")
    if input.array.ndim == 4:
        return batched(
            input, lambda x: avg_pool3d(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)
        )
    windows = pool_windows("avg_pool3d", input, 3, kernel_size, stride, padding, 1, ceil_mode)
    kernel, steps, border = (windows[name] for name in ("kernel", "stride", "padding"))
    n, c, d, h, w = input.array.shape
    images = input.reshape(n, c * d, h, w)
    sums = avg_pool2d(images, kernel[1:], steps[1:], border[1:], ceil_mode, True, 1)
    sums = sums.reshape(n, c, d, *sums.array.shape[2:])
    out = extent(d, kernel[0], steps[0], border[0], 1, ceil_mode)
    last = (out - 1) * steps[0] + 1
    sums = pad(sums, (0, 0, 0, 0, border[0], max(0, last + kernel[0] - 1 - d - border[0])))
    total: Any = sum(sums[:, :, t : t + last : steps[0]] for t in range(kernel[0]))
    if divisor_override is not None:
        return total / divisor_override
    return total / _window_sizes(input, kernel, steps, border, ceil_mode, count_include_pad)


def _window_sizes(
    x: Tensor, kernel: Triple, stride: Triple, padding: Triple, ceil_mode: bool, include_padding: bool
) -> Tensor:
    """(P, Q, R): what each window's sum is divided by."""
    product: Any = np.ones((), x.array.dtype)
    for size, k, s, p in zip(x.array.shape[2:], kernel, stride, padding):
        out = extent(size, k, s, p, 1, ceil_mode)
        product = product[..., None] * avg_pool.window_counts(size, k, s, p, out, include_padding)
    sizes: Tensor = like(x, beside(x.array, product.astype(x.array.dtype)))
    return sizes


@whole
def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a volume; see `lp_pool2d`.

    Shape:
        As for avg_pool3d.

    Source: torch.nn.functional.lp_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.lp_pool3d(lenet.tensor([[[[3.0, 4.0]]]]), 2, (1, 1, 2))
        tensor([[[[5.]]]])
    """
    depth, rows, columns = per_dimension("kernel_size", kernel_size, 3, 1)
    mean = avg_pool3d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
    return root(mean, number(norm_type), depth * rows * columns)


@whole
def adaptive_avg_pool3d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means of windows that together cover a volume; see `adaptive_avg_pool2d`.

    Args:
        output_size: depths, rows and columns of the result, or one number for all; None keeps the volume's size.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> (N, C, P, Q, R)

    Source: torch.nn.functional.adaptive_avg_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_avg_pool3d(lenet.arange(8.0).view(1, 2, 2, 2), 1)
        tensor([[[[3.5000]]]])
    """
    out = wanted_size("adaptive_avg_pool3d", input, 3, output_size)
    if out == (1, 1, 1):
        return input.mean((-3, -2, -1), keepdim=True)
    if input.array.ndim == 4:
        return batched(input, lambda x: adaptive_avg_pool3d(x, out))
    n, c, d, h, w = input.array.shape
    y = AdaptiveAvgPool2D.apply(input.reshape(n, c * d, h, w), out=out[1:])
    y = AdaptiveAvgPool2D.apply(y.reshape(n, c, d, out[1] * out[2]), out=(out[0], out[1] * out[2]))
    return y.reshape(n, c, *out)


@whole
def adaptive_max_pool3d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """The greatest values of windows that together cover a volume; see `adaptive_max_pool2d`.

    Args:
        output_size: depths, rows and columns of the result, or one number for all; None keeps the volume's size.
        return_indices: also return where each maximum lies in its flattened volume.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> (N, C, P, Q, R)

    Source: torch.nn.functional.adaptive_max_pool3d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_max_pool3d(lenet.arange(8.0).view(1, 2, 2, 2), (1, 1, 2))
        tensor([[[[6., 7.]]]])
    """
    out = wanted_size("adaptive_max_pool3d", input, 3, output_size)
    if input.array.ndim == 4:
        return batched(input, lambda x: adaptive_max_pool3d(x, out, return_indices))
    return AdaptiveMaxPool3D.apply(input, out=out, indices=return_indices)


def _check_float(name: str, input: Tensor) -> None:
    check_image(name, input, 3)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; convert with .float()")
