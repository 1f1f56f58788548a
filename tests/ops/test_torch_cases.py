"""Derivatives that memory gets wrong: at kinks, bounds, ties, zeros and infinities. The numbers are torch 2.13's."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

INF, NAN = math.inf, math.nan

# an expression over x, y and z, their values, and the gradient of its sum for each
CASES: list[tuple[str, list[list[float]], list[list[float]]]] = [
    # kinks and bounds
    ("x.relu()", [[0, -0.0]], [[0, 0]]),
    ("F.relu6(x)", [[0, 6]], [[0, 0]]),
    ("F.hardtanh(x)", [[-1, 1]], [[0, 0]]),
    ("F.softshrink(x)", [[-0.5, 0.5]], [[0, 0]]),
    ("F.hardshrink(x)", [[-0.5, 0.5]], [[0, 0]]),
    ("F.threshold(x, 0.0, 0.0)", [[0]], [[0]]),
    ("x.clamp(0, 1)", [[0, 1, -1, 2]], [[1, 1, 0, 0]]),
    ("x.clamp_min(0)", [[0]], [[1]]),
    ("x.clamp_max(0)", [[0]], [[1]]),
    ("x.clamp(y, z)", [[0, 1, 3], [0, 0, 0], [1, 1, 1]], [[1, 1, 0], [0, 0, 0], [0, 0, 1]]),
    ("x.clamp(2, 1)", [[0, 1.5, 2, 3]], [[0, 0, 0, 0]]),
    ("x.abs()", [[0, -0.0]], [[0, 0]]),
    ("F.l1_loss(x, y, reduction='sum')", [[1, 2], [1, 0]], [[0, 1], [0, -1]]),
    ("x.norm(1)", [[0, -2]], [[0, -1]]),
    ("lenet.linalg.vector_norm(x, INF)", [[0, 0]], [[0, 0]]),
    ("F.smooth_l1_loss(x, y, reduction='sum', beta=0.0)", [[1, 2], [1, 0]], [[0, 1], [0, -1]]),
    ("F.leaky_relu(x, 0.1)", [[0]], [[0.1]]),
    ("F.prelu(x, y)", [[0], [0.25]], [[0.25], [0]]),
    ("F.elu(x)", [[0]], [[1]]),
    ("F.elu(x, 2.0)", [[0]], [[2]]),
    ("F.celu(x, 2.0)", [[0]], [[1]]),
    ("F.selu(x)", [[0]], [[1.7580993]]),
    ("F.rrelu(x)", [[0]], [[0.2291667]]),
    ("F.hardswish(x)", [[-3, 0, 3]], [[0, 0.5, 1]]),
    ("F.hardsigmoid(x)", [[-3, 3, 0]], [[0, 0, 0.16666667]]),
    ("F.gelu(x)", [[0]], [[0.5]]),
    ("F.gelu(x, approximate='tanh')", [[0]], [[0.5]]),
    ("F.silu(x)", [[0]], [[0.5]]),
    ("F.mish(x)", [[0]], [[0.6]]),
    ("F.softplus(x)", [[20, 21]], [[1, 1]]),
    # ties
    ("lenet.maximum(x, y)", [[2, 1], [2, 0]], [[0.5, 1], [0.5, 0]]),
    ("lenet.minimum(x, y)", [[2, 1], [2, 0]], [[0.5, 0], [0.5, 1]]),
    ("x.max()", [[1, 3, 3]], [[0, 0.5, 0.5]]),
    ("x.min()", [[1, 1, 3]], [[0.5, 0.5, 0]]),
    ("x.amax()", [[3, 3, 1]], [[0.5, 0.5, 0]]),
    ("x.amin()", [[1, 1, 3]], [[0.5, 0.5, 0]]),
    ("x.aminmax().max", [[3, 3, 1]], [[0.5, 0.5, 0]]),
    ("x.aminmax().min", [[3, 1, 1]], [[0, 0.5, 0.5]]),
    ("x.median()", [[1, 1, 1]], [[1 / 3, 1 / 3, 1 / 3]]),
    ("x.max(0).values", [[3, 3, 1]], [[1, 0, 0]]),
    ("x.min(0).values", [[1, 1, 3]], [[1, 0, 0]]),
    ("x.sort().values[:1]", [[1, 1, 3]], [[1, 0, 0]]),
    ("x.topk(1).values", [[3, 1, 3]], [[1, 0, 0]]),
    ("x.median(0).values", [[1, 1, 1]], [[0, 1, 0]]),
    ("x.kthvalue(1).values", [[1, 1, 1]], [[0, 1, 0]]),
    ("x.mode().values", [[1, 1, 2]], [[0, 1, 0]]),
    ("x.cummax(0).values", [[1, 1, 1]], [[1, 1, 1]]),
    ("x.quantile(0.5)", [[1, 1, 2]], [[0, 1, 0]]),
    # NaN (what torch gives a lone one: within a long tensor its vector loop gives 0 or NaN), and infinities
    ("F.hardtanh(x)", [[NAN]], [[1]]),
    ("F.relu6(x)", [[NAN]], [[1]]),
    ("F.hardshrink(x)", [[NAN]], [[1]]),
    ("F.softshrink(x)", [[NAN]], [[1]]),
    ("F.elu(x)", [[NAN]], [[1]]),
    ("F.celu(x)", [[NAN]], [[1]]),
    ("F.hardswish(x)", [[NAN]], [[1]]),
    ("x.amax()", [[1, NAN]], [[NAN, NAN]]),
    ("x.max()", [[1, NAN]], [[0, 1]]),
    ("x.logsumexp(0)", [[INF, 0]], [[NAN, 0]]),
    # products and powers
    ("x.prod()", [[0, 2, 3]], [[6, 0, 0]]),
    ("x.prod()", [[0, 0, 3]], [[0, 0, 0]]),
    ("x.cumprod(0)", [[2, 0, 3]], [[1, 8, 0]]),
    ("x ** 2", [[0]], [[0]]),
    ("x ** 1", [[0]], [[1]]),
    ("x ** 0", [[0]], [[0]]),
    ("x ** 0.5", [[0]], [[INF]]),
    ("x ** 1.5", [[0]], [[0]]),
    ("0.0 ** x", [[0, 2]], [[0, 0]]),
    ("x.sqrt()", [[0]], [[INF]]),
    ("x.rsqrt()", [[0]], [[-INF]]),
    ("x.log()", [[0]], [[INF]]),
    ("x.asin()", [[1]], [[INF]]),
    ("x.acosh()", [[1]], [[INF]]),
    # norms and distances
    ("x.norm()", [[0, 0]], [[0, 0]]),
    ("lenet.linalg.vector_norm(x, 3)", [[0, 0]], [[0, 0]]),
    ("lenet.linalg.vector_norm(x, 0.5)", [[0, 1]], [[0, 1]]),
    ("F.normalize(x, dim=0)", [[0]], [[1e12]]),
    ("F.cosine_similarity(x, y, dim=0)", [[0, 0], [1, 1]], [[70710680, 70710680], [0, 0]]),
    ("F.pairwise_distance(x, y)", [[1, 2], [1, 2]], [[0.7071068, 0.7071068], [-0.7071068, -0.7071068]]),
    ("lenet.hypot(x, y)", [[0], [0]], [[NAN], [NAN]]),
    ("lenet.atan2(x, y)", [[0], [0]], [[0], [0]]),
    ("lenet.cdist(x.view(1, 2), y.view(1, 2))", [[1, 2], [1, 2]], [[0, 0], [0, 0]]),
    # losses and quotients
    ("lenet.xlogy(x, y)", [[0], [0]], [[0], [NAN]]),
    ("F.kl_div(x, y, reduction='sum')", [[0], [0]], [[0], [NAN]]),
    ("F.binary_cross_entropy(x, y)", [[0, 0.5, 0.5], [1, 0.5, 0.5]], [[-3.3333333e11, 0, 0], [INF, 0, 0]]),
    ("F.cross_entropy(x.view(2, 2), lenet.tensor([-100, -100]))", [[1, 2, 3, 4]], [[0, 0, 0, 0]]),
    ("lenet.remainder(x, 2.0)", [[4]], [[1]]),
    ("lenet.remainder(5.0 * lenet.ones(1), x)", [[2]], [[-2]]),
    ("lenet.logit(x, 0.1)", [[0.1, 0.05]], [[11.1111, 0]]),
]
each_case = pytest.mark.parametrize(("code", "given", "wanted"), CASES, ids=[f"{c} {g}" for c, g, _ in CASES])


def gradients(package: str, code: str, given: list[list[float]], kind: str = "float32") -> list[list[float]]:
    lenet: Any = importlib.import_module(package)
    functional = importlib.import_module(f"{package}.nn.functional")
    leaves = [lenet.tensor(v, dtype=getattr(lenet, kind), requires_grad=True) for v in given]
    eval(code, {"lenet": lenet, "F": functional, "INF": INF, **dict(zip("xyz", leaves))}).sum().backward()
    return [(leaf.grad + 0).tolist() for leaf in leaves]  # torch may keep zeros as a symbol


@each_case
@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_the_gradient_is_torchs(code: str, given: list[list[float]], wanted: list[list[float]], kind: str) -> None:
    for found, right in zip(gradients("lenetcli", code, given, kind), wanted, strict=True):
        assert found == pytest.approx(right, rel=1e-5, nan_ok=True)


@each_case
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.usefixtures("torch")
def test_the_numbers_are_torchs(code: str, given: list[list[float]], wanted: list[list[float]], kind: str) -> None:
    precise = 1e-6 if kind == "float32" else 1e-14
    found, theirs = (gradients(package, code, given, kind) for package in ("lenetcli", "torch"))
    for mine, right, written in zip(found, theirs, wanted, strict=True):
        assert mine == pytest.approx(right, rel=precise, abs=0, nan_ok=True)
        assert right == pytest.approx(written, rel=1e-5, nan_ok=True)


# constants that torch rounds to float32, which double precision shows: an expression, x, its gradient
SINGLE = [
    ("F.hardsigmoid(x)", 0.0, 0.1666666716337204),
    ("F.binary_cross_entropy(x, lenet.ones(1, dtype=lenet.float64))", 0.0, -1000000003995.8029),
    ("F.celu(x, 1e-3)", 0.0, 0.99999995250254885),
]


@pytest.mark.parametrize(("code", "at", "wanted"), SINGLE, ids=[code for code, _, _ in SINGLE])
@pytest.mark.parametrize("package", ["lenetcli", "torch"])
def test_constants_are_rounded_as_torch_rounds_them(package: str, code: str, at: float, wanted: float) -> None:
    pytest.importorskip(package)
    assert gradients(package, code, [[at]], "float64") == [[pytest.approx(wanted, rel=1e-14)]]


# an expression, its value
VALUES: list[tuple[str, float | list[float]]] = [
    ("F.cross_entropy(lenet.ones(2, 2), lenet.tensor([-100, -100]))", NAN),
    ("lenet.softmax(lenet.tensor([-INF, -INF]), 0)", [NAN, NAN]),
    ("F.binary_cross_entropy(lenet.tensor([0.0, 1.0]), lenet.tensor([1.0, 0.0]))", 100.0),
    ("lenet.xlogy(lenet.zeros(2), lenet.tensor([0.0, NAN]))", [0.0, NAN]),
    ("lenet.hypot(lenet.tensor(3e38), lenet.tensor(0.0))", 3e38),
    ("lenet.tensor([2.0, 1.0]).clamp(3, 1)", [1.0, 1.0]),
    ("lenet.tensor([-5.0, 5.0]) % 3", [1.0, 2.0]),
    ("lenet.fmod(lenet.tensor([-5.0, 5.0]), 3)", [-2.0, 2.0]),
    ("lenet.zeros(0).prod()", 1.0),
    ("lenet.zeros(0).sum()", 0.0),
    ("lenet.zeros(0).mean()", NAN),
    ("F.gelu(lenet.tensor([-20.0, -1e38, -1e6, -INF]))", [0.0, 0.0, 0.0, NAN]),
    ("F.gelu(lenet.tensor(INF))", INF),
    ("lenet.erf(lenet.tensor([10.0, -10.0, INF, -INF]))", [1.0, -1.0, 1.0, -1.0]),
]


@pytest.mark.parametrize(("code", "wanted"), VALUES, ids=[code for code, _ in VALUES])
@pytest.mark.parametrize("package", ["lenetcli", "torch"])
def test_the_value_is_torchs(package: str, code: str, wanted: Any) -> None:
    lenet = pytest.importorskip(package)
    functional = importlib.import_module(f"{package}.nn.functional")
    found = eval(code, {"lenet": lenet, "F": functional, "INF": INF, "NAN": NAN}).tolist()
    assert found == pytest.approx(wanted, rel=1e-6, abs=0, nan_ok=True)
