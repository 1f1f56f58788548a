"""Linear layers, tables of vectors, and layers that rearrange, as ONNX's operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli import nn
from lenetcli.export.graph import INDEX, Builder, Value, lowers
from lenetcli.nn import functional as F
from lenetcli.tensors.tensor import from_numpy


@lowers(nn.Linear)
def linear(layer: nn.Linear, b: Builder, x: Value) -> str:
    if len(x.shape) == 2:
        return b.add("Gemm", x.name, b.weight(layer.weight), b.weight(layer.bias), transB=1)
    b.weight(layer.weight)  # refuses other types
    name = b.add("MatMul", x.name, layer.weight.array.T)
    return name if layer.bias is None else b.add("Add", name, b.weight(layer.bias))


@lowers(nn.Embedding)
def embedding(layer: nn.Embedding, b: Builder, x: Value) -> str:
    """Rows that looking up would shorten are shortened here."""
    table: Any = b.weight(layer.weight)
    if layer.max_norm is not None:
        copy = from_numpy(layer.weight.array.copy())
        everything = from_numpy(np.arange(layer.num_embeddings))
        table = F.embedding(everything, copy, None, layer.max_norm, layer.norm_type).array
    return b.add("Gather", table, x.name, axis=0)


@lowers(nn.Flatten)
def flatten(layer: nn.Flatten, b: Builder, x: Value) -> str:
    start, end = layer.start_dim % len(x.shape), layer.end_dim % len(x.shape)
    if start == end:
        return x.name
    if start == 0:
        raise b.refusal("it joins the samples of a batch")
    if (start, end) == (1, len(x.shape) - 1):
        return b.add("Flatten", x.name, axis=1)
    joined = math.prod(x.shape[start : end + 1])
    return _reshaped(b, x.name, [*x.shape[1:start], joined, *x.shape[end + 1 :]])


@lowers(nn.Unflatten)
def unflatten(layer: nn.Unflatten, b: Builder, x: Value) -> str:
    dim, sizes = layer.dim % len(x.shape), list(layer.unflattened_size)
    if dim == 0:
        raise b.refusal("it splits the batch")
    if -1 in sizes:
        sizes[sizes.index(-1)] = x.shape[dim] // -math.prod(sizes)
    return _reshaped(b, x.name, [*x.shape[1:dim], *sizes, *x.shape[dim + 1 :]])


@lowers(nn.PixelShuffle)
def pixel_shuffle(layer: nn.PixelShuffle, b: Builder, x: Value) -> str:
    b.check_dims(x, 4)
    return b.add("DepthToSpace", x.name, blocksize=layer.upscale_factor, mode="CRD")


@lowers(nn.PixelUnshuffle)
def pixel_unshuffle(layer: nn.PixelUnshuffle, b: Builder, x: Value) -> str:
    """Not SpaceToDepth, which orders channels in another way."""
    b.check_dims(x, 4)
    r, (c, h, w) = layer.downscale_factor, x.shape[1:]
    blocks = _reshaped(b, x.name, [c, h // r, r, w // r, r])
    return _reshaped(b, b.add("Transpose", blocks, perm=(0, 1, 3, 5, 2, 4)), [c * r * r, h // r, w // r])


@lowers(nn.ChannelShuffle)
def channel_shuffle(layer: nn.ChannelShuffle, b: Builder, x: Value) -> str:
    c, image = x.shape[1], x.shape[2:]
    rest = range(3, 3 + len(image))
    groups = _reshaped(b, x.name, [layer.groups, c // layer.groups, *image])
    return _reshaped(b, b.add("Transpose", groups, perm=(0, 2, 1, *rest)), [c, *image])


def _reshaped(b: Builder, name: str, sizes: Sequence[int]) -> str:
    """Other sizes behind the batch."""
    return b.add("Reshape", name, np.array([0, *sizes], INDEX))
