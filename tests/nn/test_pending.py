"""Ops written one by one in a module's forward: done as one where nobody looks between them, with the same bits."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.autograd.modes import fusion, switches
from lenetcli.kernels import dispatch, native
from lenetcli.kernels.layout import images as channels_last
from lenetcli.kernels.layout import logical, pixels, stored
from tests.rows import rows_done

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


@pytest.fixture(autouse=True)
def _native_kernels() -> Iterator[None]:
    with dispatch.force("native"):
        yield


Look = Callable[[Any, Any, Any], Any]  # at the net, and what convolution and relu gave


class Net(nn.Module):
    """Convolution, relu, pool, two linear layers, op by op; `look` is called between the first ones."""

    def __init__(self, look: Look | None = None, inplace: bool = False) -> None:
        super().__init__()
        self.conv, self.fc1, self.fc2 = nn.Conv2d(2, 4, 3, padding=1), nn.Linear(100, 40), nn.Linear(40, 3)
        self.inplace = inplace
        object.__setattr__(self, "look", look)

    def forward(self, x: Any) -> Any:
        c = self.conv(x)
        r = F.relu(c, inplace=self.inplace)
        if self.look is not None:
            self.look(self, c, r)
        del c
        x = F.max_pool2d(r, 2)
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def images(n: int = 40) -> Any:
    return lenet.from_numpy(logical(stored(np.random.default_rng(n).standard_normal((n, 2, 10, 10), np.float32))))


def trained(fused: bool, look: Look | None = None, inplace: bool = False, merged: bool = True) -> list[np.ndarray]:
    """The output, and the gradients of input and parameters."""
    lenet.manual_seed(0)
    net, x = Net(look, inplace), images().requires_grad_()
    with fusion(fused):
        y = net(x)
    with fusion(merged):
        (y * y).sum().backward()
    return [y.detach().numpy(), x.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]


def equal(found: list[np.ndarray], wanted: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("merged", [False, True])
def test_rows_of_ops_have_the_bits_of_single_ops(inplace: bool, merged: bool) -> None:
    with rows_done() as rows:
        found = trained(True, inplace=inplace, merged=merged)
    assert rows == ["ConvReluPool", "LinearRelu"]
    assert equal(found, trained(False, inplace=inplace, merged=merged))


def test_outside_of_modules_every_op_runs_when_it_is_called() -> None:
    conv, x = nn.Conv2d(2, 4, 3), images()
    with rows_done() as rows:
        c = conv(x)
        assert "array" in vars(c)
        F.max_pool2d(F.relu(c), 2)
    assert rows == []


def test_shape_type_and_place_in_the_graph_are_known_without_values() -> None:
    seen: list[Any] = []

    def look(net: Any, c: Any, r: Any) -> None:
        for t in (c, r):
            assert tuple(t.shape) == (40, 4, 10, 10)
            assert t.dtype is lenet.float32
            assert t.ndim == t.dim() == 4
            assert t.size(1) == 4
            assert t.numel() == 16000
            assert t.is_floating_point()
            assert t.requires_grad
            assert not t.is_leaf
            assert t._version == 0
        seen.append((r.grad_fn.name(), r.grad_fn.next_functions[0][0] is c.grad_fn))

    with rows_done() as rows:
        trained(True, look)
    assert seen == [("ReluBackward", True)]
    assert rows[0] == "ConvReluPool"


def _values(net: Any, c: Any, r: Any) -> None:
    assert np.array_equal(r.detach().numpy(), np.maximum(c.detach().numpy(), 0))


def _text(net: Any, c: Any, r: Any) -> None:
    assert "grad_fn=<ConvolutionBackward" in str(c)


def _sum(net: Any, c: Any, r: Any) -> None:
    assert float(r.sum().detach()) > 0


def _changed(net: Any, c: Any, r: Any) -> None:
    c.mul_(2)


def _input_changed(net: Any, c: Any, r: Any) -> None:
    with lenet.no_grad():
        net.conv.bias.add_(1)


@pytest.mark.parametrize("look", [_values, _text, _sum, _changed, _input_changed])
def test_who_looks_between_sees_what_single_ops_give(look: Look) -> None:
    assert equal(trained(True, look), trained(False, look))


def test_a_change_in_place_of_what_backward_needs_is_noticed_as_of_single_ops() -> None:
    def look(net: Any, c: Any, r: Any) -> None:
        with lenet.no_grad():
            net.conv.weight.mul_(2)

    for fused in (True, False):
        with pytest.raises(RuntimeError, match="ConvolutionBackward saved version 1, it is now at version 2"):
            trained(fused, look)


def _kept(net: Any, c: Any, r: Any) -> None:
    net.kept = [c, r]


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_is_kept_has_its_values_and_its_gradient(when: str) -> None:
    def of(fused: bool) -> list[np.ndarray]:
        lenet.manual_seed(0)
        net = Net(_kept if when == "after" else lambda net, c, r: (_kept(net, c, r), c.retain_grad()))
        with fusion(fused):
            y = net(images())
        c, r = net.kept
        assert "array" in vars(c)
        assert "array" in vars(r)
        grads: list[Any] = []
        c.retain_grad()
        r.register_hook(lambda grad: grads.append(grad.numpy().copy()))
        y.sum().backward()
        return [c.detach().numpy(), r.detach().numpy(), c.grad.numpy(), *grads, net.conv.weight.grad.numpy()]

    assert equal(of(True), of(False))


def test_gradients_can_be_asked_for_of_what_was_kept() -> None:
    def of(fused: bool) -> np.ndarray:
        lenet.manual_seed(0)
        net = Net(_kept)
        with fusion(fused):
            y = net(images())
        return lenet.autograd.grad(y.sum(), net.kept)[0].numpy()

    assert np.array_equal(of(True), of(False))


def test_backward_runs_twice_where_the_graph_is_kept_and_is_refused_after() -> None:
    lenet.manual_seed(0)
    net = Net()
    y = net(images()).sum()
    y.backward(retain_graph=True)
    once = net.conv.weight.grad.numpy().copy()
    y.backward()
    np.testing.assert_array_equal(net.conv.weight.grad.numpy(), 2 * once)
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_nothing_is_computed_that_nobody_wants_and_nothing_stays() -> None:
    net = Net(lambda net, c, r: None)
    with lenet.no_grad(), rows_done() as rows:
        net(images())
    assert rows == ["ConvReluPool", "LinearRelu"]
    assert not switches.waiting
    gc.collect()

    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        def forward(self, x: Any) -> Any:
            for _ in range(20):  # more than may wait at a time
                c = self.conv(x)
                assert len(switches.waiting) <= 8
            return [c, self.conv(x)]

    first, second = Idle()(images())
    assert lenet.equal(first, second)


def test_an_error_between_leaves_values_that_can_be_had() -> None:
    net = Net(_kept)
    net.fc1 = nn.Linear(7, 40)
    x = images()
    with pytest.raises(lenet.errors.ShapeError, match="linear"):
        net(x)
    c, _ = net.kept
    assert lenet.equal(c, net.conv(x))


def test_wrong_shapes_are_told_where_the_op_is_called() -> None:
    net = Net(lambda net, c, r: F.max_pool2d(r, 11))
    with pytest.raises(lenet.errors.ShapeError, match="max_pool2d: a window of 11 x 11 does not fit into 10 x 10"):
        net(images())


def test_threads_look_at_a_value_that_waits() -> None:
    found: list[np.ndarray] = []

    def look(net: Any, c: Any, r: Any) -> None:
        threads = [threading.Thread(target=lambda: found.append(r.detach().numpy())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(array is r.array for array in found)

    assert equal(trained(True, look), trained(False))


def test_observers_anomaly_mode_and_small_results_make_nothing_wait() -> None:
    net = Net(lambda net, c, r: seen.append("array" in vars(c)))
    seen: list[bool] = []
    with lenet.autograd.watch(lambda *_: None):
        net(images())
    with lenet.autograd.detect_anomaly():
        net(images())
    net(images(1))
    net(images())
    assert seen == [True, True, True, False]


class Normed(nn.Module):
    """Batch norm and relu, op by op, twice; `look` is called between the first two."""

    def __init__(self, look: Callable[[Any, Any], None] | None = None) -> None:
        super().__init__()
        self.norm, self.last, self.fc = nn.BatchNorm2d(6), nn.BatchNorm1d(40), nn.Linear(150, 40)
        object.__setattr__(self, "look", look)

    def forward(self, x: Any) -> Any:
        y = self.norm(x)
        if self.look is not None:
            self.look(self, y)
        return F.relu(self.last(self.fc(F.relu(y).flatten(1))))


def normed(fused: bool, training: bool, order: Any, look: Callable[[Any, Any], None] | None = None) -> list[np.ndarray]:
    """The output, gradients of input and parameters, and statistics, of two calls."""
    lenet.manual_seed(0)
    net = Normed(look).train(training)
    with lenet.no_grad():
        for p in (*net.norm.parameters(), *net.last.parameters()):
            p.uniform_(-1, 1)
    found: list[np.ndarray] = []
    for n in (40, 41):
        x = lenet.from_numpy(order(np.random.default_rng(n).standard_normal((n, 6, 5, 5), np.float32))).requires_grad_()
        with fusion(fused):
            y = net(x)
            (y * y).sum().backward()
        found += [y.detach().numpy(), x.grad.numpy()]
    return [*found, *(p.grad.numpy() for p in net.parameters()), *(b.numpy() for b in net.buffers())]


@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_and_relu_have_the_bits_of_single_ops_and_move_statistics_at_once(training: bool) -> None:
    for order in (lambda x: x, lambda x: logical(stored(x)), lambda x: channels_last(pixels(x))):
        with rows_done() as rows:
            found = normed(True, training, order)
        assert rows == ["NormRelu"] * 4
        assert equal(found, normed(False, training, order))
        seen: list[np.ndarray] = []

        def look(net: Normed, y: Any, seen: list[np.ndarray] = seen) -> None:
            seen.append(net.norm.running_mean.numpy().copy())
            with lenet.no_grad():
                net.norm.running_mean.add_(1)

        before, after = normed(True, training, order, look), normed(False, training, order, look)
        assert equal(before, after)
        assert equal(seen[:2], seen[2:])
        assert (seen[0] != 0).any() == training
