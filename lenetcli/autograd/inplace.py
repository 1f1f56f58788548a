"""In-place change with history: compute out of place, then write into the same memory and move the variable's place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.autograd.engine import reduce_to_shape
from lenetcli.autograd.modes import enable_grad, switches
from lenetcli.autograd.op import Op
from lenetcli.autograd.pending import settle
from lenetcli.autograd.rules import linear
from lenetcli.autograd.tape import Array, Variable, like
from lenetcli.kernels.device import address, as_array, beside, shares_elements
from lenetcli.kernels.scatter import scattered


def assign(target: Variable, compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs `compute(target, ...)` and writes the result into `target`, which takes the result's place in the graph.

    Backward nodes keep a copy of the old values, so they are never affected; what other nodes saved of `target` is
    noticed through its version counter.

    Raises:
        RuntimeError: `target` is a leaf that requires gradients, or a view of one, or a view taken in no_grad mode
            (all outside no_grad); the result does not fit in it; or its elements share memory (an expanded tensor).
    """
    settle()
    refuse_shared_elements(target.array)
    source = target
    if switches.grad:
        if target.base is not None:
            check_view(target)
        tracked = target.requires_grad or any(
            isinstance(a, Variable) and a.requires_grad for a in (*args, *kwargs.values())
        )
        if tracked:
            _refuse(target)
            if target.base is not None and _is_watched(target):
                retake_view(target)  # the change is the base's: it does not pass the views as the hooks know them
            source = like(target, target.array.copy(order="K"))
            source.grad_fn, source.output_nr = target.grad_fn, target.output_nr
            source._requires_grad = target.requires_grad
    if target.is_copy_of_view:
        raise NotImplementedError(
            "in-place change of a view that had to copy its memory; call clone() first, or change the base"
        )
    result = compute(source, *args, **kwargs)
    fits(target.array, result.array, getattr(compute, "__name__", "operation"))
    if switches.tracer is not None:
        switches.tracer.assigns(target, result)
    np.copyto(target.array, result.array, casting="unsafe")
    target.counter[0] += 1
    if result.grad_fn is not None:
        if target.base is None:
            take_place(target, result)
        else:
            change_base(target, result)
    return target


def take_place(variable: Variable, result: Variable) -> None:
    """Lets a variable stand where a result stands in the graph.

    Hooks stay where they were registered, with the values before; a retained gradient is that of the values after.
    """
    if variable.hooks is not None or variable.retains_grad:
        _leave_hooks(variable)
    variable.grad_fn, variable.output_nr, variable._requires_grad = result.grad_fn, result.output_nr, True
    if variable.retains_grad:
        variable.watch()


def _is_watched(view: Variable) -> bool:
    """Whether a view, or one between it and its base, has hooks or retains its gradient."""
    node = view.grad_fn
    while node is not None and node is not view.base_fn:
        if node.variable_hooks:
            return True
        node = node.next_functions[0][0]
    return False


def _leave_hooks(variable: Variable) -> None:
    """Puts another variable, with this one's hooks, where the graph holds it."""
    node, hooks, variable.hooks = variable.grad_fn, variable.hooks, None
    if node is None or node.variable_hooks is None:
        return
    watched = [v for v in node.variable_hooks.pop(variable.output_nr, ()) if v is not variable]
    if hooks is not None:
        before = like(variable, variable.array)
        before.hooks = hooks
        watched.append(before)
    if watched:
        node.variable_hooks[variable.output_nr] = watched


class CopySlices(Op):
    """A base after a recorded change of one of its views: the part comes from the change, the rest from before."""

    formula = "y = base, whose part was changed in place"
    gradient = ("d_base = grad, 0 where the part lies", "d_part = grad where the part lies")
    backward_graph = linear

    def forward(ctx: Any, base: Array, part: Array, *, places: Array) -> Array:
        ctx.places = places
        return base  # the change is in the memory already

    def backward(ctx: Any, grad: Array) -> Any:
        d_base = grad.copy(order="C")
        d_part = as_array(d_base.reshape(-1)[ctx.places])
        d_base.reshape(-1)[ctx.places] = 0
        return d_base, d_part

    def jvp(ctx: Any, d_base: Array | None, d_part: Array | None) -> Array:
        y = np.zeros(*ctx.outputs[0]) if d_base is None else d_base.copy(order="C")
        y.reshape(-1)[ctx.places] = 0 if d_part is None else d_part
        return y

    def name(self) -> str:
        return "CopySlices"


class AsStrided(Op):
    """A view of a base, known by where it lies in memory; a place stands for all elements that expanding made of it."""

    formula = "y = part of base, the same memory"
    gradient = ("d_base = grad where the part lies, else 0",)
    backward_graph = linear

    def forward(ctx: Any, base: Array, *, part: Array, places: Array) -> Array:
        ctx.places, ctx.shape = places, base.shape
        return part

    def backward(ctx: Any, grad: Array) -> Array:
        return scattered(ctx.shape, ctx.places, reduce_to_shape(grad, ctx.places.shape, ctx))

    def jvp(ctx: Any, tangent: Array) -> Array:
        return np.broadcast_to(as_array(tangent.reshape(-1)[ctx.places]), ctx.outputs[0][0])


def change_base(view: Variable, result: Variable) -> None:
    """Records on a view's base that the view was changed to `result`, and takes the view anew."""
    base = view.base
    assert base is not None, "a view has a base"
    before = like(base, base.array)
    before.grad_fn, before.output_nr, before._requires_grad = base.grad_fn, base.output_nr, base.requires_grad
    take_place(base, CopySlices.apply(before, result, places=places_of(view.array, base.array)))
    retake_view(view)


def retake_view(view: Variable) -> None:
    """Gives a view its place in the graph after a recorded change of its base.

    Raises:
        RuntimeError: the view was taken in no_grad mode, the base changed outside.
    """
    base = view.base
    assert base is not None, "a view has a base"
    if view.taken_unrecorded:
        raise RuntimeError(
            "A view was created in no_grad mode and its base or another view of its base has been modified inplace "
            "with grad mode enabled. Whether its gradient should flow to the base is not clear. "
            "Take the view and change the base both inside no_grad, or both outside."
        )
    part = view.array
    once = part[(*[slice(None) if stride else slice(1) for stride in part.strides], ...)]
    with enable_grad():
        taken = AsStrided.apply(base, part=part, places=places_of(once, base.array))
    view.base_fn = base.grad_fn
    if taken.grad_fn is not None:
        take_place(view, taken)


Variable.retake_view = staticmethod(retake_view)


def places_of(part: Array, whole: Array) -> Array:
    """For each element of an array, its flat position in another one that has the same memory.

    Raises:
        RuntimeError: an element is not there.
    """
    addresses = _addresses(whole)
    first = addresses.min(initial=np.iinfo(np.int64).max)
    positions = np.full((int(addresses.max(initial=first - 1)) - int(first)) // whole.itemsize + 1, -1)
    positions[(addresses - first) // whole.itemsize] = np.arange(whole.size).reshape(whole.shape)
    at = (_addresses(part) - first) // whole.itemsize
    if at.size and (at.min() < 0 or at.max() >= positions.size or (positions[at] < 0).any()):
        raise RuntimeError("this view's memory is no longer that of its base; take the view again")
    return beside(part, as_array(positions[at]))


def _addresses(x: Array) -> Array:
    """Where each element lies in memory."""
    found: Array = np.full(x.shape, address(x), np.int64)
    for dim, (size, stride) in enumerate(zip(x.shape, x.strides)):
        found += (np.arange(size) * stride).reshape([-1 if d == dim else 1 for d in range(x.ndim)])
    return found


def check_view(target: Variable) -> None:
    """Makes a view ready for a change: takes it anew where its base was changed, refuses one taken in no_grad mode.

    Raises:
        RuntimeError: the base has a history that the view does not know.
    """
    if target.is_stale:
        retake_view(target)
    elif target.base is not None and target.base.requires_grad and not target.requires_grad:
        raise RuntimeError(
            "A view was created in no_grad mode and is being modified inplace with grad mode enabled. "
            "Take the view outside no_grad, or change it inside."
        )


def refuse_shared_elements(array: Array) -> None:
    """Refuses to write into an expanded array, several elements of which are the same memory.

    Raises:
        RuntimeError: the array is read-only, as expanded ones are here.
    """
    if shares_elements(array):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location "
            "(or its memory is read-only). Please clone() the tensor before performing the operation."
        )


def rearrange(target: Variable, compute: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Runs `compute(target, ...)`, which gives a view, and lets `target` become that view: another shape, same memory.

    Raises:
        RuntimeError: `target` is a leaf that requires gradients, or a view of one (outside no_grad).
    """
    source = target
    if switches.grad and target.base is not None:
        check_view(target)
    if switches.grad and target.requires_grad:
        _refuse(target)
        source = like(target, target.array)
        source.grad_fn, source.output_nr, source._requires_grad = target.grad_fn, target.output_nr, True
    result = compute(source, *args, **kwargs)
    target.counter[0] += 1
    if result.array.shape == target.array.shape and result.array.strides == target.array.strides:
        return target
    target.array = result.array
    if result.grad_fn is not None:
        take_place(target, result)
    return target


def _refuse(target: Variable) -> None:
    if target.requires_grad and target.is_leaf:
        raise RuntimeError(
            "a leaf Variable that requires grad is being used in an in-place operation. "
            "Wrap the update in `with lenet.no_grad():`, or work on a clone()."
        )
    if target.base is not None and target.base.is_leaf and target.base.requires_grad:
        raise RuntimeError(
            "a view of a leaf Variable that requires grad is being used in an in-place operation. "
            "Wrap the update in `with lenet.no_grad():`, or work on a clone()."
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
