"""Average pooling of images and sequences, and power-average pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.avg_pool import window_counts
from lenetcli.kernels.layout import Array
from lenetcli.kernels.window import Pair, extent
from lenetcli.ops.nn.geometry import Sizes, as_images, batched, check_image, per_dimension, pool_windows, window_at
from lenetcli.ops.operands import number, quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class AvgPool2D(Op):
    formula = "y = the mean of x over each {kernel} window"
    gradient = ("d_x = grad / window size, at each place of the window",)
    backward_graph = linear

    @quiet
    def forward(
        ctx: Any,
        x: Array,
        *,
        kernel: Pair,
        stride: Pair,
        padding: Pair,
        ceil_mode: bool,
        count_include_pad: bool,
        divisor: int | None,
    ) -> Array:
        ctx.image = x.shape[2:]
        ctx.geometry = kernel, stride, padding
        ctx.divisor = _divisor(ctx.image, kernel, stride, padding, ceil_mode, count_include_pad, divisor).astype(
            x.dtype
        )
        return kernels.avg_pool2d(x, ctx.divisor, *ctx.geometry)

    def backward(ctx: Any, grad: Array) -> Array:
        return kernels.avg_pool2d_backward(grad, ctx.divisor, ctx.image, *ctx.geometry)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        window = window_at(seen, at)
        if window is None:
            return None
        numbers, value = seen.sum(window)
        return f"{seen.element('y', at)} = mean of its window", f"({numbers}) / {window.size}", value / window.size


def _divisor(
    image: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Array:
    """(P, Q): what each window's sum is divided by."""
    counts = []
    for size, k, s, p in zip(image, kernel, stride, padding):
        counts.append(window_counts(size, k, s, p, extent(size, k, s, p, 1, ceil_mode), count_include_pad))
    product = np.outer(*counts)
    return product if divisor is None else np.full_like(product, divisor)


@whole
def avg_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of each window of a sequence; see `avg_pool2d`.

    Shape:
        (N, C, L) or (C, L) -> (N, C, Q), with Q as for conv1d.

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.avg_pool1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.avg_pool1d(lenet.tensor([[1.0, 3.0, 2.0, 4.0]]), 2)
        tensor([[2., 3.]])
    """
    check_image("avg_pool1d", input, 1)
    if input.array.ndim == 2:
        return batched(input, lambda x: avg_pool1d(x, kernel_size, stride, padding, ceil_mode, count_include_pad))
    windows = _windows("avg_pool1d", input, 1, kernel_size, stride, padding, ceil_mode)
    return as_images(
        input,
        lambda x: AvgPool2D.apply(x, **windows, ceil_mode=ceil_mode, count_include_pad=count_include_pad, divisor=None),
    )


def avg_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The mean of each window.

    Args:
        input: images; a single unbatched image (C, H, W) is accepted, as in torch.
        kernel_size: window in pixels, one number or (rows, columns).
        stride: step between windows; the window's size unless given.
        padding: border of zeros, at most half the window.
        ceil_mode: keep a last, partial window.
        count_include_pad: whether the border's zeros count in the mean.
        divisor_override: divide by this instead of the count.

    Shape:
        (N, C, H, W) -> (N, C, P, Q), with P as for conv2d.

    Gradient:
        In equal shares to the window's pixels.

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.avg_pool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.avg_pool2d(lenet.arange(16.0).view(1, 1, 4, 4), 2)
        tensor([[[[ 2.5000,  4.5000],
                  [10.5000, 12.5000]]]])
    """
    check_image("avg_pool2d", input, 2)
    if divisor_override == 0:
        raise RuntimeError("avg_pool2d: divisor must be not zero")
    if input.array.ndim == 3:
        return batched(
            input,
            lambda x: avg_pool2d(x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override),
        )
    windows = _windows("avg_pool2d", input, 2, kernel_size, stride, padding, ceil_mode)
    return AvgPool2D.apply(
        input, **windows, ceil_mode=ceil_mode, count_include_pad=count_include_pad, divisor=divisor_override
    )


def _windows(
    name: str,
    input: Tensor,
    dims: int,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    ceil_mode: bool,
) -> dict[str, Pair]:
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}; convert with .float()")
    windows = pool_windows(name, input, dims, kernel_size, stride, padding, 1, ceil_mode)
    del windows["dilation"]
    return windows


@whole
def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window of a sequence; see `lp_pool2d`.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.lp_pool1d(lenet.tensor([[3.0, 4.0]]), 2, 2)
        tensor([[5.]])
    """
    count = per_dimension("kernel_size", kernel_size, 1, 1)[0]
    return root(avg_pool1d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), norm_type, count)


@whole
def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Sizes, stride: Sizes | None = None, ceil_mode: bool = False
) -> Tensor:
    """The p-norm of each window.

    Formula:
        (sum over the window of x^p)^(1 / p); 0 where the sum is negative

    Args:
        norm_type: p; 1 is the sum.

    Shape:
        As for avg_pool2d.

    Gradient:
        NaN where all of a window is 0, as in torch.

    Source: torch.nn.functional.lp_pool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.lp_pool2d(lenet.tensor([[[3.0, 4.0]]]), 2, (1, 2))
        tensor([[[5.]]])
    """
    rows, columns = per_dimension("kernel_size", kernel_size, 2, 1)
    return root(avg_pool2d(input.pow(norm_type), kernel_size, stride, 0, ceil_mode), number(norm_type), rows * columns)


def root(mean: Tensor, norm_type: float, count: int) -> Tensor:
    return (mean.sign() * mean.abs().relu()).mul(count).pow(1.0 / norm_type)
