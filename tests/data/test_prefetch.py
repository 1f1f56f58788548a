"""Batches made in the background: the same ones, and nothing stays behind."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from lenetcli.data import Augmentation, DataLoader, Digits
from lenetcli.data.prefetch import prefetched
from lenetcli.data.row_cache import Kept


def background() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "lenet-prefetch"]


def counted(count: int, seen: list[int]) -> Iterator[int]:
    for i in range(count):
        seen.append(i)
        yield i


def test_the_same_items_come_in_the_same_order() -> None:
    assert list(prefetched(iter(range(1000)))) == list(range(1000))
    assert list(prefetched(iter([]))) == []
    assert background() == []


def test_the_batches_are_those_made_without_it() -> None:
    digits = Digits(augment=Augmentation(flip=True, rotate=10, noise=0.1))
    batches = [
        list(DataLoader(digits.train, 100, shuffle=True, augment=digits.augmenter, prefetch=way).batches(2))
        for way in (True, False)
    ]
    for (x, y), (plain_x, plain_y) in zip(*batches):
        np.testing.assert_array_equal(x.numpy(), plain_x.numpy())
        np.testing.assert_array_equal(y.numpy(), plain_y.numpy())


def test_it_runs_ahead_but_not_away() -> None:
    seen: list[int] = []
    items = prefetched(counted(1000, seen), ahead=2)
    assert next(items) == 0
    time.sleep(0.2)
    assert 3 <= len(seen) <= 4
    items.close()  # type: ignore[attr-defined]
    assert background() == []


def test_an_exception_comes_where_the_item_would_have_come() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("two")

    items = prefetched(broken())
    assert next(items) == 1
    with pytest.raises(KeyError, match="two"):
        next(items)
    assert background() == []


def read_three(items: Iterator[int], end: type[BaseException] | None) -> None:
    for item in items:
        if item == 3:
            if end is not None:
                raise end
            break


@pytest.mark.parametrize("end", [None, RuntimeError, KeyboardInterrupt])
def test_a_reader_that_stops_early_stops_it(end: type[BaseException] | None) -> None:
    seen: list[int] = []
    with pytest.raises(end) if end else nullcontext():
        read_three(prefetched(counted(10_000, seen)), end)
    limit = time.monotonic() + 5
    while background() and time.monotonic() < limit:
        time.sleep(0.01)
    assert background() == []
    assert len(seen) < 10


def test_it_is_on_only_where_it_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    from lenetcli.data import loader

    started: list[Any] = []
    monkeypatch.setattr(loader, "prefetched", lambda items: started.append(1) or items)
    plain, changed = Digits(), Digits(augment=Augmentation(flip=True))
    list(DataLoader(plain.train, 500).batches(0))
    assert not started
    list(DataLoader(changed.train, 500, augment=changed.augmenter).batches(0))
    assert len(started) == 1
    list(DataLoader(changed.train, 500, augment=changed.augmenter, prefetch=False).batches(0))
    assert len(started) == 1


def test_rows_are_made_once_where_they_fit_and_anew_where_not() -> None:
    for most, times in ((1 << 20, 1), (0, 2)):
        made: list[int] = []

        def make(at: np.ndarray, made: list[int] = made) -> np.ndarray:
            made.extend(at.tolist())
            return at[:, None] * 10

        rows = Kept(make, (6, 1), np.int64, most)
        order = np.array([4, 0, 2])
        assert rows[order].ravel().tolist() == [40, 0, 20]
        assert rows[:].ravel().tolist() == [0, 10, 20, 30, 40, 50]
        assert rows[5].tolist() == [50]
        assert made.count(4) == times
        assert rows.complete is (times == 1)
        assert (len(rows), rows.ndim, rows.shape) == (6, 2, (6, 1))
