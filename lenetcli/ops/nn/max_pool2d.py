"""Max pooling of images and sequences, and its undoing. A sequence is an image of height 1."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Edge, Variable
from lenetcli.errors import ShapeError
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import Array
from lenetcli.kernels.pool import of_winners, put, take, winner_index
from lenetcli.kernels.window import Pair
from lenetcli.ops import fusion
from lenetcli.ops.nn.geometry import (
    Sizes,
    as_images,
    batched,
    check_image,
    left_out,
    per_dimension,
    pool_windows,
    window_at,
)

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class MaxPool2DWithIndices(Op):
    formula = "y = the largest x in each {kernel} window"
    gradient = ("d_x = grad at the largest of each window, else 0",)
    merge = staticmethod(fusion.merge)
    merge_graph = staticmethod(fusion.merge_graph)
    pooled: tuple[Array, list[int], int] | None = None  # the result, its version counter and version, for `merge`
    winner: Array | None = None  # what is kept of a whole row, see kernels.fused
    backward_graph = linear

    def forward(
        ctx: Any, x: Array, *, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool, indices: bool
    ) -> Any:
        y, winner = kernels.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)
        ctx.save(winner)
        ctx.geometry = x.shape[2:], kernel, stride, padding, dilation
        return (y, winner_index(winner, *ctx.geometry)) if indices else y

    def backward(ctx: Any, grad: Array, _: Any = None) -> Array:
        (winner,) = ctx.saved
        return kernels.max_pool2d_backward(grad, winner, *ctx.geometry)

    def jvp(ctx: Any, tangent: Array) -> Any:
        (winner,) = ctx.saved
        y = of_winners(tangent, winner, *ctx.geometry[1:])
        return (y, None) if len(ctx.outputs) == 2 else y

    def record(self, edges: list[Edge], results: Sequence[Variable]) -> None:
        super().record(edges, results)
        if results:  # else they are to come
            self.pooled = results[0].array, results[0].counter, results[0]._version

    def release(self) -> None:
        super().release()
        self.pooled = self.winner = None

    @property
    def halves(self) -> bool:
        """Whether its windows are of 2x2, side by side, with nothing beside them."""
        image, *windows = self.geometry
        return windows == fusion.HALVES and self.outputs[0][0][2:] == (image[0] // 2, image[1] // 2)

    @staticmethod
    def example(seen: Any, at: tuple[int, ...]) -> Any:
        window = window_at(seen, at)
        if window is None or window.size > 9:
            return None
        values = ", ".join(f"{float(v):.4g}".replace("-", "−") for v in window.reshape(-1))
        return f"{seen.element('y', at)} = the largest of its window", f"max({values})", float(window.max())

    @staticmethod
    def example_d_x(seen: Any, at: tuple[int, ...]) -> Any:
        arriving = []
        for place in np.ndindex(*seen.y.shape[2:]) if seen.y.ndim == 4 and seen.y[0, 0].size <= 4096 else ():
            spot = (*at[:2], *place)
            window = window_at(seen, spot)
            if window is None or not window.size:
                return None
            offset = [i - p * s for i, p, s in zip(at[2:], place, seen.parameters["stride"])]
            inside = all(0 <= o < size for o, size in zip(offset, window.shape))
            if inside and int(window.argmax()) == offset[0] * window.shape[1] + offset[1]:
                arriving.append(float(seen.grad[spot]))
        if not arriving:
            return None
        numbers, value = seen.sum(np.array(arriving))
        return f"{seen.element('d_x', at)} = grad of the windows whose largest it is", numbers, value


@whole
def max_pool1d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest value in each window of a sequence; see `max_pool2d`.

    Shape:
        (N, C, L) or (C, L) -> (N, C, Q), with Q as for conv1d.

    Raises:
        ShapeError: the window does not fit.

    Source: torch.nn.functional.max_pool1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_pool1d(lenet.tensor([[1.0, 3.0, 2.0, 4.0]]), 2, return_indices=True)
        (tensor([[3., 4.]]), tensor([[1, 3]]))
    """
    check_image("max_pool1d", input, 1)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"max_pool1d: not implemented for {input.dtype}")
    if input.array.ndim == 2:
        return batched(
            input, lambda x: max_pool1d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        )
    windows = pool_windows("max_pool1d", input, 1, kernel_size, stride, padding, dilation, ceil_mode)
    return as_images(
        input, lambda x: MaxPool2DWithIndices.apply(x, **windows, ceil_mode=ceil_mode, indices=return_indices)
    )


def max_pool2d(
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    dilation: Sizes = 1,
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
        Goes to the first of equal values, in row order; where there is NaN, to the last NaN.

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
    x = check_image("max_pool2d", input, 2)
    if x.dtype == np.bool_:
        raise NotImplementedError("max_pool2d: not implemented for bool")
    if x.ndim == 3:
        return batched(
            input, lambda x: max_pool2d(x, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        )
    windows = pool_windows("max_pool2d", input, 2, kernel_size, stride, padding, dilation, ceil_mode)
    if input.pending is None:
        return MaxPool2DWithIndices.apply(input, **windows, ceil_mode=ceil_mode, indices=return_indices)
    halved = (*x.shape[:2], x.shape[2] // 2, x.shape[3] // 2)
    return fusion.follow(MaxPool2DWithIndices, halved, input, **windows, ceil_mode=ceil_mode, indices=return_indices)


class MaxUnpool2D(Op):
    formula = "y = x at the places of index, else 0"
    gradient = ("d_x = grad at the places of index",)
    backward_graph = linear

    def forward(ctx: Any, x: Array, index: Array, *, image: Pair) -> Array:
        ctx.save(index)
        return put(x, index, image)

    def backward(ctx: Any, grad: Array) -> Any:
        (index,) = ctx.saved
        return take(grad, index), None

    def jvp(ctx: Any, tangent: Array, _: Any) -> Array:
        (index,) = ctx.saved
        return put(tangent, index, ctx.outputs[0][0][2:], np.add)  # backward is the same for places named twice


@whole
def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts maxima of a sequence back where they were; see `max_unpool2d`.

    Shape:
        (N, C, Q) or (C, Q) -> (N, C, L), L = (Q - 1) stride - 2 padding + kernel_size unless `output_size` says it.

    Raises:
        ShapeError: indices of another shape, or outside of the result.

    Source: torch.nn.functional.max_unpool1d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_unpool1d(lenet.tensor([[3.0, 4.0]]), lenet.tensor([[1, 3]]), 2)
        tensor([[0., 3., 0., 4.]])
    """
    return _unpooled("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)


@whole
def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None = None,
    padding: Sizes = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:
    """Puts maxima back where they were, with zeros around them: the opposite of `max_pool2d(..., return_indices=True)`.

    Args:
        indices: where in its flattened result each value goes.
        kernel_size, stride, padding: of the pool.
        output_size: size of the result, where several sizes would have pooled to this one.

    Shape:
        (N, C, P, Q) or (C, P, Q) -> (N, C, H, W), H = (P - 1) stride - 2 padding + kernel_size

    Raises:
        ShapeError: indices of another shape, or outside of the result.
        ValueError: an output_size that the pool could not have had.

    Source: torch.nn.functional.max_unpool2d.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.max_unpool2d(*F.max_pool2d(lenet.arange(4.0).view(1, 2, 2), 2, return_indices=True), 2)
        tensor([[[0., 0.],
                 [0., 3.]]])
    """
    return _unpooled("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)


def _unpooled(
    name: str,
    dims: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> Any:
    image = unpooled_size(name, dims, input, indices, kernel_size, stride, padding, output_size)
    if input.array.ndim == dims + 1:
        return _unpooled(
            name, dims, input.unsqueeze(0), indices.unsqueeze(0), kernel_size, stride, padding, image
        ).squeeze(0)
    if dims == 2:
        return MaxUnpool2D.apply(input, indices, image=image)
    return as_images(input, lambda x: MaxUnpool2D.apply(x, indices.unsqueeze(-2), image=(1, *image)))


def unpooled_size(
    name: str,
    dims: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> tuple[int, ...]:
    """The size of the result.

    Raises:
        ShapeError: indices of another shape, or outside of the result.
        ValueError: an output_size that the pool could not have had.
    """
    check_image(name, input, dims)
    if input.array.dtype.kind != "f":
        raise NotImplementedError(f"{name}: not implemented for {input.dtype}")
    if indices.array.dtype != np.int64:
        raise RuntimeError(f"{name}: elements in indices should be type int64 but got {indices.dtype}")
    if indices.array.shape != input.array.shape:
        raise ShapeError(
            f"{name}: expected indices of the input's shape {list(input.shape)}, got {list(indices.shape)}"
        )
    image = _unpooled_size(name, dims, input, kernel_size, stride, padding, output_size)
    count = math.prod(image)
    if indices.array.size and not 0 <= indices.array.min() <= indices.array.max() < count:
        outside = int(indices.array.max() if indices.array.max() >= count else indices.array.min())
        raise ShapeError(f"{name}: index {outside} is outside of a result of {' x '.join(map(str, image))}")
    return image


def _unpooled_size(
    name: str,
    dims: int,
    input: Tensor,
    kernel_size: Sizes,
    stride: Sizes | None,
    padding: Sizes,
    output_size: Sequence[int] | None,
) -> tuple[int, ...]:
    kernel = per_dimension("kernel_size", kernel_size, dims, 1)
    step = kernel if left_out(stride) else per_dimension("stride", stride, dims, 1)
    border = per_dimension("padding", padding, dims, 0)
    default = [(size - 1) * s + k - 2 * b for size, s, k, b in zip(input.array.shape[-dims:], step, kernel, border)]
    if output_size is None:
        size = tuple(default)
        if min(size) < 1:
            raise ShapeError(f"{name}: input {list(input.shape)} with these arguments gives a result of {default}")
        return size
    size = tuple(int(s) for s in output_size)
    size = size[-dims:] if len(size) == input.array.ndim else size
    if len(size) != dims:
        raise ValueError(f"{name}: output_size should have {dims} or {input.array.ndim} elements, got {output_size}")
    for i, (wanted, usual, s) in enumerate(zip(size, default, step)):
        if not usual - s < wanted < usual + s:
            raise ValueError(
                f'{name}: invalid output_size "{size}" (dim {i} must be between {usual - s} and {usual + s})'
            )
    return size
