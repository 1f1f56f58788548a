"""In-place change with history: compute out of place, then write into the same memory and move the variable's place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.autograd.modes import switches
from lenetcli.autograd.variable import Array, Variable, like


def assign(target: Variable, compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs `compute(target, ...)` and writes the result into `target`, which takes the result's place in the graph.

    Backward nodes keep a copy of the old values, so they are never affected; what other nodes saved of `target` is
    noticed through its version counter.

    Raises:
        RuntimeError: `target` is a leaf that requires gradients (outside no_grad), the result does not fit in it, or
            its elements share memory (an expanded tensor).
        NotImplementedError: a recorded change of a view.
    """
    refuse_shared_elements(target.array)
    source = target
    if switches.grad:
        tracked = target.requires_grad or any(
            isinstance(a, Variable) and a.requires_grad for a in (*args, *kwargs.values())
        )
        if tracked:
            _refuse(target)
            source = like(target, target.array.copy(order="K"))
            source.grad_fn, source.output_nr = target.grad_fn, target.output_nr
            source.requires_grad = target.requires_grad
    if target.is_copy_of_view:
        raise NotImplementedError(
            "in-place change of a view that had to copy its memory; call clone() first, or change the base"
        )
    result = compute(source, *args, **kwargs)
    fits(target.array, result.array, getattr(compute, "__name__", "operation"))
    np.copyto(target.array, result.array, casting="unsafe")
    target.counter[0] += 1
    if result.grad_fn is not None:
        target.grad_fn, target.output_nr, target.requires_grad = result.grad_fn, result.output_nr, True
    return target


def refuse_shared_elements(array: Array) -> None:
    """Refuses to write into an expanded array, several elements of which are the same memory.

    Raises:
        RuntimeError: the array is read-only, as expanded ones are here.
    """
    if not array.flags.writeable:
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location "
            "(or its memory is read-only). Please clone() the tensor before performing the operation."
        )


def rearrange(target: Variable, compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs `compute(target, ...)`, which gives a view, and lets `target` become that view: another shape, same memory.

    Raises:
        RuntimeError: `target` is a leaf that requires gradients (outside no_grad).
        NotImplementedError: a recorded change of a view.
    """
    source = target
    if switches.grad and target.requires_grad:
        _refuse(target)
        source = like(target, target.array)
        source.grad_fn, source.output_nr, source.requires_grad = target.grad_fn, target.output_nr, True
    result = compute(source, *args, **kwargs)
    target.array = result.array
    target.counter[0] += 1
    if result.grad_fn is not None:
        target.grad_fn, target.output_nr = result.grad_fn, result.output_nr
    return target


def _refuse(target: Variable) -> None:
    if target.requires_grad and target.is_leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Wrap the update in `with lenet.no_grad():`, or work on a clone()."
        )
    if target.base is not None:
        if target.base.is_leaf and target.base.requires_grad:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place operation. "
                "Wrap the update in `with lenet.no_grad():`, or work on a clone()."
            )
        raise NotImplementedError(
            "recording an in-place change of a view is not supported; change the base itself, or use where() or clone()"
        )


def fits(target: Array, out: Array, name: str) -> None:
    """Refuses a result that in-place change cannot store: another shape, or a higher category of type."""
    if out.shape != target.shape:
        raise RuntimeError(
            f"{name}_: the result has shape {list(out.shape)}, the tensor {list(target.shape)}; "
            "an in-place operation cannot change the shape"
        )
    order = {"b": 0, "i": 1, "u": 1, "f": 2}
    if order[out.dtype.kind] > order[target.dtype.kind]:
        raise RuntimeError(f"{name}_: result type {out.dtype} can't be cast to the tensor's type {target.dtype}")
