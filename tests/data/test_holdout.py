"""Holding back a share of the data."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lenetcli.data import ArrayDataset, Digits, Subset, hold_back
from lenetcli.data.holdout import fair_sample


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


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=8),
    share=st.floats(0.01, 1),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_fair_sample_has_of_each_class_its_share(sizes: list[int], share: float, seed: int) -> None:
    targets = np.repeat(np.arange(len(sizes)), sizes)  # class by class, as a folder gives them
    data = ArrayDataset(np.zeros((len(targets), 1, 1, 1)), targets)
    count = max(1, round(len(targets) * share))
    found = fair_sample(data, count, seed)
    assert len(found) == count
    assert (np.diff(found.indices) > 0).all()
    taken = np.bincount(targets[found.indices], minlength=len(sizes))
    assert (taken <= sizes).all()
    assert (np.abs(taken - np.array(sizes) * count / len(targets)) < 1 + 1e-9).all()
    assert (fair_sample(data, count, seed).indices == found.indices).all()
    half = Subset(data, range(0, len(targets), 2))
    inner = fair_sample(half, 1 + len(half) // 2, seed)
    assert len(set(inner.indices.tolist())) == len(inner) == 1 + len(half) // 2


def test_a_fair_sample_of_what_has_no_classes_is_drawn_of_all_alike() -> None:
    for data in (ArrayDataset(np.zeros((50, 1, 1, 1)), np.zeros((50, 2), np.float32)), list(range(50))):
        found = fair_sample(data, 20, 3).indices
        assert len(found) == 20
        assert found.max() > 30 > 10 > found.min()
