"""Which class was taken for which: the pairs that occur are those of the matrix."""

from __future__ import annotations

import numpy as np
import pytest

from lenetcli.errors import LenetError
from lenetcli.train import confusion
from lenetcli.train.confusion import Confusion, ConfusionTally


@pytest.mark.parametrize("pending", [1, 7, 1 << 16])
@pytest.mark.parametrize("classes", [1, 3, 50])
def test_the_pairs_are_those_of_the_matrix(monkeypatch: pytest.MonkeyPatch, classes: int, pending: int) -> None:
    monkeypatch.setattr(confusion, "PENDING", pending)
    random = np.random.default_rng(0)
    dense, tally = np.zeros((classes, classes), np.int64), ConfusionTally(classes)
    for size in (5, 0, 1, 40):
        actual, predicted = random.integers(0, classes, (2, size))
        np.add.at(dense, (actual, predicted), 1)
        tally.add(actual, predicted)
    found = tally.confusion
    np.testing.assert_array_equal(found.matrix(), dense)
    np.testing.assert_array_equal(found.right, dense.diagonal())
    np.testing.assert_array_equal(found.actual, dense.sum(axis=1))
    np.testing.assert_array_equal(found.taken, dense.sum(axis=0))
    wrong = sorted(
        ((i, j, int(n)) for (i, j), n in np.ndenumerate(dense) if n and i != j), key=lambda w: (-w[2], w[0], w[1])
    )
    assert found.mistaken == wrong
    assert found.record() == dense.tolist()


def test_outputs_beyond_the_classes_of_the_data_are_counted_too() -> None:
    tally = ConfusionTally(2)
    tally.add(np.array([0, 1]), np.array([4, 1]))
    assert tally.confusion.matrix().shape == (5, 5)


def test_no_sample_makes_a_matrix_of_zeros() -> None:
    found = ConfusionTally(3).confusion
    assert (found.matrix() == 0).all()
    assert found.mistaken == []


def test_a_matrix_that_no_memory_holds_is_refused_in_words() -> None:
    entry = np.array([99_999])
    found = Confusion(100_000, entry, entry, np.array([1]))
    with pytest.raises(LenetError, match="100,000 classes has 10,000,000,000 numbers"):
        found.matrix()
    assert found.record() == {"classes": 100_000, "entries": [[99_999, 99_999, 1]]}
