"""Loaders: order, resuming, memory format; transforms; data sets beside the sources."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import lenetcli as lenet
from lenetcli.data import ArrayDataset, DataLoader, Digits, Subset, TensorDataset, random_split
from lenetcli.data.transforms import Preprocessing, resize
from lenetcli.errors import ConfigError, DataError


def numbered(count: int) -> TensorDataset:
    return TensorDataset(lenet.arange(count))


def seen(loader: DataLoader, epoch: int, start: int = 0) -> list[list[int]]:
    return [batch[0].tolist() for batch in loader.batches(epoch, start)]


@settings(deadline=None)
@given(
    count=st.integers(1, 40),
    size=st.integers(1, 12),
    epoch=st.integers(0, 5),
    seed=st.integers(-3, 2**70),
    drop=st.booleans(),
    shuffle=st.booleans(),
    data=st.data(),
)
def test_an_epoch_is_complete_repeatable_and_resumable(
    count: int, size: int, epoch: int, seed: int, drop: bool, shuffle: bool, data: st.DataObject
) -> None:
    def loader() -> DataLoader:
        return DataLoader(numbered(count), size, shuffle=shuffle, drop_last=drop, seed=seed)

    batches = seen(loader(), epoch)
    assert len(batches) == len(loader())
    flat = [sample for batch in batches for sample in batch]
    assert len(set(flat)) == len(flat)
    assert len(flat) == (count // size * size if drop else count)
    start = data.draw(st.integers(0, len(batches)))
    assert seen(loader(), epoch, start) == batches[start:]


def test_epochs_and_seeds_differ() -> None:
    loader = DataLoader(numbered(50), 50, shuffle=True)
    assert seen(loader, 0) != seen(loader, 1)
    assert seen(loader, 0) != seen(DataLoader(numbered(50), 50, shuffle=True, seed=1), 0)
    assert [b[0].tolist() for b in loader] == seen(loader, 0)
    assert [b[0].tolist() for b in loader] == seen(loader, 1)


def test_batches_of_images_lie_batch_last() -> None:
    inputs, targets = next(DataLoader(Digits().train, 16).batches(0))
    assert inputs.shape == (16, 1, 8, 8)
    assert np.moveaxis(inputs.numpy(), 0, -1).flags.c_contiguous
    assert inputs.dtype is lenet.float32
    assert targets.dtype is lenet.int64


def test_a_plain_data_set_is_stacked() -> None:
    class Squares:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
            return np.full((1, 2, 2), index, np.float32), index**2

    batches = list(DataLoader(Squares(), 3).batches(0))
    assert batches[1][0].shape == (2, 1, 2, 2)
    assert batches[1][1].tolist() == [9, 16]


@pytest.mark.parametrize("size", [0, -1, True, 2.0])
def test_a_batch_size_must_be_a_positive_integer(size: object) -> None:
    with pytest.raises(ValueError, match="batch_size should be a positive integer"):
        DataLoader(numbered(3), size)  # type: ignore[arg-type]


def test_subsets_and_splits() -> None:
    parts = random_split(numbered(10), [7, 3], lenet.Generator().manual_seed(1))
    together = [t.item() for part in parts for (t,) in (part[i] for i in range(len(part)))]
    assert sorted(together) == list(range(10))
    assert seen(DataLoader(Subset(numbered(10), [4, 2, 9]), 2), 0) == [[4, 2], [9]]
    with pytest.raises(ValueError, match="does not equal the length"):
        random_split(numbered(10), [7, 4])


def test_images_and_targets_must_belong_together() -> None:
    with pytest.raises(DataError, match="2 images but 3 targets"):
        ArrayDataset(np.zeros((2, 1, 2, 2)), np.zeros(3))
    with pytest.raises(DataError, match="wanted images"):
        ArrayDataset(np.zeros((2, 2)), np.zeros(2))


@pytest.mark.parametrize("size", [(32, 32), (14, 20), (7, 55), (28, 28), (1, 1)])
def test_resize_equals_torch(torch: Any, size: tuple[int, int]) -> None:
    x = np.random.default_rng(0).random((3, 2, 28, 28)).astype(np.float32)
    expected = torch.nn.functional.interpolate(torch.tensor(x), size, mode="bilinear", align_corners=False)
    np.testing.assert_allclose(resize(x, size), expected.numpy(), atol=1e-5)


def test_preprocessing_scales_resizes_and_normalises() -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 6, 6)).astype(np.uint8)
    mean, std = (0.1, 0.2, 0.3), (0.5, 0.6, 0.7)
    found = Preprocessing(1 / 255, (9, 5), (mean, std))(x)
    expected = resize(x / 255, (9, 5)) - np.reshape(mean, (3, 1, 1))
    np.testing.assert_allclose(found, expected / np.reshape(std, (3, 1, 1)), atol=1e-5)
    assert x.dtype == np.uint8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"resize": (0, 4)}, "resize: wanted"),
        ({"normalize": (0.0, 0.0)}, "std must be positive"),
        ({"normalize": (0.0,)}, "wanted \\[mean, std\\]"),
    ],
)
def test_preprocessing_refuses_what_cannot_work(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Preprocessing(**arguments)  # type: ignore[arg-type]


def test_normalisation_needs_a_number_per_channel() -> None:
    with pytest.raises(ConfigError, match="mean has 2 numbers for 3 channels"):
        Preprocessing(normalize=((0.1, 0.2), 1.0))(np.zeros((1, 3, 2, 2)))


@pytest.mark.parametrize("parts", [1, 2, 3, 5])
def test_the_parts_of_a_batch_make_the_whole(parts: int) -> None:
    def loader(part: int) -> DataLoader:
        return DataLoader(TensorDataset(lenet.arange(22)), 10, shuffle=True, seed=3, part=(part, parts))

    whole = [x.tolist() for (x,) in DataLoader(TensorDataset(lenet.arange(22)), 10, shuffle=True, seed=3)]
    shares = [[x.tolist() for (x,) in loader(part)] for part in range(parts)]
    assert [[sample for share in batch for sample in share] for batch in zip(*shares)] == whole
    for batch in zip(*shares):
        sizes = [len(share) for share in batch]
        assert max(sizes) - min(sizes) <= 1
