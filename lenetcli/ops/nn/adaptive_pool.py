"""Pooling to a given size, whatever the input's: adaptive average and max pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels import avg_pool, dispatch
from lenetcli.kernels.layout import Array, is_channels_last
from lenetcli.kernels.pool import put, take
from lenetcli.kernels.window import Pair
from lenetcli.ops.nn.geometry import as_images, batched, check_image
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

OutputSize = int | Sequence[int | None] | None  # None keeps the input's size


class AdaptiveAvgPool2D(Op):
    formula = "y = the mean of x over each of {out} windows"
    gradient = ("d_x = grad / window size, all over the window",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, out: Pair) -> Array:
        ctx.image, ctx.channels_last = x.shape[2:], is_channels_last(x)
        return dispatch.adaptive_avg_pool2d(x, out)

    def backward(ctx: Any, grad: Array) -> Array:
        return dispatch.adaptive_avg_pool2d_backward(grad, ctx.image, ctx.channels_last)


class AdaptiveMaxPool2D(Op):
    formula = "y = the largest x in each of {out} windows"
    gradient = ("d_x = grad at the largest of each window, else 0",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, out: Pair, indices: bool) -> Any:
        y, index = avg_pool.adaptive_max_pool2d(x, out)
        ctx.save(index)
        ctx.image = x.shape[2:]
        return (y, index) if indices else y

    def backward(ctx: Any, grad: Array, _: Any = None) -> Array:
        (index,) = ctx.saved
        return put(grad, index, ctx.image, np.add)

    def jvp(ctx: Any, tangent: Array) -> Any:
        (index,) = ctx.saved
        y = take(tangent, index)
        return (y, None) if len(ctx.outputs) == 2 else y


@whole
def adaptive_avg_pool1d(input: Tensor, output_size: int | Sequence[int]) -> Tensor:
    """Means of `output_size` windows that together cover a sequence; see `adaptive_avg_pool2d`.

    Shape:
        (N, C, L) or (C, L) -> (N, C, output_size)

    Source: torch.nn.functional.adaptive_avg_pool1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_avg_pool1d(lenet.tensor([[1.0, 2.0, 3.0]]), 2)
        tensor([[1.5000, 2.5000]])
    """
    out = wanted_size("adaptive_avg_pool1d", input, 1, output_size)
    if input.array.ndim == 2:
        return batched(input, lambda x: adaptive_avg_pool1d(x, out))
    return as_images(input, lambda x: _average(x, (1, *out)))


@whole
def adaptive_avg_pool2d(input: Tensor, output_size: OutputSize) -> Tensor:
    """Means of windows that together cover the image: `output_size` of them, whatever the image's size.

    Formula:
        Window i of an axis of size H cut into P runs from floor(i H / P) to ceil((i + 1) H / P).

    Args:
        output_size: P and Q, or one number for both; None keeps the image's size.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, P, Q)

    Gradient:
        In equal shares to each window's pixels.

    Raises:
        ShapeError: an empty image, or a negative size.

    Source: torch.nn.functional.adaptive_avg_pool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_avg_pool2d(lenet.arange(16.0).view(1, 4, 4), (1, 2))
        tensor([[[6.5000, 8.5000]]])
    """
    out = wanted_size("adaptive_avg_pool2d", input, 2, output_size)
    if input.array.ndim == 3 and out != (1, 1):
        return batched(input, lambda x: adaptive_avg_pool2d(x, out))
    return _average(input, out)


def _average(input: Tensor, out: tuple[int, ...]) -> Any:
    """The whole image's mean is an op of its own, in torch too."""
    return input.mean((-2, -1), keepdim=True) if out == (1, 1) else AdaptiveAvgPool2D.apply(input, out=out)


@whole
def adaptive_max_pool1d(input: Tensor, output_size: int | Sequence[int], return_indices: bool = False) -> Any:
    """The greatest values of `output_size` windows that together cover a sequence; see `adaptive_max_pool2d`.

    Shape:
        (N, C, L) or (C, L) -> (N, C, output_size)

    Source: torch.nn.functional.adaptive_max_pool1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_max_pool1d(lenet.tensor([[1.0, 3.0, 2.0]]), 2, return_indices=True)
        (tensor([[3., 3.]]), tensor([[1, 1]]))
    """
    out = wanted_size("adaptive_max_pool1d", input, 1, output_size)
    if input.array.ndim == 2:
        return batched(input, lambda x: adaptive_max_pool1d(x, out, return_indices))
    return as_images(input, lambda x: AdaptiveMaxPool2D.apply(x, out=(1, *out), indices=return_indices))


def adaptive_max_pool2d(input: Tensor, output_size: OutputSize, return_indices: bool = False) -> Any:
    """The greatest values of windows that together cover the image; the windows are those of `adaptive_avg_pool2d`.

    Args:
        output_size: P and Q, or one number for both; None keeps the image's size.
        return_indices: also return where each maximum lies in its flattened image.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, P, Q)

    Gradient:
        Goes to the first of equal values, in row order; where there is NaN, to the last NaN.

    Raises:
        ShapeError: an empty image, or a negative size.

    Source: torch.nn.functional.adaptive_max_pool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.adaptive_max_pool2d(lenet.arange(16.0).view(1, 4, 4), (1, 2))
        tensor([[[13., 15.]]])
    """
    out = wanted_size("adaptive_max_pool2d", input, 2, output_size)
    if input.array.ndim == 3:
        return batched(input, lambda x: adaptive_max_pool2d(x, out, return_indices))
    return AdaptiveMaxPool2D.apply(input, out=out, indices=return_indices)


def wanted_size(name: str, input: Tensor, dims: int, output_size: Any) -> tuple[int, ...]:
    """P (and Q), with the input's own sizes for None.

    Raises:
        TypeError: no integers.
        ShapeError: another number of sizes, a negative one, or an input that is no image.
        NotImplementedError: an integer input.
    """
    check_image(name, input, dims)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; convert with .float()")
    given = tuple(output_size) if isinstance(output_size, Sequence) else (output_size,) * dims
    if len(given) != dims:
        raise ShapeError(f"{name}: output_size must have {dims} numbers, got {output_size}")
    image = input.array.shape[-dims:]
    out = tuple(size if wanted is None and dims > 1 else wanted for size, wanted in zip(image, given))
    if any(isinstance(o, bool) or not isinstance(o, (int, np.integer)) for o in out):
        raise TypeError(f"{name}: output_size must be integers, got {output_size!r}")
    if min(out) < 0:
        raise ShapeError(f"{name}: output_size must not be negative, got {output_size}")
    return tuple(int(o) for o in out)
