"""How an op's gradient becomes a graph: the few ways in which ops state it.

An op says `backward_graph = linear` (or another of these), and needs not write its gradient a second time:

    linear      the result is linear in the operands, what was saved being fixed (a sum, a view, max-pooling among its
                winners): backward is the adjoint of a linear map, the gradient of which is that map. Both run on arrays
    bilinear    a product of two operands (convolution, matrix product): the three gradients of <grad, a * b> are again
                products, by the same kernels
    arithmetic  backward is arithmetic that tensors know, too: it runs on them as it stands (`autograd.manners`)
    restated    `restate` does forward with other ops; its gradient is theirs. For norms, recurrent layers

or it has a method `backward_graph`, which takes tensors and gives tensors.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.create_graph import run_graph
from lenetcli.autograd.manners import as_operand, as_result, place, plain
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import NO_EDGE, Array, Edge, Variable, wrap
from lenetcli.kernels.device import as_array
from lenetcli.kernels.layout import zeros

# What an op saved, as tensors


_NAMES: dict[type, tuple[str, ...]] = {}


def operand_names(op: type) -> tuple[str, ...]:
    """Names of the operands, as forward calls them; `*arrays` have none."""
    if op not in _NAMES:
        parameters = list(inspect.signature(op.forward).parameters.values())[1:]  # type: ignore[attr-defined]
        _NAMES[op] = tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    return _NAMES[op]


def saved_names(ctx: Op) -> Sequence[str | None]:
    """What each saved array is."""
    return operand_names(type(ctx)) if ctx.saves is None else ctx.saves


def saved_tensors(ctx: Any) -> tuple[Any, ...]:
    """What the op saved, as tensors that stand where operands and results do; numbers and None as they are."""
    ctx.check_saved()
    names = saved_names(ctx)
    edges: dict[str | None, Edge] = dict(zip(operand_names(type(ctx)), ctx.edges))
    edges.update({"result": (ctx, 0), None: NO_EDGE})
    kept = [array for array in ctx.saved if array is not None]
    counters = [c for c, _ in ctx.versions] if len(ctx.versions) == len(kept) else [None] * len(kept)
    known = iter(counters)
    found = []
    for name, array in zip(names, ctx.saved):
        counter = None if array is None else next(known)
        if not hasattr(array, "dtype") or (isinstance(array, np.generic) and edges[name] is NO_EDGE):
            found.append(array.item() if isinstance(array, np.generic) else array)
            continue
        tensor = wrap(plain(ctx.result_class), array)
        if counter is not None:
            tensor._counter = counter
        place(tensor, edges[name])
        found.append(tensor)
    return tuple(found)


def standing_for(ctx: Any, at: int, array: Array) -> Any:
    """A tensor of these values that stands where operand `at` does; a constant where that needs no gradient."""
    tensor = wrap(plain(ctx.result_class), array)
    place(tensor, ctx.edges[at])
    return tensor


def result_tensor(ctx: Any, array: Array, number: int = 0) -> Any:
    """A tensor of these values that stands where a result does."""
    tensor = wrap(plain(ctx.result_class), array)
    place(tensor, (ctx, number))
    return tensor


# Linear ops


def linear(ctx: Any, *grads: Any) -> Any:
    """The gradients of an op that is linear in its operands, as an op of the result's gradients.

    `jvp(ctx, *tangents)` is the map itself, on arrays, None standing for zeros; without it forward runs once more.
    """
    ctx.check_saved()
    at = [i for i, grad in enumerate(grads) if grad is not None]
    results = Adjoint.apply(*(grads[i] for i in at), of=copy.copy(ctx), at=at)
    return _at_places(results, grads_taken(ctx))


def piecewise(ctx: Any, grad: Any) -> Any:
    """`linear`, of a curve made of straight lines: its second derivative is 0, not missing, as in torch."""
    (d_x,) = linear(ctx, grad)
    (kept,) = saved_tensors(ctx)
    return Bent.apply(d_x, kept)


class Bent(Op):
    """A gradient that depends on x in steps only."""

    formula = "y = d, a step function of x"
    gradient = ("d_d = grad", "d_x = 0")

    def forward(ctx: Any, d: Array, x: Array) -> Array:
        return d

    def backward(ctx: Any, grad: Array) -> Any:
        return grad, zeros(grad.shape, grad)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return grad, grad * 0


def grads_taken(ctx: Op) -> list[bool]:
    return [edge is not NO_EDGE for edge in ctx.edges]


def _at_places(results: Sequence[Any], places: Sequence[bool]) -> tuple[Any, ...]:
    left = iter(results)
    return tuple(next(left) if wanted else None for wanted in places)


class Adjoint(Op):
    """Backward of a linear op, as an op."""

    formula = "d = the gradients of {of}"
    gradient = ("d_grads = {of} of the gradients",)

    def forward(ctx: Any, *grads: Array, of: Any, at: list[int]) -> Any:
        ctx.of, ctx.at = of, at
        given: list[Array | None] = [None] * len(of.outputs)
        for i, grad in zip(at, grads):
            given[i] = grad
        results = of.run(given)
        return tuple(
            zeros_of(edge, grads[0]) if d is None else as_array(d)
            for d, edge in zip(results, of.edges)
            if edge is not NO_EDGE
        )

    def backward(ctx: Any, *tangents: Array | None) -> Any:
        results = _tangents(ctx.of, tangents)
        return tuple(results[i] for i in ctx.at)

    def backward_graph(ctx: Any, *tangents: Any) -> Any:
        at = [i for i, t in enumerate(tangents) if t is not None]
        results = Tangent.apply(*(tangents[i] for i in at), of=ctx.of, at=at)
        return tuple(results[i] for i in ctx.at)


class Tangent(Op):
    """A linear op itself, without what is constant in it."""

    formula = "y = {of} of the tangents"
    gradient = ("d_tangents = the gradients of {of}",)

    def forward(ctx: Any, *tangents: Array, of: Any, at: list[int]) -> Any:
        ctx.of, ctx.at = of, at
        given: list[Array | None] = [None] * sum(grads_taken(of))
        for i, tangent in zip(at, tangents):
            given[i] = tangent
        return _tangents(of, given)

    def backward(ctx: Any, *grads: Array | None) -> Any:
        results = _at_places(range(sum(grads_taken(ctx.of))), grads_taken(ctx.of))
        found = [d for d, place in zip(ctx.of.run(grads), results) if place is not None]
        return tuple(found[i] for i in ctx.at)

    def backward_graph(ctx: Any, *grads: Any) -> Any:
        found = [d for d, wanted in zip(linear(ctx.of, *grads), grads_taken(ctx.of)) if wanted]
        return tuple(found[i] for i in ctx.at)


def _tangents(of: Any, tangents: Sequence[Array | None]) -> tuple[Array, ...]:
    """The linear map of tangents of the operands that need gradients, as many results as the op has."""
    given = _at_places(tangents, grads_taken(of))
    jvp = getattr(of, "jvp", None)
    if jvp is None:
        shapes = of.operand_shapes()
        given = tuple(_filled(t, s) for t, s in zip(given, shapes)) if shapes else given
        fresh = type(of)()
        fresh.needs_input_grad = of.needs_input_grad
        result = type(of).forward(fresh, *given, **of.parameters)
    else:
        result = jvp(*given)
    results = result if type(result) is tuple else (result,)
    return tuple(
        y if y is not None else np.zeros(shape, kind) for y, (shape, kind) in zip(results, of.outputs, strict=True)
    )


def _filled(tangent: Array | None, shape: tuple[int, ...] | None) -> Any:
    """A tangent, or zeros in its place: 0 for what is a number."""
    return tangent if tangent is not None else np.zeros(shape) if shape else 0


def zeros_of(edge: Edge, beside: Array) -> Array:
    """Zeros as what an edge leads to."""
    node, number = edge
    assert node is not None, "it needs a gradient"
    shape, kind = node.outputs[number]
    return np.zeros(shape, kind, like=beside)


def diagonal(ctx: Any, tangent: Array) -> Any:
    """`jvp` of a linear op that is its own adjoint: it multiplies each element by a number of its own."""
    return type(ctx).backward(ctx, tangent)


def weights(ctx: Any, number: int = 0) -> Array:
    """The factor of each element of the operand in the one element of result `number` that it belongs to."""
    grads: list[Array | None] = [None] * len(ctx.outputs)
    grads[number] = np.ones(*ctx.outputs[number])
    found: Array = ctx.run(grads)[0]
    return found


# Bilinear ops


def product_gradients(ctx: Any, grad: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """What flows to the two factors of `ctx.multiply(a, b)`, as tensors; None for one that needs nothing.

    `ctx.gradients(grad, a, b, needs)` gives both on arrays, and reads a factor only where the other's is needed.
    """
    needs = tuple(isinstance(x, Variable) and x.requires_grad for x in (a, b))
    if not any(needs):
        return None, None
    results = iter(ProductBackward.apply(grad, a, b, of=ctx, needs=needs))
    return (next(results) if needs[0] else None), (next(results) if needs[1] else None)


def bilinear(ctx: Any, grad: Any) -> Any:
    """The gradients of a product of two operands."""
    a, b = saved_tensors(ctx)
    return product_gradients(ctx, grad, *missing_factors(ctx, (0, 1), a, b))


def missing_factors(ctx: Any, places: tuple[int, int], *factors: Any) -> list[Any]:
    """The factors, with zeros for one that was not saved, as the other one needs no gradient."""
    return [
        standing_for(ctx, at, zeros_of(ctx.edges[at], _array(factors))) if f is None and ctx.needs_input_grad[at] else f
        for at, f in zip(places, factors)
    ]


def _array(factors: Sequence[Any]) -> Array:
    return next(f.array for f in factors if isinstance(f, Variable))


class Product(Op):
    """`of.multiply(a, b)`, of an op that is a product."""

    formula = "y = a · b, as {of}"
    gradient = ("d_a = grad · b", "d_b = grad · a")

    def forward(ctx: Any, a: Array, b: Array, *, of: Any) -> Array:
        ctx.save(a, b)
        ctx.of = of
        return as_array(of.multiply(a, b))

    def backward(ctx: Any, grad: Array) -> Any:
        a, b = ctx.saved
        return ctx.of.gradients(grad, a, b, ctx.needs_input_grad)

    def backward_graph(ctx: Any, grad: Any) -> Any:
        return product_gradients(ctx.of, grad, *saved_tensors(ctx))


class ProductBackward(Op):
    """The gradients of a product, as an op of the result's gradient and both factors.

    Of s = <grad, a · b> it gives ds/da and ds/db, so that, with v and w being what comes back to them, its own gradient
    is that of <grad, v · b> + <grad, a · w>.
    """

    formula = "d_a, d_b = the gradients of {of}"
    gradient = ("d_grad = v · b + a · w", "d_a = the gradient of a · w", "d_b = the gradient of v · b")

    def forward(ctx: Any, grad: Array, a: Array | None, b: Array | None, *, of: Any, needs: tuple[bool, bool]) -> Any:
        ctx.save(grad, a, b)
        ctx.of, ctx.needs = of, needs
        found = of.gradients(grad, a, b, needs)
        return tuple(as_array(d) for d, needed in zip(found, needs) if needed)

    def backward(ctx: Any, *given: Array | None) -> Any:
        grad, a, b = ctx.saved
        v, w = ctx.places(given)
        need_grad, need_a, need_b = ctx.needs_input_grad
        parts = ((v, b), (a, w))
        products = [ctx.of.multiply(*part) for part in parts if part[0] is not None and part[1] is not None]
        d_a = ctx.of.gradients(grad, a, w, (True, False))[0] if need_a and w is not None else None
        d_b = ctx.of.gradients(grad, v, b, (False, True))[1] if need_b and v is not None else None
        return sum(products[1:], products[0]) if need_grad and products else None, d_a, d_b

    def backward_graph(ctx: Any, *given: Any) -> Any:
        grad, a, b = saved_tensors(ctx)
        v, w = ctx.places(given)
        need_grad, need_a, need_b = ctx.needs_input_grad
        parts = ((v, b), (a, w))
        products = [Product.apply(*part, of=ctx.of) for part in parts if part[0] is not None and part[1] is not None]
        return (
            sum(products[1:], products[0]) if need_grad and products else None,
            _one_side(ctx.of, grad, a, w, 0) if need_a and w is not None else None,
            _one_side(ctx.of, grad, v, b, 1) if need_b and v is not None else None,
        )

    def places(ctx: Any, given: Sequence[Any]) -> tuple[Any, ...]:
        """v and w, None where they are missing."""
        return _at_places(given, ctx.needs)


def _one_side(of: Any, grad: Any, a: Any, b: Any, side: int) -> Any:
    needs = (side == 0, side == 1)
    (found,) = ProductBackward.apply(grad, a, b, of=of, needs=needs)
    return found


# Arithmetic, and ops that are made of others


def arithmetic(ctx: Any, *grads: Any) -> Any:
    """`backward` as it stands, run on tensors that behave like arrays."""
    shadow = copy.copy(ctx)
    shadow.saved = tuple(as_operand(t) for t in saved_tensors(ctx))
    shadow.versions = ()
    result = type(ctx).backward(shadow, *(None if g is None else as_operand(g) for g in grads))
    results = result if type(result) is tuple else (result,)
    return tuple(as_result(d, ctx) if wanted else None for d, wanted in zip(results, grads_taken(ctx)))


def restated(ctx: Any, *grads: Any) -> Any:
    """The gradients of what `ctx.restate(*operands)` makes of tensors with other ops.

    An operand that was not saved is zeros there: what it is cannot matter, the op being linear in it.
    """
    kept = dict(zip(saved_names(ctx), saved_tensors(ctx)))
    places = grads_taken(ctx)
    given = []
    for at, (name, wanted) in enumerate(zip(operand_names(type(ctx)), places)):
        value = kept.get(name)
        if value is None and wanted:
            value = standing_for(ctx, at, zeros_of(ctx.edges[at], next(g for g in grads if g is not None).array))
        given.append(value)
    return gradients_of(ctx.restate(*given), grads, [t if w else None for t, w in zip(given, places)])


def gradients_of(results: Any, grads: Sequence[Any], sources: Sequence[Any]) -> tuple[Any, ...]:
    """What flows from results with these gradients to each source that is not None."""
    outs = results if isinstance(results, tuple) else (results,)
    pairs = [(y, g) for y, g in zip(outs, grads) if g is not None and y.requires_grad]
    wanted = [s for s in sources if s is not None]
    found = iter(
        run_graph([y for y, _ in pairs], [g for _, g in pairs], True, wanted) if pairs else [None] * len(wanted)
    )
    return tuple(None if s is None else next(found) for s in sources)
