"""A tree asks every module by the module's own methods: the same scripts beside torch, and their results without it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn

Script = Callable[[Any], Any]  # takes a package, lenetcli or torch
LOADING = ("_load_from_state_dict", "state_dict", "_save_to_state_dict")
WALKING = (
    "train",
    "eval",
    "_apply",
    "apply",
    "requires_grad_",
    "zero_grad",
    "to",
    "float",
    "double",
    "load_state_dict",
)
LISTING = ("named_parameters", "parameters", "named_buffers", "buffers", "named_modules", "children", "named_children")


def observed(package: Any, log: list[Any]) -> Any:
    """A net whose child notes by name every call of a method that it has of its own."""
    base = package.nn.BatchNorm1d

    def noting(name: str) -> Any:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            log.append((name, sorted(kwargs), [a for a in args if isinstance(a, (bool, str, int))]))
            return getattr(base, name)(self, *args, **kwargs)

        return method

    child = type("Child", (base,), {name: noting(name) for name in (*LOADING, *WALKING, *LISTING)})
    inner = package.nn.Sequential(package.nn.Linear(2, 2), child(2))
    return package.nn.Sequential(inner, package.nn.Linear(2, 1))


CALLS: dict[str, Script] = {
    "train": lambda net: net.train(),
    "eval": lambda net: net.eval(),
    "to": lambda net: net.to(net[1].weight.dtype),
    "double": lambda net: net.double(),
    "float": lambda net: net.float(),
    "cpu": lambda net: net.cpu(),
    "apply": lambda net: net.apply(lambda module: None),
    "requires_grad_": lambda net: net.requires_grad_(False),
    "zero_grad": lambda net: net.zero_grad(),
    "parameters": lambda net: list(net.parameters()),
    "named_parameters": lambda net: list(net.named_parameters("net")),
    "named_buffers": lambda net: list(net.named_buffers()),
    "named_modules": lambda net: list(net.named_modules()),
    "modules": lambda net: list(net.modules()),
    "children": lambda net: list(net.children()),
    "state_dict": lambda net: net.state_dict(),
    "state_dict with vars": lambda net: net.state_dict(prefix="net.", keep_vars=True),
    "load_state_dict": lambda net: net.load_state_dict(net.state_dict()),
    "repr": lambda net: repr(net),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_tree_calls_the_same_methods_of_a_child_as_torch(torch: Any, name: str) -> None:
    logs: list[list[Any]] = []
    for package in (lenet, torch):
        log: list[Any] = []
        net = observed(package, log)
        log.clear()
        CALLS[name](net)
        logs.append(log)
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("eval", "train"), ("train", "train"), ("to", "_apply"), ("double", "_apply"), ("cpu", "_apply"),
        ("apply", "apply"), ("state_dict", "state_dict"), ("load_state_dict", "_load_from_state_dict"),
        ("named_modules", "named_modules"),
    ],
)  # fmt: skip
def test_a_tree_asks_its_children(name: str, asked: str) -> None:
    log: list[Any] = []
    net = observed(lenet, log)
    log.clear()
    CALLS[name](net)
    assert asked in {entry[0] for entry in log}


def frozen_norm(package: Any) -> Any:
    """`train()` of a child that keeps its batch norm as it is."""

    class Frozen(package.nn.BatchNorm1d):  # type: ignore[misc,name-defined]
        def train(self, mode: bool = True) -> Any:
            return super().train(False)

    net = package.nn.Sequential(package.nn.Linear(2, 2), Frozen(2))
    return [[m.training for m in net.train(mode).modules()] for mode in (True, False)]


def extra_state(package: Any) -> Any:
    class Counting(package.nn.Linear):  # type: ignore[misc,name-defined]
        count = 0

        def get_extra_state(self) -> Any:
            return {"count": self.count}

        def set_extra_state(self, state: Any) -> None:
            self.count = state["count"]

    net, other = (package.nn.Sequential(package.nn.ReLU(), Counting(2, 1)) for _ in range(2))
    net[1].count = 7
    state = net.state_dict()
    found = [list(state), other.load_state_dict(state), other[1].count]
    without = {k: v for k, v in state.items() if "extra" not in k}
    plain = package.nn.Sequential(package.nn.ReLU(), package.nn.Linear(2, 1))
    return [*found, refusal(lambda: other.load_state_dict(without)), refusal(lambda: plain.load_state_dict(state)),
            other.load_state_dict(without, strict=False)]  # fmt: skip


def own_format(package: Any) -> Any:
    """A child that stores its weight under another name, with a version."""

    class Renamed(package.nn.Linear):  # type: ignore[misc,name-defined]
        _version = 3

        def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
            super()._save_to_state_dict(destination, prefix, keep_vars)
            destination[prefix + "kernel"] = destination.pop(prefix + "weight")

        def _load_from_state_dict(self, state_dict: Any, prefix: str, metadata: Any, *rest: Any) -> None:
            versions.append((prefix, metadata.get("version")))
            state_dict[prefix + "weight"] = state_dict.pop(prefix + "kernel")
            super()._load_from_state_dict(state_dict, prefix, metadata, *rest)

    versions: list[Any] = []
    net, other = (package.nn.Sequential(package.nn.Sequential(Renamed(2, 1, bias=False))) for _ in range(2))
    state = net.state_dict()
    keys = other.load_state_dict(state)
    metadata = [(k, dict(v)) for k, v in state._metadata.items()]
    other.load_state_dict(dict(state))
    return [list(state), keys, metadata, versions, bool((net[0][0].weight == other[0][0].weight).all())]


def hooks(package: Any) -> Any:
    net = package.nn.Sequential(package.nn.Linear(1, 1), package.nn.Sequential(package.nn.Linear(1, 1)))
    log: list[Any] = []
    inner = net[1]
    handles = [
        inner.register_state_dict_pre_hook(lambda module, prefix, keep: log.append(("pre", prefix, keep))),
        inner.register_state_dict_post_hook(lambda module, state, prefix, meta: log.append((prefix, list(state)))),
        inner._register_state_dict_hook(lambda module, state, prefix, meta: {"lost": 1}),
        net._register_state_dict_hook(lambda module, state, prefix, meta: OrderedDict(state, added=meta["version"])),
        inner.register_load_state_dict_pre_hook(lambda module, state, prefix, *rest: log.append((prefix, list(state)))),
        inner._register_load_state_dict_pre_hook(lambda state, prefix, *rest: log.append((prefix, rest[1]))),
        net.register_load_state_dict_post_hook(lambda module, keys: keys.unexpected_keys.clear()),
    ]
    state = net.state_dict()
    keys = net.load_state_dict(state)
    for handle in handles:
        handle.remove()
    count = len(log)
    again = list(net.state_dict())
    bad = net.register_state_dict_post_hook(lambda *args: 1)
    said = refusal(net.state_dict)
    bad.remove()
    return [list(state), keys, log, len(log) == count, again, said]


def refusal(call: Callable[[], Any]) -> Any:
    """Kind and words of the error of a call."""
    with pytest.raises((RuntimeError, TypeError, KeyError, AttributeError, ValueError)) as caught:
        call()
    return caught.type.__name__, str(caught.value)


def keys_and_errors(package: Any) -> Any:
    class Net(package.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.fc = package.nn.Linear(2, 3)
            self.register_buffer("kept", package.zeros(2))
            self.register_buffer("transient", package.zeros(2), persistent=False)
            self.scale = package.nn.Parameter(package.tensor(1.0))
            self.fc2 = self.fc

    net = Net()
    state = net.state_dict()
    tried: list[dict[str, Any]] = [
        {},
        dict(state, other=package.zeros(1)),
        {**state, "fc.weight": package.zeros(3, 3), "kept": package.zeros(1)},
        {**state, "transient": package.zeros(2)},
        {**state, "fc": package.zeros(2), "fc.deep.weight": package.zeros(2), "nowhere.weight": package.zeros(2)},
        {**{k: v for k, v in state.items() if k != "scale"}, "kept": package.zeros(2, 1)},
    ]
    said = [refusal(lambda given=given: net.load_state_dict(given)) for given in tried]
    lenient = [net.load_state_dict(tried[i], strict=False) for i in (0, 1, 3, 4)]
    old = net.load_state_dict({**state, "scale": package.zeros(1) + 5})  # one element for none, as files of old have it
    value = net.scale.item()
    weight = package.zeros(3, 2)
    assigned = net.load_state_dict({**state, "fc.weight": weight, "fc2.weight": weight}, assign=True)
    return [list(state), list(net.state_dict(prefix="a.")), said, lenient, old, value, assigned,
            type(net.fc.weight).__name__, bool((net.fc.weight == 0).all()), net.fc.weight.requires_grad,
            refusal(lambda: net.load_state_dict(3))]  # fmt: skip


def without_count_of_batches(package: Any) -> Any:
    net = package.nn.Sequential(package.nn.Linear(2, 2), package.nn.BatchNorm1d(2))
    net(package.ones(3, 2))
    state = net.state_dict()
    stripped = {k: v for k, v in state.items() if "tracked" not in k}
    new = package.nn.Sequential(package.nn.Linear(2, 2), package.nn.BatchNorm1d(2))
    found = [new.load_state_dict(stripped), int(new[1].num_batches_tracked)]
    versioned = net.state_dict()
    del versioned["1.num_batches_tracked"]
    return [*found, refusal(lambda: new.load_state_dict(versioned))]


def instance_norm_of_old(package: Any) -> Any:
    layer = package.nn.InstanceNorm1d(2)
    state = package.nn.InstanceNorm1d(2, track_running_stats=True).state_dict()
    plain = refusal(lambda: layer.load_state_dict(dict(state)))
    return [plain[0], plain[1].split(" with track")[0], refusal(lambda: layer.load_state_dict(state))]


def own_registration(package: Any) -> Any:
    class Noting(package.nn.Module):  # type: ignore[misc,name-defined]
        def register_parameter(self, name: str, param: Any) -> None:
            log.append(("parameter", name))
            super().register_parameter(name, param)

        def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
            log.append(("buffer", name, persistent))
            super().register_buffer(name, tensor, persistent)

        def add_module(self, name: str, module: Any) -> None:
            log.append(("module", name))
            super().add_module(name, module)

    log: list[Any] = []
    net = Noting()
    net.p = package.nn.Parameter(package.ones(1))
    net.p = None
    net.m = package.nn.ReLU()
    net.register_buffer("b", package.ones(1), persistent=False)
    net.b = package.zeros(1)
    net.b = None
    return log


def of_other_types(package: Any) -> Any:
    """Conversion: parameters stay the same objects, buffers are replaced, gradients follow, graphs start anew."""
    net = package.nn.Sequential(package.nn.Linear(2, 2), package.nn.BatchNorm1d(2))
    x = package.ones(3, 2)
    net(x).sum().backward()
    weight, mean = net[0].weight, net[1].running_mean
    net.double()
    kept = [net[0].weight is weight, net[1].running_mean is mean, str(weight.grad.dtype)]
    net(x.double()).sum().backward()
    return [*kept, str(weight.dtype), str(weight.grad.dtype), [str(b.dtype) for b in net.buffers()]]


SCRIPTS: list[Script] = [
    frozen_norm, extra_state, own_format, hooks, keys_and_errors, without_count_of_batches, instance_norm_of_old,
    own_registration, of_other_types,
]  # fmt: skip


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_script_does_what_it_does_in_torch(torch: Any, script: Script) -> None:
    ours, theirs = script(lenet), script(torch)
    assert repr(ours) == repr(theirs)


def test_a_frozen_batch_norm_stays_frozen() -> None:
    assert frozen_norm(lenet) == [[True, True, False], [False, False, False]]


def test_extra_state_is_saved_and_loaded() -> None:
    keys, matched, count, *_ = extra_state(lenet)
    assert keys == ["1.weight", "1.bias", "1._extra_state"]
    assert repr(matched) == "<All keys matched successfully>"
    assert count == 7


def test_a_module_may_store_its_tensors_in_its_own_way() -> None:
    keys, matched, metadata, versions, same = own_format(lenet)
    assert keys == ["0.0.kernel"]
    assert not any(matched)
    assert metadata[-1] == ("0.0", {"version": 3})
    assert versions == [("0.0.", 3), ("0.0.", None)]
    assert same


def test_a_state_without_the_count_of_batches_loads() -> None:
    matched, count, _ = without_count_of_batches(lenet)
    assert not any(matched)
    assert count == 0


def test_a_module_whose_init_was_skipped_says_so() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            pass

        def forward(self, x: Any) -> Any:
            return x

    calls: list[Callable[[Net], Any]] = [
        lambda n: n(lenet.ones(1)), lambda n: list(n.parameters()), lambda n: n.train(), lambda n: n.state_dict(),
        lambda n: n.load_state_dict({}), lambda n: n.to(lenet.float64), lambda n: n.zero_grad(), repr, dir,
        lambda n: n.fc, lambda n: n.register_forward_hook(print), lambda n: n.apply(print), lambda n: delattr(n, "x"),
        lambda n: n.register_state_dict_pre_hook(print), lambda n: n.register_full_backward_hook(print),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
            call(Net())


def test_a_key_error_inside_forward_stays_one() -> None:
    class Net(nn.Module):
        def forward(self, x: Any) -> Any:
            return {}[x]

    with pytest.raises(KeyError, match="3"):
        Net()(3)
