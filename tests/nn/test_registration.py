"""What may become a parameter, a buffer, a module, an entry of a container or of an optimizer: as torch has it."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

Call = Callable[[Any], Any]  # takes a package, lenetcli or torch

NAMES: list[Any] = ["p", "b", "m", "a", "np", "nb", "new", "", "x.y", "training", "forward", 3, None]
VALUES: dict[str, Call] = {
    "parameter": lambda m: m.nn.Parameter(m.ones(2)),
    "tensor": lambda m: m.ones(2),
    "buffer": lambda m: m.nn.Buffer(m.ones(2)),
    "transient buffer": lambda m: m.nn.Buffer(m.ones(2), persistent=False),
    "module": lambda m: m.nn.Tanh(),
    "None": lambda m: None,
    "number": lambda m: 5,
    "computed": lambda m: m.ones(1, requires_grad=True) * 2,
    "list": lambda m: [1],
    "array": lambda m: np.ones(1),
}
WAYS = ["register_parameter", "register_buffer", "add_module", "register_module", "setattr"]
ENTRIES: dict[str, Call] = {
    **VALUES,
    "modules": lambda m: [m.nn.ReLU()],
    "parameters": lambda m: [m.nn.Parameter(m.ones(1))],
    "tensors": lambda m: [m.ones(1)],
    "numbers": lambda m: [3],
    "None listed": lambda m: [None],
    "computed ones": lambda m: [m.ones(1, requires_grad=True) * 2],
    "integers": lambda m: [m.tensor([1])],
    "pairs": lambda m: [("a", m.nn.ReLU())],
    "text": lambda m: "ab",
}
MAPPINGS: dict[str, Call] = {
    "modules": lambda m: {"a": m.nn.ReLU()},
    "parameters": lambda m: {"a": m.nn.Parameter(m.ones(1))},
    "number": lambda m: {"a": 3},
    "name with a dot": lambda m: {"a.b": m.nn.ReLU()},
    "empty name": lambda m: {"": m.nn.ReLU()},
    "name of a method": lambda m: {"keys": m.nn.ReLU()},
    "number as name": lambda m: {1: m.nn.ReLU()},
    "tensor under a number": lambda m: {1: m.ones(1)},
    "computed": lambda m: {"a": m.ones(1, requires_grad=True) * 2},
}
OPTIMIZED: dict[str, Call] = {
    "a tensor": lambda m: m.ones(1),
    "computed": lambda m: [m.ones(1, requires_grad=True) * 2],
    "numbers": lambda m: [3.0],
    "nothing": lambda m: [],
    "None": lambda m: None,
    "None listed": lambda m: [None],
    "a number": lambda m: 3,
    "text": lambda m: "ab",
    "arrays": lambda m: [np.ones(1)],
    "lists": lambda m: [[m.ones(1)]],
    "no gradient": lambda m: [m.ones(1)],
    "integers": lambda m: [m.tensor([1])],
    "no params": lambda m: [{"lr": 1}],
    "numbers in a group": lambda m: [{"params": [3.0]}],
    "an empty group": lambda m: [{"params": []}],
    "a set in a group": lambda m: [{"params": {1}}],
    "a tensor in a group": lambda m: [{"params": m.ones(1)}],
    "a generator": lambda m: (p for p in [m.ones(1)]),
    "one in two groups": lambda m: (lambda t: [{"params": [t]}, {"params": [t]}])(m.ones(1)),
    "names for some": lambda m: [("a", m.ones(1)), m.ones(1)],
    "names": lambda m: [("a", m.ones(1))],
    "group and tensor": lambda m: [{"params": [m.ones(1)]}, m.ones(1)],
    "retained": lambda m: (lambda y: (y.retain_grad(), [y])[1])(m.ones(1, requires_grad=True) * 2),
}
OTHERS: dict[str, Call] = {
    "Parameter of integers": lambda m: m.nn.Parameter(m.tensor([1])),
    "Parameter of integers without gradient": lambda m: m.nn.Parameter(m.tensor([1]), requires_grad=False),
    "Parameter of a list": lambda m: m.nn.Parameter([1.0]),
    "Parameter of a number": lambda m: m.nn.Parameter(3.0),
    "Parameter of an array": lambda m: m.nn.Parameter(np.ones(1)),
    "Parameter of None": lambda m: m.nn.Parameter(None),
    "Parameter()": lambda m: m.nn.Parameter(),
    "Parameter of a computed one": lambda m: m.nn.Parameter(m.ones(1, requires_grad=True) * 2),
    "to a tensor": lambda m: m.nn.Linear(1, 1).to(m.ones(1, dtype=m.float64)).weight,
    "to a tensor of integers": lambda m: m.nn.Linear(1, 1).to(m.tensor([1])),
    "to text": lambda m: m.nn.Linear(1, 1).to("float64"),
    "train(1)": lambda m: m.nn.ReLU().train(1),
    "append a number": lambda m: m.nn.ModuleList().append(3),
    "extend by a number": lambda m: m.nn.ModuleList().extend(3),
    "set a number": lambda m: m.nn.ModuleList([m.nn.ReLU()]).__setitem__(0, 3),
    "set a number by name": lambda m: m.nn.ModuleDict().__setitem__("a", 3),
    "a number as name of a parameter": lambda m: m.nn.ParameterDict()[1],
    "a module beyond the end": lambda m: m.nn.ModuleList()[3],
    "a parameter beyond the end": lambda m: m.nn.ParameterList()[3],
    "a list of parameters called": lambda m: m.nn.ParameterList()(),
    "a list of modules called": lambda m: m.nn.ModuleList()(),
    "a group that is no dict": lambda m: m.optim.SGD([m.ones(1)], lr=0.1).add_param_group([m.ones(1)]),
    **{
        f"to {kind}{keyword}": lambda m, kind=kind, keyword=keyword: (
            m.nn.Linear(1, 1)
            .to(*([] if keyword else [getattr(m, kind)]), **({"dtype": getattr(m, kind)} if keyword else {}))
            .weight
        )
        for kind in ("int64", "bool", "uint8", "float64", "float16")
        for keyword in ("", " by keyword")
    },
}


def net(m: Any) -> Any:
    found = m.nn.Module()
    found.p, found.m, found.a = m.nn.Parameter(m.ones(1)), m.nn.ReLU(), 3
    found.register_buffer("b", m.ones(1))
    found.register_parameter("np", None)
    found.register_buffer("nb", None)
    return found


def registered(m: Any, way: str, name: Any, value: str) -> Any:
    module = net(m)
    if way == "setattr":
        setattr(module, name, VALUES[value](m))
    else:
        getattr(module, way)(name, VALUES[value](m))
    own = [k for k in module.__dict__ if not k.startswith("_")]
    return [list(module._parameters), list(module._buffers), list(module._modules), sorted(own)]


def held(m: Any, kind: str, given: Call) -> Any:
    container = getattr(m.nn, kind)(given(m))
    return [len(container), [n for n, _ in container.named_parameters()], [n for n, _ in container.named_modules()]]


def tried(call: Callable[..., Any], *args: Any) -> Any:
    """What a call gives, or the kind of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = call(*args)
        except Exception as error:
            kind = next(k for k in type(error).__mro__ if k.__module__ == "builtins").__name__
            return "ValueError" if kind == "AssertionError" else kind  # asserts are for our own mistakes
    return [type(found).__name__, str(found.dtype), list(found.shape)] if hasattr(found, "dtype") else found


@pytest.mark.parametrize("way", WAYS)
def test_a_name_and_a_value_are_registered_or_refused_as_in_torch(torch: Any, way: str) -> None:
    for name in NAMES:
        for value in VALUES:
            ours, theirs = (tried(registered, m, way, name, value) for m in (lenet, torch))
            assert ours == theirs, (name, value)


def test_a_buffer_is_a_marked_tensor_and_stays_one_in_a_copy(torch: Any) -> None:
    def told(m: Any) -> Any:
        module = m.nn.Module()
        module.kept, module.count = m.nn.Buffer(m.zeros(2)), copy.deepcopy(m.nn.Buffer(m.tensor(3), persistent=False))
        module.kept = m.ones(2)
        module.count = m.tensor(4)
        again = copy.deepcopy(module)
        again.count += 1
        return [
            [list(x.state_dict()) for x in (module, again)],
            [(n, b.tolist()) for n, b in again.named_buffers()],
            isinstance(m.nn.Buffer(), m.nn.Buffer),
            isinstance(m.ones(1), m.nn.Buffer),
            type(m.nn.Buffer(m.ones(1), persistent=True)) is m.Tensor,
            m.nn.Buffer(m.ones(1, requires_grad=True)).requires_grad,
            repr(m.nn.Buffer(m.tensor([1.0]))),
            tried(lambda m: m.nn.Buffer([1.0]), m),
        ]

    assert told(lenet) == told(torch)


@pytest.mark.parametrize("kind", ["Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"])
def test_a_container_takes_what_torch_takes(torch: Any, kind: str) -> None:
    for given in (ENTRIES, {} if kind == "Sequential" else MAPPINGS):
        for what, make in given.items():
            ours, theirs = (tried(held, m, kind, make) for m in (lenet, torch))
            assert ours == theirs, what


@pytest.mark.parametrize("what", OPTIMIZED)
def test_an_optimizer_takes_what_torch_takes(torch: Any, what: str) -> None:
    ours, theirs = (
        tried(lambda m=m: len(m.optim.SGD(OPTIMIZED[what](m), lr=0.1).param_groups)) for m in (lenet, torch)
    )
    assert ours == theirs


@pytest.mark.parametrize("what", OTHERS)
def test_it_is_refused_or_taken_as_in_torch(torch: Any, what: str) -> None:
    assert tried(OTHERS[what], lenet) == tried(OTHERS[what], torch)


@pytest.mark.parametrize(
    ("way", "name", "value", "error"),
    [
        ("register_buffer", "p", "tensor", "KeyError"), ("register_buffer", "m", "tensor", "KeyError"),
        ("register_buffer", "a", "tensor", "KeyError"), ("register_parameter", "b", "parameter", "KeyError"),
        ("register_parameter", "m", "parameter", "KeyError"), ("register_parameter", "x.y", "parameter", "KeyError"),
        ("register_parameter", "", "parameter", "KeyError"), ("register_parameter", "new", "tensor", "TypeError"),
        ("register_parameter", "new", "computed", "TypeError"), ("register_parameter", 3, "parameter", "TypeError"),
        ("add_module", "p", "module", "KeyError"), ("add_module", "new", "number", "TypeError"),
        ("setattr", "p", "tensor", "TypeError"), ("setattr", "p", "module", "TypeError"),
        ("setattr", "m", "tensor", "TypeError"), ("setattr", "b", "number", "TypeError"),
    ],
)  # fmt: skip
def test_what_would_hide_something_is_refused(way: str, name: Any, value: str, error: str) -> None:
    assert tried(registered, lenet, way, name, value) == error


def test_a_layer_cannot_be_made_one_of_integers() -> None:
    with pytest.raises(TypeError, match=r"nn.Module.to only accepts floating point .*int64"):
        lenet.nn.Linear(1, 1).to(lenet.int64)


def test_a_parameter_that_was_computed_cannot_be_registered() -> None:
    parameter = lenet.nn.Parameter(lenet.ones(1))
    parameter.grad_fn = (parameter * 2).grad_fn
    with pytest.raises(ValueError, match="non-leaf Tensor"):
        lenet.nn.Module().register_parameter("w", parameter)


def test_a_copy_of_a_parameter_has_no_gradient_one_of_a_tensor_has() -> None:
    layer = lenet.nn.Linear(2, 2)
    layer(lenet.ones(1, 2)).sum().backward()
    twin = copy.deepcopy(layer)
    assert twin.weight.grad is None
    assert twin.weight.requires_grad
    assert twin.weight.tolist() == layer.weight.tolist()
    x = lenet.ones(1, requires_grad=True)
    (x * 3).backward()
    assert copy.deepcopy(x).grad.tolist() == [3.0]
