"""What adds up many numbers loses no more digits than torch: every op and layer that sums, values and gradients.

The truth is the same computation in double precision. One number added after another would be wrong here by 100 (random
numbers) to 3,000 (equal ones) half units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional
from lenetcli.kernels import dispatch, native

N = 20_000
HALF_ULP = 2.0**-24
MOST = 24  # half units in the last place
ROWS, FLAT = (N, 3), (3, N)

Case = tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]
CASES: dict[str, Case] = {}


def case(name: str, function: Callable[..., Any], *shapes: tuple[int, ...]) -> None:
    """function(m, F, *tensors), m being lenetcli or torch, of tensors of these shapes."""
    CASES[name] = function, shapes


for _dim in (0, (0, 1)):
    for _name in ("sum", "mean", "std", "var", "nansum", "logsumexp"):
        case(f"{_name} {_dim}", lambda m, F, x, d=_dim, n=_name: getattr(x, n)(d), ROWS)
    for _p in (0.5, 1, 2, 3):
        case(f"norm {_p} {_dim}", lambda m, F, x, d=_dim, p=_p: m.linalg.vector_norm(x, p, d), ROWS)
    case(f"var_mean {_dim}", lambda m, F, x, d=_dim: m.var_mean(x, d)[1], ROWS)
    case(f"std_mean {_dim}", lambda m, F, x, d=_dim: m.std_mean(x, d)[0], ROWS)
for _name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "poisson_nll_loss", "soft_margin_loss"):
    case(_name, lambda m, F, x, y, n=_name: getattr(F, n)(x, y.detach(), reduction="sum"), ROWS, ROWS)
    case(f"{_name} mean", lambda m, F, x, y, n=_name: getattr(F, n)(x, y.detach(), reduction="none").mean(), ROWS, ROWS)
CASES |= {
    "var near 1000": (lambda m, F, x: (1000 + x).var(0), (ROWS,)),
    "mean of groups": (lambda m, F, x: x.mean((0, 2)), ((N // 4, 2, 4),)),
    "mean of images": (lambda m, F, x: x.mean((0, 2, 3)), ((N // 64, 3, 8, 8),)),
    "prod": (lambda m, F, x: (1 + x / 1024).prod(0), (ROWS,)),
    "cumsum": (lambda m, F, x: x.cumsum(0), (ROWS,)),
    "cumsum of a row": (lambda m, F, x: x.cumsum(1), (FLAT,)),
    "cumprod": (lambda m, F, x: (1 + x / 1024).cumprod(0), (ROWS,)),
    "logcumsumexp": (lambda m, F, x: x.logcumsumexp(0), (ROWS,)),
    "softmax": (lambda m, F, x: F.softmax(x, 0), (ROWS,)),
    "log_softmax": (lambda m, F, x: F.log_softmax(x, 0), (ROWS,)),
    "log_softmax of many classes": (lambda m, F, x: F.log_softmax(x, 1), ((4, N),)),
    "trace": (lambda m, F, x: x.trace(), ((2000, 2000),)),
    # gradients of what is broadcast
    "add": (lambda m, F, x, b: x + b, (ROWS, (3,))),
    "mul": (lambda m, F, x, b: x * b, (ROWS, (3,))),
    "mul by a column": (lambda m, F, x, b: x * b, (FLAT, (3, 1))),
    "mul in the middle": (lambda m, F, x, b: x * b, ((N, 2, 3), (1, 2, 1))),
    "mul by a number": (lambda m, F, x, b: x * b, (ROWS, ())),
    "lerp": (lambda m, F, x, b: m.lerp(x, b, 0.25), (ROWS, (3,))),
    "where": (lambda m, F, x, b: m.where(x > 2, x, b), (ROWS, (3,))),
    "expand": (lambda m, F, x, b: b.expand(N, 3) * x, (ROWS, (3,))),
    "repeat": (lambda m, F, x, b: b.repeat(N, 1) * x, (ROWS, (3,))),
    "repeat_interleave": (lambda m, F, x, b: b.repeat_interleave(N, 0) * x, ((2 * N, 3), (2, 3))),
    "prelu": (lambda m, F, x, w: F.prelu(-x, w), (ROWS, (3,))),
    # layers
    "linear": (lambda m, F, x, w, b: F.linear(x, w, b), ((N, 4), (3, 4), (3,))),
    "linear relu": (lambda m, F, x, w, b: F.linear(x, w, b).relu(), ((N, 4), (3, 4), (3,))),
    "linear of many": (lambda m, F, x, w, b: F.linear(x, w, b), ((N // 4, 30), (20, 30), (20,))),
    "bilinear": (lambda m, F, x, w, b: F.bilinear(x, x, w, b), ((N, 2), (3, 2, 2), (3,))),
    "conv1d": (lambda m, F, x, w, b: F.conv1d(x, w, b), ((100, 2, 200), (3, 2, 3), (3,))),
    "conv2d": (lambda m, F, x, w, b: F.conv2d(x, w, b), ((60, 2, 20, 20), (3, 2, 3, 3), (3,))),
    "conv2d stride": (lambda m, F, x, w, b: F.conv2d(x, w, b, stride=2), ((200, 2, 20, 20), (3, 2, 3, 3), (3,))),
    "conv2d groups": (lambda m, F, x, w, b: F.conv2d(x, w, b, groups=3), ((60, 3, 20, 20), (3, 1, 3, 3), (3,))),
    "conv relu pool": (
        lambda m, F, x, w, b: F.max_pool2d(F.conv2d(x, w, b).relu(), 2),
        ((60, 2, 20, 20), (3, 2, 5, 5), (3,)),
    ),
    "conv_transpose2d": (lambda m, F, x, w, b: F.conv_transpose2d(x, w, b), ((60, 2, 20, 20), (2, 3, 3, 3), (3,))),
    "batch_norm": (lambda m, F, x, w, b: F.batch_norm(x, None, None, w, b, True), (ROWS, (3,), (3,))),
    "batch_norm of images": (
        lambda m, F, x, w, b: F.batch_norm(1000 + x, None, None, w, b, True),
        ((60, 3, 20, 20), (3,), (3,)),
    ),
    "instance_norm": (lambda m, F, x, w, b: F.instance_norm(x, None, None, w, b), ((2, 3, N), (3,), (3,))),
    "group_norm": (lambda m, F, x, w, b: F.group_norm(x, 2, w, b), ((200, 4, 10, 10), (4,), (4,))),
    "layer_norm": (lambda m, F, x, w, b: F.layer_norm(x, (4,), w, b), ((N, 4), (4,), (4,))),
    "layer_norm of many": (lambda m, F, x, w, b: F.layer_norm(x, (N,), w, b), ((3, N), (N,), (N,))),
    "rms_norm": (lambda m, F, x, w: F.rms_norm(x, (4,), w), ((N, 4), (4,))),
    "avg_pool2d": (lambda m, F, x: F.avg_pool2d(x, 140), ((2, 3, 280, 280),)),
    "avg_pool1d": (lambda m, F, x: F.avg_pool1d(x, N // 2), ((2, 3, N),)),
    "adaptive_avg_pool2d": (lambda m, F, x: F.adaptive_avg_pool2d(x, 2), ((2, 3, 280, 280),)),
    "global average": (lambda m, F, x: F.adaptive_avg_pool2d(x, 1), ((2, 3, 140, 140),)),
    "weight norm": (lambda m, F, g, v: g * v / v.norm(2, 1, keepdim=True), ((3, 1), FLAT)),
    "normalize": (lambda m, F, x: F.normalize(x, dim=0), (ROWS,)),
    "cosine_similarity": (lambda m, F, x, y: F.cosine_similarity(x, y, 0), (ROWS, ROWS)),
    "cdist": (lambda m, F, x, y: m.cdist(x, y), ((150, 3), (150, 3))),
    "cross_entropy": (lambda m, F, x: F.cross_entropy(x, m.tensor(np.arange(N) % 3)), (ROWS,)),
    "cross_entropy weighted": (
        lambda m, F, x, w: F.cross_entropy(x, m.tensor(np.arange(N) % 3), weight=w.detach()),
        (ROWS, (3,)),
    ),
    "cross_entropy smoothed": (
        lambda m, F, x: F.cross_entropy(x, m.tensor(np.arange(N) % 3), label_smoothing=0.1),
        (ROWS,),
    ),
    "nll_loss": (lambda m, F, x: F.nll_loss(x, m.tensor(np.arange(N) % 3)), (ROWS,)),
    "multi_margin_loss": (lambda m, F, x: F.multi_margin_loss(x, m.tensor(np.arange(N) % 3)), (ROWS,)),
    "binary_cross_entropy": (lambda m, F, x, y: F.binary_cross_entropy(x, y.detach()), (ROWS, ROWS)),
    "gaussian_nll_loss": (lambda m, F, x, y, v: F.gaussian_nll_loss(x, y, v + 0.1), (ROWS, ROWS, (N, 1))),
    # products that BLAS does not take as they lie
    "mv of strides": (lambda m, F, x, y: m.mv(x[:, ::2], y[::2]), (FLAT, (N,))),
    "addr": (lambda m, F, b, x, y: m.addr(b, x, y).sum(), (FLAT, (3,), (N,))),
    "addbmm": (lambda m, F, x, y, b: m.addbmm(b, x, y), ((N // 4, 2, 2), (N // 4, 2, 2), (2, 2))),
    "einsum": (lambda m, F, x, y: m.einsum("ni,ni->i", x, y), (ROWS, ROWS)),
    "einsum of one": (lambda m, F, x: m.einsum("ni->i", x), (ROWS,)),
}


def numbers(kind: str, shapes: tuple[tuple[int, ...], ...]) -> list[Any]:
    random = np.random.default_rng(0)
    if kind == "equal":
        return [np.full(s, 0.1, np.float32) for s in shapes]
    return [((random.integers(0, 4096, s) + 0.5) / 4096).astype(np.float32) for s in shapes]  # 1000 + x is exact


def laid(x: Any, order: str) -> Any:
    """The array in a memory order."""
    if order == "batch-last" and x.ndim > 1:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
    if order == "strided" and x.ndim:
        return np.repeat(x, 2, axis=-1)[..., ::2]
    return np.array(x)


def computed(m: Any, name: str, arrays: list[Any], dtype: Any, order: str) -> list[Any]:
    """The result, and the gradients of all operands, in double precision."""
    functions = lenetcli.nn.functional if m is lenet else m.nn.functional
    tensors = [m.from_numpy(laid(x.astype(dtype), order)).requires_grad_() for x in arrays]
    y = CASES[name][0](m, functions, *tensors)
    slopes = np.random.default_rng(1).random(tuple(y.shape), np.float32).astype(dtype)
    y.backward(m.from_numpy(laid(np.asarray(slopes), order)))
    return [t.detach().numpy().astype(np.float64) for t in (y, *(t.grad for t in tensors if t.grad is not None))]


def error(found: list[Any], truth: list[Any]) -> float:
    """The largest, in half units in the last place of the largest number."""
    assert len(found) == len(truth)
    return max(float(np.max(np.abs(f - t)) / np.max(np.abs(t), initial=1e-30)) for f, t in zip(found, truth)) / HALF_ULP


def kinds(name: str) -> list[str]:
    flat = (
        "var",
        "std",
        "norm",
        "near",
        "l1",
        "cosine",
        "cdist",
        "prod",
    )  # of equal numbers all is cancelled or at a kink
    return ["random"] if any(word in name for word in flat) else ["equal", "random"]


LOOSE = {
    # BLAS adds these, in as many lanes as it likes; torch's does so, too
    **dict.fromkeys([(name, "random") for name in ("linear", "linear relu", "bilinear")], 200),
    ("mv of strides", "equal"): 600,
    ("mv of strides", "random"): 200,
    ("addr", "equal"): 600,
    ("einsum", "equal"): 600,
    # of the numbers themselves: each factor is rounded; d_weight and d_x are small differences of large sums
    ("prod", "random"): 300,
    **dict.fromkeys([(name, "random") for name in ("batch_norm", "instance_norm")], 200),
    ("rms_norm", "random"): 6000,
}
BY_BLAS = ("linear", "linear relu", "bilinear", "mv of strides", "addr", "einsum")
TWINS = [twin for twin in ("numpy", "native") if twin == "numpy" or native.absent is None]


@pytest.mark.parametrize("name", CASES)
def test_sums_of_many_numbers_are_right_in_every_memory_order(name: str) -> None:
    for kind in kinds(name):
        arrays = numbers(kind, CASES[name][1])
        truth = computed(lenet, name, arrays, np.float64, "C")
        for twin in TWINS:
            with dispatch.force(twin):
                for order in ("C", "batch-last", "strided"):
                    found = error(computed(lenet, name, arrays, np.float32, order), truth)
                    assert found <= LOOSE.get((name, kind), MOST), f"{kind}, {twin}, {order}: {found:.0f} half ulps"


@pytest.mark.torch
@pytest.mark.parametrize("name", CASES)
def test_the_error_is_as_small_as_torchs(torch: Any, name: str) -> None:
    for kind in kinds(name):
        arrays = numbers(kind, CASES[name][1])
        truth = computed(torch, name, arrays, np.float64, "C")
        theirs = error(computed(torch, name, arrays, np.float32, "C"), truth)
        ours = error(computed(lenet, name, arrays, np.float32, "C"), truth)
        # NumPy's BLAS adds in other lanes than torch's, and on some processors in fewer
        most = LOOSE.get((name, kind), 16) if name in BY_BLAS else 16
        assert ours <= max(3 * theirs, most), f"{kind}: {ours:.0f} half ulps, torch {theirs:.0f}"
