"""What may not be done to a gradient, a flag or the data of a tensor: refused as torch refuses it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

Case = tuple[Callable[[Any], Any], type[Exception] | None]  # a call over a package; what is raised


def leaf(m: Any) -> Any:
    return m.tensor([1.0, 2.0], requires_grad=True)


def setting(name: str, value: Callable[[Any], Any], on: Callable[[Any], Any] = leaf) -> Callable[[Any], Any]:
    """`on(m).name = value(m)`, and what the attribute then is."""

    def run(m: Any) -> Any:
        x = on(m)
        setattr(x, name, value(m))
        return getattr(x, name)

    return run


# what a hook may give back: (value of the package and the gradient, error where one tensor is wanted)
RETURNED: dict[str, tuple[Callable[[Any, Any], Any], type[Exception] | None]] = {
    "the same": (lambda m, g: g, None),
    "twice": (lambda m, g: g * 2, None),
    "None": (lambda m, g: None, None),
    "another shape": (lambda m, g: m.ones(3), RuntimeError),
    "one element": (lambda m, g: m.ones(1), RuntimeError),
    "float64": (lambda m, g: m.ones(2, dtype=m.float64), RuntimeError),
    "integers": (lambda m, g: m.tensor([1, 2]), RuntimeError),
    "a number": (lambda m, g: 2.0, TypeError),
    "True": (lambda m, g: True, TypeError),
    "a tuple": (lambda m, g: (g,), TypeError),
    "a list": (lambda m, g: [g], TypeError),
    "an array": (lambda m, g: g.numpy(), TypeError),
}


def of_leaf(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    x.register_hook(give)
    (x * 3).sum().backward()
    return x.grad


def of_inner(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    y = x * 1
    y.register_hook(give)
    y.retain_grad()
    (y * 3).sum().backward()
    return x.grad, y.grad


def of_grad(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    x.register_hook(give)
    return m.autograd.grad((x * 3).sum(), x)


def before_node(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    y = x * 1
    y.grad_fn.register_prehook(lambda grads: (give(grads[0]),))
    (y * 3).sum().backward()
    return x.grad


def after_node(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    y = x.neg()
    y.grad_fn.register_hook(lambda inputs, outputs: (give(inputs[0]),))
    (y * 3).sum().backward()
    return x.grad


def before_leaf(m: Any, give: Callable[[Any], Any]) -> Any:
    x = leaf(m)
    y = x.view(2)
    y.grad_fn.next_functions[0][0].register_prehook(lambda grads: (give(grads[0]),))
    y.sum().backward()
    return x.grad


def of_module(m: Any, give: Callable[[Any], Any]) -> Any:
    layer, x = m.nn.Tanh(), leaf(m)
    layer.register_full_backward_hook(lambda module, inputs, outputs: (give(inputs[0]),))
    layer(x).sum().backward()
    return x.grad


HOOKS = [of_leaf, of_inner, of_grad, before_node, after_node, before_leaf, of_module]


def hooked(place: Callable[..., Any], what: str) -> Callable[[Any], Any]:
    return lambda m: place(m, lambda g: RETURNED[what][0](m, g))


def node_hook(give: Callable[[Any], Any], op: Callable[[Any], Any], before: bool = False) -> Callable[[Any], Any]:
    """A hook of a node that gives back `give(gradients)` itself."""

    def run(m: Any) -> Any:
        x = leaf(m)
        y = op(x)
        if before:
            y.grad_fn.register_prehook(give)
        else:
            y.grad_fn.register_hook(lambda inputs, outputs: give(inputs))
        y.sum().backward()
        return x.grad

    return run


def module_hook(give: Callable[[Any, Any], Any], needs: bool = True) -> Callable[[Any], Any]:
    def run(m: Any) -> Any:
        layer = m.nn.Tanh() if needs else m.nn.Linear(2, 1)
        layer.register_full_backward_hook(lambda module, inputs, outputs: give(inputs, outputs))
        x = m.ones(2, requires_grad=needs)
        layer(x).sum().backward()
        return x.grad

    return run


def grown(m: Any) -> Any:
    """Data of another shape, between two passes."""
    x = leaf(m)
    (x * 2).sum().backward()
    x.grad, x.data = None, m.ones(3, dtype=m.float64)
    (x * 2).sum().backward()
    return x.grad


CASES: dict[str, Case] = {
    **{
        f"hook {place.__name__}, {what}": (hooked(place, what), None if what == "None" else kind)
        for place in HOOKS
        for what, (_, kind) in RETURNED.items()
        if not (place is of_module and what == "None")
    },
    "node hook gives no tuple": (node_hook(lambda g: g[0], lambda x: x.neg()), TypeError),
    "node hook gives a list": (node_hook(list, lambda x: x.neg()), TypeError),
    "node hook gives two for one": (node_hook(lambda g: (g[0], g[0]), lambda x: x.neg()), RuntimeError),
    "node hook gives one for two": (node_hook(lambda g: g[:1], lambda x: x * x), RuntimeError),
    "node hook gives None for all": (node_hook(lambda g: None, lambda x: x * x), None),
    "prehook gives no tuple": (node_hook(lambda g: g[0], lambda x: x.neg(), before=True), TypeError),
    "prehook gives two for one": (node_hook(lambda g: (g[0], g[0]), lambda x: x.neg(), before=True), RuntimeError),
    "module hook gives no tuple": (module_hook(lambda i, o: i[0]), RuntimeError),
    "module hook gives two for one": (module_hook(lambda i, o: (i[0], i[0])), RuntimeError),
    "module hook gives a list": (module_hook(lambda i, o: [i[0] * 2]), None),
    "module hook gives a number": (module_hook(lambda i, o: 3.0), TypeError),
    "module hook without input gradient": (module_hook(lambda i, o: (o[0],), needs=False), RuntimeError),
    "hook on a tensor without gradient": (lambda m: m.ones(1).register_hook(print), RuntimeError),
    "grad = None": (setting("grad", lambda m: None), None),
    "grad = tensor": (setting("grad", lambda m: m.ones(2)), None),
    "grad = tensor on one without": (setting("grad", lambda m: m.ones(2), lambda m: m.ones(2)), None),
    "grad = number": (setting("grad", lambda m: 3.0), TypeError),
    "grad = text": (setting("grad", lambda m: "a"), TypeError),
    "grad = list": (setting("grad", lambda m: [1.0, 2.0]), TypeError),
    "grad = array": (setting("grad", lambda m: np.ones(2, np.float32)), TypeError),
    "grad = another shape": (setting("grad", lambda m: m.ones(3)), RuntimeError),
    "grad = one dimension more": (setting("grad", lambda m: m.ones(1, 2)), RuntimeError),
    "grad = float64": (setting("grad", lambda m: m.ones(2, dtype=m.float64)), RuntimeError),
    "grad = integers": (setting("grad", lambda m: m.tensor([1, 2])), RuntimeError),
    "grad = itself": (lambda m: (lambda x: setattr(x, "grad", x))(leaf(m)), RuntimeError),
    "grad of a parameter": (setting("grad", lambda m: m.ones(3), lambda m: m.nn.Parameter(m.ones(2))), RuntimeError),
    "grad of integers": (setting("grad", lambda m: m.ones(1), lambda m: m.tensor([1])), RuntimeError),
    "del grad": (lambda m: (lambda x: (x.sum().backward(), delattr(x, "grad"), x.grad)[2])(leaf(m)), None),
    "requires_grad = True": (setting("requires_grad", lambda m: True, lambda m: m.ones(1)), None),
    "requires_grad = False": (setting("requires_grad", lambda m: False), None),
    "requires_grad = False, no leaf": (setting("requires_grad", lambda m: False, lambda m: leaf(m) * 2), RuntimeError),
    "requires_grad = 1": (setting("requires_grad", lambda m: 1), RuntimeError),
    "requires_grad = None": (setting("requires_grad", lambda m: None), RuntimeError),
    "requires_grad of integers": (setting("requires_grad", lambda m: True, lambda m: m.tensor([1])), RuntimeError),
    "requires_grad_() of integers": (lambda m: m.tensor([1]).requires_grad_(), RuntimeError),
    "requires_grad_() of booleans": (lambda m: m.tensor([True]).requires_grad_(), RuntimeError),
    "requires_grad_(False) of integers": (lambda m: m.tensor([1]).requires_grad_(False), None),
    "requires_grad_(False), no leaf": (lambda m: (leaf(m) * 2).requires_grad_(False), RuntimeError),
    "requires_grad_(1)": (lambda m: m.ones(1).requires_grad_(1), TypeError),
    "tensor of integers": (lambda m: m.tensor([1], requires_grad=True), RuntimeError),
    "ones of integers": (lambda m: m.ones(2, dtype=m.int64, requires_grad=True), RuntimeError),
    "arange": (lambda m: m.arange(3, requires_grad=True), RuntimeError),
    "zeros_like of integers": (lambda m: m.zeros_like(m.tensor([1]), requires_grad=True), RuntimeError),
    "full of integers": (lambda m: m.full((2,), 3, requires_grad=True), RuntimeError),
    "retain_grad() without gradient": (lambda m: m.ones(1).retain_grad(), RuntimeError),
    "retain_grad() of a leaf": (lambda m: leaf(m).retain_grad(), None),
    "data = another shape": (setting("data", lambda m: m.ones(3)), None),
    "data = float64": (setting("data", lambda m: m.ones(2, dtype=m.float64)), None),
    "data = integers": (setting("data", lambda m: m.tensor([1, 2])), RuntimeError),
    "data = integers, no gradient": (setting("data", lambda m: m.tensor([1, 2]), lambda m: m.ones(2)), None),
    "data = number": (setting("data", lambda m: 3.0), TypeError),
    "data = array": (setting("data", lambda m: np.ones(2)), TypeError),
    "data = None": (setting("data", lambda m: None), TypeError),
    "data between two passes": (grown, None),
    "float() of two": (lambda m: float(m.ones(2)), ValueError),
    "int() of two": (lambda m: int(m.ones(2)), ValueError),
    "item() of two": (lambda m: m.ones(2).item(), RuntimeError),
    "bool() of two": (lambda m: bool(m.ones(2)), RuntimeError),
    "deepcopy of no leaf": (lambda m: copy.deepcopy(leaf(m) * 2), RuntimeError),
}


def shown(value: Any) -> Any:
    if isinstance(value, tuple):
        return [shown(v) for v in value]
    return (value.tolist(), str(value.dtype)) if hasattr(value, "tolist") else repr(value)


def tried(case: str, package: Any) -> tuple[type[Exception] | None, Any]:
    try:
        return None, shown(CASES[case][0](package))
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused_with_words_or_taken(case: str) -> None:
    kind, what = tried(case, lenet)
    assert kind is CASES[case][1], what
    assert kind is None or len(what) > 20


@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of module hooks without input gradient
@pytest.mark.parametrize("case", CASES)
def test_torch_refuses_and_takes_the_same(torch: Any, case: str) -> None:
    kind, what = tried(case, torch)
    assert kind is CASES[case][1], what
    if kind is None:
        ours = tried(case, lenet)[1]
        assert ours == what or np.allclose(ours[0], what[0], rtol=1e-6)


def test_the_words_name_the_hook_and_what_it_changed() -> None:
    def widened(grad: Any) -> Any:
        return lenet.ones(3)

    x = leaf(lenet)
    x.register_hook(widened)
    with pytest.raises(RuntimeError, match=r"hook 'widened' has changed the size of value \(was \[2\] got \[3\]\)"):
        x.sum().backward()


def test_what_a_hook_holds_on_to_stays_as_it_was() -> None:
    held: list[Any] = []
    given = lenet.ones(2)
    x = leaf(lenet)
    x.register_hook(held.append)
    y = x.neg()
    y.grad_fn.register_hook(lambda inputs, outputs: held.extend(inputs))  # type: ignore[union-attr]
    z = leaf(lenet)
    z.register_hook(lambda grad: given)
    (y + z).sum().backward()
    (x + z).sum().backward()
    x.grad.zero_()
    assert [h.tolist() for h in held] == [[-1.0, -1.0], [-1.0, -1.0], [1.0, 1.0]]
    assert given.tolist() == [1.0, 1.0]
    assert z.grad.tolist() == [2.0, 2.0]


def test_only_a_leaf_can_be_told_to_require_gradients() -> None:
    y = lenet.ones(2, requires_grad=True) * 2
    for value in (True, False):
        with pytest.raises(RuntimeError, match="requires_grad flags of leaf variables"):
            y.requires_grad = value
    assert y.requires_grad_() is y
    with pytest.raises(RuntimeError, match="requires_grad flags of leaf variables"):
        y.requires_grad_(False)
