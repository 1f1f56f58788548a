"""Every other native kernel against its NumPy twin, over odd sizes, orders and instruction sets; threads."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

from lenetcli.kernels import conv, dispatch, linear, native, nll, norm, selection, softmax, update
from lenetcli.kernels.native.twins import twins
from lenetcli.kernels.threads import get_num_threads, set_num_threads
from tests.kernels.comparison import BATCHES, ORDERS, close, normal, ordered, rng, twin

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

ONE = (1, 1)


@pytest.mark.parametrize("shape", [(1,), (3, 5), (7, 3, 9, 11), (64, 6, 14, 14), (1025,), (17, 100)])
@pytest.mark.parametrize("order", ORDERS)
def test_relu_equals_its_twin(shape: tuple[int, ...], order: str, target: str) -> None:
    random = rng(*shape)
    x = normal(random, *shape)
    x.flat[:: max(1, x.size // 5)] = np.nan
    x = ordered(x, order)
    y = selection.relu(x)
    np.testing.assert_array_equal(twin("relu")(x), y)
    for grad_order in ORDERS:
        grad = ordered(normal(random, *shape), grad_order)
        np.testing.assert_array_equal(twin("relu_backward")(grad, y), selection.relu_backward(grad, y))


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


@pytest.mark.parametrize("n", [1, 15, 17, 64])
@pytest.mark.parametrize("classes", [1, 10])
@pytest.mark.parametrize("ignore", [-100, 0])
@pytest.mark.parametrize("order", ORDERS)
def test_likelihood_equals_its_twin(n: int, classes: int, ignore: int, order: str) -> None:
    random = rng(n, classes)
    log_p, target = ordered(normal(random, n, classes), order), random.integers(0, classes, n)
    target[::4] = ignore
    if n > 1:
        target[1] = classes - 1
    for bad in (False, True):
        if bad:
            target[-1] = classes
        with np.errstate(all="ignore"):  # none counts
            y, count = nll.nll_mean(log_p, target, ignore)
        found, found_count = twin("nll_mean")(log_p, target, ignore)
        close(found, y)
        assert found_count == count
        assert found_count.dtype == count.dtype
        grad = np.array(0.7, np.float32)
        if count:
            close(
                twin("nll_mean_backward")(grad, log_p, target, ignore, count),
                nll.nll_mean_backward(grad, log_p, target, ignore, count),
            )


def test_cross_entropy_counts_right_answers_as_numpy_would(target: str) -> None:
    random = rng(5)
    for batch, classes in ((1, 1), (1, 10), (7, 3), (64, 10), (130, 4)):
        x = np.asfortranarray(random.integers(-2, 3, (batch, classes)).astype(np.float32))  # with ties
        wanted = random.integers(0, classes, batch)
        wanted[::5] = -100
        numbers = twin("cross_entropy")(x, wanted, -100)[0].base
        counted = wanted != -100
        assert numbers[1:].tolist() == [counted.sum(), (x.argmax(axis=1) == wanted).sum()]
        assert twin("cross_entropy")(x, wanted, 0)[0].base[2] == ((x.argmax(axis=1) == wanted) & (wanted != 0)).sum()


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
        (84, 1, 130),
        (25, 2, 33),
        (12, 4, 16),
        (9, 5, 7),
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
        wanted = linear.linear_backward(grad, x, weight, need_x)
        for one, other in zip(twin("linear_backward")(grad, x, weight, need_x), wanted):
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
    with np.errstate(invalid="ignore"):
        wanted = linear.linear_backward(grad, x, weight, True)
    for one, other in zip(twin("linear_backward")(grad, x, weight, True), wanted):
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
@pytest.mark.parametrize("first", [False, True])
def test_sgd_equals_its_twin(options: Any, maximize: bool, first: bool, target: str) -> None:
    momentum, dampening, decay, nesterov = options
    random = rng(7)
    params, grads, buffers = parameters(random), parameters(random), parameters(random) if momentum else None
    grads[4] = np.asfortranarray(grads[4])
    copies = [[a.copy(order="K") for a in arrays] if arrays else None for arrays in (params, buffers)]
    common = update.Objective(maximize, decay, 1.0), update.SGD(0.1, momentum, dampening, nesterov)
    begins = [first and i == 3 for i in range(len(params))] if momentum else None
    twin("sgd")(params, grads, *common, begins, buffers)
    update.sgd(copies[0], grads, *common, begins, copies[1])
    for found, wanted in zip((params, buffers), copies):
        for one, other in zip(found or [], wanted or []):
            close(one, other, 1e-6)


@pytest.mark.parametrize("options", [(0.9, 0.999, 0, 1), (0.9, 0.99, 0.1, 1), (0.3, 0.99, 0, 0.999)])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam_equals_its_twin(options: Any, maximize: bool, amsgrad: bool, target: str) -> None:
    beta1, beta2, decay, shrink = options
    random = rng(8)
    params, grads, averages = parameters(random), parameters(random), parameters(random)
    squares, largest = ([np.square(a, out=a) for a in parameters(random)] for _ in range(2))
    state = [averages, squares, *([largest] if amsgrad else [])]
    grads[4] = np.asfortranarray(grads[4])
    copies = [[a.copy(order="K") for a in arrays] for arrays in (params, *state)]
    common = update.Objective(maximize, decay, shrink), update.Adam(0.01, beta1, beta2, 1e-8)
    steps = [float(i + 2) for i in range(len(params))]
    twin("adam")(params, grads, *common, steps, *state, *([] if amsgrad else [None]))
    update.adam(copies[0], grads, *common, steps, *copies[1:], *([] if amsgrad else [None]))
    for found, wanted in zip((params, *state), copies):
        for one, other in zip(found, wanted):
            close(one, other, 1e-5)


RULES: dict[str, tuple[Any, int]] = {  # constants, arrays of state
    "adamax": (update.Adam(0.01, 0.9, 0.999, 1e-8), 2),
    "radam": (update.Adam(0.01, 0.9, 0.9, 1e-8), 2),
    "adagrad": (update.Adagrad(0.1, 0.01, 1e-10), 1),
    "adadelta": (update.Adadelta(1.0, 0.9, 1e-6), 2),
    "rprop": (update.Rprop(0.5, 1.2, 1e-6, 50), 2),
    "nadam": (update.NAdam(0.01, 0.9, 0.999, 1e-8, 4e-3), 2),
}


@pytest.mark.parametrize("name", [*RULES, "rmsprop 00", "rmsprop 01", "rmsprop 10", "rmsprop 11"])
@pytest.mark.parametrize("objective", [(False, 0.0, 1.0), (True, 0.1, 1.0), (False, 0.0, 0.99)], ids=str)
def test_rules_equal_their_references(name: str, objective: tuple[bool, float, float], target: str) -> None:
    random = rng(9)
    name, _, options = name.partition(" ")
    constants, count = RULES[name] if not options else (update.RMSprop(0.01, 0.99, 1e-8, 0.9), 3)
    params, grads = parameters(random), parameters(random)
    grads[4] = np.asfortranarray(grads[4])
    state: list[Any] = [[np.abs(a, out=a) for a in parameters(random)] for _ in range(count)]
    if name == "rprop":
        state[0] = parameters(random)
        for p, previous in zip(grads, state[0]):
            p.flat[::3], previous.flat[1::5] = 0, np.nan
    if name == "nadam":
        state.insert(0, [np.full((), 0.9, np.float32) for _ in params])
    if options:
        state = [state[0], *(own if wanted == "1" else None for own, wanted in zip(state[1:], options))]
        if state[2]:
            state[2] = [a * np.float32(0.1) for a in state[2]]
            state[0] = [a + np.float32(1) for a in state[0]]
    lists = [params, *state]
    copies = [[a.copy(order="K") for a in arrays] if arrays else None for arrays in lists]
    common = update.Objective(*objective), constants, [float(i % 7 + 1) for i in range(len(params))]
    twin(name)(params, grads, *common, *state)
    with np.errstate(all="ignore"):
        getattr(update, name)(copies[0], grads, *common, *copies[1:])
    for found, wanted in zip(lists, copies):
        for one, other in zip(found or [], wanted or []):
            close(one, other, 1e-5)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_group_with_a_first_step_is_the_references(name: str, target: str) -> None:
    random = rng(10)
    lists = [[np.abs(normal(random, 70)) for _ in range(2)] for _ in range(4)]
    common: Any = update.Objective(False, 0.1, 1.0), update.SGD(0.1, 0.9, 0.0, True)
    rest: Any = [True, False], lists[2]
    if name == "adam":
        common, rest = (common[0], update.Adam(0.1, 0.9, 0.999, 1e-8)), ([1.0, 5.0], lists[2], lists[3], None)
    copies = [[a.copy() for a in arrays] for arrays in lists]
    twin(name)(*lists[:2], *common, *rest)
    at = {id(a): b for a, b in zip(lists, copies)}
    getattr(update, name)(*copies[:2], *common, *(at.get(id(each), each) for each in rest))
    for one, other in zip(lists, copies):
        np.testing.assert_array_equal(one, other)


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    random = rng(9)
    x = ordered(normal(random, 100, 3, 20, 20), "batch_last")
    weight, bias = normal(random, 8, 3, 3, 3), normal(random, 8)
    wide = normal(random, 200, 300)
    deep, filters = normal(random, 100, 16, 12, 11), normal(random, 20, 16, 3, 3)
    plain: Any = {"stride": ONE, "padding": ONE, "dilation": ONE, "groups": 1}
    before = get_num_threads()
    results = []
    try:
        for count in (1, 2, 5):
            set_num_threads(count)
            y, winner = twin("conv_relu_pool")(x, weight, bias, ONE)
            gradients = twin("conv_relu_pool_backward")(y, x, weight, winner, ONE, True)
            gradients += twin("conv_relu_pool_backward")(y[:13], x[:13], weight, winner[:1, ..., :13].copy(), ONE, True)
            z = twin("conv2d")(deep, filters, bias=None, **plain)
            gradients += twin("conv2d_backward")(z, deep, filters, (True, True, True), **plain)
            results.append([y, z, *gradients, twin("product")(wide, wide.T)])
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
from lenetcli.kernels.native.twins import twins

lenet.set_num_threads(3)
a = np.random.default_rng(0).standard_normal((300, 200)).astype(np.float32)
product = twins()["product"]
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
    before = dispatch.twin
    with dispatch.force("numpy"):
        assert dispatch.twin == "numpy"
        assert dispatch.conv2d is conv.conv2d
        with dispatch.force("native"):
            assert dispatch.conv2d is twin("conv2d")
    assert dispatch.twin == before
    with pytest.raises(ValueError, match="numpy or native"):
        dispatch.use("gpu")  # type: ignore[arg-type]


def test_every_native_twin_has_a_reference_of_its_name() -> None:
    with dispatch.force("numpy"):
        for name, function in twins().items():
            reference = getattr(dispatch, name)
            assert reference is not function
            taken, own = list(inspect.signature(function).parameters), inspect.unwrap(reference)
            wanted = list(inspect.signature(own).parameters)
            if own is not reference:  # an update rule: a formula over arrays, a twin over lists
                assert taken[:4] == ["params", "grads", "objective", "constants"]
                taken, wanted = taken[4:], wanted[3:]
                assert len(taken) == len(wanted), name
            else:
                assert taken == wanted, name
