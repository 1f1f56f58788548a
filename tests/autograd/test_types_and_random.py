"""Type promotion, element types, random streams."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.autograd import dtypes
from lenetcli.autograd.random import Generator


def test_promotion_is_torchs_for_every_pair(torch: Any) -> None:
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        expected = torch.promote_types(getattr(torch, a.name), getattr(torch, b.name))
        assert str(lenet.promote_types(a, b)) == str(expected), (a, b)


def test_results_of_mixed_operands_have_torchs_type(torch: Any) -> None:
    values = [True, 2, 2.5]
    for a, b in itertools.product(dtypes.ALL, repeat=2):
        for shape_a, shape_b in itertools.product([(), (2,)], repeat=2):
            ours = lenet.ones(*shape_a, dtype=a) * lenet.ones(*shape_b, dtype=b)
            theirs = torch.ones(shape_a, dtype=getattr(torch, a.name)) * torch.ones(
                shape_b, dtype=getattr(torch, b.name)
            )
            assert str(ours.dtype) == str(theirs.dtype), (a, shape_a, b, shape_b)
        for value in values:
            ours, theirs = lenet.ones(2, dtype=a) * value, torch.ones(2, dtype=getattr(torch, a.name)) * value
            assert str(ours.dtype) == str(theirs.dtype), (a, value)


def test_the_default_dtype_can_be_changed() -> None:
    lenet.set_default_dtype(lenet.float64)
    try:
        assert lenet.zeros(1).dtype is lenet.float64
        assert lenet.tensor(0.5).dtype is lenet.float64
    finally:
        lenet.set_default_dtype(lenet.float32)
    with pytest.raises(TypeError, match="floating-point"):
        lenet.set_default_dtype(lenet.int64)


def test_types_without_counterpart_are_refused() -> None:
    with pytest.raises(TypeError, match="complex"):
        lenet.from_numpy(np.zeros(1, np.complex64))


def test_same_seed_same_numbers_and_states_can_be_kept() -> None:
    lenet.manual_seed(3)
    first = lenet.randn(4).tolist()
    state = lenet.get_rng_state()
    second = lenet.randn(4).tolist()
    lenet.set_rng_state(state)
    assert lenet.randn(4).tolist() == second
    lenet.manual_seed(3)
    assert lenet.randn(4).tolist() == first
    assert first != second


def test_a_generator_is_a_stream_of_its_own() -> None:
    lenet.manual_seed(0)
    expected = lenet.rand(3).tolist()
    lenet.manual_seed(0)
    lenet.rand(3, generator=Generator().manual_seed(7))
    assert lenet.rand(3).tolist() == expected


def test_a_seed_must_be_an_integer() -> None:
    with pytest.raises(TypeError, match="integer"):
        lenet.manual_seed(0.5)  # type: ignore[arg-type]
