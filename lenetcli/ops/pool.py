"""Pooling of images and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lenetcli.autograd.op import Op
from lenetcli.errors import ShapeError
from lenetcli.kernels import active as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.pool import winner_index
from lenetcli.kernels.window import Pair, extent
from lenetcli.ops.conv import pair

if TYPE_CHECKING:
    from lenetcli._tensor import Tensor


class MaxPool2DWithIndices(Op):
    @staticmethod
    def forward(
        ctx: Any, x: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool, indices: bool
    ) -> Any:
        y, winner = kernels.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        ctx.save(winner)
        ctx.geometry = x.shape[2:], kernel, stride, padding, dilation
        return (y, winner_index(winner, *ctx.geometry)) if indices else y

    @staticmethod
    def backward(ctx: Any, grad: Array, _: Any = None) -> Array:
        (winner,) = ctx.saved
        return kernels.max_pool2d_backward(grad, winner, *ctx.geometry)


def max_pool2d(
    input: Tensor,
    kernel_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value in each window.

    Args:
        input: images; a single unbatched image (C, H, W) is accepted, as in torch.
        kernel_size: window in pixels, one number or (rows, columns).
        stride: step between windows; the window's size unless given.
        padding: border of minus infinity, at most half the window.
        dilation: step between the window's pixels.
        ceil_mode: keep a last, partial window.
        return_indices: also return where each maximum lies in its flattened image.

    Shape:
        (N, C, H, W) -> (N, C, P, Q), with P as for conv2d.

    Gradient:
        Goes to the first of equal values, in row order.

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.max_pool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_pool2d(lenet.arange(16.0).view(1, 1, 4, 4), 2)
        tensor([[[[ 5.,  7.],
                  [13., 15.]]]])
    """
    x = input.array
    if x.ndim == 3:
        batched = max_pool2d(input.unsqueeze(0), kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        return tuple(b.squeeze(0) for b in batched) if return_indices else batched.squeeze(0)
    if x.ndim != 4:
        raise ShapeError(
            f"max_pool2d: expected input (N, C, H, W) or (C, H, W), got {list(x.shape)}; "
            "unsqueeze(0) adds a missing dimension"
        )
    window, border, spread = (
        pair("kernel_size", kernel_size, 1),
        pair("padding", padding, 0),
        pair("dilation", dilation, 1),
    )
    steps = window if stride is None or stride == () else pair("stride", stride, 1)
    if 2 * border[0] > window[0] or 2 * border[1] > window[1]:
        raise ShapeError(
            f"max_pool2d: pad should be at most half of kernel size, got pad={border}, kernel_size={window}"
        )
    out = [extent(x.shape[2 + d], window[d], steps[d], border[d], spread[d], ceil_mode) for d in (0, 1)]
    if min(out) < 1:
        raise ShapeError(
            f"max_pool2d: a window of {window[0]}x{window[1]} does not fit into {x.shape[2]}x{x.shape[3]} "
            f"(padding {border}): the output would be {out[0]}x{out[1]}"
        )
    return MaxPool2DWithIndices.apply(
        input, kernel=window, stride=steps, padding=border, dilation=spread, ceil_mode=ceil_mode, indices=return_indices
    )
