"""Containers do what torch's do: the same calls on both, then the same text and the same keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn
from tests.nn.parity import pair
from tests.ops.sample import normal


def three(n: Any) -> Any:
    return n.Sequential(n.Linear(2, 3), n.ReLU(), n.Linear(3, 1))


def changed(make: Callable[[Any], Any], change: Callable[[Any, Any], Any]) -> Callable[[Any], Any]:
    """`make(n)` after `change(n, made)`."""

    def made(n: Any) -> Any:
        container = make(n)
        change(n, container)
        return container

    return made


def listed(n: Any) -> Any:
    return n.ModuleList([n.Linear(2, 3), n.Linear(2, 3), n.ReLU(), three(n), three(n)])


SEQUENTIAL: dict[str, Callable[[Any], Any]] = {
    "empty": lambda n: n.Sequential(),
    "three": three,
    "named": lambda n: n.Sequential(OrderedDict([("first", n.Linear(2, 3)), ("second", n.ReLU())])),
    "nested": lambda n: n.Sequential(three(n), n.Sequential(n.ReLU())),
    "slice": lambda n: three(n)[1:],
    "slice keeps names": lambda n: three(n)[::2],
    "append": lambda n: three(n).append(n.Linear(1, 1)),
    "extend": lambda n: three(n).extend([n.ReLU(), n.Linear(1, 2)]),
    "extend by itself": changed(three, lambda n, c: c.extend(list(c))),
    "insert": lambda n: three(n).insert(1, n.Linear(3, 3)),
    "insert from the end": lambda n: three(n).insert(-1, n.Linear(3, 3)),
    "insert at the end": lambda n: three(n).insert(3, n.Linear(1, 3)),
    "set": changed(three, lambda n, c: c.__setitem__(-1, n.Linear(3, 7))),
    "delete": changed(three, lambda n, c: c.__delitem__(0)),
    "delete slice": changed(three, lambda n, c: c.__delitem__(slice(0, 2))),
    "pop": changed(three, lambda n, c: c.pop(1)),
    "pop slice": changed(three, lambda n, c: c.pop(slice(1, None))),
    "add": lambda n: three(n) + n.Sequential(n.ReLU(), n.Linear(1, 1)),
    "iadd": changed(three, lambda n, c: c.__iadd__(n.Sequential(n.ReLU()))),
    "mul": lambda n: n.Sequential(n.ReLU(), n.Linear(2, 2)) * 2,
    "rmul": lambda n: 3 * n.Sequential(n.ReLU()),
    "imul": changed(three, lambda n, c: c.__imul__(2)),
}
MODULE_LIST: dict[str, Callable[[Any], Any]] = {
    "empty": lambda n: n.ModuleList(),
    "runs": listed,
    "slice": lambda n: listed(n)[1:4],
    "insert": changed(listed, lambda n, c: c.insert(1, n.ReLU())),
    "set": changed(listed, lambda n, c: c.__setitem__(0, n.ReLU())),
    "delete": changed(listed, lambda n, c: c.__delitem__(-2)),
    "delete slice": changed(listed, lambda n, c: c.__delitem__(slice(0, 4, 2))),
    "pop": changed(listed, lambda n, c: c.pop(0)),
    "append": lambda n: listed(n).append(n.ReLU()),
    "add": lambda n: listed(n).__add__([n.ReLU()]),
    "iadd": changed(listed, lambda n, c: c.__iadd__([n.Linear(1, 1)])),
}
MODULE_DICT: dict[str, Callable[[Any], Any]] = {
    "empty": lambda n: n.ModuleDict(),
    "mapping": lambda n: n.ModuleDict({"b": n.Linear(2, 3), "a": three(n)}),
    "pairs": lambda n: n.ModuleDict([("b", n.ReLU()), ("a", n.Linear(1, 1))]),
    "set": changed(lambda n: n.ModuleDict({"a": n.ReLU()}), lambda n, c: c.__setitem__("a", n.Linear(2, 2))),
    "delete": changed(lambda n: n.ModuleDict({"a": n.ReLU()}), lambda n, c: c.__delitem__("a")),
    "pop": changed(lambda n: n.ModuleDict({"a": n.ReLU(), "b": n.ReLU()}), lambda n, c: c.pop("a")),
    "clear": changed(lambda n: n.ModuleDict({"a": n.ReLU()}), lambda n, c: c.clear()),
    "update": changed(
        lambda n: n.ModuleDict({"a": n.ReLU()}), lambda n, c: c.update(n.ModuleDict({"b": n.Linear(1, 1)}))
    ),
}


@pytest.mark.parametrize("name", SEQUENTIAL)
def test_sequential_equals_torch(torch: Any, name: str) -> None:
    pair(torch, SEQUENTIAL[name])


@pytest.mark.parametrize("name", MODULE_LIST)
def test_module_list_equals_torch(torch: Any, name: str) -> None:
    pair(torch, MODULE_LIST[name])


@pytest.mark.parametrize("name", MODULE_DICT)
def test_module_dict_equals_torch(torch: Any, name: str) -> None:
    ours, theirs = pair(torch, MODULE_DICT[name])
    assert list(ours) == list(ours.keys()) == list(theirs.keys())
    assert len(list(ours.values())) == len(list(ours.items())) == len(ours) == len(theirs)


def zeros(n: Any, *size: int) -> Any:
    if n is nn:
        return lenet.zeros(size)
    import torch

    return torch.zeros(size)


def parameters(n: Any) -> Any:
    return n.ParameterList([zeros(n, 2, 3), n.Parameter(zeros(n, 4)), 7])


def choices(n: Any) -> Any:
    return n.ParameterDict({"right": zeros(n, 2, 3), "left": n.Parameter(zeros(n, 4)), "note": "text"})


PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "empty list": lambda n: n.ParameterList(),
    "list of one": lambda n: n.ParameterList([zeros(n, 2)]),
    "list": parameters,
    "list slice": lambda n: parameters(n)[1:],
    "list append": lambda n: parameters(n).append(zeros(n, 1)),
    "list iadd": changed(parameters, lambda n, c: c.__iadd__([zeros(n, 1), zeros(n, 2)])),
    "list set": changed(parameters, lambda n, c: c.__setitem__(-2, zeros(n, 5))),
    "list of a number": lambda n: n.ParameterList([zeros(n)]),
    "empty dict": lambda n: n.ParameterDict(),
    "dict": choices,
    "dict in order": lambda n: n.ParameterDict(OrderedDict([("b", zeros(n, 1)), ("a", zeros(n, 2))])),
    "dict of pairs": lambda n: n.ParameterDict([("b", zeros(n, 1)), ("a", zeros(n, 2).double())]),
    "dict set": changed(choices, lambda n, c: c.__setitem__("left", zeros(n, 1))),
    "dict delete": changed(choices, lambda n, c: c.__delitem__("left")),
    "dict pop": changed(choices, lambda n, c: c.pop("right")),
    "dict popitem": changed(choices, lambda n, c: c.popitem()),
    "dict clear": changed(choices, lambda n, c: c.clear()),
    "dict copy": lambda n: choices(n).copy(),
    "dict setdefault": changed(choices, lambda n, c: c.setdefault("new", zeros(n, 1))),
    "dict fromkeys": lambda n: n.ParameterDict().fromkeys(["a", "b"], zeros(n, 2)),
    "dict or": lambda n: choices(n) | n.ParameterDict({"more": zeros(n, 1)}),
    "dict ior": changed(choices, lambda n, c: c.__ior__(n.ParameterDict({"left": zeros(n, 1)}))),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_containers_of_parameters_equal_torch(torch: Any, name: str) -> None:
    ours, theirs = pair(torch, PARAMETERS[name])
    assert len(ours) == len(theirs)
    if isinstance(ours, nn.ParameterDict):
        assert list(ours) == list(theirs)
        assert list(reversed(ours)) == list(reversed(theirs))
        assert ours.get("missing", 3) == theirs.get("missing", 3) == 3


def test_an_index_gives_the_module_and_the_order_of_calls() -> None:
    net = three(nn)
    assert net[-1] is net[2] is list(net)[2]
    x = lenet.tensor(normal(4, 2))
    assert lenet.allclose(net(x), net[2](net[1](net[0](x))))
    assert "0" not in dir(net)


def test_residual_adds_its_input_and_slices_to_its_own_kind() -> None:
    block = nn.Residual(nn.ReLU(), nn.ReLU())
    assert block(lenet.tensor([1.0, -1.0])).tolist() == [2, -1]
    assert isinstance(block[:1], nn.Residual)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: three(nn)[3], IndexError),
        (lambda: three(nn)["0"], TypeError),
        (lambda: three(nn).insert(4, nn.ReLU()), IndexError),
        (lambda: three(nn).insert(0, 3), TypeError),
        (lambda: three(nn).append(3), TypeError),
        (lambda: three(nn).__add__([nn.ReLU()]), ValueError),
        (lambda: three(nn) * 0, ValueError),
        (lambda: three(nn) * 1.5, TypeError),
        (lambda: nn.ModuleList(nn.ReLU()), TypeError),
        (lambda: nn.ModuleList([nn.ReLU()])[1], IndexError),
        (lambda: nn.ModuleList([nn.ReLU()])(1), NotImplementedError),
        (lambda: nn.ModuleDict({"a": 3}), TypeError),
        (lambda: nn.ModuleDict(3), TypeError),
        (lambda: nn.ModuleDict([("a",)]), ValueError),
        (lambda: nn.ModuleDict({"keys": nn.ReLU()}), KeyError),
        (lambda: nn.ModuleDict({})["a"], KeyError),
        (lambda: nn.ParameterList(lenet.zeros(2)), TypeError),
        (lambda: nn.ParameterList([1])[1], IndexError),
        (lambda: nn.ParameterList()(1), RuntimeError),
        (lambda: nn.ParameterDict({3: lenet.zeros(1)}), TypeError),
        (lambda: nn.ParameterDict()["a"], KeyError),
        (lambda: nn.ParameterDict().popitem(), KeyError),
        (lambda: nn.ParameterDict()(1), RuntimeError),
    ],
)
def test_what_does_not_fit_is_refused(call: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        call()
