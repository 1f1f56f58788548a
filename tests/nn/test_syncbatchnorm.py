"""SyncBatchNorm: parts of a batch, normalised side by side, give what the whole batch gives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn

Array = np.ndarray


def side_by_side(parts: int, work: Callable[[int, Callable[[Array], Array]], None]) -> None:
    """Runs `work(part, total)` in a thread for each part; `total` adds up over the threads."""
    barrier = threading.Barrier(parts)
    given: list[Any] = [None] * parts
    failures: list[BaseException] = []

    def run(part: int) -> None:
        def total(own: Array) -> Array:
            given[part] = own
            barrier.wait()
            added: Array = sum(given[1:], given[0].copy())
            barrier.wait()
            return added

        try:
            work(part, total)
        except BaseException as error:
            failures.append(error)
            barrier.abort()

    threads = [threading.Thread(target=run, args=(part,)) for part in range(parts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("sizes", [(3, 3), (1, 4), (2, 1, 0), (6, 0)], ids=str)
@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 5, 2)], ids=str)
@pytest.mark.parametrize("options", [{}, {"momentum": None, "bias": False}, {"track_running_stats": False}], ids=str)
def test_parts_give_what_the_whole_gives(
    sizes: tuple[int, ...], shape: tuple[int, ...], options: dict[str, Any]
) -> None:
    random = np.random.default_rng(0)
    x = random.normal(3, 2, (sum(sizes), *shape)).astype(np.float32)
    grad = random.normal(size=x.shape).astype(np.float32)
    ends = np.cumsum(sizes)
    places = [slice(end - size, end) for end, size in zip(ends, sizes)]

    def passed(layer: nn.Module, place: slice) -> tuple[Array, Array]:
        layer.weight.data += 0.5
        for _ in range(2):
            given = lenet.from_numpy(x[place].copy()).requires_grad_()
            y = layer(given)
            y.backward(lenet.from_numpy(grad[place].copy()))
        return y.detach().numpy(), given.grad.numpy()

    whole = nn.SyncBatchNorm(3, **options)
    y, d_x = passed(whole, slice(None))
    layers = [nn.SyncBatchNorm(3, **options) for _ in sizes]
    results: dict[int, tuple[Array, Array]] = {}

    def work(part: int, total: Callable[[Array], Array]) -> None:
        layers[part].process_group = total
        results[part] = passed(layers[part], places[part])

    side_by_side(len(sizes), work)
    for part, place in enumerate(places):
        np.testing.assert_allclose(results[part][0], y[place], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(results[part][1], d_x[place], rtol=1e-5, atol=1e-5)
    for name, parameter in whole.named_parameters():
        shares = [dict(layer.named_parameters())[name].grad.numpy() for layer in layers]
        np.testing.assert_allclose(sum(shares), parameter.grad.numpy(), rtol=1e-4, atol=1e-4)
    for layer in layers:
        for (name, buffer), (_, expected) in zip(layer.named_buffers(), whole.named_buffers()):
            np.testing.assert_allclose(buffer.numpy(), expected.numpy(), rtol=1e-5, err_msg=name)


def test_one_value_in_all_parts_together_is_refused() -> None:
    def work(part: int, total: Callable[[Array], Array]) -> None:
        nn.SyncBatchNorm(2, process_group=total)(lenet.ones(1 - part, 2))

    with pytest.raises(ValueError, match="more than 1 value per channel"):
        side_by_side(2, work)


def test_evaluation_asks_nobody() -> None:
    def total(own: Array) -> Array:
        raise AssertionError("a sum was asked for")

    layer = nn.SyncBatchNorm(2, process_group=total).eval()
    assert layer(lenet.ones(1, 2)).shape == (1, 2)


def test_converting_keeps_parameters_buffers_and_places() -> None:
    net = nn.Sequential(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3, momentum=None, bias=False)), nn.BatchNorm1d(3))
    parameters = dict(net.named_parameters())
    state = list(net.state_dict())
    net.eval()
    made = nn.SyncBatchNorm.convert_sync_batchnorm(net, process_group=sum)
    assert made is net
    assert [type(m) for m in (net[0][1], net[1])] == [nn.SyncBatchNorm] * 2
    assert all(dict(net.named_parameters())[name] is p for name, p in parameters.items())
    assert list(net.state_dict()) == state
    assert net[0][1].momentum is None
    assert not net[1].training
    assert net[1].process_group is sum
    assert isinstance(nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(3)), nn.SyncBatchNorm)
