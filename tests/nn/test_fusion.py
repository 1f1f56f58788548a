"""Fused runs of layers: equal to the single ops over random nets, and absent wherever somebody may look between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.modes import detect_anomaly, fusion
from lenetcli.autograd.node import Node
from lenetcli.kernels import active, native
from lenetcli.kernels.layout import logical, stored

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))


@pytest.fixture(autouse=True)
def _native_kernels() -> Iterator[None]:
    with active.force("native"):
        yield


def names(tensor: Any) -> set[str]:
    """Names of all nodes below a tensor."""
    found: set[str] = set()
    stack: list[Node] = [tensor.grad_fn]
    while stack:
        node = stack.pop()
        found.add(node.name())
        stack += [below for below, _ in node.next_functions if below is not None]
    return found


def random_net(random: np.random.Generator) -> tuple[nn.Sequential, tuple[int, ...]]:
    """Convolutions, relus, pools and linear layers in an order that often, but not always, fuses."""
    channels, h, w = (int(v) for v in random.integers((1, 12, 12), (4, 24, 24)))
    shape = channels, h, w
    layers: list[Any] = []
    for _ in range(int(random.integers(1, 3))):
        kernel, padding, out = int(random.integers(1, 6)), int(random.integers(0, 3)), int(random.integers(1, 9))
        stride = int(random.choice([1, 1, 1, 2]))
        layers.append(nn.Conv2d(channels, out, kernel, stride, padding, bias=bool(random.integers(2))))
        h, w = ((v + 2 * padding - kernel) // stride + 1 for v in (h, w))
        channels = out
        layers.append(nn.ReLU(inplace=bool(random.integers(2))) if random.random() < 0.8 else nn.Tanh())
        if min(h, w) >= 4:
            layers.append(nn.MaxPool2d(2) if random.random() < 0.8 else nn.MaxPool2d(3, 1))
            h, w = (h // 2, w // 2) if layers[-1].kernel_size == 2 else (h - 2, w - 2)
        if min(h, w) < 6:
            break
    layers += [
        nn.Flatten(),
        nn.Linear(channels * h * w, 13),
        nn.ReLU(),
        nn.Linear(13, 5, bias=bool(random.integers(2))),
    ]
    if random.random() < 0.5:
        layers += [nn.ReLU(), nn.Linear(5, 3)]
    return nn.Sequential(*layers), shape


def gradients(net: nn.Sequential, x: np.ndarray, fused: bool, grads: np.ndarray | None) -> list[Any]:
    """The output, and the gradients of input and parameters."""
    net.zero_grad()
    inputs = lenet.from_numpy(x)
    inputs.requires_grad_()
    with fusion(fused):
        y = net(inputs)
    y.backward(lenet.from_numpy(np.ones_like(y.array) if grads is None else grads))
    return [y.detach().numpy(), inputs.grad.numpy(), *(p.grad.numpy() for p in net.parameters())]


@pytest.mark.parametrize("seed", range(60))
def test_fused_nets_equal_their_single_ops(seed: int) -> None:
    random = np.random.default_rng(seed)
    lenet.manual_seed(seed)
    net, shape = random_net(random)
    n = int(random.choice([1, 2, 5, 8, 16, 17, 33]))
    x = random.standard_normal((n, *shape)).astype(np.float32)
    if random.random() < 0.5:
        x = logical(stored(x))
    for one, other in zip(gradients(net, x, True, None), gradients(net, x, False, None)):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5 * max(1, float(np.abs(other).max())))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [8, 9])
def test_fused_nets_spread_nan_and_infinity_as_single_ops_do(value: float, size: int) -> None:
    lenet.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(27, 9), nn.ReLU())
    for place in ((3, 1, 0, 0), (3, 1, size - 1, size - 1), (0, 0, size // 2, 1)):
        x = np.random.default_rng(1).standard_normal((17, 2, size, size)).astype(np.float32)
        x[place] = value
        for one, other in zip(gradients(net, x, True, None), gradients(net, x, False, None)):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


def example() -> tuple[nn.Sequential, Any]:
    net = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(18, 4), nn.ReLU(), nn.Linear(4, 2)
    )
    return net, lenet.randn(3, 1, 8, 8)


def test_runs_of_layers_become_one_node() -> None:
    net, x = example()
    found = names(net(x))
    assert {"ConvReluPoolBackward", "LinearReluBackward", "AddmmBackward"} <= found
    assert not found & {"ConvolutionBackward", "ReluBackward", "MaxPool2DWithIndicesBackward"}


def test_fused_nodes_know_their_module() -> None:
    net, x = example()
    root = nn.Sequential(net)
    y = root(x)
    paths = {}
    stack = [y.grad_fn]
    while stack:
        node = stack.pop()
        paths[node.name()] = node.metadata.get("module")
        stack += [below for below, _ in node.next_functions if below is not None]
    assert paths["ConvReluPoolBackward"] == "0.0"
    assert paths["LinearReluBackward"] == "0.4"


def _forward_hook(net: nn.Sequential) -> Any:
    return net[1].register_forward_hook(lambda *_: None)


def _backward_hook(net: nn.Sequential) -> Any:
    return net[2].register_full_backward_hook(lambda *_: None)


def _own_forward(net: nn.Sequential) -> Any:
    net[1].forward = lambda x: x.relu()


def _strided(net: nn.Sequential) -> Any:
    net[2] = nn.MaxPool2d(2, 2, ceil_mode=True)


class OwnConv(nn.Conv2d):
    pass


def _subclass(net: nn.Sequential) -> Any:
    net[0] = OwnConv(1, 2, 3)


def _double(net: nn.Sequential) -> Any:
    net.double()


@pytest.mark.parametrize("change", [_forward_hook, _backward_hook, _own_forward, _strided, _subclass, _double])
def test_layers_that_are_watched_or_special_run_one_by_one(change: Callable[[nn.Sequential], Any]) -> None:
    net, x = example()
    change(net)
    if change is _double:
        x = x.double()
    assert "ConvReluPoolBackward" not in names(net(x))


def test_anomaly_mode_and_the_switch_show_every_op() -> None:
    net, x = example()
    with detect_anomaly():
        assert "ConvolutionBackward" in names(net(x))
    with fusion(False):
        assert "ConvolutionBackward" in names(net(x))
    with active.force("numpy"):
        assert "ConvolutionBackward" in names(net(x))


def test_a_misfit_raises_the_layers_own_error() -> None:
    net, _ = example()
    with pytest.raises(RuntimeError, match="channels"):
        net(lenet.randn(3, 2, 8, 8))
    with pytest.raises(RuntimeError, match="window"):
        net(lenet.randn(3, 1, 3, 3))
    with pytest.raises(RuntimeError, match="linear"):
        net(lenet.randn(3, 1, 12, 12))


def test_a_change_in_place_of_what_backward_needs_is_noticed() -> None:
    net, x = example()
    x.requires_grad_()
    h = x * 1
    y = net(h)
    h.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        y.sum().backward()
