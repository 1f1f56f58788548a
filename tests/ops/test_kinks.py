"""Gradients at kinks and ties, one by one: the choice that torch makes, as a number and, if installed, from it."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest

INF, NAN = math.inf, math.nan

# (expression over x, values of x, gradient of the sum)
KINKS = [
    ("x.relu()", [-1.0, 0.0, 2.0], [0.0, 0.0, 1.0]),
    ("x.abs()", [-1.0, 0.0, 2.0], [-1.0, 0.0, 1.0]),
    ("x.sign()", [-1.0, 0.0, 2.0], [0.0, 0.0, 0.0]),
    ("x.max()", [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    ("x.max(0).values", [1.0, 3.0, 3.0], [0.0, 1.0, 0.0]),
    ("x.amax(0)", [1.0, 3.0, 3.0], [0.0, 0.5, 0.5]),
    ("x.min()", [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    ("x.min(0).values", [1.0, 1.0, 3.0], [1.0, 0.0, 0.0]),
    ("x.amin(0)", [1.0, 1.0, 3.0], [0.5, 0.5, 0.0]),
    ("x.median()", [2.0, 2.0, 2.0], None),
    ("lenet.maximum(x, lenet.zeros(3))", [-1.0, 0.0, 2.0], [0.0, 0.5, 1.0]),
    ("lenet.minimum(x, lenet.zeros(3))", [-1.0, 0.0, 2.0], [1.0, 0.5, 0.0]),
    ("x.clamp(-1, 1)", [-1.0, 0.0, 1.0], [1.0, 1.0, 1.0]),
    ("x.clamp_min(0)", [-1.0, 0.0, 1.0], [0.0, 1.0, 1.0]),
    ("x.clamp_max(0)", [-1.0, 0.0, 1.0], [1.0, 1.0, 0.0]),
    ("x.sqrt()", [0.0, 1.0, 4.0], [INF, 0.5, 0.25]),
    ("x.rsqrt()", [0.0, 1.0, 4.0], [-INF, -0.5, -0.0625]),
    ("x.log()", [0.0, 1.0, 4.0], [INF, 1.0, 0.25]),
    ("x.norm()", [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ("x.norm(p=1)", [0.0, -1.0, 2.0], [0.0, -1.0, 1.0]),
    ("lenet.linalg.vector_norm(x, ord=float('inf'))", [2.0, -2.0, 1.0], [0.5, -0.5, 0.0]),
    ("x.pow(0)", [0.0, 1.0, -2.0], [0.0, 0.0, 0.0]),
    ("x.pow(0.5)", [0.0, 1.0, 4.0], [INF, 0.5, 0.25]),
    ("lenet.pow(0.0, x)", [0.0, 1.0, 2.0], None),
    ("lenet.pow(lenet.zeros(3), x)", [0.0, 1.0, 2.0], None),
    ("x.std()", [1.0, 1.0, 1.0], None),
    ("x.prod()", [0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
    ("x.cumprod(0)", [0.0, 2.0, 0.0], None),
    ("x.round()", [0.5, 1.5, -0.5], [0.0, 0.0, 0.0]),
    ("x.floor()", [0.0, 1.5, -0.5], [0.0, 0.0, 0.0]),
    ("x.frac()", [0.0, 1.5, -0.5], [1.0, 1.0, 1.0]),
    ("x.fmod(1.0)", [0.0, 1.0, -1.0], [1.0, 1.0, 1.0]),
    ("x.remainder(1.0)", [0.0, 1.0, -1.0], [1.0, 1.0, 1.0]),
    ("F.relu6(x)", [0.0, 6.0, 3.0], [0.0, 0.0, 1.0]),
    ("F.leaky_relu(x, 0.1)", [-1.0, 0.0, 1.0], [0.1, 0.1, 1.0]),
    ("F.elu(x)", [-1.0, 0.0, 1.0], None),
    ("F.selu(x)", [-1.0, 0.0, 1.0], None),
    ("F.hardtanh(x)", [-1.0, 0.0, 1.0], [0.0, 1.0, 0.0]),
    ("F.hardsigmoid(x)", [-3.0, 0.0, 3.0], None),
    ("F.hardswish(x)", [-3.0, 0.0, 3.0], None),
    ("F.hardshrink(x)", [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]),
    ("F.softshrink(x)", [-0.5, 0.0, 0.5], [0.0, 0.0, 0.0]),
    ("F.threshold(x, 1.0, 0.0)", [0.0, 1.0, 2.0], [0.0, 0.0, 1.0]),
    ("F.softsign(x)", [-1.0, 0.0, 1.0], [0.25, 1.0, 0.25]),
    ("F.prelu(x, lenet.tensor([0.25]))", [-1.0, 0.0, 1.0], [0.25, 0.25, 1.0]),
    ("F.l1_loss(x, lenet.zeros(3), reduction='sum')", [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]),
    ("F.smooth_l1_loss(x, lenet.zeros(3), reduction='sum')", [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]),
    ("F.huber_loss(x, lenet.zeros(3), reduction='sum')", [-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]),
    ("F.max_pool1d(x.view(1, 1, 3), 3)", [2.0, 2.0, 1.0], [1.0, 0.0, 0.0]),
    ("F.adaptive_max_pool1d(x.view(1, 1, 3), 1)", [1.0, 2.0, 2.0], [0.0, 1.0, 0.0]),
    ("F.cosine_similarity(x, lenet.zeros(3), dim=0)", [0.0, 0.0, 0.0], None),
    ("F.normalize(x, dim=0)", [0.0, 0.0, 0.0], None),
    ("x.sort().values[:1]", [1.0, 1.0, 2.0], [1.0, 0.0, 0.0]),
    ("x.topk(1).values", [2.0, 1.0, 2.0], None),
    ("lenet.atan2(x, lenet.zeros(3))", [0.0, 1.0, -1.0], None),
    ("lenet.where(x > 0, x, x * 2)", [-1.0, 0.0, 1.0], [2.0, 2.0, 1.0]),
    ("x.logsumexp(0)", [-INF, -INF, -INF], None),
    ("lenet.xlogy(lenet.zeros(3), x)", [0.0, 1.0, 2.0], None),
]
each_kink = pytest.mark.parametrize(("code", "values", "wanted"), KINKS, ids=[code for code, _, _ in KINKS])


def gradient(package: str, code: str, values: list[float]) -> list[float]:
    lenet: Any = importlib.import_module(package)
    functional = importlib.import_module(f"{package}.nn.functional")
    x = lenet.tensor(values, requires_grad=True)
    eval(code, {"x": x, "lenet": lenet, "F": functional}).sum().backward()
    return [] if x.grad is None else x.grad.tolist()


@each_kink
def test_the_gradient_is_the_one_chosen(code: str, values: list[float], wanted: list[float] | None) -> None:
    found = gradient("lenetcli", code, values)
    if wanted is not None:
        assert found == pytest.approx(wanted, nan_ok=True)


@each_kink
@pytest.mark.usefixtures("torch")
def test_the_choice_is_torchs(code: str, values: list[float], wanted: list[float] | None) -> None:
    theirs = gradient("torch", code, values)
    assert gradient("lenetcli", code, values) == pytest.approx(theirs, nan_ok=True)
    if wanted is not None:
        assert theirs == pytest.approx(wanted, nan_ok=True)
