"""Elements that an index or a mask names, as ONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.export.arrangement import part, reshaped, same
from lenetcli.export.graph import INDEX, TRUTH, Array, Builder, Growing, Value, fixed, lowers
from lenetcli.nn import functional as F
from lenetcli.ops.indexing import getitem
from lenetcli.ops.operands import axis
from lenetcli.tensors.tensor import from_numpy


@lowers(F.embedding, any_batch=True)
def embedding(b: Builder, input: Value, weight: Value, max_norm: float | None, norm_type: float) -> Any:
    """Rows that looking up would shorten are shortened here."""
    table: Any = weight
    if max_norm is not None and weight.array is not None:
        copy = from_numpy(weight.array.copy())
        everything = from_numpy(np.arange(len(weight.array)))
        table = F.embedding(everything, copy, None, max_norm, norm_type).array
    return b.add("Gather", table, input, axis=0)


@lowers(F.one_hot, any_batch=True)
def one_hot(b: Builder, tensor: Value, num_classes: int) -> Any:
    if num_classes == -1:
        raise b.refusal("how many classes there are depends on the values: give num_classes")
    column = reshaped(b, tensor, (*tensor.shape, 1))
    return b.add("Cast", b.add("Equal", column, np.arange(num_classes)), to=INDEX)


@lowers(getitem.Alias, any_batch=True)
def alias(b: Builder, x: Value) -> Value:
    return x


@lowers(getitem.NewDimension, any_batch=True)
def new_dimension(b: Builder, x: Value) -> Any:
    return reshaped(b, x, b.out.shape)


@lowers(getitem.Select, any_batch=True)
def select(b: Builder, x: Value, key: Any) -> Any:
    at, dim = next((at, dim) for dim, at in enumerate(key) if isinstance(at, int))
    size = x.shape[dim]
    if isinstance(at, Growing):
        at = int(at) - int(size)
    return b.add("Gather", x, np.array(at if at >= 0 or isinstance(size, Growing) else at + size, INDEX), axis=dim)


@lowers(getitem.Slice, getitem.Part, any_batch=True)
def slice_(b: Builder, x: Value, key: Any) -> Any:
    found: Any = x
    for dim, at in enumerate(key):
        if not isinstance(at, slice) or at == slice(None):
            continue
        if at.step in (None, 1):
            found = part(b, found, dim, 0 if at.start is None else at.start, at.stop, x.shape[dim])
        elif isinstance(at.start, Growing) or isinstance(at.step, Growing):
            raise b.refusal("where it is cut depends on the number of samples; give that number with --batch")
        else:
            stop = np.iinfo(np.int64).max if isinstance(at.stop, Growing) else at.stop
            if isinstance(at.stop, Growing) and int(at.stop) != x.shape[dim]:
                raise b.refusal("where it is cut depends on the number of samples; give that number with --batch")
            found = b.add("Slice", found, *(np.array([n], INDEX) for n in (at.start, stop, dim, at.step)))
    return found


@lowers(getitem.choose, any_batch=True)
def choose(b: Builder, input: Value, at: Any, subscript: Any) -> Any:
    """Rows along one dimension, or places in several that stand side by side."""
    named = [i for i, p in enumerate(subscript.chosen) if isinstance(p, Value)]
    tensors = [p for p in (at if isinstance(at, (tuple, list)) else (at,)) if isinstance(p, Value) and p.kind != TRUTH]
    indices = [subscript.chosen[i] for i in named]
    traced = [t for t in tensors if t.array is None]
    if subscript.masked or any(i.kind == TRUTH for i in indices):
        raise b.refusal("how much a mask leaves depends on the input; use where()")
    if len(named) == 1:
        index: Any = traced[0] if traced else _without_negative(indices[0], input.shape[named[0]])
        return b.add("Gather", input, index, axis=named[0])
    dims = [input.shape[i] for i in named]
    if traced or named != list(range(named[0], named[0] + len(named))) or not fixed(dims):
        raise b.refusal("an index of several tensors; use gather() or one index at a time")
    arrays = np.broadcast_arrays(*(_without_negative(i, n) for i, n in zip(indices, dims)))
    places = np.ravel_multi_index(tuple(arrays), tuple(map(int, dims)))
    rest = input.shape[named[-1] + 1 :]
    flat = reshaped(b, input, (*input.shape[: named[0]], int(np.prod(dims)), *rest))
    return b.add("Gather", flat, np.asarray(places), axis=named[0])


def _without_negative(index: Value, size: int) -> Array:
    assert index.array is not None, "an index of the trace"
    if isinstance(size, Growing):
        return index.array
    return np.asarray(np.where(index.array < 0, index.array + size, index.array), INDEX)


@lowers(lenet.index_select, any_batch=True)
def index_select(b: Builder, input: Value, dim: int, index: Value) -> Any:
    if not input.ndim:
        return input
    return b.add("Gather", input, reshaped(b, index, index.shape or (1,)), axis=axis(dim, input.ndim))


@lowers(lenet.take, any_batch=True)
def take(b: Builder, input: Value, index: Value) -> Any:
    if not fixed(input.shape):
        raise b.refusal("its index runs over all samples")
    return b.add("Gather", reshaped(b, input, (int(np.prod(input.shape)),)), index, axis=0)


@lowers(lenet.gather, any_batch=True)
def gather(b: Builder, input: Value, dim: int, index: Value) -> Any:
    if not input.ndim or input.ndim != index.ndim:
        raise b.refusal("it is of a number without dimensions")
    return b.add("GatherElements", input, b.cast(index, INDEX), axis=axis(dim, input.ndim))


@lowers(lenet.take_along_dim, any_batch=True)
def take_along_dim(b: Builder, input: Value, indices: Value, dim: int | None) -> Any:
    if dim is None or input.ndim != indices.ndim or not input.ndim:
        raise b.refusal("it needs a dimension, and an index of as many dimensions as the input")
    along = axis(dim, input.ndim)
    others = [[n for i, n in enumerate(x.shape) if i != along] for x in (input, indices)]
    given: list[Any] = [input, b.cast(indices, INDEX)]
    if not same(*others):
        for i, x in enumerate((input, indices)):
            wide = [x.shape[d] if d == along or m == n else n for d, (m, n) in enumerate(zip(x.shape, b.out.shape))]
            given[i] = given[i] if same(wide, x.shape) else b.add("Expand", given[i], b.sizes(*wide))
    return b.add("GatherElements", *given, axis=along)


@lowers(lenet.masked_fill, any_batch=True)
def masked_fill(b: Builder, input: Value, mask: Value, value: Any) -> Any:
    return b.add("Where", mask, b.cast(value, input.kind), input)


@lowers(getitem.SlicePut, any_batch=True)
def slice_put(b: Builder, x: Value, values: Any, at: Any, accumulate: bool = False) -> Any:
    """Other values in a block of a tensor: its place is a mask, the values stand in a frame of zeros."""
    if at.chosen is not None or accumulate:
        raise b.refusal("writing where index tensors or masks name; use where()")
    region, shape, kept = _region(b, x, at.steps)
    mask = np.zeros([1 if isinstance(n, Growing) else n for n in x.shape], np.bool_)
    mask[tuple(slice(None) if isinstance(n, Growing) else region[i] for i, n in enumerate(x.shape))] = True
    if not isinstance(values, Value):
        return b.add("Where", mask, b.cast(values, x.kind), x)
    given = b.cast(values, x.kind)
    if values.shape != () and values.ndim:
        if any(region[i].step not in (None, 1) for i in range(x.ndim)):
            raise b.refusal("writing a tensor into a slice with steps")
        part_shape = [shape[i] for i in range(x.ndim) if kept[i]]
        if not same(values.shape, part_shape):
            given = b.add("Expand", given, b.sizes(*part_shape))
        given = reshaped(b, given, shape, part_shape)
        before = [0 if isinstance(n, Growing) else region[i].start for i, n in enumerate(x.shape)]
        after = [0 if isinstance(n, Growing) else n - region[i].stop for i, n in enumerate(x.shape)]
        if any(before) or any(after):
            given = b.add("Pad", given, np.array([*before, *after]), np.zeros((), x.kind), mode="constant")
    return b.add("Where", mask, given, x)


def _region(b: Builder, x: Value, steps: Any) -> tuple[list[slice], list[int], list[bool]]:
    """Of each dimension the part that is meant, its size, and whether the part keeps the dimension."""
    region: list[slice] = [slice(0, n, 1) for n in x.shape]
    shape, kept = list(x.shape), [True] * x.ndim
    for kind, key in steps:
        if kind == "unsqueeze":
            raise b.refusal("writing into a view with a new dimension")
        left = [i for i in range(x.ndim) if kept[i]]
        for place, at in enumerate(key):
            if at is Ellipsis or at == slice(None):
                continue
            dim = left[place]
            if isinstance(at, slice):
                whole = isinstance(at.stop, Growing) and same([at.stop], [x.shape[dim]]) and same([at.start or 0], [0])
                if isinstance(x.shape[dim], Growing) and not whole:
                    raise b.refusal("writing to some of the samples")
                if not whole:
                    region[dim], shape[dim] = at, len(range(at.start, at.stop, at.step or 1))
            else:
                if isinstance(x.shape[dim], Growing):
                    raise b.refusal("writing to one of the samples")
                start = at % x.shape[dim]
                region[dim], shape[dim], kept[dim] = slice(start, start + 1, 1), 1, False
    return region, shape, kept
