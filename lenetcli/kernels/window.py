"""Sliding windows: how many fit, and which part of the input each tap of the kernel sees."""

from __future__ import annotations

from collections.abc import Iterator

Pair = tuple[int, int]


def extent(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool = False) -> int:
    """Number of window positions along one dimension.

    Formula:
        floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, or ceil with `ceil_mode`, where a last
        window that would start in the right padding is dropped.
    """
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + padding:
        count -= 1
    return count


def spans(kernel: int, stride: int, dilation: int, out: int) -> list[slice]:
    """For each tap along one dimension, the places of the padded input that it meets."""
    return [slice(at, at + stride * (out - 1) + 1, stride) for at in range(0, kernel * dilation, dilation)]


def taps(kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Iterator[tuple[int, int, slice, slice]]:
    """Row by row, each tap (k, l) of the kernel with the rows and columns of the padded input it meets."""
    across = spans(kernel[1], stride[1], dilation[1], out[1])
    for k, rows in enumerate(spans(kernel[0], stride[0], dilation[0], out[0])):
        for tap, columns in enumerate(across):
            yield k, tap, rows, columns


def clipped_taps(
    image: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair
) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
    """Each tap (k, l) with the rows and columns of the image without padding that it meets, and the output's that do.

    Taps that meet nothing but padding are left out.
    """
    across = [_clipped(image[1], tap * dilation[1] - padding[1], stride[1], out[1]) for tap in range(kernel[1])]
    for k in range(kernel[0]):
        rows = _clipped(image[0], k * dilation[0] - padding[0], stride[0], out[0])
        for tap, columns in enumerate(across):
            if rows is not None and columns is not None:
                yield k, tap, (rows[0], columns[0]), (rows[1], columns[1])


def _clipped(size: int, offset: int, stride: int, out: int) -> tuple[slice, slice] | None:
    """The places p stride + offset that lie in the image, and their p."""
    first = max(0, -(offset // stride))
    last = min(out - 1, (size - 1 - offset) // stride)
    if first > last:
        return None
    start = first * stride + offset
    return slice(start, last * stride + offset + 1, stride), slice(first, last + 1)
