"""Holding back a share of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.data import Digits, hold_back


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6).filter(lambda sizes: sum(sizes) > 1),
    share=st.floats(0.001, 0.999),
    seed=st.integers(0, 2**64),
)
def test_both_parts_make_the_whole_and_every_class_gives_its_share(sizes: list[int], share: float, seed: int) -> None:
    targets = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    stay, held = hold_back(None, targets, share, seed)
    assert sorted([*stay.indices, *held.indices]) == list(range(len(targets)))
    assert len(stay) >= 1
    assert len(held) >= 1
    assert (np.diff(stay.indices) > 0).all()
    assert (np.diff(held.indices) > 0).all()
    taken = np.bincount(targets[held.indices], minlength=len(sizes))
    if max(sizes) > 1:
        assert (taken <= np.maximum(np.array(sizes) - 1, 0)).all()
        assert (np.abs(taken - np.array(sizes) * share) <= 1.0 + 1e-9).all() or len(held) == 1
    again = hold_back(None, targets, share, seed)
    assert (again[1].indices == held.indices).all()


def test_another_seed_holds_back_others() -> None:
    digits = Digits().train
    first, second = (hold_back(digits, digits.targets, 0.2, seed)[1] for seed in (0, 1))
    assert len(first) == len(second) == 288
    assert set(first.indices.tolist()) != set(second.indices.tolist())


def test_targets_that_are_no_classes_are_one_class() -> None:
    stay, held = hold_back(None, np.zeros((10, 3), np.float32), 0.3)
    assert (len(stay), len(held)) == (7, 3)


def test_one_sample_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="a data set of 1 samples cannot be split"):
        hold_back(None, np.zeros(1, np.int64), 0.5)
