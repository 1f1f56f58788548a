"""Hooks and retained gradients of tensors that are changed in place: before the change, or after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F


def unrecorded(m: Any, y: Any) -> None:
    with m.no_grad():
        y.mul_(2)


# a change of y = [1, 2], the gradient of 3 y before it, and whether the graph has a new place for y after it
CHANGES: dict[str, tuple[Callable[[Any, Any], Any], list[float], bool]] = {
    "assigned": (lambda m, y: y.mul_(2), [6, 6], True),
    "augmented": (lambda m, y: y.__imul__(2), [6, 6], True),
    "set item": (lambda m, y: y.__setitem__(0, 5.0), [0, 3], True),
    "set by index": (lambda m, y: y.__setitem__(m.tensor([0]), 5.0), [0, 3], True),
    "filled": (lambda m, y: y.zero_(), [0, 0], True),
    "copied": (lambda m, y: y.copy_(m.tensor([7.0, 8.0])), [0, 0], True),
    "by a layer": (lambda m, y: m.nn.functional.relu(y, inplace=True), [3, 3], True),
    "through a view": (lambda m, y: y[:1].mul_(2), [6, 3], True),
    "through a view of a view": (lambda m, y: y.view(2, 1)[1].mul_(4), [3, 12], True),
    "twice": (lambda m, y: y.mul_(2).mul_(5), [30, 30], True),
    "rearranged": (lambda m, y: y.transpose_(0, 0), [3, 3], False),
    "unrecorded": (unrecorded, [3, 3], False),
}


def told(m: Any, change: Callable[[Any, Any], Any]) -> tuple[Any, ...]:
    """What a hook before the change, one after it, and the retained gradient see; the leaf's gradient."""
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y, log = x * 1, []
    y.retain_grad()
    y.register_hook(lambda grad: log.append(("before", grad.tolist())))
    change(m, y)
    y.register_hook(lambda grad: log.append(("after", grad.tolist())))
    (y * 3).sum().backward()
    return log, y.grad.tolist(), x.grad.tolist()


@pytest.mark.parametrize("name", CHANGES)
def test_a_hook_stays_with_the_values_it_was_registered_for_a_retained_gradient_does_not(name: str) -> None:
    change, before, moved = CHANGES[name]
    log, retained, leaf = told(lenet, change)
    assert log == ([("after", [3, 3]), ("before", before)] if moved else [("before", [3, 3]), ("after", [3, 3])])
    assert (retained, leaf) == ([3, 3], before)


@pytest.mark.parametrize("name", CHANGES)
def test_as_torch(torch: Any, name: str) -> None:
    assert told(lenet, CHANGES[name][0]) == told(torch, CHANGES[name][0])


def pair() -> tuple[Any, Any]:
    x = lenet.tensor([1.0, 2.0], requires_grad=True)
    return x, x * 1


def test_a_removed_hook_is_gone_wherever_it_stayed() -> None:
    _, y = pair()
    seen: list[str] = []
    first = y.register_hook(lambda grad: seen.append("first"))
    y.mul_(2)
    second = y.register_hook(lambda grad: seen.append("second"))
    first.remove()
    y.sum().backward(retain_graph=True)
    second.remove()
    y.sum().backward()
    assert seen == ["second"]


def test_hooks_replace_the_gradient_on_their_side_of_the_change() -> None:
    x, y = pair()
    y.register_hook(lambda grad: grad * 10)
    y.mul_(2)
    y.register_hook(lambda grad: grad * 100)
    y.retain_grad()
    y.sum().backward()
    assert y.grad.tolist() == [100, 100]
    assert x.grad.tolist() == [2000, 2000]


def test_other_uses_before_the_change_are_no_part_of_the_retained_gradient() -> None:
    x, y = pair()
    y.retain_grad()
    z = y + 1
    F.relu(y.mul_(2), inplace=True)
    (z.sum() + (y * 3).sum()).backward()
    assert y.grad.tolist() == [3, 3]
    assert x.grad.tolist() == [7, 7]


def test_a_view_taken_anew_keeps_what_it_retains() -> None:
    x, y = pair()
    v = y[:1]
    v.retain_grad()
    y.mul_(2)
    (v * 3).sum().backward()
    assert v.grad.tolist() == [3]
    assert x.grad.tolist() == [6, 0]


def test_a_view_that_gets_a_history_by_its_base_can_be_watched_and_differentiated() -> None:
    w = lenet.tensor([3.0, 4.0], requires_grad=True)
    buffer = lenet.zeros(2)
    v = buffer[0]
    buffer.copy_(w)
    v.retain_grad()
    v.backward()
    assert w.grad.tolist() == [1, 0]
    assert v.grad.tolist() == 1


def hooks_of_a_changed_view(m: Any) -> Any:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y, log = x * 1, []
    v = y[:1]
    v.register_hook(lambda grad: log.append(("v", grad.tolist())))
    y.register_hook(lambda grad: log.append(("y", grad.tolist())))
    before = v + 0
    v.mul_(2)
    v.register_hook(lambda grad: log.append(("v changed", grad.tolist())))
    y.register_hook(lambda grad: log.append(("y changed", grad.tolist())))
    ((y * 3).sum() + (v * 7).sum() + before.sum()).backward()
    return sorted(log), x.grad.tolist()


def test_a_change_of_a_view_is_its_bases_and_passes_hooks_of_the_view_by() -> None:
    wanted = [("v", [1]), ("v changed", [7]), ("y", [21, 3]), ("y changed", [10, 3])]
    assert hooks_of_a_changed_view(lenet) == (wanted, [21, 3])


def test_a_change_of_a_view_calls_the_hooks_that_torch_calls(torch: Any) -> None:
    assert hooks_of_a_changed_view(lenet) == hooks_of_a_changed_view(torch)


def test_a_retained_gradient_adds_up_over_several_backward_passes() -> None:
    _, y = pair()
    y.retain_grad()
    (y * 3).sum().backward(retain_graph=True)
    first = y.grad
    (y * 4).sum().backward()
    assert y.grad.tolist() == [7, 7]
    assert first.tolist() == [3, 3]


def test_a_change_of_a_view_of_a_view_does_not_pass_the_hooks_between() -> None:
    x, y = pair()
    seen: list[Any] = []
    v = y.view(2)
    v.register_hook(seen.append)
    u = v[1:]
    u.mul_(2)
    ((v * 3).sum() + (y * 5).sum()).backward()
    assert seen == []
    assert x.grad.tolist() == [8, 16]


@pytest.mark.parametrize("view", [lambda y: y, lambda y: y.view(2, 1)], ids=["itself", "a view"])
@pytest.mark.parametrize("change", ["unsqueeze_", "t_", "squeeze_", "transpose_"])
def test_a_change_of_shape_leaves_hooks_before_it_and_takes_the_retained_gradient_along(
    view: Callable[[Any], Any], change: str
) -> None:
    x = lenet.ones(2, 1, requires_grad=True)
    y = view(x * 1)
    y.retain_grad()
    seen: list[Any] = []
    y.register_hook(lambda grad: seen.append(list(grad.shape)))
    getattr(y, change)(*{"unsqueeze_": (0,), "transpose_": (0, 1)}.get(change, ()))
    (y * 2).sum().backward()
    assert seen == [[2, 1]]
    assert y.grad.shape == y.shape
    assert y.grad.flatten().tolist() == [2, 2]
    assert x.grad.flatten().tolist() == [2, 2]


def test_a_view_taken_in_no_grad_mode_of_what_is_changed_outside_is_refused() -> None:
    x, y = pair()
    with lenet.no_grad():
        v = y[:1]
        w = v.view(1)
    y.mul_(2)
    for view in (v, w):
        with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
            view * 2
    with lenet.no_grad():
        assert (v * 2).tolist() == [4.0]
    y.sum().backward()
    assert x.grad.tolist() == [2, 2]
