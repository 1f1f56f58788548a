"""Attention: what its samples do not say. Values and refusals are torch 2.13's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F

attention = F.scaled_dot_product_attention


def ones(*shape: int) -> Any:
    return lenet.ones(*shape)


@pytest.mark.parametrize(
    ("steps", "keys", "wanted"),
    [(2, 3, [[1, 0, 0], [0.5, 0.5, 0]]), (3, 2, [[1, 0], [0.5, 0.5], [0.5, 0.5]])],
)
def test_the_causal_mask_begins_at_the_upper_left(steps: int, keys: int, wanted: Any) -> None:
    y = attention(lenet.zeros(steps, 2), lenet.zeros(keys, 2), lenet.eye(keys), is_causal=True)
    assert y.tolist() == wanted


@pytest.mark.parametrize("mask", [lenet.zeros(1, 2).bool(), lenet.full((1, 2), -float("inf"))], ids=["bool", "float"])
def test_a_query_that_no_key_counts_for_gives_zeros_and_no_gradient(mask: Any) -> None:
    q, k, v = (lenet.randn(2, 3, requires_grad=True) for _ in range(3))
    y = attention(q[:1], k, v, mask)
    y.sum().backward()
    assert y.tolist() == [[0.0, 0.0, 0.0]]
    assert all(not x.grad.numpy().any() for x in (q, k, v))


def test_a_scale_of_zero_gives_the_mean_of_the_values() -> None:
    v = lenet.randn(4, 3)
    y = attention(lenet.randn(2, 5), lenet.randn(4, 5), v, scale=0.0)
    np.testing.assert_allclose(y.numpy(), np.broadcast_to(v.numpy().mean(0), (2, 3)), atol=1e-6)


def test_nan_in_a_masked_key_is_seen_everywhere() -> None:
    k = lenet.ones(2, 3)
    k[1, 0] = float("nan")
    y = attention(ones(2, 3), k, ones(2, 3), lenet.tensor([[True, False], [True, False]]))
    assert np.isnan(y.numpy()).all()


def test_dropout_is_that_of_the_weights() -> None:
    q, k, v = (lenet.randn(2, 3, 4) for _ in range(3))
    lenet.manual_seed(1)
    y = attention(q, k, v, dropout_p=0.5)
    lenet.manual_seed(1)
    weights = F.dropout(((q * 0.5) @ k.transpose(-2, -1)).softmax(-1), 0.5)
    np.testing.assert_array_equal(y.numpy(), (weights @ v).numpy())
    assert not attention(q, k, v, dropout_p=1.0).numpy().any()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: attention(ones(3), ones(3), ones(3)), "query.dim: 1 key.dim: 1 and value.dim: 1"),
        (lambda: attention(ones(2, 3), ones(2, 3).double(), ones(2, 3)), "key.dtype: torch.float64"),
        (lambda: attention(ones(2, 3), ones(2, 3), ones(2, 3), ones(2, 2).int()), "attn_mask.dtype: torch.int32"),
        (lambda: attention(ones(2, 3), ones(2, 3), ones(2, 3), dropout_p=1.5), "between 0 and 1, but got 1.5"),
        (
            lambda: attention(ones(1, 2, 3), ones(1, 2, 3), ones(1, 2, 3), ones(2, 2), is_causal=True),
            "should not be set when is_causal=True",
        ),
        (lambda: attention(ones(2, 3), ones(2, 4), ones(2, 3)), r"got \[2, 3\], \[2, 4\] and \[2, 3\]"),
        (lambda: attention(ones(2, 3), ones(4, 3), ones(2, 3)), r"key \(\*, S, E\) and value \(\*, S, V\)"),
        (lambda: attention(ones(2, 3), ones(2, 3), ones(2, 3), ones(3, 2)), "broadcast"),
        (lambda: attention(ones(2, 3), ones(2, 3), ones(2, 3), ones(5, 2, 2)), r"attn_mask of shape \[5, 2, 2\]"),
        (
            lambda: attention(ones(1, 4, 2, 3), ones(1, 3, 2, 3), ones(1, 3, 2, 3), enable_gqa=True),
            "3 heads of key and value do not divide the query's 4 heads",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(call: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=words):
        call()
