"""Ops that give the same values another arrangement, as ONNX's operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.export.graph import INDEX, Builder, Growing, Value, fixed, lowers
from lenetcli.ops.linalg.tensordot import Spread
from lenetcli.ops.shaping import cat, diagonal, expand, flip, permute, pixel_shuffle, reshape, split

LAST = np.iinfo(np.int64).max  # an end beyond every size


@lowers(reshape.View, reshape.ViewOwn, reshape.UnsafeView, reshape.Unsqueeze, reshape.Squeeze, Spread, any_batch=True)
def view(b: Builder, x: Value) -> Any:
    return reshaped(b, x, b.out.shape)


def same(a: Sequence[int], b: Sequence[int]) -> bool:
    """The sizes are equal, for any number of samples."""
    return len(a) == len(b) and all(m == n and getattr(m, "more", 0) == getattr(n, "more", 0) for m, n in zip(a, b))


def reshaped(b: Builder, x: Any, shape: Sequence[int], old: Sequence[int] | None = None) -> Any:
    """Other sizes for the same values.

    A size that grows with the number of samples is copied where it stands, or the one that is left to be found.

    Args:
        old: the sizes so far, where `x` is a name.
    """
    old = x.shape if old is None else old
    if same(old, shape):
        return x
    if len(old) > 2 and len(shape) == 2 and isinstance(shape[0], Growing) and same(old[:1], shape[:1]):
        return b.add("Flatten", x, axis=1)
    if 0 in shape or 0 in old:
        raise b.refusal("there is nothing in it")
    sizes, unknown = [], 0
    for at, size in enumerate(shape):
        if not isinstance(size, Growing):
            sizes.append(int(size))
        elif at < len(old) and same(old[at : at + 1], [size]):
            sizes.append(0)
        else:
            sizes.append(-1)
            unknown += 1
    return b.add("Reshape", x, np.array(sizes, INDEX) if unknown < 2 else b.sizes(*shape))


@lowers(expand.Expand, any_batch=True)
def expanded(b: Builder, x: Value) -> Any:
    if same(x.shape, b.out.shape):
        return x
    return b.add("Expand", x, b.sizes(*b.out.shape))


@lowers(expand.Repeat, any_batch=True)
def repeat(b: Builder, x: Value, repeats: Sequence[int]) -> Any:
    old = ((1,) * (len(repeats) - x.ndim)) + x.shape
    return b.add("Tile", reshaped(b, x, old), b.sizes(*repeats))


@lowers(expand.RepeatEach, expand.RepeatAlike, any_batch=True)
def repeat_each(b: Builder, x: Value, repeats: Value, along: int) -> Any:
    if repeats.array is None or isinstance(x.shape[along], Growing):
        raise b.refusal("how often each is repeated depends on the input")
    return b.add("Gather", x, np.repeat(np.arange(x.shape[along]), repeats.array), axis=along)


@lowers(permute.Permute, permute.Transpose, any_batch=True)
def permuted(b: Builder, x: Value, dims: Sequence[int]) -> Any:
    return turned_to(b, x, dims)


@lowers(permute.T, any_batch=True)
def transposed(b: Builder, x: Value) -> Any:
    return turned_to(b, x, range(x.ndim)[::-1])


def turned_to(b: Builder, x: Any, dims: Sequence[int]) -> Any:
    """The dimensions in another order."""
    order = tuple(dims)
    return x if order == tuple(range(len(order))) else b.add("Transpose", x, perm=order)


@lowers(cat.Cat, any_batch=True)
def joined(b: Builder, arrays: list[Value], dim: int) -> Any:
    parts = [b.cast(x, b.out.kind) for x in arrays if x.shape != (0,)]
    return b.add("Concat", *parts, axis=dim) if len(parts) > 1 else parts[0] if parts else arrays[0]


@lowers(cat.Stack, any_batch=True)
def stacked(b: Builder, arrays: list[Value], dim: int) -> Any:
    parts = []
    for x in arrays:
        name = b.cast(x, b.out.kind)
        parts.append(reshaped(b, name, (*x.shape[:dim], 1, *x.shape[dim:]), x.shape))
    return b.add("Concat", *parts, axis=dim) if len(parts) > 1 else parts[0]


def part(b: Builder, x: Any, axis: int, start: int, stop: int, size: int) -> Any:
    """x[..., start:stop, ...]; an end that grows with the number of samples is counted from behind."""
    bounds = []
    for at in (start, stop):
        if isinstance(at, Growing):
            if not isinstance(size, Growing) or size.more != at.more:
                raise b.refusal("where it is cut depends on the number of samples; give that number with --batch")
            behind = int(at) - int(size)
            bounds.append(LAST if behind == 0 else behind)
        else:
            bounds.append(int(at))
    if bounds == [0, LAST] or (bounds[0] == 0 and fixed([size]) and stop == size):
        return x
    return b.add("Slice", x, *(np.array([at], INDEX) for at in (*bounds, axis)))


@lowers(split.SplitWithSizes, split.Split, any_batch=True)
def split_(b: Builder, x: Value, along: int, lengths: Sequence[int]) -> Any:
    stops = [sum_of(lengths[: i + 1]) for i in range(len(lengths))]
    starts = [0, *stops[:-1]]
    return tuple(part(b, x, along, start, stop, x.shape[along]) for start, stop in zip(starts, stops))


def sum_of(sizes: Sequence[int]) -> int:
    """The sum of sizes, which grows where one of them does."""
    more = sum(n.more for n in sizes if isinstance(n, Growing))
    total = sum(int(n) for n in sizes)
    return Growing(total, more) if more else total


@lowers(split.Unbind, any_batch=True)
def unbind(b: Builder, x: Value, along: int) -> Any:
    return tuple(b.add("Gather", x, np.array(i, INDEX), axis=along) for i in range(len(b.results)))


@lowers(split.Unfold, any_batch=True)
def unfold(b: Builder, x: Value, along: int, size: int, step: int) -> Any:
    """The windows along a dimension are gathered, and their places become the last dimension."""
    if not x.ndim or isinstance(x.shape[along], Growing):
        raise b.refusal("its windows run over the samples")
    starts = np.arange(0, x.shape[along] - size + 1, step)
    found = b.add("Gather", x, starts[:, None] + np.arange(size), axis=along)
    dims = list(range(x.ndim + 1))
    dims.append(dims.pop(along + 1))
    return turned_to(b, found, dims)


@lowers(flip.Flip, any_batch=True)
def flipped(b: Builder, x: Value, over: Sequence[int]) -> Any:
    return reversed_(b, x, over) if x.ndim else x


def reversed_(b: Builder, x: Any, over: Sequence[int]) -> Any:
    """The other way round along some dimensions."""
    if not over:
        return x
    count = len(over)
    ends = np.array([-LAST] * count, INDEX)
    return b.add("Slice", x, np.array([-1] * count), ends, np.array(over, INDEX), np.array([-1] * count))


@lowers(flip.Roll, any_batch=True)
def rolled(b: Builder, x: Value, shifts: Sequence[int], dims: Sequence[int] | None) -> Any:
    if dims is None:
        if not fixed(x.shape):
            raise b.refusal("it rolls samples into each other")
        flat = reshaped(b, x, (math.prod(x.shape),))
        return reshaped(b, _rolled(b, flat, 0, shifts[0], math.prod(x.shape)), x.shape, (math.prod(x.shape),))
    found: Any = x
    for shift, dim in zip(shifts, dims):
        found = _rolled(b, found, dim, shift, x.shape[dim])
    return found


def _rolled(b: Builder, x: Any, axis: int, shift: int, size: int) -> Any:
    if isinstance(size, Growing):
        raise b.refusal("it rolls samples")
    if not size or not shift % size:
        return x
    cut = size - shift % size
    return b.add("Concat", part(b, x, axis, cut, size, size), part(b, x, axis, 0, cut, size), axis=axis)


@lowers(flip.Rot90, any_batch=True)
def rotated(b: Builder, x: Value, k: int, dims: tuple[int, int]) -> Any:
    first, second = dims
    if k % 4 == 0:
        return x
    if k % 4 == 2:
        return reversed_(b, x, dims)
    order = list(range(x.ndim))
    order[first], order[second] = second, first
    if k % 4 == 1:
        return turned_to(b, reversed_(b, x, [second]), order)
    return reversed_(b, turned_to(b, x, order), [second])


@lowers(pixel_shuffle.PixelShuffle)
def pixel_shuffle_(b: Builder, x: Value, factor: int) -> Any:
    b.check_dims(x, 4)
    return b.add("DepthToSpace", x, blocksize=factor, mode="CRD")


@lowers(pixel_shuffle.PixelUnshuffle)
def pixel_unshuffle(b: Builder, x: Value, factor: int) -> Any:
    """Not SpaceToDepth, which orders channels in another way."""
    b.check_dims(x, 4)
    r, (c, h, w) = factor, x.shape[1:]
    blocks = b.add("Reshape", x, np.array([0, c, h // r, r, w // r, r]))
    turned = b.add("Transpose", blocks, perm=(0, 1, 3, 5, 2, 4))
    return b.add("Reshape", turned, np.array([0, c * r * r, h // r, w // r]))


@lowers(pixel_shuffle.ChannelShuffle)
def channel_shuffle(b: Builder, x: Value, groups: int) -> Any:
    c, image = x.shape[1], x.shape[2:]
    rest = range(3, 3 + len(image))
    split_up = b.add("Reshape", x, np.array([0, groups, c // groups, *image]))
    return b.add("Reshape", b.add("Transpose", split_up, perm=(0, 2, 1, *rest)), np.array([0, c, *image]))


@lowers(diagonal.Tril, diagonal.Triu, any_batch=True)
def triangle(b: Builder, x: Value, diagonal: int) -> Any:
    if not fixed(x.shape[-2:]):
        raise b.refusal("its triangle runs over the samples")
    ones = np.ones(x.shape[-2:], np.bool_)
    kept = np.tril(ones, diagonal) if b.op == "Tril" else np.triu(ones, diagonal)
    return b.add("Where", kept, x, np.zeros((), x.kind))


@lowers(diagonal.Diagonal, diagonal.DiagonalCopy, any_batch=True)
def diagonal_(b: Builder, x: Value, offset: int, dims: tuple[int, int]) -> Any:
    """The two dimensions as one, whose places on the diagonal are gathered."""
    rest = [d for d in range(x.ndim) if d not in dims]
    rows, columns = (x.shape[d] for d in dims)
    if not fixed([rows, columns]):
        raise b.refusal("its diagonal runs over the samples")
    turned = turned_to(b, x, [*rest, *dims])
    shape = [x.shape[d] for d in rest]
    flat = reshaped(b, turned, (*shape, rows * columns), (*shape, rows, columns))
    places = np.diagonal(np.arange(rows * columns).reshape(rows, columns), offset)
    return b.add("Gather", flat, np.ascontiguousarray(places), axis=len(rest))


@lowers(diagonal.Trace)
def trace(b: Builder, x: Value) -> Any:
    if not fixed(x.shape):
        raise b.refusal("its diagonal runs over the samples")
    eye = np.eye(*x.shape, dtype=np.bool_)
    kept = b.add("Where", eye, b.cast(x, b.out.kind), np.zeros((), b.out.kind))
    return b.add("ReduceSum", kept, np.array([0, 1], INDEX), keepdims=0)


@lowers(diagonal.DiagEmbed, any_batch=True)
def diag_embed(b: Builder, x: Value, offset: int, dims: tuple[int, int]) -> Any:
    length = x.shape[-1]
    if isinstance(length, Growing):
        raise b.refusal("its diagonal runs over the samples")
    size = length + abs(offset)
    column = np.clip(np.arange(size) - max(offset, 0), 0, max(length - 1, 0))
    wide = b.add("Gather", x, np.broadcast_to(column, (size, size)).copy(), axis=x.ndim - 1)
    kept = b.add("Where", np.eye(size, k=offset, dtype=np.bool_), wide, np.zeros((), x.kind))
    order: list[int] = list(range(x.ndim - 1))
    for place, dim in sorted(zip(dims, (x.ndim - 1, x.ndim))):
        order.insert(place, dim)
    return turned_to(b, kept, order)


@lowers(diagonal.FillDiagonal, any_batch=True)
def fill_diagonal(b: Builder, x: Value, value: Any, wrap: bool) -> Any:
    if not fixed(x.shape):
        raise b.refusal("its diagonal runs over the samples")
    mask = np.zeros(x.shape, np.bool_)
    np.fill_diagonal(mask, True, wrap)
    return b.add("Where", mask, np.array(value, x.kind), x)
