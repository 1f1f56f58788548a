"""Comparisons, element by element and as a whole. Their results are booleans, outside the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.modes import whole
from lenetcli.autograd.tape import Variable, like
from lenetcli.kernels.device import as_array
from lenetcli.ops.methods import method
from lenetcli.ops.operands import quiet, together

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


@quiet
def _compared(function: Any, input: Any, other: Any) -> Any:
    a, b = together(input.array, other.array if isinstance(other, Variable) else other)
    return like(input, as_array(function(a, b)))


@method(in_place=True)
@whole
def eq(input: Tensor, other: Tensor | float) -> Tensor:
    """Where both are equal, with broadcasting; what `==` does. Source: torch.eq.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.eq(lenet.tensor([1.0, 2.0]), 1)
        tensor([ True, False])
    """
    return _compared(np.equal, input, other)


@method(in_place=True, aliases=("not_equal",))
@whole
def ne(input: Tensor, other: Tensor | float) -> Tensor:
    """Where both differ; what `!=` does. Source: torch.ne.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ne(lenet.tensor([1.0, 2.0]), 1)
        tensor([False,  True])
    """
    return _compared(np.not_equal, input, other)


@method(in_place=True, aliases=("less",))
@whole
def lt(input: Tensor, other: Tensor | float) -> Tensor:
    """Where input is less; what `<` does. Source: torch.lt.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.lt(lenet.tensor([1.0, 2.0]), 2)
        tensor([ True, False])
    """
    return _compared(np.less, input, other)


@method(in_place=True, aliases=("less_equal",))
@whole
def le(input: Tensor, other: Tensor | float) -> Tensor:
    """Where input is less or equal; what `<=` does. Source: torch.le.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.le(lenet.tensor([1.0, 3.0]), 2)
        tensor([ True, False])
    """
    return _compared(np.less_equal, input, other)


@method(in_place=True, aliases=("greater",))
@whole
def gt(input: Tensor, other: Tensor | float) -> Tensor:
    """Where input is greater; what `>` does. Source: torch.gt.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.gt(lenet.tensor([1.0, 3.0]), 2)
        tensor([False,  True])
    """
    return _compared(np.greater, input, other)


@method(in_place=True, aliases=("greater_equal",))
@whole
def ge(input: Tensor, other: Tensor | float) -> Tensor:
    """Where input is greater or equal; what `>=` does. Source: torch.ge.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ge(lenet.tensor([1.0, 2.0]), 2)
        tensor([False,  True])
    """
    return _compared(np.greater_equal, input, other)


@method
@whole
def isnan(input: Tensor) -> Tensor:
    """Where the value is NaN. Source: torch.isnan.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isnan(lenet.tensor([1.0, float("nan")]))
        tensor([False,  True])
    """
    return like(input, as_array(np.isnan(input.array)))


@method
@whole
def isfinite(input: Tensor) -> Tensor:
    """Where the value is neither infinite nor NaN. Source: torch.isfinite.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isfinite(lenet.tensor([1.0, float("inf")]))
        tensor([ True, False])
    """
    return like(input, as_array(np.isfinite(input.array)))


@method
@whole
def isinf(input: Tensor) -> Tensor:
    """Where the value is inf or -inf. Source: torch.isinf.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isinf(lenet.tensor([1.0, -float("inf")]))
        tensor([False,  True])
    """
    return like(input, as_array(np.isinf(input.array)))


@method
@whole
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol |other|; infinities only equal themselves. Source: torch.isclose.

    Args:
        equal_nan: NaN equals NaN.

    Raises:
        RuntimeError: tensors of different types, or a negative tolerance.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.isclose(lenet.tensor([1.0, 2.0]), lenet.tensor([1.0 + 1e-6, 2.1]))
        tensor([ True, False])
    """
    if input.array.dtype != other.array.dtype:
        raise RuntimeError(f"isclose: {input.dtype} did not match {other.dtype}; convert one with to()")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must not be negative, got {rtol} and {atol}")
    return _compared(
        lambda a, b: np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan and a.dtype.kind == "f"), input, other
    )


@method
@whole
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """True if `isclose` holds everywhere. Source: torch.allclose.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.allclose(lenet.tensor([1.0]), lenet.tensor([1.0 + 1e-6]))
        True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).array.all())


@method
@whole
def equal(input: Tensor, other: Tensor) -> bool:
    """True if both have the same shape and values. Source: torch.equal.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.equal(lenet.ones(2), lenet.ones(2)), lenet.equal(lenet.ones(2), lenet.ones(1))
        (True, False)
    """
    return np.array_equal(input.array, other.array)


not_equal, less, less_equal, greater, greater_equal = ne, lt, le, gt, ge
