"""Tensors print as torch's do, to the character (the digit at the end of grad_fn names aside)."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import lenetcli as lenet

KINDS = [np.float32, np.float64, np.float16, np.int64, np.int32, np.uint8, np.bool_]


def torch_text(torch: Any, array: np.ndarray, requires_grad: bool = False) -> str:
    tensor = torch.from_numpy(array.copy())
    return re.sub(r"Backward\d+>", "Backward>", repr(tensor.requires_grad_() if requires_grad else tensor))


def text(array: np.ndarray, requires_grad: bool = False) -> str:
    tensor = lenet.from_numpy(array.copy())
    return repr(tensor.requires_grad_() if requires_grad else tensor)


@st.composite
def arrays_of_numbers(draw: Any) -> np.ndarray:
    kind = draw(st.sampled_from(KINDS))
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=9))
    if np.issubdtype(kind, np.floating):
        tidy = st.integers(-2000, 2000).map(lambda n: kind(n / 8))
        any_number = arrays.from_dtype(np.dtype(kind))
        whole = st.integers(-99, 10**4).map(kind)
        elements = draw(st.sampled_from([tidy, any_number, whole]))
    else:
        elements = arrays.from_dtype(np.dtype(kind))
    return draw(arrays.arrays(kind, shape, elements=elements))


@settings(max_examples=400, deadline=None)
@given(arrays_of_numbers())
def test_any_array_prints_as_in_torch(torch: Any, array: np.ndarray) -> None:
    assert text(array) == torch_text(torch, array)


@settings(max_examples=60, deadline=None)
@given(
    arrays.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=40),
    st.sampled_from([1e-6, 0.01, 1.0, 100.0, 1e9]),
    st.booleans(),
)
def test_normal_numbers_of_any_size_print_as_in_torch(
    torch: Any, shape: tuple[int, ...], scale: float, requires_grad: bool
) -> None:
    array = (np.random.default_rng(0).standard_normal(shape) * scale).astype(np.float32)
    assert text(array, requires_grad) == torch_text(torch, array, requires_grad)


def test_long_tensors_show_their_edges(torch: Any) -> None:
    for shape in [(1000,), (1001,), (7, 200), (2, 3, 400), (6, 6, 40), (1200, 1), (7, 1, 300)]:
        array = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
        assert text(array) == torch_text(torch, array)


def test_results_of_operations_name_their_node(torch: Any) -> None:
    for make in (
        lambda t: t.ones(2, requires_grad=True) + 1,
        lambda t: (t.ones(3, 30, requires_grad=True) * 1.5).sum(),
        lambda t: t.ones(3, 30, requires_grad=True) * 1.5,
        lambda t: t.ones(2, 0, requires_grad=True).exp(),
        lambda t: t.ones(2, dtype=t.float64, requires_grad=True).exp(),
    ):
        ours, theirs = repr(make(lenet)), repr(make(torch))
        assert "".join(ours.split()) == "".join(re.sub(r"Backward\d+>", "Backward>", theirs).split())


def test_a_tensor_prints_without_torch() -> None:
    assert repr(lenet.tensor([[1.0, 2.0], [3.0, 4.0]])) == "tensor([[1., 2.],\n        [3., 4.]])"
    assert repr(lenet.tensor(0.001)) == "tensor(0.0010)"
    assert repr(lenet.tensor([1e-5, 1.0])) == "tensor([1.0000e-05, 1.0000e+00])"
    assert repr(lenet.zeros(0, 3)) == "tensor([], size=(0, 3))"
    assert repr(lenet.tensor([True, False])) == "tensor([ True, False])"
    assert repr(lenet.tensor([1], dtype=lenet.int32)) == "tensor([1], dtype=torch.int32)"
    assert repr(lenet.ones(1, requires_grad=True)) == "tensor([1.], requires_grad=True)"
    assert repr(lenet.nn.Parameter(lenet.zeros(2))) == "Parameter containing:\ntensor([0., 0.], requires_grad=True)"
    assert repr(lenet.ones(2, 3).shape) == "torch.Size([2, 3])"
    assert repr(lenet.float32) == "torch.float32"


def test_print_options_change_the_text_and_default_restores_it(torch: Any) -> None:
    array = np.random.default_rng(0).standard_normal((3, 50)).astype(np.float32)
    for options in (
        {"precision": 2},
        {"threshold": 10, "edgeitems": 2},
        {"linewidth": 40},
        {"sci_mode": True},
        {"profile": "short"},
        {"profile": "full", "sci_mode": False},
    ):
        for library in (lenet, torch):
            library.set_printoptions(**options)
        try:
            assert text(array) == torch_text(torch, array)
        finally:
            for library in (lenet, torch):
                library.set_printoptions(profile="default")
    with pytest.raises(ValueError, match="profile must be one of default, short, full, got 'long'"):
        lenet.set_printoptions(profile="long")
