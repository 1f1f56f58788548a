"""gather, scatter, index_* and masked_*: bad input, in-place change, node names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.kernels.scatter import add_at, positions_along

rows = lenet.tensor([0, 2])
square = lenet.tensor([[0, 1, 2], [2, 0, 1]])
mask = lenet.tensor([True, False, True])


def grid() -> Any:
    return lenet.arange(9.0).reshape(3, 3)


def test_positions_along_name_the_elements_that_take_along_axis_takes() -> None:
    x = np.arange(60.0).reshape(3, 4, 5)
    for dim in range(3):
        index = np.random.default_rng(dim).integers(0, x.shape[dim], (3, 4, 5))
        positions = positions_along(x.shape, dim, index)
        np.testing.assert_array_equal(x.reshape(-1)[positions], np.take_along_axis(x, index, dim))


def test_add_at_adds_once_for_each_time_a_position_is_named() -> None:
    positions = np.array([[0, 3], [3, -1]])
    assert add_at(np.zeros((2, 2)), positions, np.array([1.0, 2.0])).tolist() == [[1, 0], [0, 5]]


BAD: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: grid().gather(0, rows), RuntimeError, "same number of dimensions"),
    (lambda: grid().gather(0, square + 2), RuntimeError, "index 4 is out of bounds .* size 3"),
    (lambda: grid().gather(0, square - 1), RuntimeError, "index -1 is out of bounds"),
    (lambda: grid().gather(0, square.float()), RuntimeError, "Expected dtype int32/int64"),
    (lambda: grid().gather(2, square), IndexError, "Dimension out of range"),
    (lambda: lenet.zeros(3, 2).gather(0, square), RuntimeError, "to be no larger than input"),
    (lambda: grid().gather(0, square, sparse_grad=True), NotImplementedError, "sparse_grad"),
    (lambda: grid().gather(0, [0]), TypeError, "must be Tensor, not list"),
    (lambda: grid().take_along_dim(rows, 0), RuntimeError, "same number of dimensions"),
    (lambda: grid().scatter(0, square, lenet.ones(1, 3)), RuntimeError, "to be no larger than src"),
    (lambda: grid().scatter(0, square, lenet.ones(2, 3, dtype=lenet.float64)), RuntimeError, "equal to src.dtype"),
    (lambda: grid().scatter(0, square), TypeError, "give src or value"),
    (lambda: grid().scatter(0, square, 1.0, reduce="mean"), RuntimeError, "either add or multiply"),
    (lambda: grid().scatter(0, square, "a"), TypeError, "wanted a number or a tensor"),
    (lambda: grid().scatter_add(0, square, 1.0), TypeError, "must be Tensor, not float"),
    (lambda: grid().scatter_reduce(0, square, grid(), "median"), RuntimeError, "either sum, prod, mean, amax or amin"),
    (lambda: grid().index_select(0, rows + 2), IndexError, "index 4 is out of bounds"),
    (lambda: grid().index_select(0, square), IndexError, "supposed to be a vector"),
    (lambda: grid().index_add(0, rows, lenet.ones(3, 3)), RuntimeError, "one slice along 0 per index"),
    (lambda: grid().index_add(0, rows, lenet.ones(2, 3, dtype=lenet.int64)), RuntimeError, "equal to src.dtype"),
    (lambda: grid().index_copy(0, rows, lenet.ones(2, 2)), IndexError, "one slice along 0 per index"),
    (lambda: grid().index_fill(0, rows, lenet.ones(2)), RuntimeError, "0-dimensional value"),
    (lambda: lenet.arange(3).index_fill(0, rows, float("inf")), RuntimeError, "without overflow"),
    (lambda: grid().index_reduce(0, rows, lenet.ones(2, 3), "sum"), RuntimeError, "prod, mean, amax or amin"),
    (lambda: grid().take(rows + 7), IndexError, "index 9 is out of bounds"),
    (lambda: grid().put(rows, lenet.ones(3)), IndexError, "same number of elements"),
    (lambda: grid().masked_fill(mask.long(), 0), RuntimeError, "boolean mask"),
    (lambda: grid().masked_fill(lenet.tensor([True, False]), 0), RuntimeError, "do not broadcast"),
    (lambda: grid().masked_fill(mask, lenet.ones(3)), RuntimeError, "0-dimensional value"),
    (lambda: grid().masked_scatter(mask, lenet.ones(2)), RuntimeError, "Number of elements of source"),
    (lambda: grid().masked_select([True]), TypeError, "must be Tensor, not list"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD, ids=[m for _, _, m in BAD])
def test_bad_input_is_refused(call: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()


IN_PLACE: dict[str, Callable[[Any], Any]] = {
    "scatter": lambda x: ("scatter", 0, square, 5.0),
    "scatter_add": lambda x: ("scatter_add", 0, square, x),
    "scatter_reduce": lambda x: ("scatter_reduce", 0, square, x, "amax"),
    "index_add": lambda x: ("index_add", 0, rows, x[:2]),
    "index_copy": lambda x: ("index_copy", 0, rows, x[:2]),
    "index_fill": lambda x: ("index_fill", 0, rows, 5.0),
    "index_reduce": lambda x: ("index_reduce", 0, rows, x[:2], "prod"),
    "put": lambda x: ("put", rows, x[0, :2]),
    "masked_fill": lambda x: ("masked_fill", mask, 5.0),
    "masked_scatter": lambda x: ("masked_scatter", mask, x),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_forms_change_the_tensor_and_give_the_same_gradients(name: str) -> None:
    other = lenet.full((3, 3), 2.0, requires_grad=True)
    x = grid().requires_grad_()
    _, *args = IN_PLACE[name](other)
    expected = getattr(x, name)(*args)
    (expected * grid()).sum().backward()
    d_x, d_other = x.grad.tolist(), other.grad

    x.grad = other.grad = None
    y = x * 1
    _, *args = IN_PLACE[name](other)
    assert getattr(y, name + "_")(*args) is y
    assert y.tolist() == expected.tolist()
    assert y._version == 1
    (y * grid()).sum().backward()
    assert x.grad.tolist() == d_x
    assert (other.grad is None) == (d_other is None)
    if d_other is not None:
        assert other.grad.tolist() == d_other.tolist()


def test_a_value_given_by_keyword_to_an_in_place_form_is_recorded() -> None:
    source = lenet.ones(2, 3, requires_grad=True)
    leaf = grid().requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        leaf.scatter_(0, square, src=source)
    buffer = grid()
    buffer.scatter_(0, square, src=source)
    buffer.sum().backward()
    assert source.grad.tolist() == [[1, 1, 1], [1, 1, 1]]


def test_scatter_reduces_without_gradient_and_says_where_one_is_wanted() -> None:
    index = lenet.tensor([1, 1])
    assert lenet.ones(2).scatter(0, index, lenet.tensor([2.0, 3.0]), reduce="add").tolist() == [1, 6]
    assert lenet.ones(2).scatter(0, index, 3.0, reduce="multiply").tolist() == [1, 9]
    with pytest.raises(NotImplementedError, match="use scatter_add"):
        lenet.ones(2, requires_grad=True).scatter(0, index, 3.0, reduce="add")


def test_node_names_are_torchs() -> None:
    x = grid().requires_grad_()
    results = {
        "Gather": x.gather(0, square),
        "Scatter": x.scatter(0, square, 1.0),
        "ScatterAdd": x.scatter_add(0, square, x),
        "ScatterReduce": x.scatter_reduce(0, square, x, "sum"),
        "IndexSelect": x.index_select(0, rows),
        "IndexAdd": x.index_add(0, rows, x[:2]),
        "IndexCopy": x.index_copy(0, rows, x[:2]),
        "IndexFill": x.index_fill(0, rows, 1.0),
        "IndexReduce": x.index_reduce(0, rows, x[:2], "mean"),
        "Take": x.take(rows),
        "Put": x.put(rows, x[0, :2]),
        "MaskedFill": x.masked_fill(mask, 0),
        "MaskedSelect": x.masked_select(mask),
        "MaskedScatter": x.masked_scatter(mask, x),
    }
    assert {f"{name}Backward" for name in results} == {y.grad_fn.name() for y in results.values()}


def test_where_with_a_condition_alone_gives_indices_for_indexing() -> None:
    x = lenet.tensor([[1.0, -1.0], [-2.0, 3.0]])
    found = lenet.where(x > 0)
    assert [index.tolist() for index in found] == [[0, 1], [0, 1]]
    assert x[found].tolist() == [1, 3]
    assert [index.tolist() for index in lenet.tensor(5).nonzero(as_tuple=True)] == [[0]]
    assert lenet.tensor(5).nonzero().shape == (1, 0)
