"""Gradients, products with Jacobians, Jacobians and Hessians of functions, as functions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd import functional
from lenetcli.autograd.differentiate import grad as gradients
from lenetcli.autograd.modes import enable_grad
from lenetcli.autograd.tape import AccumulateGrad, Variable, like
from lenetcli.func.trees import leaves_of, with_leaves

Function = Callable[..., Any]
Numbers = int | tuple[int, ...]


def _fresh(tree: Any) -> Any:
    """The tensors once more, each with a place of its own in the graph that it may have."""

    def own(tensor: Any) -> Any:
        return tensor.view_as(tensor) if tensor.requires_grad else like(tensor, tensor.array).requires_grad_()

    return with_leaves(tree, map(own, leaves_of(tree)))


def grad_and_value(func: Function, argnums: Numbers = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `func` and what `func` gives, which is one number.

    Args:
        func: gives a tensor without dimensions; with `has_aux` a pair, of that and anything else.
        argnums: the argument, or arguments, to differentiate by: tensors, or nested dicts, lists and tuples of them.

    Raises:
        RuntimeError: `func` gives no single number, or with `has_aux` no pair; there is no such argument.

    Source: torch.func.grad_and_value.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.grad_and_value(lambda x: (x**3).sum())(lenet.tensor([1.0, 2.0]))
        (tensor([ 3., 12.]), tensor(9.))
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with enable_grad():
            numbers = _numbers("grad_and_value", argnums, args)
            given = list(args)
            for n in numbers:
                given[n] = _fresh(args[n])
            value, aux = _with_aux("grad_and_value", func(*given, **kwargs), has_aux)
            if not isinstance(value, Variable) or value.array.shape:
                got = f"shape {list(value.array.shape)}" if isinstance(value, Variable) else type(value).__name__
                raise RuntimeError(
                    f"grad_and_value(f)(*args): Expected f(*args) to return a scalar tensor, got {got}; reduce it first"
                )
            chosen = [given[n] for n in numbers]
            found = _by(value, leaves_of(chosen), None)
            slopes = with_leaves(tuple(chosen), iter(found))
            slopes = slopes if isinstance(argnums, tuple) else slopes[0]
            slopes, value, aux = (_settled(tree, chosen) for tree in (slopes, value, aux))
            return (slopes, (value, aux)) if has_aux else (slopes, value)

    return wrapped


def _numbers(name: str, argnums: Numbers, args: tuple[Any, ...]) -> tuple[int, ...]:
    """The places of the arguments to differentiate by."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise RuntimeError(f"{name}: got argnums={n}, but only {len(args)} positional inputs")
    return numbers


def _with_aux(name: str, result: Any, has_aux: bool) -> tuple[Any, Any]:
    """What a function gives, and what it gives beside that."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(f"{name}: with has_aux=True the function gives a tuple (output, aux)")
    return result


def _by(value: Any, sources: Sequence[Any], seed: Any) -> list[Any]:
    """Gradients with a graph; zeros where there is none."""
    if not leaves_of(value) or not any(v.requires_grad for v in leaves_of(value)):
        return [like(s, np.zeros_like(s.array)) for s in sources]
    outs = [v for v in leaves_of(value) if v.requires_grad]
    seeds = None if seed is None else [g for v, g in zip(leaves_of(value), leaves_of(seed)) if v.requires_grad]
    return list(gradients(outs, sources, seeds, create_graph=True, materialize_grads=True))


def _settled(tree: Any, fresh: Any) -> Any:
    """The results, without a history where that leads to nothing but the tensors that were made here.

    What a function reads from outside, be it a parameter or the argument of a transform around this one, stays in it.
    """
    for tensor in leaves_of(fresh):
        if tensor.grad_fn is None:
            tensor.passed = True  # the transforms around this one know it by that

    def settled(tensor: Any) -> Any:
        outside = any("passed" not in vars(node.variable) for node in _ends(tensor))
        return tensor if outside else like(tensor, tensor.array)

    return with_leaves(tree, map(settled, leaves_of(tree)))


def _ends(tensor: Any) -> set[Any]:
    """The leaves that a tensor's history leads to."""
    if not tensor.requires_grad:
        return set()
    seen = {tensor.gradient_edge()[0]}
    stack = list(seen)
    while stack:
        for node, _ in stack.pop().next_functions:
            if node is not None and node not in seen:
                seen.add(node)
                stack.append(node)
    return {node for node in seen if isinstance(node, AccumulateGrad)}


def grad(func: Function, argnums: Numbers = 0, has_aux: bool = False) -> Function:
    """A function that gives the gradient of `func`; see `grad_and_value`. It can be taken again.

    Source: torch.func.grad.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.grad(lenet.func.grad(lenet.sin))(lenet.tensor(0.5))
        tensor(-0.4794)
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        slopes, value = both(*args, **kwargs)
        return (slopes, value[1]) if has_aux else slopes

    return wrapped


def vjp(func: Function, *primals: Any, has_aux: bool = False) -> Any:
    """What `func` gives of the primals, and a function from gradients of that to gradients of the primals.

    Source: torch.func.vjp.

    Example:
        >>> import lenetcli as lenet
        >>> y, back = lenet.func.vjp(lenet.exp, lenet.zeros(2))
        >>> y, back(lenet.tensor([1.0, 2.0]))
        (tensor([1., 1.]), (tensor([1., 2.]),))
    """
    with enable_grad():
        given = _fresh(primals)
        value, aux = _with_aux("vjp", func(*given), has_aux)

    def back(*cotangents: Any) -> Any:
        seed = cotangents[0] if len(cotangents) == 1 else cotangents
        with enable_grad():
            found = with_leaves(tuple(given), iter(_by(value, leaves_of(given), seed)))
        return _settled(found, given)

    shown = _settled(value, given)
    return (shown, back, _settled(aux, given)) if has_aux else (shown, back)


def jvp(func: Function, primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> tuple[Any, Any]:
    """What `func` gives of the primals, and its derivative along the tangents.

    Raises:
        RuntimeError: primals or tangents are no tuples, or not alike in number or shapes.

    Source: torch.func.jvp.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.jvp(lenet.exp, (lenet.zeros(2),), (lenet.tensor([1.0, 2.0]),))
        (tensor([1., 1.]), tensor([1., 2.]))
    """
    for word, value in (("primals", primals), ("tangents", tangents)):
        if not isinstance(value, tuple):
            raise RuntimeError(
                f"jvp: expected {word} to be a tuple, one entry for each argument, got {type(value).__name__}"
            )
    if len(leaves_of(primals)) != len(leaves_of(tangents)):
        raise RuntimeError(f"jvp: {len(leaves_of(primals))} primals and {len(leaves_of(tangents))} tangents")
    with enable_grad():
        given = _fresh(primals)
        value = func(*given)
        # u -> uᵀJ is linear in u: its derivative along the tangents is J times these
        u = [like(y, np.zeros_like(y.array)).requires_grad_() for y in leaves_of(value)]
        back = _by(value, leaves_of(given), u)
        pairs = list(zip(back, leaves_of(tangents), strict=True))
        for g, t in pairs:
            if g.shape != t.shape:
                raise RuntimeError(f"jvp: a tangent has shape {list(t.shape)}, its primal {list(g.shape)}")
        along = _by([g for g, _ in pairs], u, [t for _, t in pairs])
        return _settled(value, given), _settled(with_leaves(value, iter(along)), (given, u))


def jacrev(func: Function, argnums: Numbers = 0, has_aux: bool = False) -> Function:
    """A function that gives the Jacobian of `func`, one backward for each element of what it gives.

    Args:
        func: gives a tensor, or nested dicts, lists and tuples of them; with `has_aux` a pair, of that and
            anything else.
        argnums: as for `grad_and_value`.

    Shape:
        In the nesting of the result, for each of its tensors the nesting of the argument: result's + argument's shape.

    Raises:
        RuntimeError: there is no such argument; with `has_aux` `func` gives no pair.

    Source: torch.func.jacrev.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.jacrev(lambda x: x * x)(lenet.tensor([1.0, 2.0]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        numbers = _numbers("jacrev", argnums, args)
        chosen = tuple(_fresh(args[n]) for n in numbers)
        given = list(args)
        result: list[Any] = []

        def of_leaves(*leaves: Any) -> tuple[Any, ...]:
            for n, part in zip(numbers, with_leaves(chosen, iter(leaves))):
                given[n] = part
            result[:] = _with_aux("jacrev", func(*given, **kwargs), has_aux)
            return tuple(leaves_of(result[0]))

        rows = functional.jacobian(of_leaves, tuple(leaves_of(chosen)), create_graph=True)
        found = (with_leaves(chosen, iter(row)) for row in rows)
        slopes = with_leaves(result[0], found if isinstance(argnums, tuple) else (row[0] for row in found))
        slopes, aux = _settled(slopes, chosen), _settled(result[1], chosen)
        return (slopes, aux) if has_aux else slopes

    return wrapped


def jacfwd(func: Function, argnums: Numbers = 0, has_aux: bool = False, *, randomness: str = "error") -> Function:
    """The same as `jacrev`, by the same way: rows, where torch goes forward by columns.

    Source: torch.func.jacfwd.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.jacfwd(lenet.sin)(lenet.tensor(0.0))
        tensor(1.)
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(f"jacfwd: randomness is 'error', 'different' or 'same', got {randomness!r}")
    return jacrev(func, argnums, has_aux)


def hessian(func: Function, argnums: Numbers = 0) -> Function:
    """A function that gives the Hessian of `func`: the Jacobian of its Jacobian.

    Source: torch.func.hessian.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.func.hessian(lambda x: x[0] * x[1] ** 2)(lenet.tensor([1.0, 2.0]))
        tensor([[0., 4.],
                [4., 2.]])
    """
    return jacrev(jacrev(func, argnums), argnums)
