"""The tape and its backward pass, one behaviour a test."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import lenetcli as lenet


def leaf(*values: float) -> lenet.Tensor:
    return lenet.tensor(list(values), requires_grad=True)


def test_gradients_accumulate_until_they_are_cleared() -> None:
    x = leaf(2.0)
    (x * x).sum().backward()
    (x * x).sum().backward()
    assert x.grad.tolist() == [8.0]
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [4.0]


def test_a_value_used_twice_gets_the_sum_of_both_gradients() -> None:
    x = leaf(3.0)
    y = x * 2
    (y * y + y).sum().backward()
    assert x.grad.tolist() == [26.0]


def test_the_gradient_of_a_number_is_memory_of_its_own() -> None:
    for make in (lambda x: x + 0.0, lambda x: x.clone(), lambda x: x.reshape(1, 1).sum(), lambda x: x + x, lambda x: x):
        for kept in (False, True):
            x = lenet.tensor(2.0, requires_grad=True)
            for _ in range(2):
                x.grad = None
                make(x).backward(retain_graph=kept)
                assert x.grad.item() == (2 if make(lenet.tensor(1.0)).item() == 2 else 1)
                x.grad.mul_(7)  # where it were the constant that every way down begins with, the next would begin so


def test_a_sum_sends_a_gradient_of_its_own_to_each_leaf() -> None:
    x, y = lenet.ones(2, 3, requires_grad=True), lenet.ones(2, 3, requires_grad=True)
    (x + y).sum().backward()
    x.grad[0, 0] = 5.0
    assert x.grad.tolist() == [[5.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    assert y.grad.tolist() == [[1.0, 1.0, 1.0]] * 2
    (x.sum((0, 1), keepdim=True) * lenet.ones(1, 1)).sum().backward()
    assert x.grad.tolist() == [[6.0, 2.0, 2.0], [2.0, 2.0, 2.0]]


def test_second_backward_through_a_freed_graph_raises() -> None:
    y = (leaf(2.0) * leaf(3.0)).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_retain_graph_allows_a_second_backward() -> None:
    x = leaf(2.0)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]


def test_backward_of_many_elements_needs_a_gradient() -> None:
    with pytest.raises(RuntimeError, match="implicitly created only for scalar outputs"):
        (leaf(1.0, 2.0) * 2).backward()


def test_backward_without_a_graph_raises() -> None:
    with pytest.raises(RuntimeError, match="does not require grad"):
        lenet.ones(1).backward()


def test_a_gradient_of_another_shape_is_refused() -> None:
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (leaf(1.0, 2.0) * 2).backward(lenet.ones(3))


def test_leaves_own_their_gradients() -> None:
    a, b = leaf(1.0), leaf(1.0)
    (a + b).sum().backward()
    a.grad.mul_(5)
    assert b.grad.tolist() == [1.0]


def test_broadcast_dimensions_are_summed() -> None:
    a = lenet.ones(3, 1, requires_grad=True)
    b = lenet.ones(2, 1, 4, requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.shape == (3, 1)
    assert b.grad.shape == (2, 1, 4)
    assert a.grad.tolist() == [[8.0]] * 3
    assert b.grad.tolist() == [[[3.0] * 4]] * 2


def test_a_chain_of_fifty_thousand_operations_works() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(50_000):
        y = y + 1
    y.sum().backward()
    assert x.grad.tolist() == [1.0]


def test_a_forgotten_graph_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        y = leaf(1.0) * 2
        node = weakref.ref(y.grad_fn)
        del y
        assert node() is None
    finally:
        gc.enable()


def test_no_grad_records_nothing_and_works_as_decorator() -> None:
    x = leaf(1.0)
    with lenet.no_grad():
        assert not (x * 2).requires_grad
        with lenet.enable_grad():
            assert (x * 2).requires_grad

    @lenet.no_grad()
    def double(t: lenet.Tensor) -> lenet.Tensor:
        return t * 2

    assert not double(x).requires_grad
    assert lenet.is_grad_enabled()


def test_set_grad_enabled_works_as_call_and_as_block() -> None:
    lenet.set_grad_enabled(False)
    assert not lenet.is_grad_enabled()
    with lenet.set_grad_enabled(True):
        assert lenet.is_grad_enabled()
    assert not lenet.is_grad_enabled()
    lenet.set_grad_enabled(True)


def test_in_place_change_of_a_leaf_is_refused_outside_no_grad() -> None:
    x = leaf(1.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        x.mul_(2)
    with lenet.no_grad():
        x.mul_(2)
    assert x.tolist() == [2.0]


def test_in_place_change_of_a_saved_value_raises_at_backward() -> None:
    x = leaf(2.0)
    y = x * 1
    z = y * y
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.sum().backward()


def test_in_place_change_of_a_value_nobody_saved_is_fine() -> None:
    x = leaf(2.0)
    y = x + 1
    y.mul_(3)
    y.sum().backward()
    assert x.grad.tolist() == [3.0]


def test_an_update_between_forward_and_backward_is_noticed() -> None:
    w, x = leaf(2.0), leaf(3.0)
    loss = (w * x).sum()
    with lenet.no_grad():
        w.sub_(1)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        loss.backward()


def test_hooks_see_and_replace_gradients() -> None:
    x = leaf(1.0)
    y = x * 2
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    handle = x.register_hook(lambda g: g * 10)
    y.sum().backward(retain_graph=True)
    assert seen == [[1.0]]
    assert x.grad.tolist() == [20.0]
    handle.remove()
    x.grad = None
    y.sum().backward()
    assert x.grad.tolist() == [2.0]


def test_retain_grad_keeps_the_gradient_of_an_inner_value() -> None:
    x = leaf(1.0)
    y = x * 2
    y.retain_grad()
    (y * 3).sum().backward()
    assert y.grad.tolist() == [3.0]


def test_node_hooks_see_inputs_and_outputs() -> None:
    x = leaf(1.0, 2.0)
    y = x * 2
    seen = []
    assert y.grad_fn is not None
    y.grad_fn.register_hook(lambda inputs, outputs: seen.append((inputs[0].tolist(), outputs[0].tolist())))
    y.sum().backward()
    assert seen == [([2.0, 2.0], [1.0, 1.0])]


def test_autograd_grad_leaves_dot_grad_alone() -> None:
    x, w = leaf(2.0), leaf(5.0)
    (g,) = lenet.autograd.grad((x * w).sum(), x)
    assert g.tolist() == [5.0]
    assert x.grad is None
    assert w.grad is None


def test_autograd_grad_of_an_inner_value() -> None:
    x = leaf(2.0)
    y = x * 3
    (g,) = lenet.autograd.grad((y * y).sum(), y)
    assert g.tolist() == [12.0]


def test_autograd_grad_refuses_an_unused_input_unless_allowed() -> None:
    x, other = leaf(2.0), leaf(1.0)
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        lenet.autograd.grad(x.sum(), other)
    assert lenet.autograd.grad(x.sum(), other, allow_unused=True) == (None,)


def test_backward_inputs_accumulates_there_only() -> None:
    x, w = leaf(2.0), leaf(5.0)
    (x * w).sum().backward(inputs=[x])
    assert x.grad.tolist() == [5.0]
    assert w.grad is None


def test_gradients_have_the_type_of_their_tensor() -> None:
    x = lenet.ones(2, requires_grad=True)
    y = lenet.ones(2, dtype=lenet.float64, requires_grad=True)
    (x * y).sum().backward()
    assert x.grad.dtype is lenet.float32
    assert y.grad.dtype is lenet.float64


def test_integer_tensors_cannot_require_gradients() -> None:
    with pytest.raises(RuntimeError, match="floating"):
        lenet.tensor([1], requires_grad=True)


def test_anomaly_mode_names_the_first_bad_op_of_either_pass() -> None:
    with lenet.autograd.detect_anomaly(), pytest.raises(RuntimeError, match=r"Log returned inf or NaN .* index \(1,\)"):
        lenet.tensor([1.0, 0.0]).log()
    x = leaf(0.0)
    with lenet.autograd.detect_anomaly(), pytest.raises(RuntimeError, match="SqrtBackward returned inf or NaN"):
        x.sqrt().sum().backward()


def test_numpy_refuses_a_tensor_that_requires_gradients() -> None:
    with pytest.raises(RuntimeError, match="detach"):
        leaf(1.0).numpy()
    assert leaf(1.0).detach().numpy().dtype == np.float32


def test_a_gradient_without_dimensions_can_be_changed_in_place() -> None:
    p = lenet.tensor(2.0, requires_grad=True)
    (p * p + p).backward()
    p.grad.zero_()
    assert p.grad.tolist() == 0.0
    x = lenet.ones(2, 2, requires_grad=True)
    (x.trace() * 2).backward()
    assert x.grad.tolist() == [[2.0, 0.0], [0.0, 2.0]]


def test_a_part_of_a_sum_that_was_overwritten_gives_no_gradient() -> None:
    x = lenet.ones(3, requires_grad=True)
    m = x.sum()
    m.view(1)[0] = 5.0
    (m * m).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
