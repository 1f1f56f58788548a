"""autograd.functional and func, beside torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn


def numbers(result: Any) -> Any:
    """Tensors as lists, in their nesting, with whether they have a history."""
    if isinstance(result, dict):
        return {k: numbers(v) for k, v in result.items()}
    if isinstance(result, (tuple, list)):
        return [numbers(r) for r in result]
    return [np.asarray(result.detach().numpy()), result.requires_grad]


def assert_same(ours: Any, theirs: Any) -> None:
    if isinstance(ours, dict):
        assert ours.keys() == theirs.keys()
        ours, theirs = list(ours.values()), list(theirs.values())
    if isinstance(ours, list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            assert_same(a, b)
    elif isinstance(ours, bool):
        assert ours == theirs
    else:
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)


def of_a_dict(d: dict[str, Any], b: Any) -> dict[str, Any]:
    return {"p": d["w"] * b * d["v"], "q": ((d["v"] ** 2 * d["w"]).prod() * b.sum(), d["w"] * d["v"] * b)}


CALLS: list[Callable[..., Any]] = [
    lambda f, F, x, y, v: F.jacobian(lambda a: (a * a).cumsum(0), x),
    lambda f, F, x, y, v: F.jacobian(lambda a, b: (a * b, (a + b).sum(), b), (x, y)),
    lambda f, F, x, y, v: F.jacobian(lambda a, b: (a * 2, b), (x, y)),
    lambda f, F, x, y, v: F.jacobian(lambda a: (a.exp(),), x, create_graph=True),
    lambda f, F, x, y, v: F.hessian(lambda a: (a**3).sum(), x),
    lambda f, F, x, y, v: F.hessian(lambda a, b: (a * b).sum() ** 2 + b.prod(), (x, y)),
    lambda f, F, x, y, v: F.hessian(lambda a: a.sum(), x),
    lambda f, F, x, y, v: F.hvp(lambda a: (a**3).sum(), x, v),
    lambda f, F, x, y, v: F.vhp(lambda a, b: (a * b).sum() ** 2, (x, y), (v, v)),
    lambda f, F, x, y, v: F.vjp(lambda a: a.sin() * a.sum(), x, v),
    lambda f, F, x, y, v: F.vjp(lambda a: a.sum(), x),
    lambda f, F, x, y, v: F.jvp(lambda a: a.sin() * a.sum(), x, v),
    lambda f, F, x, y, v: F.jvp(lambda a, b: (a * b, b), (x, y), (v, v)),
    lambda f, F, x, y, v: F.jvp(lambda a: a * a * y.exp(), x, v, create_graph=True),
    lambda f, F, x, y, v: f.grad(lambda a: (a**3).sum())(x),
    lambda f, F, x, y, v: f.grad(lambda a, b: (a * b**2).sum(), argnums=(0, 1))(x, y),
    lambda f, F, x, y, v: f.grad(lambda d: (d["w"] * d["b"] ** 2).sum())({"w": x, "b": y}),
    lambda f, F, x, y, v: f.grad_and_value(lambda a: ((a * v).sum(), a * 2), has_aux=True)(x)[0],
    lambda f, F, x, y, v: f.grad(lambda a: f.grad(lambda b: (b**3 * a).sum())(y).sum())(x),
    lambda f, F, x, y, v: f.vjp(lambda a: a * a, x)[1](v),
    lambda f, F, x, y, v: f.jvp(lambda a: a * a, (x,), (v,)),
    lambda f, F, x, y, v: f.jacrev(lambda a: a * a.sum())(x),
    lambda f, F, x, y, v: f.hessian(lambda a: (a**3).sum() * a[0])(x),
    lambda f, F, x, y, v: f.hessian(lambda a, b: (a * b**2).sum(), argnums=1)(x, y),
    *(
        lambda f, F, x, y, v, name=name, by=by: getattr(f, name)(lambda a, b: a * b**2 * a.sum(), by)(x, y)
        for name in ("jacrev", "jacfwd", "hessian")
        for by in (0, 1, (0, 1), (1,), (1, 0))
    ),
    lambda f, F, x, y, v: f.jacrev(lambda a, b: a * b, -1)(x, y),
    lambda f, F, x, y, v: f.jacrev(of_a_dict, (0, 1))({"w": x, "v": y}, v),
    lambda f, F, x, y, v: f.jacfwd(lambda a, b: ((a * b, a.sum()), b * 2), 1, has_aux=True)(x, y),
    lambda f, F, x, y, v: f.hessian(lambda d: (d["w"] ** 2 * d["v"].exp()).sum())({"w": x, "v": y}),
    lambda f, F, x, y, v: f.grad(lambda a: f.jacrev(lambda b: b * b * a.sum())(a).sum())(x),
    lambda f, F, x, y, v: f.vmap(lambda a, b: a * b.sum(), in_dims=(0, None))(x, y),
    lambda f, F, x, y, v: f.vmap(f.grad(lambda a: a**3))(x),
    lambda f, F, x, y, v: f.vmap(f.jacrev(lambda a: a * a), out_dims=1)(x.reshape(3, 1).expand(3, 2)),
]


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("needs", [False, True], ids=["plain inputs", "inputs that require gradients"])
def test_results_equal_torch(torch: Any, needs: bool) -> None:
    for number, call in enumerate(CALLS):
        found = []
        for library, functions in ((lenet, lenet.func), (torch, torch.func)):
            x, y, v = (
                library.tensor(values, dtype=library.float64)
                for values in ([0.5, -1.0, 2.0], [1.5, 0.25, -0.75], [1.0, 2.0, 3.0])
            )
            for tensor in (x, y) if needs else ():
                tensor.requires_grad_()
            found.append(numbers(call(functions, library.autograd.functional, x, y, v)))
        try:
            assert_same(*found)
        except AssertionError as error:
            raise AssertionError(f"call {number}: {found}") from error


def test_functional_call_takes_other_parameters(torch: Any) -> None:
    found = []
    for library, module in ((lenet, nn), (torch, torch.nn)):
        net = module.Sequential(module.Linear(2, 3), module.ReLU(), module.Linear(3, 1))
        state = {k: library.ones(tuple(v.shape)) * (0.1 + i) for i, (k, v) in enumerate(net.named_parameters())}
        x = library.tensor([[1.0, 2.0], [0.5, -1.0]])

        def loss(weights: Any, x: Any, net: Any = net, library: Any = library) -> Any:
            return library.func.functional_call(net, weights, (x,)).sum()

        before = [p.detach().clone() for p in net.parameters()]
        for _ in range(6):  # a chain of layers is recorded after some calls
            slopes = library.func.grad(loss)(state, x)
        found.append({k: numbers(g) for k, g in slopes.items()})
        assert all((a == b).all() for a, b in zip(before, net.parameters()))
    assert_same(*found)
    with pytest.raises(KeyError, match=r"no parameter or buffer 'missing'"):
        lenet.func.functional_call(nn.Linear(1, 1), {"missing": lenet.ones(1)}, lenet.ones(1, 1))


REFUSED: list[tuple[Callable[..., Any], str]] = [
    (lambda F, x: F.hessian(lambda a: a, x), "given to hessian should contain a single element"),
    (lambda F, x: F.hvp(lambda a: a.sum(), x), "The vector v can only be None if the input"),
    (lambda F, x: F.hvp(lambda a: a.sum(), x, x[:2]), "v has invalid size: should be torch.Size([3]) but got"),
    (lambda F, x: F.jacobian(lambda a: 1.0, x), "must be either a Tensor or a tuple of Tensors but the given outputs"),
    (lambda F, x: F.jacobian(lambda a: x * 2, x, strict=True), "does not require gradients"),
    (lambda F, x: F.jacobian(lambda a, b: a, (x, x), strict=True), "independent of input 1"),
    (lambda F, x: F.jacobian(lambda a: a, x, strategy="forward-mode"), "backward only"),
    (lambda F, x: F.vjp(lambda a: a, x), "The vector v can only be None if the output"),
    (lambda F, x: F.vhp(lambda a: a.sum(), [x]), "must be either a Tensor or a tuple of Tensors"),
]


def error_of(call: Callable[..., Any], library: Any) -> Exception | None:
    """What a call raises."""
    try:
        call(library.autograd.functional, library.ones(3))
    except Exception as error:
        return error
    return None


def test_bad_calls_are_refused_in_the_class_that_torch_takes(torch: Any) -> None:
    for call, words in REFUSED:
        expected = error_of(call, torch)
        assert expected is not None
        error = error_of(call, lenet)
        assert type(error) is type(expected), words
        assert words in str(error)
    with pytest.raises(RuntimeError, match="return a scalar tensor, got shape"):
        lenet.func.grad(lambda x: x)(lenet.ones(2))
    with pytest.raises(ValueError, match="same size in the mapped dimension"):
        lenet.func.vmap(lambda a, b: a + b)(lenet.ones(2), lenet.ones(3))


def test_what_transforms_refuse() -> None:
    func, one = lenet.func, lenet.ones(2)
    for kind, said, call in (
        (RuntimeError, "got argnums=5, but only 1 positional", lambda: func.grad(lambda x: x.sum(), argnums=5)(one)),
        (RuntimeError, "gives a tuple", lambda: func.grad(lambda x: x.sum(), has_aux=True)(one)),
        (RuntimeError, "vjp: with has_aux", lambda: func.vjp(lambda x: x, one, has_aux=True)),
        (RuntimeError, "expected primals to be a tuple", lambda: func.jvp(lambda x: x, one, (one,))),
        (RuntimeError, "expected tangents to be a tuple", lambda: func.jvp(lambda x: x, (one,), one)),
        (RuntimeError, "1 primals and 2 tangents", lambda: func.jvp(lambda x: x, (one,), (one, one))),
        (ValueError, "in_dims has 0 for a tensor of 0", lambda: func.vmap(lambda x: x)(lenet.tensor(1.0))),
        (ValueError, "in_dims has 3 for a tensor of 1", lambda: func.vmap(lambda x: x, in_dims=3)(one)),
        (ValueError, "there is no sample", lambda: func.vmap(lambda x: x)(lenet.ones(0, 2))),
        (ValueError, "must only return tensors, got float", lambda: func.vmap(lambda x: x.item())(one)),
        (ValueError, "must only return tensors, got int", lambda: func.vmap(lambda x: {"a": (x, 3)})(one)),
    ):
        with pytest.raises(kind, match=said):
            call()
    assert func.vmap(lambda x: (x, {"b": x * 2}))(one)[1]["b"].tolist() == [2.0, 2.0]
