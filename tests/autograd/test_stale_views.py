"""Views taken before a change of their base, used after it: every op that gives views, and views of those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from tests.cases import each_by_name
from tests.ops.sample import Sample, all_samples, resolve


def views_of(sample: Sample, x: Any) -> list[Any]:
    """What of the sample's results, with x as its first tensor, are views of x."""
    given = iter([x])  # then the sample's own

    def take(value: Any) -> Any:
        if isinstance(value, (list, tuple)) and any(isinstance(v, np.ndarray) for v in value):
            return type(value)(take(v) for v in value)
        return next(given, lenet.from_numpy(value)) if isinstance(value, np.ndarray) else value

    args = [take(value) for value in sample.args]  # before the named ones
    result = resolve(lenet, sample.name)(*args, **{k: take(v) for k, v in sample.kwargs.items()})
    results = result if isinstance(result, (tuple, list)) else [result]
    return [r for r in results if isinstance(r, lenet.Tensor) and (r.base is x or r.base is x.base is not None)]


def first_array(args: Any) -> np.ndarray | None:
    for a in args:
        found = a if isinstance(a, np.ndarray) else first_array(a) if isinstance(a, (list, tuple)) else None
        if found is not None:
            return found
    return None


def viewing_samples() -> list[Sample]:
    found = []
    for sample in all_samples():
        values = first_array(sample.args)
        floating = sample.grad and values is not None and values.dtype.kind == "f" and values.size
        if floating and views_of(sample, lenet.from_numpy(values.copy())):
            found.append(sample)
    return found


OUTER: dict[str, Callable[[Any], Any]] = {
    "itself": lambda v: v,
    "expanded": lambda v: v.expand(3, *v.shape),
    "unfolded": lambda v: v.unfold(0, 2, 1) if v.ndim and len(v) > 1 else v.unsqueeze(0),
    "part of it expanded": lambda v: v[..., :1].expand(2, *v.shape)[1:] if v.ndim else v.expand(3)[1:],
    "transposed": lambda v: v.unsqueeze(-1).transpose(0, -1),
}
SAMPLES = viewing_samples()


def gradient(values: np.ndarray, view: Callable[[Any], list[Any]], before: bool) -> np.ndarray:
    """Gradient of a sum of all views of doubled values, taken before the doubling or after; whole weights."""
    x = lenet.from_numpy(values.copy()).requires_grad_()
    y = x * 1
    found = view(y) if before else []
    y.mul_(2)
    found = found or view(y)
    random = np.random.default_rng(3)
    sum((v * lenet.tensor(random.integers(-4, 5, v.shape), dtype=v.dtype)).sum() for v in found).backward()
    return x.grad.numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("outer", OUTER)
@each_by_name(SAMPLES)
def test_a_view_taken_before_a_change_has_the_gradient_of_one_taken_after(sample: Sample, outer: str) -> None:
    values = first_array(sample.args)
    assert values is not None

    def view(y: Any) -> list[Any]:
        return [OUTER[outer](v) for v in views_of(sample, y)]

    np.testing.assert_array_equal(gradient(values, view, True), gradient(values, view, False))


@pytest.mark.parametrize("outer", OUTER)
def test_views_of_a_view_as_well(outer: str) -> None:
    values = np.arange(12.0).reshape(3, 4)
    for inner in OUTER.values():

        def view(y: Any) -> list[Any]:
            return [OUTER[outer](inner(y[1:, ::2]))]  # noqa: B023

        np.testing.assert_array_equal(gradient(values, view, True), gradient(values, view, False))


def test_every_kind_of_view_has_a_sample() -> None:
    names = {sample.name for sample in SAMPLES}
    assert {"broadcast_to", "meshgrid", "broadcast_tensors", "Tensor.expand", "Tensor.unfold", "diagonal"} <= names
