"""First and second derivatives at kinks, ties, zeros and poles, beside torch's: the value, or that there is none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

CASES: list[tuple[str, list[float]]] = [
    ("F.relu(x)", [0.0, -1, 1]),
    ("F.relu6(x)", [0.0, 6, 3]),
    ("F.hardtanh(x)", [-1.0, 1, 0.5]),
    ("F.softshrink(x)", [-0.5, 0.5, 0, 2]),
    ("F.hardshrink(x)", [-0.5, 0.5, 0, 2]),
    ("F.threshold(x, 0.5, 2.0)", [0.5, 0, 1]),
    ("x.clamp(0, 1)", [0.0, 1, 2, 0.5]),
    ("x.clamp(min=0)", [0.0, 1]),
    ("x.clamp(2, 1)", [0.0, 1.5, 2, 3]),
    ("x.clamp(L.zeros(2, dtype=L.float64), L.ones(2, dtype=L.float64))", [0.0, 1]),
    ("x.abs()", [0.0, -2, 3]),
    ("F.l1_loss(x, x * 0 + 1.0)", [1.0, 2]),
    ("F.smooth_l1_loss(x, L.ones(3, dtype=L.float64), beta=0.5)", [1.0, 1.2, 3]),
    ("F.huber_loss(x, L.ones(3, dtype=L.float64), delta=0.5)", [1.0, 1.2, 3]),
    ("x.norm(1)", [0.0, 2]),
    ("L.linalg.vector_norm(x, float('inf'))", [2.0, -2, 1]),
    ("F.leaky_relu(x, 0.1)", [0.0, -1, 1]),
    ("F.prelu(x, L.full((1,), 0.25, dtype=L.float64))", [0.0, -1, 1]),
    ("F.elu(x)", [0.0, -1, 1]),
    ("F.elu(x, 2.0)", [0.0, -1]),
    ("F.celu(x, 2.0)", [-1.0, 1]),
    ("F.selu(x)", [0.0, -1, 1]),
    ("F.hardswish(x)", [-3.0, 0, 3, -4, 4]),
    ("F.gelu(x)", [0.0, 1, -30]),
    ("F.gelu(x, approximate='tanh')", [0.0, 1]),
    ("F.silu(x)", [0.0, 2, -50]),
    ("F.mish(x)", [0.0, 1]),
    ("F.softplus(x)", [0.0, 20, 21]),
    ("F.rrelu(x)", [0.0, -1, 1]),
    ("F.logsigmoid(x)", [0.0, 40, -40]),
    ("L.maximum(x, x.detach())", [1.0, 2]),
    ("x.max()", [2.0, 2, 1]),
    ("x.min()", [2.0, 1, 1]),
    ("x.amax()", [2.0, 2, 1]),
    ("x.median()", [1.0, 1, 2]),
    ("x.max(0)[0]", [2.0, 2, 1]),
    ("x.sort()[0]", [1.0, 1, 0]),
    ("x.topk(2)[0]", [1.0, 1, 1]),
    ("x.cummax(0)[0]", [1.0, 1, 1]),
    ("x.kthvalue(1)[0]", [1.0, 1, 1]),
    ("x.mode()[0]", [1.0, 1, 2]),
    ("x.quantile(0.5)", [1.0, 1, 2]),
    ("x.prod()", [0.0, 2, 3]),
    ("x.prod()", [0.0, 0, 3]),
    ("x.cumprod(0)", [2.0, 0, 3]),
    ("x ** 2", [0.0]),
    ("x ** 1", [0.0]),
    ("x ** 0.5", [0.0]),
    ("x ** 1.5", [0.0]),
    ("0.0 ** x", [2.0]),
    ("x.sqrt()", [0.0]),
    ("x.rsqrt()", [0.0]),
    ("x.log()", [0.0]),
    ("x.asin()", [1.0]),
    ("x.acosh()", [1.0]),
    ("x.norm()", [0.0, 0]),
    ("L.linalg.vector_norm(x, 3)", [0.0, 0]),
    ("L.linalg.vector_norm(x, 0.5)", [0.0, 1]),
    ("F.normalize(x, dim=0)", [0.0, 0]),
    ("L.hypot(x, x * 0)", [1.0]),
    ("L.hypot(x, L.zeros(1, dtype=L.float64))", [0.0]),
    ("L.atan2(x, L.zeros(1, dtype=L.float64))", [0.0]),
    ("x.logsumexp(0)", [float("inf"), 0]),
    ("L.xlogy(x, L.zeros(1, dtype=L.float64))", [0.0]),
    ("L.xlogy(L.zeros(1, dtype=L.float64), x)", [0.0]),
    ("F.binary_cross_entropy(x, L.ones(3, dtype=L.float64))", [0.0, 0.5, 0.5]),
    ("L.remainder(x, L.full((1,), 2.0, dtype=L.float64))", [4.0]),
    ("L.remainder(L.full((1,), 5.0, dtype=L.float64), x)", [2.0]),
    ("x.logit(0.1)", [0.1, 0.05]),
    ("x.sign()", [0.0, 1]),
    ("x.frac()", [1.5]),
    ("F.cross_entropy(x.reshape(1, 3), L.tensor([-100]), reduction='sum')", [1.0, 2, 3]),
    ("F.dropout(x, 0.5, training=False)", [1.0]),
    ("L.where(x > 0, x * x, x)", [0.0, 1]),
]
# none in torch, where a function that is linear piece by piece has none; zeros here, and the other way round
ZEROS_OR_NONE = {
    "L.remainder(L.full((1,), 5.0, dtype=L.float64), x)",
    "F.l1_loss(x, x * 0 + 1.0)",
    "F.dropout(x, 0.5, training=False)",
}


def derivatives(L: Any, F: Any, code: str, at: list[float]) -> list[Any]:
    """The first derivative of the sum, and the second, None where it is not there."""
    x = L.tensor(at, dtype=L.float64, requires_grad=True)
    y = eval(code, {"L": L, "F": F, "x": x})
    (first,) = L.autograd.grad(y.sum(), x, create_graph=True)
    if not first.requires_grad:
        return [first.tolist(), None]
    (second,) = L.autograd.grad(first.sum(), x, allow_unused=True)
    return [np.asarray(first.detach().numpy()).tolist(), None if second is None else (second + 0).tolist()]


def test_derivatives_at_corners_equal_torch(torch: Any) -> None:
    wrong = []
    for code, at in CASES:
        ours = derivatives(lenet, lenet.nn.functional, code, at)
        theirs = derivatives(torch, torch.nn.functional, code, at)
        if code in ZEROS_OR_NONE:
            ours[1], theirs[1] = (d if d is not None and any(d) else None for d in (ours[1], theirs[1]))
        for order, a, b in zip(("first", "second"), ours, theirs):
            same = (a is None) == (b is None) and (a is None or np.allclose(a, b, rtol=1e-6, atol=1e-9, equal_nan=True))
            if not same:
                wrong.append(f"{order} of {code} at {at}: {a}, torch {b}")
    assert not wrong, "\n".join(wrong)


REFUSED = ["F.hardsigmoid(x)", "L.cdist(x.reshape(1, 2), x.reshape(1, 2)).sum()", "F.multi_margin_loss(x, L.tensor(0))"]


@pytest.mark.parametrize("code", REFUSED)
def test_what_torch_refuses_is_refused_here(torch: Any, code: str) -> None:
    for library, kinds in ((torch, RuntimeError), (lenet, NotImplementedError)):
        with pytest.raises(kinds, match="derivative"):
            derivatives(library, library.nn.functional, code, [0.5, 2.0])
