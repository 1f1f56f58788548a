"""Rules that many ops share: what two operands become together, which axes a `dim` argument means."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import get_default_dtype, result_type
from lenetcli.autograd.tape import Array, Variable
from lenetcli.errors import ShapeError
from lenetcli.kernels import device
from lenetcli.kernels.device import is_array

quiet = np.errstate(all="ignore")  # as a decorator: infinities and NaN are values here, as in torch, no warnings


def together(a: Any, b: Any) -> tuple[Any, Any]:
    """Two operands (arrays or numbers) in the type that torch gives their result, ready for a NumPy function.

    Raises:
        TypeError: an operand is neither tensor nor number.
        ShapeError: the shapes do not broadcast.
    """
    if isinstance(a, device.ARRAYS) and isinstance(b, device.ARRAYS):
        if a.shape != b.shape:
            broadcast_shape(a.shape, b.shape)
        if a.dtype is b.dtype:
            return a, b
    elif type(b) in (int, float) and a.dtype.kind == "f":
        return a, b  # NumPy keeps the array's type beside a Python number, as torch does
    kind = result_type(a, b)
    return _as(a, kind), _as(b, kind)


def all_together(*arrays: Any) -> tuple[Any, ...]:
    """Any number of operands in the type of their result; `together` for more than two.

    Raises:
        TypeError: an operand is neither tensor nor number.
        ShapeError: the shapes do not broadcast.
    """
    broadcast_shape((), *(x.shape for x in arrays if is_array(x)))
    kind = result_type(*arrays)
    return tuple(_as(x, kind) for x in arrays)


def both_floating(a: Any, b: Any) -> tuple[Any, Any]:
    """`together`, then integers and booleans as the default floating-point type."""
    x, y = together(a, b)
    if x.dtype.kind == "f":
        return x, y
    kind = get_default_dtype().numpy  # at once: between, a negative number would wrap around in an unsigned type
    return _as(a, kind), _as(b, kind)


def _as(x: Any, kind: np.dtype[Any]) -> Any:
    return x.astype(kind, copy=False) if is_array(x) else np.asarray(x).astype(kind)[()]


def broadcast_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The common shape, by NumPy's and torch's rule.

    Raises:
        ShapeError: two sizes differ and neither is 1.
    """
    ndim = max(len(s) for s in shapes)
    out = [1] * ndim
    for shape in shapes:
        for i, size in enumerate(shape, ndim - len(shape)):
            if size != 1:
                if out[i] not in (1, size):
                    raise ShapeError(
                        f"The size of tensor a ({out[i]}) must match the size of tensor b ({size}) at non-singleton "
                        f"dimension {i}: shapes {' and '.join(str(list(s)) for s in shapes)} do not broadcast"
                    )
                out[i] = size
    return tuple(out)


def number(value: Any) -> Any:
    """A NumPy scalar as a Python number, beside which arrays keep their type; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def floating(x: Array) -> Array:
    """The array itself, or integers and booleans as the default floating-point type (for sqrt, exp, mean ...)."""
    return x if x.dtype.kind == "f" else x.astype(get_default_dtype().numpy)


def axis(dim: int, ndim: int) -> int:
    """`dim` counted from the front, 0 <= axis < ndim (a 0-d tensor counts as 1-d, as in torch).

    Raises:
        IndexError: out of range.
    """
    span = max(ndim, 1)
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)):
        raise TypeError(f"dim must be an integer, got {type(dim).__name__}: {dim!r}")
    if not -span <= dim < span:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-span}, {span - 1}], but got {dim})")
    return int(dim) % span


def axes(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes a reduction runs over; None and () mean all.

    Raises:
        IndexError: out of range.
        RuntimeError: an axis twice.
    """
    one = isinstance(dim, (int, np.integer))
    if dim is None or (not one and len(dim) == 0):  # type: ignore[arg-type]  # a sequence, then
        return tuple(range(ndim))
    dims: Any = (dim,) if one else dim
    found = tuple(axis(d, ndim) for d in dims)
    if len(set(found)) != len(found):
        raise RuntimeError(f"dim {list(dims)} names an axis twice")
    return found if ndim else ()


def sizes(listed: Sequence[Any], keyword: Any = None) -> tuple[int, ...]:
    """Sizes (or dims) one by one, as one sequence, or by keyword: view(2, 3), view((2, 3)) and view(size=(2, 3)).

    Raises:
        TypeError: no integers, or given both ways.
    """
    if keyword is not None:
        if listed:
            raise TypeError(f"sizes are given twice: {list(listed)} and by keyword {keyword!r}")
        listed = (keyword,)
    if len(listed) == 1 and isinstance(listed[0], (tuple, list)):
        listed = listed[0]
    if set(map(type, listed)) <= {int}:
        return tuple(listed)
    for s in listed:
        if isinstance(s, bool) or not hasattr(s, "__index__"):
            raise TypeError(f"sizes must be integers, got {type(s).__name__}: {s!r}")
    return tuple(index(s) for s in listed)


def wanted_tensors(name: str, *operands: Any) -> None:
    """Refuses numbers, arrays and lists where only tensors make sense.

    Raises:
        TypeError: an operand is no tensor.
    """
    for operand in operands:
        if not isinstance(operand, Variable):
            raise TypeError(f"{name}(): argument must be Tensor, not {type(operand).__name__}")
