"""The embedding layer against torch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import nn
from lenetcli.errors import ShapeError
from tests.nn.parity import assert_close, assert_same_training, pair
from tests.ops.sample import normal

INDEX = np.array([[1, 4, 1, 2], [0, 4, 1, 3]])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 1},
        {"padding_idx": -1},
        {"scale_grad_by_freq": True},
        {"max_norm": 1.0},
        {"max_norm": 0.5, "norm_type": 1.0, "padding_idx": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 4), (8,), (2, 2, 2)])
def test_training_equals_torch(torch: Any, options: dict[str, Any], shape: tuple[int, ...]) -> None:
    assert_same_training(torch, lambda n: n.Embedding(5, 3, **options), INDEX.reshape(shape))


def test_int32_indices_work() -> None:
    layer = nn.Embedding(5, 3)
    index = lenet.tensor(INDEX)
    assert bool((layer(index.to(lenet.int32)) == layer(index)).all())


def test_the_padding_row_starts_at_zero_and_stays_there() -> None:
    layer = nn.Embedding(5, 3, padding_idx=2)
    assert layer.weight[2].tolist() == [0, 0, 0]
    layer(lenet.tensor([2, 2, 1])).sum().backward()
    assert layer.weight.grad[2].tolist() == [0, 0, 0]
    assert layer.weight.grad[1].tolist() == [1, 1, 1]


def test_a_given_table_is_shared_and_frozen_unless_asked(torch: Any) -> None:
    table = normal(5, 3)
    ours, theirs = lenet.tensor(table), torch.tensor(table)
    frozen = nn.Embedding.from_pretrained(ours, padding_idx=1)
    twin = torch.nn.Embedding.from_pretrained(theirs, padding_idx=1)
    assert repr(frozen) == repr(twin)
    assert not frozen.weight.requires_grad
    assert nn.Embedding.from_pretrained(ours, freeze=False).weight.requires_grad
    assert_close(frozen(lenet.tensor(INDEX)), twin(torch.tensor(INDEX)), 0)
    assert np.shares_memory(frozen.weight.numpy(), ours.numpy())


def test_it_starts_normal() -> None:
    lenet.manual_seed(0)
    weight = nn.Embedding(200, 50).weight.detach().numpy()
    assert abs(weight.mean()) < 0.05
    assert abs(weight.std() - 1) < 0.05


def test_doubles_stay_doubles(torch: Any) -> None:
    ours, theirs = pair(torch, lambda n: n.Embedding(5, 3, dtype=torch.float64 if n is torch.nn else lenet.float64))
    assert_close(ours(lenet.tensor(INDEX)), theirs(torch.tensor(INDEX)), 0)


@pytest.mark.parametrize("index", [5, -1])
def test_an_index_outside_of_the_table_is_refused(index: int) -> None:
    with pytest.raises(IndexError, match="5 rows"):
        nn.Embedding(5, 3)(lenet.tensor([0, index]))


def test_arguments_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError, match="int64"):
        nn.Embedding(5, 3)(lenet.ones(2))
    with pytest.raises(ShapeError, match="2-D"):
        F.embedding(lenet.tensor([0]), lenet.ones(3))
    for make in (
        lambda: nn.Embedding(5, 3, sparse=True),
        lambda: F.embedding(lenet.tensor([0]), lenet.ones(2, 2), sparse=True),
    ):
        with pytest.raises(NotImplementedError, match="sparse"):
            make()
    for padding in (5, -6):
        with pytest.raises(ValueError, match="padding_idx"):
            nn.Embedding(5, 3, padding_idx=padding)
    with pytest.raises(ValueError, match="2-dimensional"):
        nn.Embedding.from_pretrained(lenet.ones(3))
    with pytest.raises(ValueError, match="_weight"):
        nn.Embedding(5, 3, _weight=lenet.ones(3, 3))


def test_one_hot_refuses_what_has_no_class() -> None:
    for index, classes in (([-1], -1), ([3], 3), ([0], 0)):
        with pytest.raises(RuntimeError, match="class values"):
            F.one_hot(lenet.tensor(index), classes)
    with pytest.raises(RuntimeError, match="int64"):
        F.one_hot(lenet.ones(2))
    with pytest.raises(RuntimeError, match="empty"):
        F.one_hot(lenet.zeros(0, dtype=lenet.int64))
    assert F.one_hot(lenet.zeros(0, dtype=lenet.int64), 3).shape == (0, 3)


def test_bags_that_are_for_another_package_are_refused() -> None:
    table, bags = lenet.ones(5, 3), lenet.tensor([[1, 4], [0, 1]])
    for options, kind, words in (
        ({"scale_grad_by_freq": True}, NotImplementedError, "use embedding and sum"),
        ({"sparse": True}, NotImplementedError, "gradients are dense"),
        ({"per_sample_weights": lenet.ones(2, 2)}, NotImplementedError, "only supported for mode='sum'"),
        ({"per_sample_weights": lenet.ones(4), "mode": "sum"}, ValueError, "same shape as the input"),
        ({"scale_grad_by_freq": True, "mode": "max"}, ValueError, "max mode does not support"),
        ({"padding_idx": 5}, ValueError, "within the 5 rows"),
    ):
        with pytest.raises(kind, match=words):
            F.embedding_bag(bags, table, **options)
    for offsets, words in (([0, 3, 2], "must not go down"), ([], "at least 1")):
        with pytest.raises(RuntimeError, match=words):
            F.embedding_bag(bags.reshape(-1), table, lenet.tensor(offsets, dtype=lenet.int64), include_last_offset=True)
    with pytest.raises(IndexError, match="out of range"):
        F.embedding_bag(bags + 4, table)
    with pytest.raises(NotImplementedError, match="use Embedding and sum"):
        nn.EmbeddingBag(5, 3, scale_grad_by_freq=True)
