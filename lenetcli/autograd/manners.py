"""Tensors with the manners of arrays, so that a gradient written for arrays runs on tensors as it stands.

NumPy asks its operands before it computes (`__array_ufunc__`, `__array_function__`); these do it with the tensor's own
methods. What they do not know is refused, and they never become an array unseen: a gradient that went a way without a
record would come out as zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import from_numpy_dtype
from lenetcli.autograd.tape import Array, Edge, Node, Variable, next_sequence, wrap

_UFUNCS = {
    "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div", "power": "pow",
    "negative": "neg", "absolute": "abs", "sign": "sign", "square": "square", "sqrt": "sqrt", "exp": "exp",
    "log": "log", "log1p": "log1p", "expm1": "expm1", "sin": "sin", "cos": "cos", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le", "greater": "gt",
    "greater_equal": "ge", "bitwise_and": "bitwise_and", "bitwise_or": "bitwise_or", "logical_not": "logical_not",
    "invert": "bitwise_not", "maximum": "maximum", "minimum": "minimum", "isnan": "isnan", "isinf": "isinf",
}  # fmt: skip


class _Manners:
    """What an array has that a tensor has otherwise."""

    array: Any

    @property
    def dtype(self) -> Any:
        return self.array.dtype

    @property
    def size(self) -> int:
        return int(self.array.size)

    def astype(self, kind: Any, copy: bool = True, order: str = "K") -> Any:
        return self.to(from_numpy_dtype(np.dtype(kind)))  # type: ignore[attr-defined]

    def copy(self, order: str = "K") -> Any:
        return self.clone()  # type: ignore[attr-defined]

    def transpose(self, *dims: Any) -> Any:
        return self.permute(tuple(dims[0]) if len(dims) == 1 else dims)  # type: ignore[attr-defined]

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise NotImplementedError("a gradient with a graph was to become an array without one")

    def __array_ufunc__(self, ufunc: Any, how: str, *inputs: Any, **rest: Any) -> Any:
        name = _UFUNCS.get(ufunc.__name__)
        if name is None or how != "__call__" or rest:
            raise NotImplementedError(f"the gradient of {ufunc.__name__} as part of a gradient is not known")
        operands = [_operand(x, type(self)) for x in inputs]
        if name in ("maximum", "minimum") and not isinstance(operands[1], Variable):
            name = "clamp_min" if name == "maximum" else "clamp_max"
        return getattr(type(self), name)(*operands)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        known = _FUNCTIONS.get(function.__name__)
        if known is None:
            raise NotImplementedError(f"the gradient of {function.__name__} as part of a gradient is not known")
        return known(type(self), *args, **kwargs)


def _where(kind: Any, condition: Any, a: Any, b: Any) -> Any:
    holds, a, b = (_operand(x, kind) for x in (condition, a, b))
    if isinstance(holds, bool):
        return a if holds else b
    return kind.where(a, holds, b) if isinstance(a, Variable) else kind.where(b, kind.logical_not(holds), a)


def _zeros_like(kind: Any, x: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None) -> Any:
    return wrap(kind, np.zeros(x.array.shape if shape is None else shape, x.array.dtype if dtype is None else dtype))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": _where,
    "zeros_like": _zeros_like,
    "expand_dims": lambda kind, x, axis: x.unsqueeze(axis),
    "nan_to_num": lambda kind, x: _where(kind, x.isnan(), 0.0, x),
    "empty": lambda kind, shape, dtype: wrap(kind, np.empty(shape, dtype)),
}


_KINDS: dict[type, type[Variable]] = {}


def _with_manners(kind: type[Variable]) -> type[Variable]:
    if kind not in _KINDS:
        made: Any = type(kind)(f"{kind.__name__}AsArray", (_Manners, kind), {})  # type: ignore[misc]  # of Tensor's metaclass
        made.result_class = _KINDS[kind] = made
    return _KINDS[kind]


def plain(kind: type[Variable]) -> type[Variable]:
    """The class without manners: ops inside a gradient noted that with them."""
    return kind.__mro__[2] if issubclass(kind, _Manners) else kind


def _operand(x: Any, kind: Any) -> Any:
    """An operand as a tensor of this kind, or a Python number."""
    if isinstance(x, np.generic):
        return x.item()
    return wrap(kind, x) if isinstance(x, np.ndarray) else x


def as_operand(value: Any) -> Any:
    """A tensor with the manners of an array; anything else as it is."""
    return _like(value, _with_manners(plain(value.result_class))) if isinstance(value, Variable) else value


def _like(value: Variable, kind: type[Variable]) -> Any:
    """The same tensor, in the same graph, as one of another class."""
    result = wrap(kind, value.array)
    result._counter = value.counter
    if value._requires_grad:
        place(result, value.gradient_edge())
    return result


def as_result(value: Any, ctx: Any) -> Any:
    """A gradient as an ordinary tensor again."""
    if value is None:
        return None
    if not isinstance(value, Variable):
        raise NotImplementedError(f"{ctx.name()}: its gradient has no graph")
    return _like(value, plain(ctx.result_class))


def place(tensor: Variable, edge: Edge) -> None:
    """Puts a tensor where an edge leads; a place of no gradient leaves it a constant."""
    if edge[0] is None or tensor.array.dtype.kind != "f":
        return
    tensor._requires_grad, tensor.grad_fn = True, Stop(edge, tensor)


class Stop(Node):
    """Hands a gradient on to where an operand came from: a place of its own for each use of it."""

    def __init__(self, edge: Edge, tensor: Variable) -> None:
        self.edges, self.sequence = (edge,), next_sequence()
        self.outputs = ((tensor.array.shape, tensor.array.dtype),)
        self.result_class = tensor.result_class

    def run(self, grads: Sequence[Array | None]) -> Sequence[Array | None]:
        return grads

    def backward_graph(self, *grads: Any) -> Any:
        return grads
