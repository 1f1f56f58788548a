"""sort, topk, unique, quantile and their like: bad input, ties, NaN, named results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet

nan = float("nan")


def line(*values: float) -> Any:
    return lenet.tensor(list(values))


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: line(1.0).sort(1), IndexError, "Dimension out of range"),
    (lambda: line(1.0).topk(2), RuntimeError, "selected index k out of range"),
    (lambda: line(1.0).topk(-1), RuntimeError, "selected index k out of range"),
    (lambda: line(1.0).kthvalue(0), RuntimeError, "selected number k out of range"),
    (lambda: lenet.zeros(2, 0).kthvalue(1), IndexError, "non-zero size"),
    (lambda: lenet.zeros(2, 0).mode(), IndexError, "non-zero size"),
    (lambda: lenet.zeros(2, 0).nanmedian(1), IndexError, "non-zero size"),
    (lambda: line().quantile(0.5), RuntimeError, "must be non-empty"),
    (lambda: line(1.0).quantile(1.5), RuntimeError, r"must be in the range \[0, 1\]"),
    (lambda: line(1.0).quantile(0.5, interpolation="cubic"), RuntimeError, "interpolation must be one of"),
    (lambda: lenet.arange(3).quantile(0.5), RuntimeError, "either float or double"),
    (lambda: line(1.0).quantile(lenet.tensor(0.5).double()), RuntimeError, "same dtype as the input"),
    (lambda: line(1.0).quantile(lenet.zeros(1, 1)), RuntimeError, "scalar or 1D"),
    (lambda: lenet.tensor(1.0).unique(dim=0), IndexError, "no dimensions"),
    (lambda: lenet.zeros(2, 0).unique(dim=0), RuntimeError, "slices are empty"),
    (lambda: lenet.searchsorted(lenet.zeros(2, 3), 1.0), RuntimeError, "must have 1 dimension"),
    (lambda: lenet.searchsorted(line(1.0), 1.0, side="left", right=True), RuntimeError, "opposites"),
    (lambda: lenet.searchsorted(line(1.0), 1.0, side="middle"), RuntimeError, "'left' or 'right'"),
    (lambda: lenet.bucketize(1.0, lenet.zeros(2, 3)), RuntimeError, "must be 1 dimension"),
    (lambda: lenet.arange(3).histc(2), NotImplementedError, "not implemented for int64"),
    (lambda: line(1.0).histc(0), RuntimeError, "bins must be > 0"),
    (lambda: line(1.0).histc(2, 3, 1), RuntimeError, "max must be larger than min"),
    (lambda: line(1.0, nan).histc(2), RuntimeError, "is not finite"),
    (lambda: line().aminmax(), RuntimeError, "empty tensor"),
    (lambda: lenet.zeros(2, 0).aminmax(dim=1), IndexError, "non-zero size"),
    (lambda: lenet.tensor(1.0).diff(), RuntimeError, "at least one-dimensional"),
    (lambda: line(1.0).diff(-1), RuntimeError, "non-negative"),
    (lambda: line(1.0).diff(prepend=lenet.zeros(1, 1)), RuntimeError, "same dimension as input"),
    (lambda: lenet.arange(3).logcumsumexp(0), NotImplementedError, "not implemented for int64"),
    (lambda: lenet.sort([1.0]), TypeError, "must be Tensor, not list"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


def test_equal_elements_stay_in_order_both_ways() -> None:
    x = lenet.tensor([1, 0, 1, 0])
    assert x.sort().indices.tolist() == [1, 3, 0, 2]
    assert x.sort(descending=True).indices.tolist() == [0, 2, 1, 3]


def test_nan_counts_as_the_greatest() -> None:
    x = line(2.0, nan, 1.0)
    assert x.sort().indices.tolist() == [2, 0, 1]
    assert x.sort(descending=True).indices.tolist() == [1, 0, 2]
    assert x.topk(1).indices.tolist() == [1]


def test_results_are_named_tuples_that_print_as_torchs() -> None:
    found = line(2.0, 1.0).sort()
    assert repr(found) == "torch.return_types.sort(\nvalues=tensor([1., 2.]),\nindices=tensor([1, 0]))"
    low, high = line(2.0, 1.0).aminmax()
    assert (low.item(), high.item()) == (1, 2)
    assert repr(line(2.0).aminmax()) == "torch.return_types.aminmax(\nmin=tensor(2.),\nmax=tensor(2.))"


def test_the_mode_is_the_smallest_of_the_most_frequent_at_its_last_place() -> None:
    values, indices = lenet.tensor([2, 1, 2, 1, 3]).mode()
    assert (values.item(), indices.item()) == (1, 3)


def test_every_nan_is_a_value_of_its_own() -> None:
    values, counts = line(nan, 1.0, nan).unique(return_counts=True)
    assert counts.tolist() == [1, 1, 1]
    assert np.isnan(values.numpy()).tolist() == [False, True, True]


def test_backward_through_unique_says_that_there_is_no_gradient() -> None:
    x = line(1.0, 2.0).requires_grad_()
    with pytest.raises(NotImplementedError, match="derivative of Unique2 is not implemented"):
        x.unique().sum().backward()


def test_cummax_sends_the_gradient_to_the_last_of_equal_elements() -> None:
    x = line(1.0, 3.0, 3.0, 2.0).requires_grad_()
    values, indices = x.cummax(0)
    assert indices.tolist() == [0, 1, 2, 2]
    values.sum().backward()
    assert x.grad.tolist() == [1, 1, 2, 0]


def test_node_names_are_torchs() -> None:
    x = lenet.tensor([[3.0, 1.0], [2.0, 4.0]], requires_grad=True)
    results = {
        "Sort": x.sort()[0],
        "Topk": x.topk(1)[0],
        "Kthvalue": x.kthvalue(1)[0],
        "Mode": x.mode()[0],
        "Nanmedian": x.nanmedian(),
        "Unique2": x.unique(),
        "UniqueDim": x.unique(dim=0),
        "UniqueConsecutive": x.unique_consecutive(),
        "Aminmax": x.aminmax()[0],
        "Cummax": x.cummax(0)[0],
        "Cummin": x.cummin(0)[0],
        "Logcumsumexp": x.logcumsumexp(0),
        "Sub": x.diff(),
    }
    assert {f"{name}Backward" for name in results} == {y.grad_fn.name() for y in results.values()}
