"""Operators on constants alone, worked out: the chains of Shape, Gather, Concat that exporters write, and the like."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.onnx_import.net import Array, Node, as_tuple

MOST = 1 << 25  # numbers of a constant
KINDS: dict[int, Any] = {
    1: np.float32, 2: np.uint8, 3: np.int8, 4: np.uint16, 5: np.int16, 6: np.int32, 7: np.int64, 9: np.bool_,
    10: np.float32, 11: np.float64, 12: np.uint32, 13: np.uint64, 16: np.float32,
}  # fmt: skip  # half floats are float32 here
Evaluate = Callable[..., Any]


def evaluate(node: Node, given: list[Array | None], opset: int) -> list[Array]:
    """The results of a node, all of whose inputs are known.

    Args:
        given: the inputs; None for one that is left out.

    Raises:
        NotImportable: an operator that is not worked out here, or one that refuses its inputs.
    """
    work = _WORK.get(node.op)
    if work is None:
        raise node.refusal("works on constants alone, and is none of the operators that are worked out for such")
    try:
        with np.errstate(all="ignore"):
            found = work(node, *given)
    except (ValueError, IndexError, TypeError, KeyError, OverflowError, ZeroDivisionError, AttributeError) as error:
        raise node.refusal(f"does not take its inputs: {' '.join(str(error).split())[:120]}") from None
    found = found if isinstance(found, list) else [found]
    return [np.asarray(one) for one in found]


def _limited(node: Node, shape: Any) -> tuple[int, ...]:
    sizes = as_tuple(shape)
    if len(sizes) > 16 or min(sizes, default=0) < 0 or math.prod(sizes) > MOST:
        raise node.refusal(f"makes a constant of sizes {list(sizes[:16])}, at most {MOST:,} numbers are taken")
    return sizes


def _constant(node: Node, *_: Any) -> Any:
    for key, kind in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64),
                      ("value_ints", np.int64)):  # fmt: skip
        if key in node.attributes:
            return np.array(node.attributes[key], kind)
    return node.attributes["value"]


def _constant_of_shape(node: Node, shape: Array) -> Array:
    value = node.attributes.get("value", np.zeros(1, np.float32))
    return np.full(_limited(node, shape), value.reshape(-1)[0], value.dtype)


def _range(node: Node, start: Array, limit: Array, delta: Array) -> Array:
    first, last, step = (one.reshape(()).item() for one in (start, limit, delta))
    _limited(node, [max(0, math.ceil((last - first) / step))])
    return np.arange(first, last, step).astype(start.dtype)


def _expand(node: Node, x: Array, shape: Array) -> Array:
    wanted = np.broadcast_shapes(x.shape, _limited(node, shape))
    return np.broadcast_to(x, _limited(node, wanted))


def _tile(node: Node, x: Array, repeats: Array) -> Array:
    _limited(node, [n * r for n, r in zip(x.shape, as_tuple(repeats))])
    return np.tile(x, as_tuple(repeats))


def axes_of(node: Node, given: Array | None = None) -> tuple[int, ...] | None:
    """Axes, which are an input in newer operators and an attribute in older ones; None where nothing is said."""
    if given is not None:
        return as_tuple(given)
    return as_tuple(node.attributes["axes"]) if "axes" in node.attributes else None


def squeezed(node: Node, x: Array, axes: Array | None = None) -> Array:
    found = axes_of(node, axes)
    return np.squeeze(x, found)


def unsqueezed(node: Node, x: Array, axes: Array | None = None) -> Array:
    return np.expand_dims(x, axes_of(node, axes) or ())


def sliced(node: Node, x: Array, *words: Array | None) -> Array:
    """A view; starts and the like are inputs in newer operators and attributes in older ones."""
    if words:
        starts, ends, axes, steps = (*map(_numbers, words), None, None, None)[:4]
    else:
        starts, ends, axes, steps = (node.attributes.get(key) for key in ("starts", "ends", "axes", "steps"))
    assert starts is not None
    assert ends is not None
    cut = [slice(None)] * x.ndim
    for i, axis in enumerate(axes if axes is not None else range(len(starts))):
        step = 1 if steps is None else steps[i]
        end: int | None = ends[i]
        if step < 0 and ends[i] < -x.shape[axis]:
            end = None
        cut[axis] = slice(starts[i], end, step)
    return x[tuple(cut)]


def _numbers(array: Array | None) -> list[int] | None:
    return None if array is None else [int(v) for v in array.reshape(-1)]


def reshaped(node: Node, sizes: tuple[int, ...], wanted: Array | None) -> tuple[int, ...]:
    """The new sizes: 0 keeps one, -1 is what is left.

    Raises:
        NotImportable: they do not hold as many numbers.
    """
    given = as_tuple(wanted if wanted is not None else node.attributes.get("shape", ()))
    keeps = not node.attributes.get("allowzero", 0)
    found = [sizes[i] if n == 0 and keeps and i < len(sizes) else n for i, n in enumerate(given)]
    if found.count(-1) == 1:
        rest = math.prod(n for n in found if n != -1)
        found[found.index(-1)] = math.prod(sizes) // rest if rest else 0
    if min(found, default=0) < 0 or math.prod(found) != math.prod(sizes):
        raise node.refusal(f"reshapes {list(sizes)} to {list(given)}, which does not fit")
    return tuple(found)


def _gather(node: Node, x: Array, indices: Array) -> Array:
    axis = node.attributes.get("axis", 0)
    _limited(node, [*x.shape[:axis], *indices.shape, *x.shape[axis:][1:]])
    return np.take(x, indices, axis)


def _broadcast(work: Any) -> Evaluate:
    def worked(node: Node, *given: Array) -> Array:
        _limited(node, np.broadcast_shapes(*(x.shape for x in given)))
        found: Array = work(*given)
        return found

    return worked


def _div(a: Array, b: Array) -> Array:
    return a / b if a.dtype.kind == "f" else (np.sign(a) * np.sign(b)) * (abs(a) // abs(b))


def _reduced(work: Any) -> Evaluate:
    def worked(node: Node, x: Array, axes: Array | None = None) -> Array:
        found: Array = work(x, axis=axes_of(node, axes), keepdims=bool(node.attributes.get("keepdims", 1)))
        return found

    return worked


def _cast(node: Node, x: Array) -> Array:
    return x.astype(KINDS[node.attributes["to"]])


def _concat(node: Node, *parts: Array) -> Array:
    axis = node.attributes["axis"]
    _limited(node, [sum(part.size for part in parts)])
    return np.concatenate(parts, axis)


def _split(node: Node, x: Array, sizes: Array | None = None) -> list[Array]:
    axis = node.attributes.get("axis", 0)
    return np.split(x, np.cumsum(split_sizes(node, x.shape[axis], sizes))[:-1], axis)


def split_sizes(node: Node, size: int, given: Array | None) -> list[int]:
    """Sizes of the parts along the axis."""
    words = given if given is not None else node.attributes.get("split")
    if words is not None:
        return [int(n) for n in np.asarray(words).reshape(-1)]
    count = len(node.outputs)
    part = -(-size // count)
    return [min(part, size - i * part) for i in range(count)]


def _gemm_like(node: Node, a: Array, b: Array) -> Array:
    shape = (*a.shape[:-1], *b.shape[-1:])
    _limited(node, shape)
    found: Array = a @ b
    return found


def _pad(node: Node, x: Array, pads: Array | None = None, value: Array | None = None, *_: Any) -> Array:
    given = as_tuple(pads if pads is not None else node.attributes["pads"])
    half = len(given) // 2
    _limited(node, [n + a + b for n, a, b in zip(x.shape, given[:half], given[half:])])
    fill = 0 if value is None else value.reshape(-1)[0]
    return np.pad(x, list(zip(given[:half], given[half:])), constant_values=fill)


_WORK: dict[str, Evaluate] = {
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Range": _range,
    "Identity": lambda node, x: x,
    "Dropout": lambda node, x, *_: x,
    "Cast": _cast,
    "CastLike": lambda node, x, y: x.astype(y.dtype),
    "Shape": lambda node, x: np.array(x.shape[node.attributes.get("start", 0) : node.attributes.get("end")], np.int64),
    "Size": lambda node, x: np.array(x.size, np.int64),
    "Gather": _gather,
    "Concat": _concat,
    "Split": _split,
    "Squeeze": squeezed,
    "Unsqueeze": unsqueezed,
    "Slice": sliced,
    "Reshape": lambda node, x, shape=None: x.reshape(reshaped(node, x.shape, shape)),
    "Flatten": lambda node, x: x.reshape(math.prod(x.shape[: node.attributes.get("axis", 1)]), -1),
    "Transpose": lambda node, x: x.transpose(node.attributes.get("perm")),
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
    "MatMul": _gemm_like,
    "Where": _broadcast(np.where),
    "Add": _broadcast(np.add),
    "Sub": _broadcast(np.subtract),
    "Mul": _broadcast(np.multiply),
    "Div": _broadcast(_div),
    "Pow": _broadcast(lambda a, b: np.power(a, b).astype(a.dtype)),
    "Mod": _broadcast(np.mod),
    "Min": _broadcast(lambda *x: np.minimum.reduce(np.broadcast_arrays(*x))),
    "Max": _broadcast(lambda *x: np.maximum.reduce(np.broadcast_arrays(*x))),
    "Equal": _broadcast(np.equal),
    "Greater": _broadcast(np.greater),
    "GreaterOrEqual": _broadcast(np.greater_equal),
    "Less": _broadcast(np.less),
    "LessOrEqual": _broadcast(np.less_equal),
    "And": _broadcast(np.logical_and),
    "Or": _broadcast(np.logical_or),
    "Not": lambda node, x: ~x,
    "Neg": lambda node, x: -x,
    "Abs": lambda node, x: abs(x),
    "Sqrt": lambda node, x: np.sqrt(x),
    "Reciprocal": lambda node, x: 1 / x,
    "Exp": lambda node, x: np.exp(x),
    "Log": lambda node, x: np.log(x),
    "Floor": lambda node, x: np.floor(x),
    "Ceil": lambda node, x: np.ceil(x),
    "Round": lambda node, x: np.round(x),
    "Clip": lambda node, x, a=None, b=None: np.clip(x, a, b),
    "ReduceProd": _reduced(np.prod),
    "ReduceSum": _reduced(np.sum),
    "ReduceMean": _reduced(np.mean),
    "ReduceMax": _reduced(np.max),
    "ReduceMin": _reduced(np.min),
}
