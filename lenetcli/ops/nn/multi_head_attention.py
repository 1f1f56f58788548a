"""Attention of several heads: queries, keys and values are projected, each head attends to a part of them."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lenetcli.errors import ShapeError
from lenetcli.ops.nn.attention import SelfAttention, at_once, causal_mask, scaled_dot_product_attention
from lenetcli.ops.nn.dropout import dropout
from lenetcli.ops.nn.linear import linear
from lenetcli.ops.nn.softmax import softmax
from lenetcli.ops.pointwise.clamp import where
from lenetcli.ops.shaping.cat import cat
from lenetcli.ops.shaping.pad import pad

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

CAUSAL_WITHOUT_MASK = (
    "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
    "`generate_square_subsequent_mask` to create this mask."
)


class Heads(NamedTuple):
    """Weights of an attention of several heads, and what goes with them.

    Args:
        number: heads H.
        packed: (3 E, E), the projections of query, key and value in one; None where `apart` has them.
        bias: (3 E,), of the projections.
        apart: (E, E), (E, K) and (E, V).
        more: a key and a value (1, 1, E) each that all queries see beside those of the sequence.
        add_zero: as a last key and value, zeros.
        dropout: of the weights.
        out_weight, out_bias: of the projection behind the heads.
    """

    number: int
    packed: Tensor | None
    bias: Tensor | None
    apart: tuple[Tensor | None, Tensor | None, Tensor | None]
    more: tuple[Tensor, Tensor] | None
    add_zero: bool
    dropout: float
    out_weight: Tensor
    out_bias: Tensor | None


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """What `nn.MultiheadAttention` computes, of weights that are given.

    Args:
        query, key, value: steps first.
        embed_dim_to_check: E, which the query must have.
        num_heads: heads H; each has E / H numbers of the projected query, key and value.
        in_proj_weight, in_proj_bias: (3 E, E) and (3 E,), the projections of query, key and value.
        bias_k, bias_v: (1, 1, E), a further key and value that all queries see.
        add_zero_attn: zeros as a last key and value.
        dropout_p: of the weights, in training.
        out_proj_weight, out_proj_bias: of the projection behind the heads.
        training: whether weights are dropped.
        key_padding_mask: (N, S), True where a key does not count, or numbers that are added to its scores.
        need_weights: give the weights, too; the output is the same but for queries that no key counts for: NaN with
            weights, `out_proj_bias` without.
        attn_mask: (L, S) or (N H, L, S), True where a query does not see a key, or numbers that are added.
        use_separate_proj_weight: the next three are given, not `in_proj_weight`.
        q_proj_weight, k_proj_weight, v_proj_weight: (E, E), (E, K) and (E, V).
        static_k, static_v: (N H, S, E / H), keys and values that are projected already.
        average_attn_weights: give the mean of the heads' weights.
        is_causal: `attn_mask` is the causal mask: without weights and padding, that one is used in its place.

    Shape:
        query (L, N, E), key (S, N, K), value (S, N, V), all without N for one sequence -> output (L, N, E), weights
        (N, L, S), or (N, H, L, S) where they are not averaged

    Raises:
        ValueError: dimensions or types that do not fit.
        ShapeError: a mask of another size.
        RuntimeError: `is_causal` without a mask.

    Source: Vaswani et al., Attention is all you need, 2017, section 3.2.2;
        torch.nn.functional.multi_head_attention_forward.

    Example:
        >>> import lenetcli as lenet
        >>> import lenetcli.nn.functional as F
        >>> x, eye = lenet.ones(3, 1, 2), lenet.eye(2)
        >>> y, weights = F.multi_head_attention_forward(
        ...     x, x, x, 2, 1, lenet.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
        ... )
        >>> y.shape, weights[0, 0]
        (torch.Size([3, 1, 2]), tensor([0.3333, 0.3333, 0.3333]))
    """
    if (bias_k is None) != (bias_v is None):
        raise ValueError("multi_head_attention_forward: bias_k and bias_v go together, only one is given")
    if query.array.shape[-1] != embed_dim_to_check:
        raise ShapeError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {query.array.shape[-1]}")
    heads = Heads(
        num_heads,
        None if use_separate_proj_weight else in_proj_weight,
        in_proj_bias,
        (q_proj_weight, k_proj_weight, v_proj_weight),
        (bias_k, bias_v) if bias_k is not None and bias_v is not None else None,
        add_zero_attn,
        dropout_p if training else 0.0,
        out_proj_weight,
        out_proj_bias,
    )
    masks = Masks(key_padding_mask, attn_mask, is_causal)
    return attend(heads, query, key, value, masks, need_weights, average_attn_weights, False, (static_k, static_v))


class Masks(NamedTuple):
    """Which keys count: of each sequence, for each query, or those up to each query."""

    padding: Tensor | None
    attention: Tensor | None
    is_causal: bool


def attend(
    heads: Heads,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    masks: Masks,
    need_weights: bool,
    average: bool,
    batch_first: bool,
    static: tuple[Tensor | None, Tensor | None] = (None, None),
) -> tuple[Tensor, Tensor | None]:
    """Attention of several heads over (L, N, E), over (N, L, E) with `batch_first`, or over (L, E)."""
    _check_dimensions(query, key, value, masks, heads.number)
    if masks.is_causal and masks.attention is None:
        raise RuntimeError(CAUSAL_WITHOUT_MASK)
    batched = query.ndim == 3
    if not batched:
        one = query.unsqueeze(0)
        another = one if key is query else key.unsqueeze(0)
        query, key, value = one, another, another if value is key else value.unsqueeze(0)
        padding = None if masks.padding is None else masks.padding.unsqueeze(0)
        masks, batch_first = masks._replace(padding=padding), True
    _check_sizes(heads, query, key, value, batch_first)
    count, length = query.array.shape[:2] if batch_first else query.array.shape[1::-1]
    keys = key.array.shape[1 if batch_first else 0]
    causal = masks.is_causal and masks.padding is None and not need_weights
    mask = None if causal else as_numbers("attn_mask", masks.attention, query)
    padding = as_numbers("key_padding_mask", masks.padding, query, masks.attention)
    if mask is not None:
        mask = _of_heads(mask, count, heads.number, length, keys)
    itself = query is key and key is value and heads.packed is not None and heads.more is None and not heads.add_zero
    if itself and not (need_weights or heads.dropout) and static == (None, None):
        y = _of_itself(heads, query, causal_mask(query, (length, length)) if causal else mask, padding, batch_first)
        if y is not None:
            return y if batched else y.squeeze(0), None
    projected = _projected(heads, query, key, value)
    q, k, v, added = _split(heads, projected, count, batch_first, static)
    if added and mask is not None:
        mask = pad(mask, (0, added))
    if padding is not None:
        if added:
            padding = pad(padding, (0, added))
        _check_padding(padding, count, k.array.shape[-2])
        padding = padding.reshape(count, 1, 1, k.array.shape[-2])
        mask = padding if mask is None else mask + padding
    if need_weights:
        scores = (q * math.sqrt(1.0 / q.array.shape[-1])).matmul(k.transpose(-2, -1))  # (N, H, L, S)
        weights = softmax(scores if mask is None else scores + mask, -1)
        if heads.dropout:
            weights = dropout(weights, heads.dropout)
        y = weights.matmul(v)
    else:
        y = scaled_dot_product_attention(q, k, v, mask, heads.dropout, causal)
    order = (0, 2, 1, 3) if batch_first else (2, 0, 1, 3)
    y = y.permute(*order).reshape(*query.array.shape[:2], query.array.shape[2])
    y = linear(y, heads.out_weight, heads.out_bias)
    if not need_weights:
        return y if batched else y.squeeze(0), None
    weights = weights.mean(1) if average else weights
    return (y, weights) if batched else (y.squeeze(0), weights.squeeze(0))


def _of_itself(
    heads: Heads, x: Tensor, mask: Tensor | None, padding: Tensor | None, batch_first: bool
) -> Tensor | None:
    """Attention of a sequence to itself, all heads in one op; None where it is not to be one."""
    if heads.packed is None or not at_once(x, heads.packed, heads.bias, mask, padding):
        return None
    if any(m is not None and m.requires_grad for m in (mask, padding)):
        return None
    if padding is not None:
        count, keys = x.array.shape[:2] if batch_first else x.array.shape[1::-1]
        _check_padding(padding, count, keys)
        padding = padding.reshape(count, 1, 1, keys)
        mask = padding if mask is None else mask + padding
    scale = 1 / math.sqrt(x.array.shape[-1] // heads.number)
    three = linear(x, heads.packed, heads.bias)
    y = SelfAttention.apply(three if batch_first else three.transpose(0, 1), mask, heads=heads.number, scale=scale)
    return linear(y if batch_first else y.transpose(0, 1), heads.out_weight, heads.out_bias)


def _projected(heads: Heads, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
    """Query, key and value behind their projections; those that are one tensor by one product."""
    width, packed, bias = query.array.shape[-1], heads.packed, heads.bias
    if packed is None:
        biases = (None, None, None) if bias is None else bias.chunk(3)
        return tuple(
            linear(x, weight, b)  # type: ignore[arg-type]  # the layer has them
            for x, weight, b in zip((query, key, value), heads.apart, biases)
        )
    if query is key and key is value:
        return tuple(linear(query, packed, bias).unflatten(-1, (3, width)).unbind(-2))
    if key is value:
        sizes = [width, 2 * width]
        for_query, for_both = packed.split(sizes)
        b_query, b_both = (None, None) if bias is None else bias.split(sizes)
        both = linear(key, for_both, b_both).unflatten(-1, (2, width)).unbind(-2)
        return (linear(query, for_query, b_query), *both)
    biases = (None, None, None) if bias is None else bias.chunk(3)
    return tuple(linear(x, weight, b) for x, weight, b in zip((query, key, value), packed.chunk(3), biases))


def _split(
    heads: Heads,
    projected: tuple[Tensor, ...],
    count: int,
    batch_first: bool,
    static: tuple[Tensor | None, Tensor | None],
) -> tuple[Tensor, Tensor, Tensor, int]:
    """Query, key and value of each head (N, H, L or S, D), and how many keys stand behind those of the sequence."""
    q, k, v = projected
    along, added = (1 if batch_first else 0), 0
    if heads.more is not None:
        if static != (None, None):
            raise ValueError("multi_head_attention_forward: bias_k and bias_v cannot be added to static_k and static_v")
        shape = (count, 1, -1) if batch_first else (1, count, -1)
        k, v = (cat([x, more.expand(*shape)], along) for x, more in zip((k, v), heads.more))
        added += 1
    width = q.array.shape[-1] // heads.number
    order = (0, 2, 1, 3) if batch_first else (1, 2, 0, 3)
    parts = [
        x.unflatten(-1, (heads.number, width)).permute(*order)
        if own is None
        else _static(own, count, heads.number, width)
        for x, own in ((q, None), (k, static[0]), (v, static[1]))
    ]
    if heads.add_zero:
        parts[1:] = [pad(x, (0, 0, 0, 1)) for x in parts[1:]]
        added += 1
    return parts[0], parts[1], parts[2], added


def _static(x: Tensor, count: int, heads: int, width: int) -> Tensor:
    for axis, wanted in ((0, count * heads), (2, width)):
        if x.array.shape[axis] != wanted:
            raise ShapeError(
                f"multi_head_attention_forward: expecting size({axis}) of static_k and static_v to be {wanted}, but "
                f"got {x.array.shape[axis]}"
            )
    return x.reshape(count, heads, -1, width)


# Masks


def as_numbers(name: str, mask: Tensor | None, x: Tensor, other: Tensor | None = None) -> Tensor | None:
    """A mask as numbers that are added to scores: -infinity where it is True.

    Args:
        name: what messages call it.
        x: whose type the numbers have.
        other: a mask that goes with it, and should be of its type.

    Raises:
        ValueError: a mask of whole numbers.
    """
    if mask is None:
        return None
    kind = mask.array.dtype.kind
    if kind not in "bf":
        raise ValueError(f"only bool and floating types of {name} are supported, got {mask.dtype}")
    if other is not None and other.dtype != mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead.", stacklevel=4
        )
    if kind == "f":
        return mask
    return where(mask, -np.inf, 0.0).to(x.dtype)


def _of_heads(mask: Tensor, count: int, heads: int, length: int, keys: int) -> Tensor:
    """(L, S), or (N H, L, S) as (N, H, L, S)"""
    wanted = (length, keys) if mask.ndim == 2 else (count * heads, length, keys)
    if mask.array.shape != wanted:
        raise ShapeError(
            f"The shape of the {mask.ndim}D attn_mask is {mask.shape}, but should be {wanted}."
            + (" That is samples times heads, queries, keys." if mask.ndim == 3 else " That is queries, keys.")
        )
    return mask if mask.ndim == 2 else mask.reshape(count, heads, length, keys)


def _check_padding(padding: Tensor, count: int, keys: int) -> None:
    for axis, wanted in enumerate((count, keys)):
        got = padding.array.shape[axis]
        if got != wanted:
            raise ShapeError(f"Expected key_padding_mask.shape[{axis}] to be {wanted}, but got {got}")


def _check_dimensions(query: Tensor, key: Tensor, value: Tensor, masks: Masks, heads: int) -> None:
    dims = query.ndim
    if dims not in (2, 3):
        raise ValueError(f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor")
    how = f"For {'batched (3-D)' if dims == 3 else 'unbatched (2-D)'} `query`, expected"
    if key.ndim != dims or value.ndim != dims:
        raise ValueError(f"{how} `key` and `value` to be {dims}-D but found {key.ndim}-D and {value.ndim}-D tensors")
    for name, mask, wanted in (
        ("key_padding_mask", masks.padding, (dims - 1,)),
        ("attn_mask", masks.attention, (2, 3)),
    ):
        if mask is not None and mask.ndim not in wanted:
            words = " or ".join(f"{n}-D" for n in wanted)
            raise ValueError(f"{how} `{name}` to be None or {words} but found {mask.ndim}-D tensor instead")
    shape = (heads, query.array.shape[0], key.array.shape[0])
    mask = masks.attention
    if dims == 2 and mask is not None and mask.ndim == 3 and mask.array.shape != shape:
        raise ShapeError(f"Expected `attn_mask` shape to be {shape} but got {mask.shape}")


def _check_sizes(heads: Heads, query: Tensor, key: Tensor, value: Tensor, batch_first: bool) -> None:
    q, k, v = (x.array.shape for x in (query, key, value))
    if q[-1] % heads.number:
        raise ShapeError(f"embed_dim {q[-1]} not divisible by num_heads {heads.number}")
    if (k if heads.packed is not None else k[:2]) != (v if heads.packed is not None else v[:2]):
        raise ShapeError(f"key shape {list(k)} does not match value shape {list(v)}")
    at = 0 if batch_first else 1
    if q[at] != k[at]:
        raise ShapeError(f"query has {q[at]} samples and key {k[at]}: they are counted in dimension {at}")
