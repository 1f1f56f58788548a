"""Reading and writing parts of a tensor: random expressions against torch, and single behaviours."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lenetcli as lenet

REFUSALS = (IndexError, RuntimeError, ValueError, TypeError)

sizes = st.integers(0, 4)
shapes = st.lists(sizes, max_size=4).map(tuple)


def parts(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
    """One part of an index expression; mostly within range for some dimension of the shape."""
    bound = st.none() | st.integers(-5, 5)
    masks = [
        st.lists(st.booleans(), min_size=n, max_size=n).map(lambda m, s=shape[i:j]: np.array(m, bool).reshape(s))
        for i in range(len(shape))
        for j in range(i + 1, min(len(shape), i + 2) + 1)
        if (n := int(np.prod(shape[i:j]))) < 20
    ]
    index_shapes = st.sampled_from([(1,), (2,), (2, 1), (3,), (0,), (1, 3), ()])
    arrays = index_shapes.flatmap(
        lambda s: st.lists(st.integers(-2, 2), min_size=int(np.prod(s)), max_size=int(np.prod(s))).map(
            lambda values: np.array(values, np.int64).reshape(s)
        )
    )
    choices = [
        st.integers(-2, 2),
        st.builds(slice, bound, bound, st.none() | st.integers(1, 3)),
        st.sampled_from([None, Ellipsis, True, False]),
        arrays,
        arrays.map(np.ndarray.tolist),
        *masks,
    ]
    return st.one_of(choices)


@st.composite
def expressions(draw: Any) -> tuple[tuple[int, ...], Any]:
    shape = draw(shapes)
    index = tuple(draw(st.lists(parts(shape), max_size=4)))
    return shape, index[0] if len(index) == 1 and draw(st.booleans()) else index


def ramp(shape: tuple[int, ...]) -> Any:
    """1, 2, 3 ... in a shape."""
    return np.arange(1.0, 1 + int(np.prod(shape))).reshape(shape)


def outcome(module: Any, make: Any, shape: tuple[int, ...], index: Any, as_tensor: bool) -> Any:
    """Values and gradient of x[index], or the refusal."""

    def converted(part: Any) -> Any:
        if isinstance(part, tuple):
            return tuple(converted(p) for p in part)
        # torch counts an array's mask of several dimensions as one dimension beside `...`
        return make(part) if isinstance(part, np.ndarray) and (as_tensor or part.ndim > 1) else part

    x = make(ramp(shape)).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lists of lists are deprecated in both
        try:
            y = x[converted(index)]
        except REFUSALS:
            return None
    y.backward(make(np.asarray(np.cos(ramp(tuple(y.shape))))))
    return y.detach().numpy(), x.grad.numpy()


@settings(max_examples=300, deadline=None)
@given(expressions(), st.booleans())
def test_reading_any_part_gives_torchs_values_and_gradients(torch: Any, expression: Any, as_tensor: bool) -> None:
    shape, index = expression
    wanted = outcome(torch, torch.from_numpy, shape, index, as_tensor)
    got = outcome(lenet, lenet.from_numpy, shape, index, as_tensor)
    if got is None or wanted is None:
        taken = got or wanted
        assert taken is None or taken[0].size == 0, f"here {got}, torch {wanted}"
        return  # where nothing is taken, torch lets some indices out of range pass and refuses some empty masks
    assert got[0].shape == wanted[0].shape
    np.testing.assert_array_equal(got[0], wanted[0])
    np.testing.assert_allclose(got[1], wanted[1])


def written(module: Any, make: Any, shape: tuple[int, ...], index: Any, value: Any) -> Any:
    """A tensor after x[index] = value with the gradients of its old and new values, or the refusal."""
    x = make(ramp(shape)).requires_grad_()
    y = x * 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if isinstance(value, np.ndarray):
            value = make(value).requires_grad_()
        if isinstance(index, tuple):
            index = tuple(make(p) if isinstance(p, np.ndarray) else p for p in index)
        try:
            y[index] = value
        except REFUSALS:
            return None
    y.backward(make(np.asarray(np.cos(ramp(shape)))))
    grads = [t.grad for t in (x, value) if isinstance(t, module.Tensor)]
    return [y.detach().numpy(), *(g if g is None else g.numpy() for g in grads)]


@st.composite
def assignments(draw: Any) -> tuple[tuple[int, ...], Any, Any]:
    """Shape, index, and a number or an array that mostly broadcasts to the part."""
    shape, index = draw(expressions())
    if draw(st.booleans()):
        return shape, index, draw(st.sampled_from([5, -0.5, True]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            part = lenet.zeros(shape)[index].shape
        except REFUSALS:
            part = ()
    part = tuple(draw(st.sampled_from([s, s, s, 1, 2])) for s in part)
    part = part[draw(st.integers(0, len(part))) :] if draw(st.booleans()) else (1,) * draw(st.integers(0, 2)) + part
    return shape, index, 100 + ramp(part)


@settings(max_examples=300, deadline=None)
@given(assignments())
def test_writing_any_part_gives_torchs_values_and_gradients(torch: Any, assignment: Any) -> None:
    shape, index, value = assignment
    wanted = written(torch, torch.from_numpy, shape, index, value)
    got = written(lenet, lenet.from_numpy, shape, index, value)
    if got is None or wanted is None:
        result = got or wanted
        assert result is None or (result[0] == ramp(shape)).all(), f"here {got}, torch {wanted}"
        return  # where nothing is written, the one or the other refuses
    for ours, torchs in zip(got, wanted):
        if torchs is not None and torchs.any():
            np.testing.assert_allclose(ours, torchs)
        else:
            assert ours is None or not ours.any()


def test_basic_indexing_gives_views_that_share_memory_and_version() -> None:
    x = lenet.zeros(3, 4)
    for part in (x[1], x[1, 2], x[:, 1:3], x[..., None, 0], x[()], x[:, lenet.tensor(2)]):
        before = x._version
        part.fill_(7.0)
        assert np.shares_memory(part.numpy(), x.numpy())
        assert x._version == part._version == before + 1


def test_advanced_indexing_gives_a_copy() -> None:
    x = lenet.zeros(3, 4)
    for part in (x[[0, 1]], x[x == 0], x[:, lenet.tensor([2])], x[True]):
        assert not np.shares_memory(part.numpy(), x.numpy())


def test_a_row_of_an_index_that_repeats_gets_the_sum_of_gradients() -> None:
    x = lenet.zeros(3, 2, requires_grad=True)
    x[[0, 2, 0, 0]].sum().backward()
    assert x.grad.tolist() == [[3, 3], [0, 0], [1, 1]]


def test_changing_an_index_tensor_later_does_not_change_the_gradient() -> None:
    x = lenet.zeros(3, requires_grad=True)
    at = lenet.tensor([0, 1])
    y = x[at] * lenet.tensor([1.0, 2.0])
    at.fill_(2)
    y.sum().backward()
    assert x.grad.tolist() == [1, 2, 0]


def test_node_names_are_torchs() -> None:
    x = lenet.ones(2, 3, requires_grad=True) * 1
    names = [part.grad_fn.name() for part in (x[0], x[:1], x[None], x[...], x[[0]], x[x > 0])]
    assert names == [f"{n}Backward" for n in ("Select", "Slice", "Unsqueeze", "Alias", "Index", "Index")]
    y = x * 1
    y[0] = 5.0
    assert y.grad_fn.name() == "CopySlices"
    y[[0, 1]] = 5.0
    assert y.grad_fn.name() == "IndexPutBackward"
    assert [node.name() for node, _ in x[1:, 0].grad_fn.next_functions] == ["SliceBackward"]


def test_writing_into_a_leaf_that_requires_gradients_is_refused_outside_no_grad() -> None:
    x = lenet.zeros(3, requires_grad=True)
    for index in (0, [0], x == 0):
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            x[index] = 1.0
    with lenet.no_grad():
        x[0] = 1.0
    assert x.tolist() == [1, 0, 0]


def test_writing_a_value_with_history_into_a_buffer_records_it() -> None:
    w = lenet.tensor(2.0, requires_grad=True)
    buffer = lenet.zeros(3)
    for i in range(3):
        buffer[i] = w * i
    assert buffer.tolist() == [0, 2, 4]
    buffer.sum().backward()
    assert w.grad.item() == 3


def test_writing_changes_the_version_so_that_backward_notices() -> None:
    x = lenet.ones(3, requires_grad=True)
    y = x * 1
    z = y * y
    y[0] = 5.0
    with pytest.raises(RuntimeError, match="modified by an in-place operation"):
        z.sum().backward()


@pytest.mark.parametrize(
    ("index", "error", "message"),
    [
        (3, IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
        ((0, 0, 0), IndexError, "too many indices for tensor of dimension 2"),
        ([5], IndexError, "out of bounds"),
        (np.array([True, False]), IndexError, "shape of the mask"),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        (1.0, IndexError, "only integers, slices"),
        ("a", IndexError, "only integers, slices"),
        (lenet.tensor([0.0]), IndexError, "tensors used as indices must be"),
        (([0, 1], [0, 1, 2]), IndexError, "shape mismatch"),
    ],
)
def test_what_is_no_index_is_refused(index: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        lenet.zeros(3, 4)[index]


@pytest.mark.parametrize(
    ("index", "value", "error", "message"),
    [
        (0, [1.0, 2.0], TypeError, "wanted a number or a tensor, got list"),
        (0, np.ones(4), TypeError, "wanted a number or a tensor, got ndarray"),
        (0, None, TypeError, "got NoneType"),
        (0, lenet.ones(3), RuntimeError, r"value tensor of shape \[3\].*indexing result of shape \[4\]"),
        ([0, 1], lenet.ones(2), RuntimeError, r"value tensor of shape \[2\].*indexing result of shape \[2, 4\]"),
        ([0, 1], lenet.tensor(1), RuntimeError, "dtypes match"),
        (0, 1e300, RuntimeError, "without overflow"),
    ],
)
def test_what_cannot_be_written_is_refused(index: Any, value: Any, error: type[Exception], message: str) -> None:
    x = lenet.zeros(3, 4)
    with pytest.raises(error, match=message):
        x[index] = value
    assert x.sum().item() == 0


def test_numbers_are_written_in_the_tensors_type() -> None:
    x = lenet.zeros(2, dtype=lenet.int64)
    x[0] = 2.7
    x[x == 0] = lenet.tensor(3.9)
    assert x.tolist() == [2, 3]
    with pytest.raises(RuntimeError, match="without overflow"):
        x[0] = float("nan")
    y = lenet.zeros(2, dtype=lenet.uint8)
    y[0] = -1
    assert y.tolist() == [255, 0]
    with pytest.raises(RuntimeError, match="without overflow"):
        y[[0]] = 300


def test_a_list_of_lists_counts_as_a_tuple_with_a_warning() -> None:
    x = lenet.arange(6).reshape(2, 3)
    with pytest.warns(UserWarning, match="non-tuple sequence"):
        assert x[[[0, 1], [2, 0]]].tolist() == [2, 3]


def test_uint8_masks_work_with_a_warning() -> None:
    with pytest.warns(UserWarning, match="please use bool"):
        assert lenet.arange(3)[lenet.tensor([1, 0, 2], dtype=lenet.uint8)].tolist() == [0, 2]


def test_writing_into_an_expanded_tensor_is_refused() -> None:
    with pytest.raises(RuntimeError, match="more than one element"):
        lenet.zeros(1).expand(3)[0] = 1.0


def test_index_put_wants_tensors() -> None:
    with pytest.raises(TypeError, match="indices must be a tuple of tensors"):
        lenet.zeros(3).index_put(([0],), lenet.ones(1))
    with pytest.raises(TypeError, match="values must be a tensor"):
        lenet.zeros(3).index_put((lenet.tensor([0]),), 1.0)
    with pytest.raises(RuntimeError, match="dtypes match"):
        lenet.zeros(3).index_put((lenet.tensor([0]),), lenet.tensor([1]))


def test_index_put_in_place_changes_the_tensor() -> None:
    x = lenet.zeros(3)
    assert x.index_put_((lenet.tensor([1, 1]),), lenet.ones(2), accumulate=True) is x
    assert x.tolist() == [0, 2, 0]
