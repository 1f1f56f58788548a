"""In-place change with history: of tensors, through views, of views taken before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd.inplace import places_of


def row_of_a_result(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    y[0] += w
    return y


def column_and_its_view(m: Any, x: Any, w: Any) -> Any:
    y = x * 2
    v = y[:, 1]
    v.mul_(3)
    return y, v


def parts_of_a_buffer(m: Any, x: Any, w: Any) -> Any:
    buffer = m.zeros(3, 4)
    buffer[1][2:] = w[:2]
    buffer[0] += w
    buffer[0] *= 2
    return buffer


def buffer_that_is_a_view(m: Any, x: Any, w: Any) -> Any:
    buffer = m.zeros(12).reshape(3, 4)
    buffer[0] = w
    buffer[2] += w * w
    return buffer


def transpose_and_base_in_turn(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    t = y.t()
    t[1] = w[:3]
    y[0].add_(w)
    return y, t


def view_taken_before_its_base_was_changed(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    v = y[1]
    y.mul_(2)
    v.add_(w)
    return y, v


def view_of_a_buffer_read_after_the_buffer_was_changed(m: Any, x: Any, w: Any) -> Any:
    buffer = m.zeros(3, 4)
    v = buffer[0]
    buffer[0] = w
    return buffer, v * 2


def view_of_a_view(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    v = y[1]
    u = v[2:]
    u.mul_(w[:2])
    v.neg_()
    return y, v, u


def steps_over_a_flat_view(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    v = y.view(-1)[::2]
    v.sub_(w[0])
    y[:, 0] = w[:3]
    return y, v


def other_ops(m: Any, x: Any, w: Any) -> Any:
    y = x * 1
    y[1:].masked_fill_(y[1:] > 6, 0.0)
    y[0, 1:].scatter_add_(0, m.tensor([0, 0]), w[:2])
    return y


STORIES: list[Callable[..., Any]] = [
    row_of_a_result,
    column_and_its_view,
    parts_of_a_buffer,
    buffer_that_is_a_view,
    transpose_and_base_in_turn,
    view_taken_before_its_base_was_changed,
    view_of_a_buffer_read_after_the_buffer_was_changed,
    view_of_a_view,
    steps_over_a_flat_view,
    other_ops,
]


def told(m: Any, story: Callable[..., Any]) -> list[Any]:
    """Values and gradients of a story."""
    x = m.arange(12.0).reshape(3, 4).clone().requires_grad_()
    w = m.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    results = story(m, x, w)
    results = results if isinstance(results, tuple) else (results,)
    sum((r * r).sum() for r in results).backward()
    return [r.detach().numpy() for r in results] + [0 if t.grad is None else t.grad.numpy() for t in (x, w)]


@pytest.mark.parametrize("story", STORIES, ids=lambda s: s.__name__)
def test_changes_through_views_give_torchs_values_and_gradients(torch: Any, story: Callable[..., Any]) -> None:
    for ours, torchs in zip(told(lenet, story), told(torch, story)):
        np.testing.assert_allclose(ours, torchs, rtol=1e-6)


def test_a_change_through_a_view_is_recorded_on_the_base() -> None:
    y = lenet.ones(3, requires_grad=True) * 1
    v = y[:2]
    v.mul_(2)
    assert y.grad_fn.name() == "CopySlices"
    assert v.grad_fn.name() == "AsStridedBackward"
    assert y._version == v._version == 1


def test_a_view_of_a_leaf_that_requires_gradients_is_not_changed_outside_no_grad() -> None:
    x = lenet.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="view of a leaf Variable that requires grad"):
        x[0].add_(1)
    with lenet.no_grad():
        x[0].add_(1)
    assert x.tolist() == [2, 1, 1]


def test_a_view_taken_in_no_grad_mode_is_not_changed_outside_it() -> None:
    y = lenet.ones(3, requires_grad=True) * 1
    with lenet.no_grad():
        v = y[:2]
    for change in (lambda: v.mul_(2), lambda: v.__setitem__(0, 5.0)):
        with pytest.raises(RuntimeError, match="created in no_grad mode"):
            change()


def test_what_a_view_saved_before_the_change_is_noticed() -> None:
    y = lenet.ones(3, requires_grad=True) * 1
    z = y * y
    y[0].add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.sum().backward()


def test_places_are_flat_positions_whatever_the_memory_order() -> None:
    base = np.moveaxis(np.arange(24.0).reshape(3, 4, 2), -1, 0)
    for part in (base[1], base[:, ::2, 1], base.T, base[::-1], base[1, 2, 3, ...], base[:0]):
        np.testing.assert_array_equal(base.reshape(-1)[places_of(part, base)], part)
    with pytest.raises(RuntimeError, match="no longer that of its base"):
        places_of(np.zeros(3), base)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_view_that_had_to_copy_is_changed_in_place_where_nobody_has_what_it_was_copied_from(recorded: bool) -> None:
    lenet.manual_seed(0)
    conv, x = lenet.nn.Conv2d(3, 32, 3), lenet.randn(2, 3, 6, 6)  # results are channels-last with native kernels
    grads = []
    for copies in (False, True):
        conv.zero_grad()
        with lenet.set_grad_enabled(recorded):
            rows = conv(x).flatten(1)
            rows = rows.clone() if copies else rows
            rows *= 2
            rows[0, :3] = 5
            assert (rows.detach().numpy()[0, :3] == 5).all()
            if recorded:
                (rows * rows).sum().backward()
                grads.append(conv.weight.grad.numpy().copy())
    assert not recorded or np.array_equal(*grads)
    image = conv(x)
    rows = image.flatten(1)
    if not np.may_share_memory(rows.array, image.array):
        for part in (rows, rows[0]):
            with pytest.raises(NotImplementedError, match="clone"):
                part.mul_(2)
