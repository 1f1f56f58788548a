"""Words that torch's functions know beside their own: `axis=` for `dim=`, `keepdims=` for `keepdim=`, and `out=`."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import Variable

_NUMPYS = {"axis": "dim", "keepdims": "keepdim", "x": "input", "x2": "other"}


@functools.cache
def with_axis(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which also takes NumPy's names of its arguments, where it has such ones.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.ones(2, 3).sum(axis=0, keepdims=True)
        tensor([[2., 2., 2.]])
    """
    if not isinstance(function, FunctionType):
        return function
    own = inspect.signature(function).parameters
    known = {word: name for word, name in _NUMPYS.items() if name in own and word not in own}
    if "dim" not in known.values() and "keepdim" not in known.values():
        return function

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            kwargs = _renamed(function, known, kwargs)
        return function(*args, **kwargs)

    return call


@functools.cache
def with_out(function: Any) -> Any:
    """As `with_axis`; the function also takes `out=`, a tensor (or a tuple of them) that the result is written into.

    Raises:
        RuntimeError: one of the tensors requires a gradient, or `out` is of a type that cannot hold the result.

    Example:
        >>> import lenetcli as lenet
        >>> z = lenet.empty(2)
        >>> lenet.add(lenet.ones(2), 1, out=z) is z, z
        (True, tensor([2., 2.]))
    """
    if not isinstance(function, FunctionType) or not function.__module__.startswith("lenetcli.ops."):
        return function
    plain = with_axis(function)
    if "out" in inspect.signature(function).parameters:
        return _public(plain) if plain is not function else plain

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "out" not in kwargs:
            return plain(*args, **kwargs)
        out = kwargs.pop("out")
        result = plain(*args, **kwargs)
        return result if out is None else _written(function.__name__, result, out)

    return _public(call)


def _public(function: Any) -> Any:
    """The function, which is found where it is offered: pickle looks for it there."""
    function.__module__ = "lenetcli"
    return function


def _renamed(function: Callable[..., Any], known: dict[str, str], kwargs: dict[str, Any]) -> dict[str, Any]:
    found = {known.get(word, word): value for word, value in kwargs.items()}
    if len(found) < len(kwargs):
        twice = next(name for word, name in known.items() if word in kwargs and name in kwargs)
        raise TypeError(f"{function.__name__}() got multiple values for argument '{twice}'")
    return found


def _written(name: str, result: Any, out: Any) -> Any:
    if isinstance(result, tuple):
        if not isinstance(out, (tuple, list)) or len(out) != len(result):
            raise TypeError(f"{name}(): out must be a tuple of {len(result)} tensors")
        for value, place in zip(result, out):
            _written(name, value, place)
        return type(result)(*out) if hasattr(result, "_fields") else tuple(out)
    if not isinstance(out, Variable):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if switches.grad and (result.requires_grad or out.requires_grad):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad."
        )
    made, held = result.array, out.array
    if not np.can_cast(made.dtype, held.dtype, "same_kind"):
        raise RuntimeError(f"result type {made.dtype} can't be cast to the desired output type {held.dtype}")
    if held.shape != made.shape:
        if held.size:
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {list(held.shape)}, which does "
                f"not match the required output shape {list(made.shape)}.",
                stacklevel=3,
            )
        out.array = made.astype(held.dtype)
    else:
        held[...] = made
    out.counter[0] += 1
    return out
