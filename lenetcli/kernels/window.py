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


def taps(kernel: Pair, stride: Pair, dilation: Pair, out: Pair) -> Iterator[tuple[int, int, slice, slice]]:
    """Row by row, each tap (k, l) of the kernel with the rows and columns of the padded input it meets."""
    (stride_h, stride_w), (dilation_h, dilation_w), (rows, columns) = stride, dilation, out
    for k in range(kernel[0]):
        top = k * dilation_h
        for tap in range(kernel[1]):
            left = tap * dilation_w
            yield (
                k,
                tap,
                slice(top, top + stride_h * (rows - 1) + 1, stride_h),
                slice(left, left + stride_w * (columns - 1) + 1, stride_w),
            )
