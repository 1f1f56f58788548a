"""`autograd.backward` and `autograd.grad`: the two ways to start the backward pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.engine import run_backward
from lenetcli.autograd.variable import Array, Variable, wrap

ONCE = "create_graph=True is not supported: operations here are once differentiable"


def backward(
    tensors: Variable | Sequence[Variable],
    grad_tensors: Variable | Sequence[Variable | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Variable | Sequence[Variable] | None = None,
) -> None:
    """Adds the gradients of `tensors` to the `.grad` of the leaves they depend on.

    Args:
        tensors: what to differentiate.
        grad_tensors: gradient of each; may be left out for one-element tensors.
        retain_graph: keep the graph for another backward.
        create_graph: must be False.
        inputs: accumulate into these leaves only.

    Raises:
        RuntimeError: a tensor needs no gradient, or a gradient is missing or has another shape.
        NotImplementedError: `create_graph=True`.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor(3.0, requires_grad=True)
        >>> lenet.autograd.backward(x * x)
        >>> x.grad
        tensor(6.)
    """
    if create_graph:
        raise NotImplementedError(ONCE)
    roots = _tuple(tensors)
    grads = _root_grads(roots, grad_tensors)
    if inputs is None:
        run_backward(roots, grads, bool(retain_graph))
        return
    leaves = _tuple(inputs)
    for leaf, d_leaf in zip(leaves, run_backward(roots, grads, bool(retain_graph), leaves)):
        if d_leaf is not None:
            leaf.accumulator().run([d_leaf.copy(order="K")])


def grad(
    outputs: Variable | Sequence[Variable],
    inputs: Variable | Sequence[Variable],
    grad_outputs: Variable | Sequence[Variable | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """Returns the gradients of `outputs` with respect to `inputs`; leaves every `.grad` alone.

    Raises:
        RuntimeError: an input is not part of the graph and `allow_unused` is False.
        NotImplementedError: `create_graph=True`.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor(3.0, requires_grad=True)
        >>> lenet.autograd.grad(x * x, x)
        (tensor(6.),)
    """
    if create_graph:
        raise NotImplementedError(ONCE)
    roots, sources = _tuple(outputs), _tuple(inputs)
    for i, source in enumerate(sources):
        if not source.requires_grad:
            raise RuntimeError(f"autograd.grad: input {i} does not require gradients")
    arrays = run_backward(roots, _root_grads(roots, grad_outputs), bool(retain_graph), sources)
    if not allow_unused:
        for i, array in enumerate(arrays):
            if array is None:
                raise RuntimeError(
                    f"autograd.grad: input {i} was not used in the graph; allow_unused=True gives None for it"
                )
    return tuple(None if a is None else wrap(s.result_class, a.copy(order="K")) for a, s in zip(arrays, sources))


def _tuple(tensors: Variable | Sequence[Any]) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, Variable) else tuple(tensors)


def _root_grads(roots: Sequence[Variable], given: Variable | Sequence[Variable | None] | None) -> list[Array]:
    grads = [None] * len(roots) if given is None else list(_tuple(given))
    if len(grads) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(grads)} gradients; give one gradient for each tensor")
    arrays: list[Array] = []
    for root, g in zip(roots, grads):
        if not root.requires_grad:
            raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if root.array.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs; this tensor has shape "
                    f"{list(root.array.shape)}: reduce it (sum, mean, a loss) or pass backward(gradient)"
                )
            arrays.append(np.ones_like(root.array))
        elif g.array.shape != root.array.shape:
            raise RuntimeError(
                f"Mismatch in shape: the gradient has {list(g.array.shape)}, the tensor {list(root.array.shape)}"
            )
        else:
            arrays.append(g.array)
    return arrays
