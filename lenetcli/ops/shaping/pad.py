"""Borders around images and sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from lenetcli.autograd.op import Op
from lenetcli.autograd.rules import linear
from lenetcli.errors import ShapeError
from lenetcli.kernels.layout import Array
from lenetcli.kernels.padding import pad_axis, pad_axis_backward, source_index
from lenetcli.ops.operands import quiet

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

Borders = list[tuple[int, int]]  # (before, after) of each dimension, first dimension first


class ConstantPadNd(Op):
    formula = "y = x with a border of {value:g}"
    gradient = ("d_x = grad without the border",)
    backward_graph = linear

    @quiet
    def forward(ctx: Any, x: Array, *, borders: Borders, value: float) -> Array:
        ctx.borders = borders
        return _framed(x, borders, value)

    def backward(ctx: Any, grad: Array) -> Array:
        return _framed(grad, [(-left, -right) for left, right in ctx.borders], 0)

    def jvp(ctx: Any, tangent: Array) -> Array:
        return _framed(tangent, ctx.borders, 0)


def _framed(x: Array, borders: Borders, value: float) -> Array:
    """A copy with constant borders; negative ones crop."""
    y = np.full_like(x, value, shape=tuple(s + left + right for s, (left, right) in zip(x.shape, borders)))
    inside = tuple(slice(max(left, 0), s - max(right, 0)) for s, (left, right) in zip(y.shape, borders))
    shown = tuple(slice(max(-left, 0), s - max(-right, 0)) for s, (left, right) in zip(x.shape, borders))
    y[inside] = x[shown]
    return y


class _EdgePad(Op):
    """Borders made of the image itself; `axes` are those that have one."""

    mode: ClassVar[str]
    backward_graph = linear

    def forward(ctx: Any, x: Array, *, borders: Borders) -> Array:
        ctx.axes = []
        for axis, (left, right) in enumerate(borders):
            if left or right:
                index = source_index(ctx.mode, x.shape[axis], left, right)
                ctx.axes.append((axis, index, left, right))
                x = pad_axis(x, *ctx.axes[-1])
        return x if ctx.axes else x.copy(order="K")

    def backward(ctx: Any, grad: Array) -> Array:
        for one in reversed(ctx.axes):
            grad = pad_axis_backward(grad, *one)
        return grad


class ReflectionPad1D(_EdgePad):
    formula = "y = x with a mirrored border"
    gradient = ("d_x = grad, the border's added to where it came from",)
    mode = "reflect"


class ReflectionPad2D(ReflectionPad1D):
    pass


class ReflectionPad3D(ReflectionPad1D):
    pass


class ReplicationPad1D(_EdgePad):
    formula = "y = x with its edge repeated"
    gradient = ("d_x = grad, the border's added to the edge",)
    mode = "replicate"


class ReplicationPad2D(ReplicationPad1D):
    pass


class ReplicationPad3D(ReplicationPad1D):
    pass


class CircularPad(_EdgePad):
    formula = "y = x continued at its other end"
    gradient = ("d_x = grad, the border's added to where it came from",)
    mode = "circular"


_EDGE_PADS: dict[str, tuple[type[_EdgePad], ...]] = {
    "reflect": (ReflectionPad1D, ReflectionPad2D, ReflectionPad3D),
    "replicate": (ReplicationPad1D, ReplicationPad2D, ReplicationPad3D),
    "circular": (CircularPad, CircularPad, CircularPad),
}


def pad(
    input: Tensor,
    pad: Sequence[int],
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
    value: float | None = None,
) -> Tensor:
    """Puts borders around the last dimensions.

    Args:
        pad: (before, after) of the last dimension, then of the one before it, and so on; a negative number crops.
        mode: what the border shows: `value`, the image reflected at its edge pixel, the edge pixel itself, or the
            image's other side.
        value: of a constant border; 0 unless given.

    Shape:
        constant: any. The others pad the last dimension of (C, L) or (N, C, L), the last two of (C, H, W) or
        (N, C, H, W), or the last three of (C, D, H, W) or (N, C, D, H, W).

    Gradient:
        A pixel gets the sum over all places that show it.

    Raises:
        ShapeError: more pairs than dimensions, a reflected border not smaller than the image, a circular border larger
            than it, or nothing left.
        NotImplementedError: a mode other than constant with another number of dimensions.

    Source: torch.nn.functional.pad.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> F.pad(lenet.tensor([[1, 2, 3]]), (2, 1), mode="reflect")
        tensor([[3, 2, 1, 2, 3, 2]])
    """
    shape = input.array.shape
    borders = _borders(pad, len(shape))
    if mode == "constant":
        padded = tuple(s + left + right for s, (left, right) in zip(shape, borders))
        if any(min(p, s + min(left, 0), s + min(right, 0)) < 0 for p, s, (left, right) in zip(padded, shape, borders)):
            raise ShapeError(f"pad: {list(pad)} crops more than there is of {list(shape)}")
        return ConstantPadNd.apply(input, borders=borders, value=0 if value is None else value)
    if mode not in _EDGE_PADS:
        raise NotImplementedError(f"pad: unknown mode {mode!r}; there are constant, {', '.join(_EDGE_PADS)}")
    if value:
        raise RuntimeError(f'pad: mode "{mode}" does not take a value, got {value!r}')
    dims = len(pad) // 2
    if dims not in (1, 2, 3) or len(shape) not in (dims + 1, dims + 2):
        raise NotImplementedError(
            f'pad: mode "{mode}" with {2 * dims} numbers needs an input of {dims + 1} or {dims + 2} dimensions, '
            f"got {len(shape)}: {list(shape)}; give 2 numbers for (N, C, L), 4 for (N, C, H, W), 6 for (N, C, D, H, W)"
        )
    if mode != "circular" and input.array.dtype == np.bool_:
        raise NotImplementedError(f'pad: mode "{mode}" is not implemented for bool')
    for axis in range(len(shape) - dims, len(shape)):
        _check_edge(mode, shape, axis, *borders[axis])
    return _EDGE_PADS[mode][dims - 1].apply(input, borders=borders)


def _borders(pad: Sequence[int], ndim: int) -> Borders:
    if not isinstance(pad, (tuple, list)) or any(
        isinstance(p, bool) or not isinstance(p, (int, np.integer)) for p in pad
    ):
        raise TypeError(f"pad must be a sequence of integers, got {pad!r}")
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {list(pad)}")
    if len(pad) > 2 * ndim:
        raise ShapeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {ndim}"
        )
    given = [(int(pad[i]), int(pad[i + 1])) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(given)) + given[::-1]


def _check_edge(mode: str, shape: tuple[int, ...], axis: int, left: int, right: int) -> None:
    size = shape[axis]
    left_over = size + min(left, 0) + min(right, 0)
    most = {"reflect": size - 1, "replicate": max(left, right) if size else -1, "circular": left_over}[mode]
    if max(left, right) > most or ((left or right) and size == 0):
        raise ShapeError(
            f'pad: mode "{mode}" can put at most {max(most, 0)} on dimension {axis} of size {size}, '
            f"got {(left, right)} for input {list(shape)}"
        )
    index = source_index(mode, size, left, right)
    if not len(index) or index.min() < 0 or index.max() >= size:
        raise ShapeError(f"pad: {(left, right)} leaves nothing of dimension {axis} of {list(shape)}")
