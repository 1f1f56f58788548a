"""Compiling a kernel's source for the sizes at hand, and launching it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from lenetcli.kernels import device

FLOAT = np.dtype(np.float32)
BLOCK = 128  # threads
LARGEST = 2**31 - 1  # elements of a row, so that 32 bits hold a place in it
MANY = 528  # blocks: four for each of the multiprocessors of a large GPU

PRELUDE = """
typedef long long Long;
typedef unsigned char uint8;
#define HERE (blockIdx.x * blockDim.x + threadIdx.x)
#define ALL (gridDim.x * blockDim.x)

__device__ inline double warp_sum(double v) {
  for (int step = 16; step > 0; step /= 2) v += __shfl_down_sync(0xffffffffu, v, step);
  return v;
}
__device__ inline float warp_sum(float v) {
  for (int step = 16; step > 0; step /= 2) v += __shfl_down_sync(0xffffffffu, v, step);
  return v;
}
"""


@functools.cache
def kernel(library: Any, source: str, name: str, **sizes: int) -> Any:
    """A compiled kernel; `sizes` are constants of its source."""
    options = tuple(f"-D{key}={value}" for key, value in sizes.items())
    return library.RawModule(code=PRELUDE + source, options=("--std=c++17", *options)).get_function(name)


def launch(source: str, name: str, grid: tuple[int, ...], arguments: tuple[Any, ...], **sizes: int) -> None:
    """Runs a kernel in blocks of BLOCK threads. Whole numbers arrive as `Long`, others as `double`."""
    kernel(device.library, source, name, BLOCK=BLOCK, **sizes)(grid, (BLOCK,), arguments)


def empty(shape: tuple[int, ...], kind: Any = FLOAT) -> Any:
    """An uninitialised array of the device, with less ado than `empty_like` makes."""
    return device.library.ndarray(shape, kind)


def stored(x: Any) -> Any:
    """As lenetcli.kernels.layout.stored."""
    rows = x.transpose(*range(1, x.ndim), 0)
    return rows if rows.flags.c_contiguous else device.library.ascontiguousarray(rows)


def blocks(count: int) -> int:
    """Blocks with a thread for each element, within what a grid may have."""
    return max(1, min(-(-count // BLOCK), 2**20))
