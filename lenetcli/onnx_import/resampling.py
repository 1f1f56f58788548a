"""Layers that rearrange or resample pictures, told by what they do to one.

What rearranges is told by what it does to a picture of numbered pixels; what resamples axis by axis by its matrices.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from lenetcli.kernels.avg_pool import adaptive_bounds
from lenetcli.kernels.padding import source_index
from lenetcli.kernels.resize import cubic_taps, linear_taps, nearest_taps
from lenetcli.onnx_import.matching import Matcher
from lenetcli.onnx_import.net import Array, Net, Node, Sizes, made
from lenetcli.onnx_import.shapes import reduced_axes

_LARGEST = 1 << 22  # numbers of a picture or matrix that is worked out to tell a layer
_LONGEST = 12  # operators in a row that make one layer
FLOAT = np.dtype(np.float32)
LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}  # modes of Upsample, by the dimensions of a picture


_MOVES = ("Reshape", "Flatten", "Transpose", "Unsqueeze", "Squeeze", "Tile", "Expand")


def rearranged(matcher: Matcher, node: Node) -> Node | None:
    """PixelShuffle, PixelUnshuffle, ChannelShuffle, Upsample: pixels that change places, or are repeated."""
    net, chain, name = matcher.net, [node], node.inputs[0]
    if node.op not in ("Reshape", "Flatten", "Transpose"):
        return None
    while (maker := matcher.makers.get(name)) is not None and maker.op in _MOVES and len(chain) < _LONGEST:
        chain.append(maker)
        name = maker.inputs[0]
        old, new = net.shapes[name], net.shapes[node.output]
        if len(chain) > 2 and 3 <= len(old) == len(new) and old[0] == new[0]:
            found = _shuffled(net, chain[::-1], old, new) if matcher.may(8 * math.prod(old[1:])) else None
            if found is not None:
                return made(node, found[0], name, found[1])
    return None


def _shuffled(net: Net, chain: list[Node], old: Sizes, new: Sizes) -> tuple[str, dict[str, Any]] | None:
    pixels = math.prod(old[1:])
    if max(math.prod(net.shapes[step.output][1:]) for step in chain) > _LARGEST:
        return None
    numbers = np.arange(pixels).reshape(1, *old[1:])
    after = numbers
    for step in chain:
        if step.op == "Transpose":
            perm = step.attributes.get("perm", range(after.ndim)[::-1])
            if perm[0] != 0:
                return None
            after = after.transpose([int(i) for i in perm])
        elif step.op in ("Tile", "Expand"):
            shape = net.shapes[step.output]
            if shape[0] != old[0] or len(shape) != after.ndim:
                return None
            if step.op == "Expand":
                after = np.broadcast_to(after, (1, *shape[1:]))
            else:
                after = np.tile(after, [1, *(n // m for n, m in zip(shape[1:], after.shape[1:]))])
        else:
            shape = net.shapes[step.output]
            if shape[0] != old[0]:
                return None
            after = after.reshape(1, *shape[1:])
    (c, *image), (d, *other) = old[1:], new[1:]
    if image == other:
        for groups in range(2, c):
            if c % groups == 0:
                turned = numbers.reshape(groups, c // groups, -1).swapaxes(0, 1).reshape(numbers.shape)
                if np.array_equal(turned, after):
                    return "ChannelShuffle", {"groups": groups}
    if len(image) not in (1, 2, 3):
        return None
    if c == d and image != other and all(m % n == 0 for n, m in zip(image, other)):
        factors = [m // n for n, m in zip(image, other)]
        larger = numbers
        for axis, factor in enumerate(factors, 2):
            larger = larger.repeat(factor, axis)
        if np.array_equal(larger, after):
            return "Upsample", {"scale_factor": float(factors[0]) if len(set(factors)) == 1 else [*map(float, factors)]}
    if len(image) != 2:
        return None
    if c > d and other[0] % image[0] == 0:
        r = other[0] // image[0]
        if c == d * r * r and other == [n * r for n in image]:
            turned = numbers.reshape(d, r, r, *image).transpose(0, 3, 1, 4, 2).reshape(1, d, *other)
            if np.array_equal(turned, after):
                return "PixelShuffle", {"upscale_factor": r}
    if d > c and other[0] and image[0] % other[0] == 0:
        r = image[0] // other[0]
        if d == c * r * r and image == [n * r for n in other]:
            turned = numbers.reshape(c, other[0], r, other[1], r).transpose(0, 2, 4, 1, 3).reshape(1, d, *other)
            if np.array_equal(turned, after):
                return "PixelUnshuffle", {"downscale_factor": r}
    return None


def resampled(matcher: Matcher, node: Node) -> Node | None:
    """Pixels gathered, or blended by matrices, axis by axis: circular borders, adaptive pools, resizing."""
    net = matcher.net
    source, matrices = _by_axes(matcher, node)
    if not matrices:
        return None
    old, new = net.shapes[source], net.shapes[node.output]
    dims = len(old) - 2
    if dims not in (1, 2, 3):
        return None
    given = [matrices.get(axis, np.eye(old[axis], dtype=FLOAT)) for axis in range(2, dims + 2)]
    if not matcher.may(40 * sum(n * m for n, m in zip(old[2:], new[2:]))):
        return None
    for kind, args, wanted in _candidates(dims, old[2:], new[2:]):
        if all(m.shape == w.shape and np.allclose(m, w, rtol=0, atol=1e-6) for m, w in zip(given, wanted)):
            return made(node, kind, source, args)
    pads = [_circular(matrix) for matrix in given]
    if all(pad is not None for pad in pads):
        return made(
            node, f"CircularPad{dims}d", source, {"padding": [side for pad in pads[::-1] for side in pad or ()]}
        )
    return None


def _by_axes(matcher: Matcher, node: Node) -> tuple[str, dict[int, Array]]:
    """What a chain of operators along axes begins with, and the matrix (old size, new size) of each axis."""
    name, matrices = node.output, {}
    for _ in range(_LONGEST):
        maker = matcher.makers.get(name)
        found = None if maker is None else _matrix(matcher, maker)
        if found is None or found[1] in matrices:
            break
        name, axis, matrix = found
        matrices[axis] = matrix
    return name, matrices


def _matrix(matcher: Matcher, node: Node) -> tuple[str, int, Array] | None:
    """Of one operator: what it takes, the axis it works along, its matrix."""
    net = matcher.net
    if node.op == "Gather" and node.inputs[1] in net.constants and node.inputs[0] in net.shapes:
        shape, index = net.shapes[node.inputs[0]], net.constants[node.inputs[1]]
        axis = node.attributes.get("axis", 0) % len(shape)
        too_large = index.ndim != 1 or not matcher.may(shape[axis] * index.size)
        if node.inputs[0] in net.constants or axis < 2 or too_large or shape[axis] * index.size > _LARGEST:
            return None
        matrix = np.zeros((shape[axis], index.size), FLOAT)
        matrix[index % shape[axis], np.arange(index.size)] = 1
        return node.inputs[0], axis, matrix
    if node.op == "Transpose":
        return _turned(matcher, node)
    if node.op != "MatMul":
        return None
    first, second = node.inputs
    for name, other, left in ((first, second, False), (second, first, True)):
        if other in net.constants and name not in net.constants:
            matrix, shape = net.constants[other], net.shapes[name]
            if matrix.ndim == 2 and len(shape) in (3, 4, 5) and matrix.dtype.kind == "f":
                axis = len(shape) - (2 if left else 1)
                return (name, axis, matrix.T if left else matrix) if axis > 1 else None
    return None


def _turned(matcher: Matcher, node: Node) -> tuple[str, int, Array] | None:
    """An axis that is made the last one, times a matrix, and put back."""
    net, order = matcher.net, [int(i) for i in node.attributes.get("perm", ())]
    product = matcher.makers.get(node.inputs[0])
    before = None if product is None or product.op != "MatMul" else matcher.makers.get(product.inputs[0])
    if before is None or before.op != "Transpose" or list(before.attributes.get("perm", ())) != order or not order:
        return None
    axis, matrix = order[-1], net.constants.get(product.inputs[1]) if product is not None else None
    swapped = [*range(len(order))]
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    if order != swapped or axis < 2 or matrix is None or matrix.ndim != 2 or matrix.dtype.kind != "f":
        return None
    return before.inputs[0], axis, matrix


def _candidates(dims: int, old: Sizes, new: Sizes) -> Iterator[tuple[str, dict[str, Any], list[Array]]]:
    """Layers that resample a picture of these sizes, with their matrices."""
    if any(n * m > _LARGEST for n, m in zip(old, new)):
        return
    size = new[0] if len(set(new)) == 1 else list(new)
    means = []
    for n, m in zip(old, new):
        share = np.zeros((n, m), FLOAT)
        for i, (start, end) in enumerate(adaptive_bounds(n, m)):
            share[start:end, i] = 1 / (end - start)
        means.append(share)
    yield f"AdaptiveAvgPool{dims}d", {"output_size": size}, means
    factors = [None, *(f for f in _FACTORS if all(int(n * f) == m for n, m in zip(old, new)))]
    for factor in factors:
        words: dict[str, Any] = {"size": size} if factor is None else {"scale_factor": factor}
        sizes = list(zip(old, new))
        for exact in (False, True):
            mode = {"mode": "nearest-exact"} if exact else {}
            shares = [_shares(n, nearest_taps(n, m, factor, exact, FLOAT, dims)) for n, m in sizes]
            yield "Upsample", words | mode, shares
        for corners in (False, True):
            extra = {"align_corners": True} if corners else {}
            shares = [_shares(n, linear_taps(n, m, factor, corners, FLOAT, dims)) for n, m in sizes]
            yield "Upsample", words | {"mode": LINEAR[dims]} | extra, shares
            if dims == 2:
                shares = [_shares(n, cubic_taps(n, m, factor, corners, FLOAT, dims)) for n, m in sizes]
                yield "Upsample", words | {"mode": "bicubic"} | extra, shares


_FACTORS = sorted(
    {round(i / 20, 2) for i in range(2, 161)} | {i / 8 for i in range(1, 65)} | {1 / 3, 2 / 3, 4 / 3, 5 / 3}
)


def _shares(size: int, taps: Any) -> Array:
    """(old size, new size): how much of each pixel is in each new one."""
    shares = np.zeros((size, len(taps[0][0])), FLOAT)
    for index, weight in taps:
        np.add.at(shares, (index, np.arange(shares.shape[1])), 1 if weight is None else weight)
    return shares


def _circular(matrix: Array) -> tuple[int, int] | None:
    """How far an axis goes round before and after itself; None where it does not."""
    size, out = matrix.shape
    if not ((matrix == 0) | (matrix == 1)).all() or (matrix.sum(0) != 1).any():
        return None
    index = matrix.argmax(0)
    for before in range(max(-size, size - out - size), size + 1):
        after = out - size - before
        some = -size < after <= size and size + min(before, 0) + min(after, 0) > 0
        if some and np.array_equal(source_index("circular", size, before, after), index):
            return before, after
    return None


def maxima(matcher: Matcher, node: Node) -> Node | None:
    """AdaptiveMaxPool: places gathered by windows, and the maximum of each."""
    net, name, outs = matcher.net, node.output, {}
    for _ in range(3):
        reduce_ = matcher.makers.get(name)
        gather = None if reduce_ is None or reduce_.op != "ReduceMax" else matcher.makers.get(reduce_.inputs[0])
        if gather is None or gather.op != "Gather" or gather.inputs[1] not in net.constants or reduce_ is None:
            break
        places, shape = net.constants[gather.inputs[1]], net.shapes[gather.inputs[0]]
        axis = gather.attributes.get("axis", 0) % len(shape)
        over = reduced_axes(net, reduce_, len(shape) + 1)
        if places.ndim != 2 or axis < 2 or axis in outs or over != (axis + 1,) or reduce_.attributes.get("keepdims", 1):
            break
        bounds = adaptive_bounds(shape[axis], len(places))
        if not all(set(row.tolist()) == set(range(*pair)) for row, pair in zip(places % shape[axis], bounds)):
            break
        outs[axis], name = len(places), gather.inputs[0]
    if not outs:
        return None
    sizes = [outs.get(axis, net.shapes[name][axis]) for axis in range(2, len(net.shapes[name]))]
    if len(sizes) not in (1, 2, 3):
        return None
    args = {"output_size": sizes[0] if len(set(sizes)) == 1 else sizes}
    return made(node, f"AdaptiveMaxPool{len(sizes)}d", name, args)
