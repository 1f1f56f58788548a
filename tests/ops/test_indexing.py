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


@settings(max_examples=600, deadline=None)
@given(expressions(), st.booleans())
def test_reading_any_part_gives_torchs_values_and_gradients(expression: Any, as_tensor: bool) -> None:
    torch = pytest.importorskip("torch")
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


@settings(max_examples=600, deadline=None)
@given(assignments())
def test_writing_any_part_gives_torchs_values_and_gradients(assignment: Any) -> None:
    torch = pytest.importorskip("torch")
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
