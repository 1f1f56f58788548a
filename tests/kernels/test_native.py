"""Every native kernel against its NumPy twin, over odd sizes, memory orders, instruction sets and special values."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import active, conv, fused, linear, native, norm, pool, relu, softmax, step
from lenetcli.kernels.layout import logical, stored
from lenetcli.kernels.threads import get_num_threads, set_num_threads

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

ONE = (1, 1)
ORDERS = ["rows", "batch_last", "strided"]
BATCHES = [1, 15, 16, 17, 64]


@pytest.fixture(params=[] if native.absent is not None else native.targets())
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set this machine has kernels for."""
    before = native.target()
    assert before is not None
    native.set_target(request.param)
    yield request.param
    native.set_target(before)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def ordered(x: np.ndarray, order: str) -> np.ndarray:
    """The same values in another memory order."""
    if order == "batch_last":
        return logical(stored(x))
    if order == "strided":
        room = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        view = room[tuple(slice(None, None, 2) for _ in x.shape)]
        view[...] = x
        return view
    return np.ascontiguousarray(x)


def close(found: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    """Equal to rounding, NaN and infinities in the same places."""
    if wanted is None:
        assert found is None
        return
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale)


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


def images_of(winner: np.ndarray, n: int) -> np.ndarray:
    """Winners without those that fill up the last group of images."""
    return winner.transpose(0, 4, 1, 2, 3).reshape(-1, *winner.shape[1:4])[:n]


def twin(name: str) -> Any:
    return native.twins()[name]


CONVOLUTIONS = [  # batch, in-channels, out-channels, kernel, rows, columns, padding
    *((n, 2, 5, 3, 9, 8, (0, 0)) for n in BATCHES),
    *((n, 3, 3, 3, 6, 7, (1, 1)) for n in BATCHES),
    *((17, 1, o, 3, 5, 5, (1, 0)) for o in (1, 2, 3, 4, 6, 7, 33)),
    *((16, c, 4, 3, 4, 4, (1, 1)) for c in (1, 2, 7, 33)),
    *((18, 2, 3, k, 8, 9, (k // 2, k // 3)) for k in (1, 2, 3, 4, 5, 6, 7)),
    *((n, 2, 2, 3, 3, 3, (0, 0)) for n in (1, 16, 17)),  # one pixel out
    (3, 1, 1, 1, 1, 1, (0, 0)),
    (2, 1, 6, 5, 32, 30, (2, 2)),
    (1, 3, 4, 3, 40, 41, (1, 1)),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution_equals_its_twin(case: Any, order: str, target: str) -> None:
    n, c, o, k, h, w, padding = case
    random = rng(n, c, o, k)
    x, weight, bias = ordered(normal(random, n, c, h, w), order), normal(random, o, c, k, k), normal(random, o)
    geometry = ONE, padding, ONE, 1
    y = conv.conv2d(x, weight, bias, *geometry)
    close(twin("conv2d")(x, weight, bias, *geometry), y)
    close(twin("conv2d")(x, weight, None, *geometry), conv.conv2d(x, weight, None, *geometry))
    grad = ordered(normal(random, *y.shape), order)
    close(twin("conv2d_weight_grad")(grad, x, (k, k), *geometry), conv.conv2d_weight_grad(grad, x, (k, k), *geometry))
    image = (h, w)
    close(
        twin("conv2d_input_grad")(grad, weight, image, *geometry),
        conv.conv2d_input_grad(grad, weight, image, *geometry),
    )
    for needs in ((True, True, True), (False, True, True), (True, False, False), (False, False, True)):
        wanted = conv.conv2d_backward(grad, x, weight, needs, *geometry)
        for one, other in zip(twin("conv2d_backward")(grad, x, weight, needs, *geometry), wanted):
            close(one, other)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "case", [c for c in CONVOLUTIONS if min(c[4] + 2 * c[6][0], c[5] + 2 * c[6][1]) > c[3]], ids=str
)
def test_fused_convolution_equals_its_twin(case: Any, order: str, target: str) -> None:
    n, c, o, k, h, w, padding = case
    random = rng(n, c, o, k, 1)
    x, weight, bias = ordered(normal(random, n, c, h, w), order), normal(random, o, c, k, k), normal(random, o)
    y, winner = fused.conv_relu_pool(x, weight, bias, padding)
    found, found_winner = twin("conv_relu_pool")(x, weight, bias, padding)
    close(found, y)
    same = images_of(found_winner, n) == images_of(winner, n)
    assert np.mean(same) > 0.999  # rounding may decide between nearly equal values
    grad = ordered(normal(random, *y.shape), order)
    for need_x in (True, False):
        wanted = fused.conv_relu_pool_backward(grad, x, weight, winner, padding, need_x)
        in_one_group = stored(images_of(winner, n))[None]
        for winners in (winner, in_one_group):
            for one, other in zip(twin("conv_relu_pool_backward")(grad, x, weight, winners, padding, need_x), wanted):
                close(one, other)


@np.errstate(all="ignore")
@pytest.mark.parametrize("case", [(17, 2, 3, 3, 7, 6), (2, 2, 3, 3, 9, 9), (16, 1, 2, 2, 6, 6)], ids=str)
def test_nan_infinity_and_ties_in_convolutions(case: Any, target: str) -> None:
    n, c, o, k, h, w = case
    random = rng(n, c)
    weight, bias = normal(random, o, c, k, k), normal(random, o)
    for value in (np.nan, np.inf, -np.inf):
        for place in ((0, 0, 0, 0), (n - 1, c - 1, h - 1, w - 1), (n // 2, 0, h // 2, w // 2)):
            x = ordered(normal(random, n, c, h, w), "batch_last")
            x[place] = value
            y, winner = fused.conv_relu_pool(x, weight, bias, (0, 0))
            found, found_winner = twin("conv_relu_pool")(x, weight, bias, (0, 0))
            close(found, y)
            np.testing.assert_array_equal(images_of(found_winner, n), images_of(winner, n))
            grad = normal(random, *y.shape)
            wanted = fused.conv_relu_pool_backward(grad, x, weight, winner, (0, 0), True)
            for one, other in zip(twin("conv_relu_pool_backward")(grad, x, weight, winner, (0, 0), True), wanted):
                close(one, other)
    x = np.ones((n, c, h, w), np.float32)  # all outputs of a channel are equal
    y, winner = fused.conv_relu_pool(x, weight, bias, (0, 0))
    found, found_winner = twin("conv_relu_pool")(x, weight, bias, (0, 0))
    close(found, y)
    np.testing.assert_array_equal(found_winner, winner)


@pytest.mark.parametrize(
    "case", [(ONE, (2, 1), ONE, 1), ((2, 2), ONE, ONE, 1), (ONE, ONE, (2, 1), 1), (ONE, ONE, ONE, 2)]
)
def test_other_geometries_go_to_the_reference(case: Any) -> None:
    random = rng(1)
    groups = case[3]
    x, weight = normal(random, 5, 4, 9, 9), normal(random, 6, 4 // groups, 3, 3)
    y = conv.conv2d(x, weight, None, *case)
    close(twin("conv2d")(x, weight, None, *case), y)
    double = twin("conv2d")(x.astype(float), weight.astype(float), None, *case)
    assert double.dtype == float
    grad = normal(random, *y.shape)
    close(twin("conv2d_weight_grad")(grad, x, (3, 3), *case), conv.conv2d_weight_grad(grad, x, (3, 3), *case))
    close(twin("conv2d_input_grad")(grad, weight, (9, 9), *case), conv.conv2d_input_grad(grad, weight, (9, 9), *case))


def test_unaligned_and_empty_images_go_to_the_reference() -> None:
    packed = np.zeros(3 * 2 * 5 * 5, np.dtype([("skip", "u1"), ("value", "f4")]))
    packed["value"] = normal(rng(2), packed.size)
    x = packed["value"].reshape(3, 2, 5, 5)
    weight = normal(rng(3), 4, 2, 3, 3)
    geometry = ONE, ONE, ONE, 1
    close(twin("conv2d")(x, weight, None, *geometry), conv.conv2d(x, weight, None, *geometry))
    assert twin("conv2d")(x[:0], weight, None, *geometry).shape == (0, 4, 5, 5)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("n", [*BATCHES, 4, 33])
@pytest.mark.parametrize("size", [(2, 2), (4, 6), (5, 7), (30, 3)])
def test_pooling_equals_its_twin(n: int, size: tuple[int, int], order: str, target: str) -> None:
    random = rng(n, *size)
    x = random.integers(-2, 3, (n, 3, *size)).astype(np.float32)  # many ties
    x[random.random(x.shape) < 0.1] = np.nan
    x = ordered(x, order)
    geometry = (2, 2), (2, 2), (0, 0), ONE
    y, winner = pool.max_pool2d(x, *geometry, False)
    found, found_winner = twin("max_pool2d")(x, *geometry, False)
    np.testing.assert_array_equal(found, y)
    np.testing.assert_array_equal(found_winner, winner)
    grad = ordered(normal(random, *y.shape), order)
    np.testing.assert_array_equal(
        twin("max_pool2d_backward")(grad, winner, size, *geometry),
        pool.max_pool2d_backward(grad, winner, size, *geometry),
    )


@pytest.mark.parametrize("shape", [(1,), (3, 5), (7, 3, 9, 11), (64, 6, 14, 14), (1025,), (17, 100)])
@pytest.mark.parametrize("order", ORDERS)
def test_relu_equals_its_twin(shape: tuple[int, ...], order: str, target: str) -> None:
    random = rng(*shape)
    x = normal(random, *shape)
    x.flat[:: max(1, x.size // 5)] = np.nan
    x = ordered(x, order)
    y = relu.relu(x)
    np.testing.assert_array_equal(twin("relu")(x), y)
    for grad_order in ORDERS:
        grad = ordered(normal(random, *shape), grad_order)
        np.testing.assert_array_equal(twin("relu_backward")(grad, y), relu.relu_backward(grad, y))


@pytest.mark.parametrize(
    "shape", [(2, 1), (1, 3, 4, 5), (17, 4), (16, 2, 3, 3), (65, 3, 7, 11), (4, 33, 40), (300, 1, 30, 30)]
)
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_equals_its_twin(shape: tuple[int, ...], order: str, affine: bool, target: str) -> None:
    random = rng(*shape)
    c = shape[1]
    x = ordered(normal(random, *shape) * 3 + 1000, order)
    weight, bias = (normal(random, c), normal(random, c)) if affine else (None, None)
    y, moments = norm.batch_norm(x, weight, bias, 1e-5)
    found, found_moments = twin("batch_norm")(x, weight, bias, 1e-5)
    close(found, y, 1e-4)
    close(found_moments.mean, moments.mean, 1e-6)
    close(found_moments.var, moments.var, 1e-5)
    grad = ordered(normal(random, *shape), order)
    for one, other in zip(
        twin("batch_norm_backward")(grad, x, weight, moments, 1e-5),
        norm.batch_norm_backward(grad, x, weight, moments, 1e-5),
    ):
        close(one, other, 1e-4)
    mean, var = moments.mean.astype(np.float32), moments.var.astype(np.float32)
    close(twin("channel_norm")(x, mean, var, weight, bias, 0.1), norm.channel_norm(x, mean, var, weight, bias, 0.1))
    for one, other in zip(
        twin("channel_norm_backward")(grad, x, mean, var, weight, 0.1),
        norm.channel_norm_backward(grad, x, mean, var, weight, 0.1),
    ):
        close(one, other)
    x[0, 0] = np.nan
    with np.errstate(all="ignore"):
        close(twin("batch_norm")(x, weight, bias, 1e-5)[0], norm.batch_norm(x, weight, bias, 1e-5)[0], 1e-4)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 17, 64, 257])
@pytest.mark.parametrize("classes", [1, 2, 10, 100])
def test_log_softmax_equals_its_twin(n: int, classes: int, target: str) -> None:
    random = rng(n, classes)
    x = np.asfortranarray(normal(random, n, classes) * 20)
    x[-1, 0], x[0, -1] = 200, -300
    y = softmax.log_softmax(x, 1)
    close(twin("log_softmax")(x, 1), y, 1e-5)
    grad = np.asfortranarray(normal(random, n, classes))
    close(twin("log_softmax_backward")(grad, y, 1), softmax.log_softmax_backward(grad, y, 1), 1e-5)
    for value in (np.nan, np.inf, -np.inf):
        x[n // 2, classes // 2] = value
        with np.errstate(all="ignore"):
            close(twin("log_softmax")(x, 1), softmax.log_softmax(x, 1), 1e-5)


@pytest.mark.parametrize(
    "shape",
    [
        (1, 576, 120),
        (3, 100, 33),
        (7, 20, 5),
        (9, 50, 1),
        (8, 8, 8),
        (17, 33, 65),
        (120, 84, 64),
        (64, 1, 64),
        (13, 500, 31),
        (300, 20, 9),
    ],
    ids=str,
)
@pytest.mark.parametrize("orders", [(a, b) for a in ("C", "F", "S") for b in ("C", "F", "S")], ids=str)
def test_product_equals_its_twin(shape: tuple[int, int, int], orders: tuple[str, str], target: str) -> None:
    n, k, m = shape
    random = rng(*shape)

    def made(rows: int, columns: int, order: str) -> np.ndarray:
        x = normal(random, rows, columns)
        return ordered(x, "strided") if order == "S" else np.asarray(x, order=order)  # type: ignore[arg-type]

    a, b = made(n, k, orders[0]), made(k, m, orders[1])
    wanted = linear.product(a, b)
    found = twin("product")(a, b)
    close(found, wanted)
    assert found.flags.f_contiguous == wanted.flags.f_contiguous
    found = twin("rows_product")(a, b)
    close(found, wanted)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("n", [*BATCHES, 8, 100])
@pytest.mark.parametrize("size", [(1, 1), (3, 10), (33, 12), (100, 61)])
@pytest.mark.parametrize("order", ORDERS)
def test_linear_relu_equals_its_twin(n: int, size: tuple[int, int], order: str, target: str) -> None:
    inputs, outputs = size
    random = rng(n, inputs)
    x, weight, bias = (
        ordered(normal(random, n, inputs), order),
        normal(random, outputs, inputs),
        normal(random, outputs),
    )
    y = linear.linear_relu(x, weight, bias)
    close(twin("linear_relu")(x, weight, bias), y)
    close(twin("linear_relu")(x, weight, None), linear.linear_relu(x, weight, None))
    grad = ordered(normal(random, n, outputs), order)
    for need_x in (True, False):
        wanted = linear.linear_relu_backward(grad, x, weight, y, need_x)
        for one, other in zip(twin("linear_relu_backward")(grad, x, weight, y, need_x), wanted):
            close(one, other)


def test_linear_relu_keeps_nan(target: str) -> None:
    random = rng(5)
    x, weight, bias = normal(random, 20, 6), normal(random, 4, 6), normal(random, 4)
    x[3, 2] = np.nan
    y = linear.linear_relu(x, weight, bias)
    close(twin("linear_relu")(x, weight, bias), y)
    grad = normal(random, 20, 4)
    grad[7, 1] = np.inf
    wanted = linear.linear_relu_backward(grad, x, weight, y, True)
    for one, other in zip(twin("linear_relu_backward")(grad, x, weight, y, True), wanted):
        close(one, other)


def parameters(random: np.random.Generator) -> list[np.ndarray]:
    """Parameters of many shapes, one of them in column order and one strided."""
    shapes = [(1,), (), (17,), (6, 1, 3, 3), (120, 576), (33000,), (5, 7)]
    made = [normal(random, *shape) for shape in shapes]
    return [
        *made,
        np.asfortranarray(normal(random, 9, 4)),
        ordered(normal(random, 6, 5), "strided"),
        normal(random, 0, 3),
    ]


@pytest.mark.parametrize(
    "options", [(0, 0, 0, False), (0.9, 0, 0, False), (0.9, 0.1, 0.01, False), (0.8, 0, 0.1, True)]
)
@pytest.mark.parametrize("maximize", [False, True])
def test_sgd_steps_equal_their_twin(options: Any, maximize: bool, target: str) -> None:
    momentum, dampening, decay, nesterov = options
    random = rng(7)
    params, grads, buffers = parameters(random), parameters(random), parameters(random) if momentum else None
    grads[4] = np.asfortranarray(grads[4])
    copies = [[a.copy(order="K") for a in arrays] if arrays else None for arrays in (params, buffers)]
    arguments = 0.1, momentum, dampening, decay, nesterov, maximize
    twin("sgd_steps")(params, grads, buffers, *arguments)
    step.sgd_steps(copies[0], grads, copies[1], *arguments)  # type: ignore[arg-type]
    for found, wanted in zip((params, buffers), copies):
        for one, other in zip(found or [], wanted or []):
            close(one, other, 1e-6)


@pytest.mark.parametrize("options", [(0.9, 0.999, 0, False), (0.9, 0.99, 0.1, False), (0.3, 0.99, 0.1, True)])
@pytest.mark.parametrize("maximize", [False, True])
def test_adam_steps_equal_their_twin(options: Any, maximize: bool, target: str) -> None:
    beta1, beta2, decay, decoupled = options
    random = rng(8)
    params, grads, averages = parameters(random), parameters(random), parameters(random)
    squares = [np.square(a, out=a) for a in parameters(random)]
    grads[4] = np.asfortranarray(grads[4])
    copies = [[a.copy(order="K") for a in arrays] for arrays in (params, averages, squares)]
    arguments = [float(i + 1) for i in range(len(params))], 0.01, beta1, beta2, 1e-8, decay, decoupled, maximize
    twin("adam_steps")(params, grads, averages, squares, *arguments)
    step.adam_steps(copies[0], grads, copies[1], copies[2], *arguments)
    for found, wanted in zip((params, averages, squares), copies):
        for one, other in zip(found, wanted):
            close(one, other, 1e-5)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    random = rng(9)
    x = ordered(normal(random, 100, 3, 20, 20), "batch_last")
    weight, bias = normal(random, 8, 3, 3, 3), normal(random, 8)
    wide = normal(random, 200, 300)
    before = get_num_threads()
    results = []
    try:
        for count in (1, 2, 5):
            set_num_threads(count)
            y, winner = twin("conv_relu_pool")(x, weight, bias, ONE)
            gradients = twin("conv_relu_pool_backward")(y, x, weight, winner, ONE, True)
            results.append([y, *gradients, twin("product")(wide, wide.T)])
    finally:
        set_num_threads(before)
    for others in results[1:]:
        for one, other in zip(results[0], others):
            np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    code = """
import os
import numpy as np
import lenetcli as lenet
from lenetcli.kernels import native

lenet.set_num_threads(3)
a = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
product = native.twins()["product"]
wanted = product(a, a.T)
child = os.fork()
if child == 0:
    os._exit(0 if all(np.array_equal(product(a, a.T), wanted) for _ in range(20)) else 1)
assert os.waitpid(child, 0)[1] == 0
assert np.array_equal(product(a, a.T), wanted)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


def test_python_threads_may_call_kernels_at_the_same_time() -> None:
    random = rng(10)
    a = normal(random, 150, 200)
    x, weight = ordered(normal(random, 33, 2, 12, 12), "batch_last"), normal(random, 4, 2, 3, 3)
    wanted = twin("product")(a, a.T), twin("conv2d")(x, weight, None, ONE, ONE, ONE, 1)
    failures = []

    def work() -> None:
        for _ in range(30):
            found = twin("product")(a, a.T), twin("conv2d")(x, weight, None, ONE, ONE, ONE, 1)
            if not all(np.array_equal(one, other) for one, other in zip(found, wanted)):
                failures.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_twins_can_be_forced() -> None:
    before = active.twin
    with active.force("numpy"):
        assert active.twin == "numpy"
        assert active.conv2d is conv.conv2d
        with active.force("native"):
            assert active.conv2d is twin("conv2d")
    assert active.twin == before
    with pytest.raises(ValueError, match="numpy or native"):
        active.use("gpu")  # type: ignore[arg-type]


def test_every_native_twin_has_a_reference_of_its_name() -> None:
    with active.force("numpy"):
        for name, function in native.twins().items():
            reference = getattr(active, name)
            assert reference is not function
            code, other = reference.__code__, function.__code__
            assert code.co_varnames[: code.co_argcount] == other.co_varnames[: other.co_argcount], name
