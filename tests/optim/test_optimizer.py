"""The base of all optimizers: hooks, copies, gradients set to zero, options that a rule does not have."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.kernels import dispatch, native
from tests.optim.sample import OPTIMIZERS

NAMES = sorted({sample.name for sample in OPTIMIZERS} - {"Muon"})  # of matrices: it has tests of its own
TWINS = ["numpy", pytest.param("native", marks=pytest.mark.skipif(native.absent is not None, reason="not built"))]


def stepped(name: str, module: Any = optim, tensor: Any = lenet.tensor, **options: Any) -> tuple[Any, Any]:
    w = tensor([1.0, 2.0], requires_grad=True)
    optimizer = getattr(module, name)([w], **options)
    w.grad = tensor([0.5, -0.25])
    optimizer.step()
    return w, optimizer


def events_of(optimizer: Any) -> list[str]:
    """What the hooks around saving and loading of an optimizer (torch's or ours) see, in order."""
    events: list[str] = []

    def note(what: str, result: Any = None) -> Any:
        def hook(seen: Any, *given: dict[str, Any]) -> Any:
            assert seen is optimizer
            events.append(f"{what} {sorted(given[0]) if given else ''}")
            return None if result is None else given[0] | result

        return hook

    optimizer.register_state_dict_pre_hook(note("before saving"))
    optimizer.register_state_dict_pre_hook(note("first of all"), prepend=True)
    optimizer.register_state_dict_post_hook(note("after saving"))
    optimizer.register_state_dict_post_hook(note("adds to it", {"note": 1}), prepend=True)
    optimizer.register_load_state_dict_pre_hook(note("before loading"))
    optimizer.register_load_state_dict_pre_hook(note("replaces it", {"more": 1}), prepend=True)
    optimizer.register_load_state_dict_post_hook(note("after loading"))
    optimizer.register_load_state_dict_post_hook(note("gone")).remove()
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    events.append(str(sorted(saved)))
    return events


def test_hooks_see_saving_and_loading() -> None:
    keys = "['note', 'param_groups', 'state']"
    assert events_of(stepped("Adam")[1]) == [
        "first of all ",
        "before saving ",
        "adds to it ['param_groups', 'state']",
        f"after saving {keys}",
        f"replaces it {keys}",
        "before loading ['more', 'note', 'param_groups', 'state']",
        "after loading ",
        keys,
    ]


def test_hooks_see_a_step_and_may_replace_its_arguments() -> None:
    _, optimizer = stepped("SGD", lr=1.0)
    seen: list[Any] = []
    first = optimizer.register_step_pre_hook(lambda o, args, kwargs: ((lambda: seen.append("closure"),), {}))
    optimizer.register_step_post_hook(lambda o, args, kwargs: seen.append((o is optimizer, len(args), kwargs)))
    optimizer.step()
    first.remove()
    optimizer.step()
    assert seen == ["closure", (True, 1, {}), (True, 0, {})]
    optimizer.register_step_pre_hook(lambda *given: 3)
    with pytest.raises(RuntimeError, match=r"must return None or \(args, kwargs\), got 3"):
        optimizer.step()


def test_hooks_see_what_torchs_see(torch: Any) -> None:
    assert events_of(stepped("Adam")[1]) == events_of(stepped("Adam", torch.optim, torch.tensor)[1])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))], ids=["deepcopy", "pickle"])
def test_a_copy_steps_alike_and_has_no_hooks(name: str, copied: Any) -> None:
    w, optimizer = stepped(name)
    optimizer.register_step_post_hook(lambda *given: pytest.fail("a copy calls no hook"))
    optimizer.register_state_dict_pre_hook(lambda *given: pytest.fail("a copy calls no hook"))
    other = copied(optimizer)
    (v,) = other.param_groups[0]["params"]
    assert v is not w
    v.grad = lenet.tensor([1.0, 1.0])
    other.step()
    other.state_dict()
    again, expected = stepped(name)
    again.grad = lenet.tensor([1.0, 1.0])
    expected.step()
    assert v.tolist() == again.tolist()


def test_zeros_go_into_the_gradient_that_is_there() -> None:
    w, optimizer = stepped("SGD")
    grad = w.grad = lenet.tensor([3.0, 4.0], requires_grad=True)
    optimizer.zero_grad(set_to_none=False)
    assert w.grad is grad
    assert grad.tolist() == [0.0, 0.0]
    assert not grad.requires_grad
    optimizer.zero_grad()
    assert w.grad is None


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kernels", TWINS)
def test_a_group_changes_nothing_by_options_of_other_optimizers(name: str, kernels: Any) -> None:
    own = getattr(optim, name)([lenet.ones(1, requires_grad=True)]).defaults
    foreign = {"weight_decay": 0.5, "decoupled_weight_decay": True, "momentum": 0.5, "amsgrad": True, "nesterov": True}
    with dispatch.force(kernels):
        found = []
        for extra in ({}, {option: value for option, value in foreign.items() if option not in own}):
            w = lenet.tensor([1.0, 2.0], requires_grad=True)
            group = {"params": [w], **extra} | ({"weight_decay": 0.1} if "weight_decay" in own else {})
            optimizer = getattr(optim, name)([group])
            for _ in range(3):
                w.grad = lenet.tensor([0.5, -0.25])
                optimizer.step()
            found.append(w.tolist())
    assert found[0] == found[1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kernels", TWINS)
def test_flags_may_be_any_truth(name: str, kernels: Any) -> None:
    with dispatch.force(kernels):
        found = []
        for flag in (True, 1, np.True_):
            w, optimizer = stepped(name, maximize=flag)
            optimizer.step()
            found.append(w.tolist())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("name", NAMES)
def test_a_group_without_gradients_stays(name: str) -> None:
    w, v = lenet.ones(2, requires_grad=True), lenet.ones(2, requires_grad=True)
    optimizer = getattr(optim, name)([{"params": [w]}, {"params": [v]}, {"params": []}])
    v.grad = lenet.ones(2)
    optimizer.step()
    assert w.tolist() == [1.0, 1.0]
    assert v.tolist() != [1.0, 1.0]


def test_an_optimizer_without_a_rule_has_no_step() -> None:
    with pytest.raises(NotImplementedError, match="Optimizer has neither a rule nor a step of its own"):
        optim.Optimizer([lenet.ones(1, requires_grad=True)], {}).step()


def test_adamw_stays_decoupled_whatever_is_loaded() -> None:
    w = nn.Parameter(lenet.ones(1))
    optimizer = optim.AdamW([w])
    state = optim.Adam([w]).state_dict()
    seen: list[bool] = []
    optimizer.register_load_state_dict_post_hook(lambda o: seen.append(o.param_groups[0]["decoupled_weight_decay"]))
    optimizer.load_state_dict(state)
    assert seen == [True]
