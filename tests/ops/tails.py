"""Functions at tiny, large and special arguments, and torch's numbers there: `python -m tests.ops.tails` writes them.

A case is an expression over x (and y, a second argument), with F for nn.functional, lenet for the package, `one` and
`zero` for constants in the shape of x. Each is run over a fixed grid, in float32 and float64: its values and the
gradients of their sum.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np

FILE = Path(__file__).parent / "tails.npz"
KINDS = {"float32": np.float32, "float64": np.float64}

POSITIVE = [
    0, 1e-45, 1e-40, 1.2e-38, 1e-30, 1e-20, 3e-12, 1e-8, 1e-5, 1e-3, 0.1, 0.25, 0.5, 0.75, 1 - 2**-24, 1, 1 + 2**-23,
    1.5, 2, 2.5, 3, 3.5, 3.92, 4, 5, 6, 7, 9, 10, 13, 15, 16.7, 18, 20, 20.5, 25, 30, 38, 50, 87, 88, 88.8, 89, 97, 100,
    103, 104, 170, 300, 700, 710, 745, 746, 1000, 8388609, 1e10, 1.3e19, 1.9e19, 1e20, 1e30, 1e38, 2e38, 3.4e38, np.inf,
    np.nan,
]  # fmt: skip
WIDER = [5e-324, 2.3e-308, 1e-160, 1e-16, 1 - 2**-53, 1 + 2**-52, 1e154, 1e200, 1.7e308]  # in float64 only
SECOND = [0, -0.0, 1e-40, 1e-8, 0.5, -0.5, 1, -1, 1.5, 2, -2, 3, -3, 10, 88, 1e5, 1e20, -1e20, 3e38, np.inf, -np.inf,
          np.nan]  # fmt: skip

ONE_ARGUMENT = """
abs sign exp expm1 exp2 log log1p log2 log10 sigmoid logit erf erfc sin cos tan asin acos atan sinh cosh tanh asinh
acosh atanh floor ceil round trunc frac square sqrt rsqrt reciprocal neg positive relu selu celu
"""
ACTIVATIONS = """
relu relu6 hardtanh leaky_relu rrelu hardsigmoid hardswish hardshrink softshrink elu selu celu gelu silu mish softplus
logsigmoid softsign tanhshrink
"""
EXPRESSIONS = """
lenet.logit(x, 0.1)
F.hardtanh(x, -2, 3)
F.leaky_relu(x, -0.5)
F.leaky_relu(x, 0.0)
F.leaky_relu(x, 2.0)
F.prelu(x, 0.25 * one[:1])
F.threshold(x, 0.5, -3.0)
F.threshold(x, 0.0, 0.0)
F.hardshrink(x, 0.0)
F.softshrink(x, 0.0)
F.elu(x, 2.0)
F.elu(x, -1.0)
F.celu(x, 2.0)
F.celu(x, -1.0)
F.celu(x, 1e-3)
F.gelu(x, approximate='tanh')
F.softplus(x, 2.0, 5.0)
F.softplus(x, -1.0)
F.softplus(x, 1e-3)
F.glu(lenet.stack([x, one], -1)).squeeze(-1)
F.glu(lenet.stack([one, x], -1)).squeeze(-1)
lenet.clamp(x, -1.0, 1.0)
lenet.clamp(x, 0.0, 0.0)
lenet.clamp(x, -0.0, 0.0)
lenet.clamp(x, 2.0, 1.0)
lenet.clamp(x, min=0)
lenet.clamp(x, max=0)
lenet.clamp_min(x, 0.0)
lenet.clamp_max(x, 0.0)
lenet.clamp(x, min=float('nan'))
x ** 0
x ** 1
x ** 2
x ** 3
x ** 4
x ** 0.5
x ** -0.5
x ** 1.5
x ** -1
x ** -2
x ** -3
x ** float('inf')
x ** float('nan')
2 ** x
0.0 ** x
1.0 ** x
(-2.0) ** x
x / 3
3 / x
x.detach() // 3.0
x % 3.0
x % -3.0
x % 0.0
x % float('inf')
lenet.fmod(x, 3.0)
lenet.fmod(x, -3.0)
lenet.fmod(x, float('inf'))
lenet.div(x, 3.0, rounding_mode='floor')
lenet.div(x, 3.0, rounding_mode='trunc')
lenet.lerp(x, one, 0.3)
lenet.addcmul(one, x, x)
lenet.addcdiv(one, one, x)
lenet.softmax(lenet.stack([x, one], -1), -1)[..., 0]
lenet.softmax(lenet.stack([x, one], -1), -1)[..., 1]
lenet.log_softmax(lenet.stack([x, one], -1), -1)[..., 0]
lenet.log_softmax(lenet.stack([x, one], -1), -1)[..., 1]
F.softmin(lenet.stack([x, one], -1), -1)[..., 0]
lenet.logsumexp(lenet.stack([x, one], -1), -1)
lenet.logcumsumexp(lenet.stack([one, x], -1), -1)[..., 1]
lenet.linalg.vector_norm(lenet.stack([x, one], -1), dim=-1)
lenet.linalg.vector_norm(x.unsqueeze(-1), dim=-1)
lenet.linalg.vector_norm(x.unsqueeze(-1), 3, dim=-1)
lenet.linalg.vector_norm(x.unsqueeze(-1), -1, dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), 3, dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), 1, dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), 0.5, dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), 0, dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), float('inf'), dim=-1)
lenet.linalg.vector_norm(lenet.stack([x, one], -1), float('-inf'), dim=-1)
F.normalize(x.unsqueeze(-1), dim=-1).squeeze(-1)
F.normalize(lenet.stack([x, one], -1), p=1, dim=-1)[..., 0]
F.cosine_similarity(x.unsqueeze(-1), one.unsqueeze(-1), dim=-1)
F.pairwise_distance(x.unsqueeze(-1), -x.unsqueeze(-1))
lenet.cdist(x.reshape(-1, 1, 1), one.reshape(-1, 1, 1)).reshape(-1)
lenet.stack([x, one], -1).mean(-1)
lenet.stack([x, one], -1).sum(-1)
lenet.stack([x, one], -1).max(-1).values
lenet.stack([x, zero], -1).max(-1).values
lenet.stack([zero, x], -1).min(-1).values
lenet.stack([x, one], -1).amax(-1)
lenet.stack([x, one], -1).amin(-1)
lenet.stack([x, one], -1).aminmax(dim=-1).max
lenet.stack([x, one], -1).median(-1).values
lenet.stack([x, one, -one], -1).nanmedian(-1).values
lenet.stack([x, zero], -1).cummax(-1).values[..., 1]
lenet.stack([x, zero], -1).cummin(-1).values[..., 1]
F.binary_cross_entropy(share, one, reduction='none')
F.binary_cross_entropy(share, zero, reduction='none')
F.binary_cross_entropy(share, one * 0.3, reduction='none')
F.binary_cross_entropy(zero, share, reduction='none')
F.binary_cross_entropy_with_logits(x, one, reduction='none')
F.binary_cross_entropy_with_logits(x, zero, reduction='none')
F.binary_cross_entropy_with_logits(x, one * 0.3, reduction='none', pos_weight=one * 3)
F.binary_cross_entropy_with_logits(one * 0.3, x, reduction='none')
F.kl_div(x, one, reduction='none')
F.kl_div(x, zero, reduction='none')
F.kl_div(one, x, reduction='none')
F.kl_div(x, one, reduction='none', log_target=True)
F.kl_div(one, x, reduction='none', log_target=True)
F.poisson_nll_loss(x, one * 2, reduction='none')
F.poisson_nll_loss(one, x, reduction='none', full=True)
F.poisson_nll_loss(x, one * 2, log_input=False, reduction='none')
F.poisson_nll_loss(x, zero, log_input=False, reduction='none')
F.gaussian_nll_loss(x, one, one * 2, reduction='none')
F.gaussian_nll_loss(x, one, zero, reduction='none')
F.gaussian_nll_loss(zero, one, x.abs(), reduction='none', full=True)
F.multilabel_soft_margin_loss(lenet.stack([x, one], -1), lenet.stack([one, zero], -1), reduction='none')
F.hinge_embedding_loss(x, one, reduction='none')
F.hinge_embedding_loss(x, -one, reduction='none')
F.margin_ranking_loss(x, one, one, reduction='none')
F.multi_margin_loss(lenet.stack([x, one], -1), zero.long(), reduction='none')
F.multi_margin_loss(lenet.stack([x, one], -1), zero.long(), p=2, reduction='none')
F.multilabel_margin_loss(lenet.stack([x, one], -1), lenet.stack([zero, -one], -1).long(), reduction='none')
F.mse_loss(x, one, reduction='none')
F.l1_loss(x, zero, reduction='none')
F.smooth_l1_loss(x, zero, reduction='none')
F.smooth_l1_loss(x, zero, reduction='none', beta=0.1)
F.smooth_l1_loss(x, zero, reduction='none', beta=0.0)
F.huber_loss(x, zero, reduction='none', delta=0.1)
F.cross_entropy(lenet.stack([x, one], -1), zero.long(), reduction='none')
F.cross_entropy(lenet.stack([x, one], -1), one.long(), reduction='none')
F.cross_entropy(lenet.stack([x, one], -1), lenet.stack([one * 0.4, one * 0.6], -1), reduction='none')
F.nll_loss(lenet.stack([x, one], -1), zero.long(), reduction='none')
F.max_pool1d(lenet.stack([x, zero], -1).unsqueeze(-2), 2).reshape(-1)
F.max_pool1d(lenet.stack([zero, x], -1).unsqueeze(-2), 2).reshape(-1)
F.max_pool2d(lenet.stack([x, zero], -1).reshape(-1, 1, 1, 2), (1, 2)).reshape(-1)
F.max_pool2d(lenet.stack([zero, x], -1).reshape(-1, 1, 2, 1), (2, 1)).reshape(-1)
F.adaptive_max_pool1d(lenet.stack([x, zero], -1).unsqueeze(-2), 1).reshape(-1)
F.adaptive_max_pool1d(lenet.stack([zero, x], -1).unsqueeze(-2), 1).reshape(-1)
F.lp_pool1d(lenet.stack([x, one], -1).unsqueeze(-2), 2, 2).reshape(-1)
""".strip().splitlines()
TWO_ARGUMENTS = """
lenet.pow(x, y)
lenet.atan2(x, y)
lenet.hypot(x, y)
lenet.remainder(x, y)
lenet.fmod(x, y)
lenet.xlogy(x, y)
lenet.maximum(x, y)
lenet.minimum(x, y)
x / y
lenet.div(x, y, rounding_mode='floor')
lenet.div(x, y, rounding_mode='trunc')
lenet.clamp(x, y, lenet.zeros_like(y))
lenet.clamp(lenet.zeros_like(x), x, y)
lenet.lerp(x, y, 0.25)
""".strip().splitlines()

CASES = [
    *(f"lenet.{name}(x)" for name in ONE_ARGUMENT.split()),
    *(f"F.{name}(x)" for name in ACTIVATIONS.split()),
    *EXPRESSIONS,
    *TWO_ARGUMENTS,
]


def arguments(code: str, kind: type) -> list[np.ndarray]:
    """x, and y where the expression has one: every pair of the two."""
    positive = np.array(POSITIVE + (WIDER if kind is np.float64 else []))
    x = np.concatenate([positive, -positive])
    if code in TWO_ARGUMENTS:
        return [a.ravel().astype(kind) for a in np.meshgrid(np.array(SECOND), np.array(SECOND))]
    if "share" in code:
        x = positive[positive <= 1]
    return [x.astype(kind)]


def run(package: str, code: str, given: list[np.ndarray]) -> list[np.ndarray]:
    """Values, then the gradients of their sum with respect to x (and y); gradients that are none are left out."""
    lenet: Any = importlib.import_module(package)
    functional = importlib.import_module(f"{package}.nn.functional")
    leaves = [lenet.from_numpy(a.copy()).requires_grad_() for a in given]
    x, y = leaves[0], leaves[-1]
    one = lenet.ones_like(x, requires_grad=False)
    names = {"lenet": lenet, "F": functional, "x": x, "y": y, "share": x, "one": one, "zero": 0 * one}
    out = eval(code, names)
    if out.requires_grad:
        out.sum().backward()
    force = {"force": True} if package == "torch" else {}  # torch may keep zeros as a symbol
    found = [out.detach().numpy(), *(leaf.grad.numpy(**force) for leaf in leaves if leaf.grad is not None)]
    return [np.array(a, given[0].dtype) for a in found]


def main() -> None:
    """Runs every case with torch, every element alone; writes the numbers of each type and how many rows a case has."""
    kept: dict[str, Any] = {}
    for name, kind in KINDS.items():
        found = []
        for code in CASES:
            columns = zip(*arguments(code, kind))
            alone = [np.concatenate(run("torch", code, [np.array([v]) for v in column])) for column in columns]
            found.append(np.stack(alone, axis=-1))
        kept[name] = np.concatenate([rows.ravel() for rows in found])
        kept[f"{name} rows"] = [len(rows) for rows in found]
    np.savez_compressed(FILE, **kept)
    print(f"{len(CASES)} cases, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
