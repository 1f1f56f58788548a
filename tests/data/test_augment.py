"""Augmentation: what it does, and that it follows from seed, epoch and sample alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lenetcli.data import Augmentation, DataLoader, Digits
from lenetcli.data.augment import Augmenter
from lenetcli.data.sample_random import Chance
from lenetcli.data.transforms import Preprocessing
from lenetcli.errors import ConfigError

EVERYTHING = Augmentation(
    flip=True, crop=1, rotate=10, shift=1.5, scale=0.1, squeeze=0.1, shear=5, noise=0.1, cutout=3, brightness=0.2,
    contrast=0.2, saturation=0.2, erase=0.3,
)  # fmt: skip


def pictures(count: int = 40, channels: int = 1, size: int = 9) -> np.ndarray:
    return np.random.default_rng(0).random((count, channels, size, size), dtype=np.float32)


def changed(images: np.ndarray, epoch: int = 0, **changes: Any) -> np.ndarray:
    return Augmenter(Augmentation(**changes))(images, np.arange(len(images)), 0, epoch)


@settings(deadline=None, max_examples=25)
@given(order=st.permutations(range(12)), size=st.integers(1, 12), seed=st.integers(-3, 2**70), epoch=st.integers(0, 9))
def test_a_sample_is_changed_alike_in_whichever_batch_it_comes(
    order: list[int], size: int, seed: int, epoch: int
) -> None:
    images, augmenter = pictures(12, 3), Augmenter(EVERYTHING, Preprocessing(1 / 255, None, ((0.5, 0.4, 0.3), 0.2)))
    whole = augmenter(images, np.arange(12), seed, epoch)
    for start in range(0, 12, size):
        samples = np.array(order[start : start + size])
        np.testing.assert_array_equal(augmenter(images[samples], samples, seed, epoch), whole[samples])


def test_epochs_seeds_and_samples_differ() -> None:
    same = np.repeat(pictures(1), 3, axis=0)
    augmenter, samples = Augmenter(EVERYTHING), np.arange(3)
    first = augmenter(same, samples, 0, 0)
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first, augmenter(same, samples, 0, 1))
    assert not np.array_equal(first, augmenter(same, samples, 1, 0))


@pytest.mark.parametrize("prefetch", [False, True])
def test_an_epoch_taken_up_in_its_middle_is_the_same(prefetch: bool) -> None:
    digits = Digits(augment=EVERYTHING)

    def loader() -> DataLoader:
        return DataLoader(digits.train, 64, shuffle=True, seed=5, augment=digits.augmenter, prefetch=prefetch)

    whole = [x.numpy() for x, _ in loader().batches(3)]
    for start in (0, 7, len(whole) - 1):
        for found, expected in zip(loader().batches(3, start), whole[start:]):
            np.testing.assert_array_equal(found[0].numpy(), expected)


def test_only_the_training_pictures_change() -> None:
    plain, digits = Digits(), Digits(augment=EVERYTHING)
    np.testing.assert_array_equal(plain.test.gather(np.arange(5))[0], digits.test.gather(np.arange(5))[0])
    np.testing.assert_array_equal(plain.train.gather(np.arange(5))[0], digits.train.gather(np.arange(5))[0])
    assert plain.augmenter is None


def test_nothing_asked_for_changes_nothing() -> None:
    np.testing.assert_array_equal(changed(pictures()), pictures())


def test_about_half_are_mirrored_and_none_is_changed_else() -> None:
    images = pictures(400)
    found = changed(images, flip=True)
    mirrored = (found == images[..., ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (found == images).all(axis=(1, 2, 3))).all()
    assert 150 < mirrored.sum() < 250


def test_crop_moves_by_every_number_of_whole_pixels() -> None:
    images = np.zeros((400, 1, 9, 9), np.float32)
    images[:, :, 4, 4] = 1
    found = changed(images, crop=2)
    assert set(np.unique(found)) == {0.0, 1.0}
    places = np.argwhere(found[:, 0] == 1)[:, 1:]
    assert {tuple(p) for p in (places - 4).tolist()} == {(r, c) for r in range(-2, 3) for c in range(-2, 3)}


def test_shift_stays_within_its_range_and_keeps_the_sum() -> None:
    images = np.zeros((400, 1, 15, 15), np.float32)
    images[:, :, 7, 7] = 1
    found = changed(images, shift=2.5)[:, 0]
    np.testing.assert_allclose(found.sum(axis=(1, 2)), 1, atol=1e-5)
    middle = np.einsum("nrc,r->n", found, np.arange(15)) - 7
    assert np.abs(middle).max() <= 2.5
    assert np.abs(middle).max() > 2.3


def test_rotation_turns_about_the_middle() -> None:
    images = np.zeros((200, 1, 21, 21), np.float32)
    images[:, :, 10, 18] = 1  # 8 to the right of the middle
    found = changed(images, rotate=30)[:, 0]
    rows, columns = np.meshgrid(np.arange(21) - 10, np.arange(21) - 10, indexing="ij")
    total = found.sum(axis=(1, 2))
    r, c = (found * rows).sum(axis=(1, 2)) / total, (found * columns).sum(axis=(1, 2)) / total
    np.testing.assert_allclose(np.hypot(r, c), 8, atol=0.3)
    angle = np.rad2deg(np.arctan2(r, c))
    assert 27 < np.abs(angle).max() < 31
    assert angle.min() < -20
    assert angle.max() > 20


def test_what_comes_from_outside_is_black_and_noise_is_in_units_of_pixels() -> None:
    steps = Preprocessing(1 / 255, None, (0.5, 0.25))
    white = steps(np.full((300, 1, 8, 8), 255, np.uint8))
    moved = Augmenter(Augmentation(crop=3), steps)(white, np.arange(300), 0, 0)
    np.testing.assert_allclose(np.unique(moved), [-2.0, 2.0])
    noise = Augmenter(Augmentation(noise=0.1), steps)(white, np.arange(300), 0, 0) - white
    assert abs(noise.std() - 0.4) < 0.01
    assert abs(noise.mean()) < 0.02


def test_cutout_makes_one_square_the_mean() -> None:
    found = changed(np.ones((300, 2, 12, 12), np.float32), cutout=4)
    sizes = (found == 0).sum(axis=(2, 3))
    np.testing.assert_array_equal(sizes[:, 0], sizes[:, 1])
    assert sizes.max() == 16
    assert sizes.min() >= 4  # at the border a part of it lies outside


def test_memory_stays_batch_last_and_the_pictures_given_stay_as_they_are() -> None:
    for changes in ({"flip": True}, {"rotate": 5.0}, {"noise": 0.1}, {"cutout": 2}):
        images = Preprocessing()(pictures())
        before = images.copy()
        found = changed(images, **changes)
        assert np.moveaxis(found, 0, -1).flags.c_contiguous
        assert found.dtype == np.float32
        np.testing.assert_array_equal(images, before)


@pytest.mark.parametrize(
    "changes", [{"crop": -1}, {"rotate": 181}, {"scale": 1}, {"noise": float("nan")}, {"cutout": 10**6}]
)
def test_values_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=f"augment.{next(iter(changes))}: wanted 0 to"):
        Augmentation(**changes)


def test_the_numbers_of_a_sample_are_spread_evenly_and_do_not_depend_on_each_other() -> None:
    chance = Chance(0, 0, np.arange(20_000))
    draws = np.stack([chance.uniform(slot) for slot in range(6)])
    assert draws.min() >= 0
    assert draws.max() < 1
    np.testing.assert_allclose(draws.mean(axis=1), 0.5, atol=0.01)
    np.testing.assert_allclose(np.corrcoef(draws), np.eye(6), atol=0.03)
    after = np.corrcoef(draws[0, :-1], draws[0, 1:])[0, 1]
    assert abs(after) < 0.03
    normal = chance.normal(7)
    np.testing.assert_allclose(np.cov(normal), np.eye(7), atol=0.05)
    assert abs(float((normal**4).mean()) - 3) < 0.1
    np.testing.assert_array_equal(Chance(0, 0, np.array([9])).normal(7)[:, 0], normal[:, 9])


def test_brightness_and_contrast_change_values_by_a_factor_around_black_and_the_mean() -> None:
    steps = Preprocessing(1 / 255, None, ((0.5, 0.4, 0.3), 0.2))
    plain = (pictures(300, 3) * 100 + 50).round().astype(np.uint8)
    units = plain / 255
    seen = steps(plain)

    def found(**changes: Any) -> np.ndarray:
        after = Augmenter(Augmentation(**changes), steps)(seen.copy(), np.arange(300), 0, 0)
        black, unit = steps.black_and_unit(3)
        return np.asarray((after - black[:, None, None]) / unit[:, None, None], np.float64)

    factor = (found(brightness=0.3) / units).reshape(300, -1)
    assert np.ptp(factor, axis=1).max() < 1e-4
    assert (factor.min(), factor.max()) == pytest.approx((0.7, 1.3), abs=0.02)
    mean = units.mean(axis=(1, 2, 3), keepdims=True)
    around = (found(contrast=0.3) - mean).reshape(300, -1)
    slope = (around * (units - mean).reshape(300, -1)).sum(axis=1) / ((units - mean) ** 2).reshape(300, -1).sum(axis=1)
    assert (slope.min(), slope.max()) == pytest.approx((0.7, 1.3), abs=0.02)
    gray = np.tensordot([0.299, 0.587, 0.114], units, (0, 1))
    after = np.tensordot([0.299, 0.587, 0.114], found(saturation=0.5), (0, 1))
    np.testing.assert_allclose(after, gray, atol=1e-5)
    strong = found(brightness=1)
    assert (strong.min(), strong.max()) == pytest.approx((0, 1), abs=0.01)
    one = pictures(5)
    np.testing.assert_allclose(changed(one, saturation=0.5), one)


def test_erasing_takes_a_rectangle_within_the_picture_every_other_time() -> None:
    found = changed(np.ones((600, 2, 20, 30), np.float32), erase=0.3)
    empty = found[:, 0] == 0
    np.testing.assert_array_equal(empty, found[:, 1] == 0)
    gone = empty.any(axis=(1, 2))
    assert 250 < gone.sum() < 350
    shares = empty[gone].mean(axis=(1, 2))
    assert shares.min() > 0.01
    assert 0.25 < shares.max() < 0.33
    for picture in empty[gone][:50]:
        rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        assert picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
