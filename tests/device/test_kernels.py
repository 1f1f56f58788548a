"""The CUDA kernels against their NumPy references: compiled as C++ by the emulator, or on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import device, dispatch, update
from lenetcli.kernels.cuda import conv, program
from tests.device import emulator, standin
from tests.device.conftest import GPU

pytestmark = pytest.mark.slow  # most of the time is the C++ compiler's

KERNELS = ["emulated", pytest.param("gpu", marks=pytest.mark.skipif(not GPU, reason="there is no GPU"))]


@pytest.fixture(params=KERNELS, autouse=True)
def _library(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.param == "gpu":
        device.cupy()
        yield
        return
    if emulator.COMPILER is None:
        pytest.skip("there is no g++ to compile kernels with")
    with standin.installed(kernels=True), pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "BLOCK", 32)  # threads of a block are threads here
        device.cupy()
        yield


def batch_last(x: np.ndarray) -> np.ndarray:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def there(value: Any) -> Any:
    """Arguments on the device."""
    if isinstance(value, list):
        return [there(v) for v in value]
    return device.to_device(value) if isinstance(value, np.ndarray) else value


def both(name: str, *arguments: Any) -> list[tuple[Any, Any]]:
    """Results of a kernel on the device and on the CPU, side by side."""
    with dispatch.force("numpy"):
        found, expected = getattr(dispatch, name)(*there(list(arguments))), getattr(dispatch, name)(*arguments)
    pairs = zip(found, expected) if isinstance(expected, tuple) else [(found, expected)]
    return [(None if a is None else device.to_host(a), b) for a, b in pairs]


def check(name: str, *arguments: Any, tolerance: float = 1e-4, of: slice = slice(None)) -> None:
    for found, expected in both(name, *arguments)[of]:
        assert (found is None) == (expected is None)
        if expected is not None:
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


IMAGES = batch_last(normal(5, 4, 9, 8))
FOURS = batch_last(normal(8, 4, 9, 8))  # whose images go four at a time
WINDOWS = [
    ((3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((3, 2), (2, 1), (1, 1), (1, 2), 1),
    ((3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((1, 1), (1, 1), (0, 0), (1, 1), 1),
]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_convolution(window: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel, stride, padding, dilation, groups = window
    weight, bias = normal(6, 4 // groups, *kernel), normal(6)
    for room, x in ((conv.ROOM, FOURS), (4096, IMAGES)):  # all columns at once, and a few rows at a time
        monkeypatch.setattr(conv, "ROOM", room)
        check("conv2d", x, weight, bias, stride, padding, dilation, groups)
        y = dispatch.conv2d(x, weight, bias, stride, padding, dilation, groups)
        grad = batch_last(normal(*y.shape))
        check("conv2d_backward", grad, x, weight, (False, True, True), stride, padding, dilation, groups)
        check("conv2d_weight_grad", grad, x, kernel, stride, padding, dilation, groups)
        check("conv2d_input_grad", grad, weight, (9, 8), stride, padding, dilation, groups)


@pytest.mark.parametrize("channels", [1, 4, 11])
@pytest.mark.parametrize(("kernel", "padding"), [(3, (0, 0)), (3, (1, 1)), (5, (2, 1)), (2, (0, 0))], ids=str)
def test_convolution_with_relu_and_pooling(channels: int, kernel: int, padding: Any) -> None:
    x, weight, bias = batch_last(normal(5, channels, 9, 8)), normal(6, channels, kernel, kernel), normal(6)
    check("conv_relu_pool", x, weight, bias, padding, of=slice(0, 1))
    results = []
    for move in (lambda v: v, there):
        xs, ws, bs = move(x), move(weight), move(bias)
        y, winner = dispatch.conv_relu_pool(xs, ws, bs, padding)
        grad = move(batch_last(normal(*y.shape)))
        results.append(
            [device.to_host(g) for g in dispatch.conv_relu_pool_backward(grad, xs, ws, winner, padding, True)]
        )
        assert dispatch.conv_relu_pool_backward(grad, xs, ws, winner, padding, False)[0] is None
    for expected, found in zip(*results):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "window",
    [
        ((2, 2), (2, 2), (0, 0), (1, 1), False),
        ((3, 2), (2, 1), (1, 1), (1, 2), True),
        ((3, 3), (1, 1), (1, 1), (1, 1), False),
    ],
    ids=str,
)
def test_max_pooling(window: Any) -> None:
    x = IMAGES.copy(order="K")
    x[0, 0, :4] = np.nan
    x[1, 1] = -np.inf
    x[2] = np.round(x[2])  # ties
    check("max_pool2d", x, *window)
    y, winner = dispatch.max_pool2d(x, *window)
    check("max_pool2d_backward", batch_last(normal(*y.shape)), winner, (9, 8), *window[:4])


@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shift", [0, 1000])
def test_batch_norm(affine: bool, shift: float) -> None:
    x = batch_last(normal(70, 5, 6, 4) + np.float32(shift))
    weight, bias = (normal(5), normal(6)[:5].copy()) if affine else (None, None)
    found, expected = both("batch_norm", x, weight, bias, 1e-5)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    grad = batch_last(normal(*x.shape))
    results = []
    for move in (lambda v: v, there):
        _, moments = dispatch.batch_norm(move(x), move(weight), move(bias), 1e-5)
        results.append(dispatch.batch_norm_backward(move(grad), move(x), move(weight), moments, 1e-5))
        results[-1] = [device.to_host(r) for r in (*results[-1], moments.mean, moments.var)]
    for expected, found in zip(*results):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)
    mean, var = normal(5), np.abs(normal(5)) + 1
    check("channel_norm", x, mean, var, weight, bias, 1e-5, tolerance=1e-3)
    check("channel_norm_backward", grad, x, mean, var, weight, 1e-5, tolerance=1e-1 if shift else 1e-3)


@pytest.mark.parametrize("rows", [normal(7, 5), normal(5, 7).T], ids=["rows", "batch-last"])
def test_linear(rows: np.ndarray) -> None:
    weight, bias = normal(6, 5), normal(6)
    check("linear", rows, weight, bias)
    check("linear_relu", rows, weight, bias)
    check("linear_relu", rows, weight, None)
    y = dispatch.linear_relu(rows, weight, bias)
    check("linear_relu_backward", normal(*y.shape), rows, weight, y, True)
    check("linear_backward", normal(*y.shape), rows, weight, True)
    check("relu_backward", np.moveaxis(normal(7, 5), 0, 0), np.maximum(normal(7, 5), 0))
    check("relu_backward", IMAGES, np.maximum(IMAGES, 0))


@pytest.mark.parametrize("order", ["C", "F"])
def test_logarithms_of_softmax_and_their_likelihood(order: str) -> None:
    x, grad = np.array(normal(7, 5), order=order), np.array(normal(7, 5) + 1, order=order)
    x[2, 1] = np.nan
    check("log_softmax", x, 1)
    check("log_softmax", normal(2, 3, 4), 1)
    y = dispatch.log_softmax(np.nan_to_num(x), 1)
    check("log_softmax_backward", grad, y, 1)
    for target in ([0, 4, 2, 1, 1, 3, 0], [0, 4, -100, 1, 1, 3, -100], [0, 5, 2, 1, 1, 3, 0], [0, -1, 2, 1, 1, 3, 0]):
        check("nll_mean", y, np.array(target), -100)
        check("nll_mean_backward", np.asarray(np.float32(2)), y, np.array(target), -100, np.asarray(np.float32(6)))


def test_running_statistics() -> None:
    x = batch_last(normal(7, 5, 3, 2))
    results = []
    for move in (lambda v: v, there):
        mean, var = move(normal(5)), move(np.abs(normal(5)))
        dispatch.track(mean, var, dispatch.batch_norm(move(x), None, None, 1e-5)[1], 0.3, 42)
        results.append([device.to_host(mean), device.to_host(var)])
    for expected, found in zip(*results):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_sums_of_channels() -> None:
    check("channel_sums", batch_last(normal(70, 5, 6, 4)))
    check("relu", np.where(IMAGES > 1, np.nan, IMAGES).astype(np.float32))


def copied(arguments: tuple[Any, ...]) -> list[Any]:
    return [[np.copy(v) if isinstance(v, np.ndarray) else v for v in a] if type(a) is list else a for a in arguments]


@pytest.mark.parametrize("flags", [(False, False), (True, True)], ids=str)
def test_update_rules(flags: tuple[bool, bool]) -> None:
    shapes = [(3, 4), (5,), (), (0, 3), *[(2,)] * 50]
    lists = [[np.asarray(np.abs(normal(*s)) + k) for s in shapes] for k in range(4)]
    (nesterov, maximize), count = flags, len(shapes)
    momentum, plain = update.SGD(0.1, 0.9, 0.0, nesterov), update.SGD(0.1, 0.0, 0.3, nesterov)
    decay, decoupled = update.Objective(maximize, 0.01, 1.0), update.Objective(maximize, 0.0, 0.999)
    adam = update.Adam(0.1, 0.9, 0.99, 1e-8)
    for name, arguments in (
        ("sgd", (lists[0], lists[1], decay, momentum, [False] * count, lists[2])),
        ("sgd", (lists[0], lists[1], decay, momentum, [False, True] * (count // 2), lists[2])),
        ("sgd", (lists[0], lists[1], decay, plain, None, None)),
        ("adam", (lists[0], lists[1], decay, adam, [3.0] * count, lists[2], lists[3], None)),
        ("adam", (lists[0], lists[1], decoupled, adam, [3.0] * count, lists[2], lists[3], None)),
        ("adam", (lists[0], lists[1], decay, adam, [3.0, 1.0] * (count // 2), lists[2], lists[3], None)),
        ("adam", (lists[0], lists[1], decay, adam, [3.0] * count, *lists[2:], lists[1])),
    ):
        ours, theirs = copied(arguments), [there(a) for a in copied(arguments)]
        with dispatch.force("numpy"):
            getattr(dispatch, name)(*theirs)
            getattr(dispatch, name)(*ours)
        for a, b in zip(ours, theirs):
            if type(a) is list and isinstance(a[0], np.ndarray):
                for expected, found in zip(a, b):
                    np.testing.assert_allclose(device.to_host(found), expected, rtol=1e-5, atol=1e-6)
