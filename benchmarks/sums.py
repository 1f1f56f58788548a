"""How wrong sums of many float32 numbers are: a table for docs/numbers.md, beside torch and NumPy.

python benchmarks/sums.py [--write] [--time]

An error is in units in the last place of the largest number of a result, the greater of that of equal numbers (0.1)
and of random ones (0 to 1; for variances 1000 to 1001), against the same in double precision.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from page import Page

import lenetcli as lenet
from lenetcli.kernels import dispatch
from lenetcli.kernels.sums import sum_over

ULP = 2.0**-23
SIZES = (1_000, 100_000, 10_000_000)
PAGE = Path(__file__).parent.parent / "docs" / "numbers.md"


def rows(x: Any) -> Any:
    return x.reshape(-1, 4)


def transposed(x: Any) -> Any:
    return x.reshape(4, -1).T


def groups(x: Any) -> Any:
    return x.reshape(-1, 2, 4)


def batch_last(x: Any) -> Any:
    return x.reshape(2, 5, 5, -1).transpose(3, 0, 1, 2)


def strided(x: Any) -> Any:
    return x.reshape(-1, 4)[:, ::2]


def near_1000(x: Any) -> Any:
    return (1000 + np.floor(x * 8192) / 8192).astype(np.float32).reshape(-1, 4)


Case = tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any] | None]
CASES: dict[str, Case] = {  # how the numbers lie; of a tensor; of a NumPy array, where that has a function for it
    "sum over rows (N, 4), axis 0": (rows, lambda t: t.sum(0), lambda a: a.sum(0)),
    "the same, transposed in memory": (transposed, lambda t: t.sum(0), lambda a: a.sum(0)),
    "axis 1": (transposed, lambda t: t.t().sum(1), lambda a: a.T.sum(1)),
    "every second column, all": (strided, lambda t: t.sum(), lambda a: a.sum()),
    "(N, 2, 4), axes 0 and 2": (groups, lambda t: t.sum((0, 2)), lambda a: a.sum((0, 2))),
    "images, batch-last, axes 0, 2, 3": (batch_last, lambda t: t.sum((0, 2, 3)), lambda a: a.sum((0, 2, 3))),
    "mean, axis 0": (rows, lambda t: t.mean(0), lambda a: a.mean(0)),
    "variance of numbers near 1000, axis 0": (near_1000, lambda t: t.var(0), lambda a: a.var(0, ddof=1)),
    "norm, axis 0": (rows, lambda t: t.norm(dim=0), lambda a: np.linalg.norm(a, axis=0)),
    "logsumexp, axis 0": (rows, lambda t: t.logsumexp(0), None),
    "cumsum, axis 0": (rows, lambda t: t.cumsum(0), lambda a: a.cumsum(0)),
    "gradient of a bias": (rows, lambda t: _bias_gradient(t), None),
}


def _bias_gradient(t: Any) -> Any:
    bias = (t[0] * 0).requires_grad_()
    (t + bias).backward(t)
    return bias.grad


def numbers(size: int) -> list[Any]:
    return [np.full(size, 0.1, np.float32), np.random.default_rng(0).random(size, np.float32)]


def error(found: Any, truth: Any) -> float:
    return float(np.abs(np.asarray(found, np.float64) - truth).max() / np.abs(truth).max() / ULP)


def errors(name: str, size: int, torch: Any = None) -> list[float | None]:
    """lenet, torch (None without it), NumPy (None where it has no such function)."""
    lay, of_tensor, of_array = CASES[name]
    found: list[list[float]] = [[], [], []]
    for x in map(lay, numbers(size)):
        if "near" in name and x.min() == x.max():
            continue
        truth = of_tensor(lenet.from_numpy(x.astype(np.float64))).numpy()
        with dispatch.force("numpy"):
            found[0].append(error(of_tensor(lenet.from_numpy(x)).numpy(), truth))
        if torch is not None:
            found[1].append(error(of_tensor(torch.from_numpy(x)).numpy(), truth))
        if of_array is not None:
            found[2].append(error(of_array(x), truth))
    return [max(values) if values else None for values in found]


def shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def table(torch: Any = None) -> str:
    head = ["", *(f"{who}, {size:,}" for size in SIZES for who in ("lenet", "torch", "NumPy"))]
    lines = [head, ["---", *["--:"] * (len(head) - 1)]]
    for name in CASES:
        lines.append([name, *(shown(v) for size in SIZES for v in errors(name, size, torch))])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def seconds(function: Callable[[], Any]) -> float:
    """The median of some calls."""
    times = []
    for _ in range(15):
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return float(np.median(times))


def times() -> str:
    lines = [["sum of float32", "NumPy, ms", "lenet, ms"], ["---", "--:", "--:"]]
    for shape, axes in [
        ((64, 10), (0,)),
        ((64, 120), (0,)),
        ((1000,), (0,)),
        ((64, 6, 24, 24), (0, 2, 3)),
        ((100_000, 10), (0,)),
        ((1_000_000, 3), (0,)),
        ((1000, 1000), (0,)),
        ((1000, 1000), (1,)),
        ((10_000, 1000), (0,)),
        ((100_000, 4, 3), (0, 2)),
    ]:
        x = np.random.default_rng(0).random(shape, np.float32)
        repeat = max(1, 100_000 // x.size)
        theirs = seconds(lambda x=x, axes=axes, n=repeat: [x.sum(axis=axes) for _ in range(n)]) / repeat
        ours = seconds(lambda x=x, axes=axes, n=repeat: [sum_over(x, axes) for _ in range(n)]) / repeat
        lines.append([f"{shape} over {axes}", f"{theirs * 1e3:.4f}", f"{ours * 1e3:.4f}"])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="into docs/numbers.md")
    parser.add_argument("--time", action="store_true", help="what it costs, too")
    asked = parser.parse_args()
    try:
        import torch
    except ImportError:
        torch = None
    np.seterr(all="ignore")
    parts = {"errors": table(torch)} | ({"times": times()} if asked.time else {})
    for name, text in parts.items():
        if asked.write:
            Page(PAGE).put(name, text)
        else:
            print(text)


if __name__ == "__main__":
    main()
