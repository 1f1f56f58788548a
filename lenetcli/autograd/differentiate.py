"""`autograd.backward` and `autograd.grad`: the two ways to start the backward pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.create_graph import accumulate, run_graph
from lenetcli.autograd.engine import run_backward, run_chain, run_line
from lenetcli.autograd.tape import Array, Variable, wrap

FLOAT = np.dtype(np.float32)
_ONE = np.ones((), FLOAT)  # the gradient of a loss by itself; nobody keeps it, nobody writes into it
_ONE.flags.writeable = False


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
        retain_graph: keep the graph for another backward; `create_graph` unless given.
        create_graph: make the gradients from ops, so that they can be differentiated in their turn; a gradient that is
            there already is then replaced by the sum, not changed in place.
        inputs: accumulate into these only.

    Raises:
        RuntimeError: a tensor needs no gradient, a gradient is missing or has another shape, or `inputs` is empty.
        NotImplementedError: with `create_graph`, an op that has no second derivative.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor(3.0, requires_grad=True)
        >>> lenet.autograd.backward(x * x)
        >>> x.grad
        tensor(6.)
    """
    if create_graph:
        _backward_graph(tensors, grad_tensors, True if retain_graph is None else retain_graph, inputs)
        return
    if grad_tensors is None and inputs is None and _backward_of_loss(tensors, bool(retain_graph)):
        return
    roots = _tuple(tensors)
    grads = _root_grads(roots, grad_tensors)
    if inputs is None and len(roots) == 1 and run_line(roots[0], grads[0], bool(retain_graph)):
        return
    if inputs is None:
        run_backward(roots, grads, bool(retain_graph))
        return
    leaves = _inputs(inputs, "backward")
    for leaf, d_leaf in zip(leaves, run_backward(roots, grads, bool(retain_graph), leaves)):
        if d_leaf is not None:
            leaf.accumulator().run([d_leaf.copy(order="K")])


def _backward_graph(tensors: Any, grad_tensors: Any, retain_graph: bool, inputs: Any) -> None:
    """`backward` with a record."""
    roots = _tuple(tensors)
    grads = _root_tensors(roots, grad_tensors)
    if inputs is None:
        run_graph(roots, grads, retain_graph)
        return
    leaves = _inputs(inputs, "backward")
    for leaf, d_leaf in zip(leaves, run_graph(roots, grads, retain_graph, leaves)):
        accumulate(leaf, d_leaf)


def _backward_of_loss(loss: Any, retain_graph: bool) -> bool:
    """The short ways of a float32 number that comes from a few nodes in a row; whether there is one."""
    if not isinstance(loss, Variable) or loss.array.shape or loss.array.dtype is not FLOAT:
        return False
    if run_chain(loss, _ONE, retain_graph):
        return True
    return loss._requires_grad and not loss.is_stale and run_line(loss, _ONE, retain_graph)


def grad(
    outputs: Variable | Sequence[Variable],
    inputs: Variable | Sequence[Variable],
    grad_outputs: Variable | Sequence[Variable | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """Gradients of `outputs` with respect to `inputs`, which need not be leaves; `.grad` stays as it is.

    Args:
        grad_outputs: gradient of each output; may be left out for one-element tensors.
        retain_graph: keep the graph for another backward; `create_graph` unless given.
        create_graph: make the gradients from ops, so that they can be differentiated in their turn.
        only_inputs: ignored, as in torch.
        allow_unused: give None for an input that no output depends on; True unless given with `materialize_grads`.
        is_grads_batched: each gradient has one dimension more, the first; the results get it too, as if each of its
            elements had been sent back by itself.
        materialize_grads: give zeros for an input that no output depends on.

    Raises:
        RuntimeError: an input needs no gradient, there is none, or one is unused and `allow_unused` is False; an output
            has more than one element and no gradient, or one of another shape.
        ValueError: `materialize_grads` with `allow_unused=False`, or batches of different sizes.
        NotImplementedError: with `create_graph`, an op that has no second derivative, or `is_grads_batched`.

    Source: torch.autograd.grad.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor(3.0, requires_grad=True)
        >>> lenet.autograd.grad(x * x, x)
        (tensor(6.),)
        >>> (slope,) = lenet.autograd.grad(x * x * x, x, create_graph=True)
        >>> lenet.autograd.grad(slope, x)
        (tensor(18.),)
    """
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            f"allow_unused={allow_unused}."
        )
    if not only_inputs:
        warnings.warn("only_inputs argument is deprecated and is ignored now (defaults to True)", FutureWarning, 2)
    roots = _tuple(outputs)
    sources = _inputs(inputs, "grad")
    if create_graph:
        if is_grads_batched:
            raise NotImplementedError(
                "grad: is_grads_batched=True together with create_graph=True is not supported: call grad once for each "
                "row of grad_outputs, and stack what it gives"
            )
        made = run_graph(
            roots, _root_tensors(roots, grad_outputs), True if retain_graph is None else retain_graph, sources
        )
        if materialize_grads:
            made = [wrap(s.result_class, np.zeros_like(s.array)) if g is None else g for g, s in zip(made, sources)]
        _refuse_unused(made, allow_unused or materialize_grads)
        return tuple(made)
    if is_grads_batched:
        found = _batched(roots, sources, grad_outputs, bool(retain_graph))
    else:
        found = run_backward(roots, _root_grads(roots, grad_outputs), bool(retain_graph), sources)
    if materialize_grads:
        found = [np.zeros_like(s.array) if a is None else a for a, s in zip(found, sources)]
    _refuse_unused(found, allow_unused or materialize_grads)
    return tuple(None if a is None else wrap(s.result_class, a.copy(order="K")) for a, s in zip(found, sources))


def _refuse_unused(found: Sequence[Any], allowed: bool | None) -> None:
    if not allowed and any(a is None for a in found):
        at = next(i for i, a in enumerate(found) if a is None)
        raise RuntimeError(
            f"The differentiated Tensor at index {at} appears to not have been used in the graph. "
            "Set allow_unused=True if this is the desired behavior: it gives None."
        )


def _batched(
    roots: Sequence[Variable], sources: Sequence[Variable], given: Any, retain_graph: bool
) -> list[Array | None]:
    """Gradients for every element of a batch of output gradients, stacked."""
    batches = _counted(roots, given)
    if any(b is None for b in batches):
        raise ValueError("is_grads_batched=True wants a gradient with a batch dimension for each output, got None")
    for i, (root, batch) in enumerate(zip(roots, batches)):
        if batch.array.shape[1:] != root.array.shape or not batch.array.ndim:
            raise RuntimeError(
                "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch "
                "dimension. The sizes of the remaining dimensions are expected to match the shape of corresponding "
                f"output, but a mismatch was detected: grad_output[{i}] has a shape of {_size(batch)} and output[{i}] "
                f"has a shape of {_size(root)}."
            )
    counts = {len(b.array) for b in batches}
    if len(counts) > 1:
        raise ValueError(f"is_grads_batched: expected all gradients to have the same batch size, got {sorted(counts)}")
    if counts == {0}:
        raise IndexError("is_grads_batched: the batch of gradients is empty")
    last = counts.pop() - 1
    rows = []
    for n in range(last + 1):
        grads = _root_grads(roots, [wrap(b.result_class, b.array[n]) for b in batches])
        rows.append(run_backward(roots, grads, retain_graph or n < last, sources))
    return [None if column[0] is None else np.stack(column) for column in zip(*rows)]


def _tuple(tensors: Variable | Sequence[Any]) -> tuple[Any, ...]:
    return (tensors,) if isinstance(tensors, Variable) else tuple(tensors)


def _inputs(given: Any, function: str) -> tuple[Any, ...]:
    inputs = _tuple(given)
    if not inputs:
        raise RuntimeError(f"`inputs` argument to `{function}()` cannot be empty.")
    for i, source in enumerate(inputs):
        if not isinstance(source, Variable):
            raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(source).__name__}")
        source.catch_up()
        if not source.requires_grad:
            raise RuntimeError(f"One of the differentiated Tensors does not require grad: input {i} of {function}()")
    return inputs


def _counted(roots: Sequence[Variable], given: Variable | Sequence[Variable | None] | None) -> list[Any]:
    """A gradient or None for each root."""
    grads = [None] * len(roots) if given is None else list(_tuple(given))
    if len(grads) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(grads)} gradients; give one gradient for each tensor")
    for g in grads:
        if g is not None and not isinstance(g, Variable):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
    return grads


def _root_tensors(roots: Sequence[Variable], given: Variable | Sequence[Variable | None] | None) -> list[Variable]:
    """The gradients of the roots, those that were given with their own history."""
    arrays, tensors = _root_grads(roots, given), _counted(roots, given)
    return [wrap(r.result_class, a) if g is None else g for r, a, g in zip(roots, arrays, tensors)]


def _root_grads(roots: Sequence[Variable], given: Variable | Sequence[Variable | None] | None) -> list[Array]:
    arrays: list[Array] = []
    for i, (root, g) in enumerate(zip(roots, _counted(roots, given))):
        if not isinstance(root, Variable):
            raise TypeError(f"wanted tensors to differentiate, got {type(root).__name__}")
        root.catch_up()
        if not root.requires_grad:
            raise RuntimeError(f"element {i} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if root.array.size != 1:
                raise RuntimeError(
                    f"grad can be implicitly created only for scalar outputs; this tensor has shape "
                    f"{list(root.array.shape)}: reduce it (sum, mean, a loss) or pass backward(gradient)"
                )
            arrays.append(np.ones_like(root.array))
        elif g.array.shape != root.array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {_size(g)} and output[{i}] has a shape of "
                f"{_size(root)}."
            )
        else:
            arrays.append(g.array)
    return arrays


def _size(tensor: Variable) -> str:
    return f"torch.Size({list(tensor.array.shape)})"
