"""Which of equal elements is taken, and so gets the gradient: torch's choice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

nan = float("nan")

# fmt: off
KTH = [  # a row, and the index that torch gives for k = 1, 2, 3 ...
    ([2, 1, 1, 2, 1],
     [2, 4, 1, 3, 0]),
    ([0] * 17,
     [14, 12, 11, 9, 13, 15, 8, 10, 0, 5, 3, 2, 1, 4, 6, 7, 16]),
    ([2, 1, 1, 0, 0, 0, 0, 0, 0, 2, 1, 2, 1, 1, 2, 2, 1, 1, 1, 2, 0, 2, 2, 0],
     [3, 8, 6, 23, 4, 20, 5, 7, 12, 16, 13, 18, 2, 17, 1, 10, 22, 21, 0, 19, 14, 15, 9, 11]),
    ([1, nan, 0, 1, nan, 0, 1, nan],
     [2, 5, 3, 6, 0, 1, 4, 7]),
]
# fmt: on


@pytest.mark.parametrize(("row", "places"), KTH, ids=lambda v: f"{len(v)}")
def test_kthvalue_takes_the_one_that_torch_takes(row: list[float], places: list[int]) -> None:
    x = lenet.tensor(row, dtype=lenet.float32, requires_grad=True)
    for k, place in enumerate(places, 1):
        value, at = x.kthvalue(k)
        assert at.item() == place
        x.grad = None
        value.backward()
        assert x.grad is not None
        assert x.grad.nonzero().tolist() == [[place]]


TAKES: list[tuple[str, tuple[Any, ...]]] = [
    ("median", (0,)), ("nanmedian", (0,)), ("max", (0,)), ("min", (0,)), ("cummax", (0,)), ("cummin", (0,)),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["float32", "float64", "int64"])
def test_random_ties_are_as_in_torch(torch: Any, kind: str) -> None:
    random = np.random.default_rng(7)
    for n in [1, 2, 3, 4, 5, 8, 16, 17, 40, 65, 128] * 4:
        x = random.integers(0, random.integers(1, 7), (n, 3)).astype(kind)  # the dimension is not the last one
        if kind != "int64" and random.random() < 0.4:
            x[random.random(x.shape) < 0.2] = nan
        mine, theirs = lenet.from_numpy(x), torch.from_numpy(x)
        calls = TAKES + [("kthvalue", (k, 0)) for k in range(1, n + 1)]
        if n <= 16:  # from there on torch's sort is not stable unless it is asked to be
            calls += [("sort", (0,)), ("sort", (0, True))]
            calls += [] if np.isnan(x.astype(float)).any() else [("mode", (0,))]
        for name, args in calls:
            found, wanted = getattr(mine, name)(*args), getattr(theirs, name)(*args)
            np.testing.assert_array_equal(
                found[1].numpy(), wanted[1].numpy(), err_msg=f"{name}{args} of {x.T.tolist()}"
            )
            np.testing.assert_array_equal(found[0].numpy(), wanted[0].numpy())
        for name in ("argmax", "argmin"):
            np.testing.assert_array_equal(getattr(mine, name)(0).numpy(), getattr(theirs, name)(0).numpy())
