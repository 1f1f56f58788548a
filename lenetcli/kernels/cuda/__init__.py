"""The CUDA twins: kernels for float32 on a GPU, and the functions that call them under the names of their NumPy twins.

Each twin takes the same arguments as its reference and hands what it was not made for (other types, odd memory orders)
on to the reference, which runs on CuPy's own functions. Kernels are compiled on first use, for the sizes at hand, and
kept by CuPy on disk. They walk images batch-last, (C, H, W, N): neighbouring threads have neighbouring images. Sums are
taken in a fixed order, without atomics, so that a run repeats to the bit.

    program.py      compiling and launching
    *.py            one family each: source, and the calls that prepare it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def twins() -> dict[str, Callable[..., Any]]:
    """The CUDA twins by name."""
    from lenetcli.kernels.cuda import conv, fused, linear, norm, pool, softmax, update

    families = conv, fused, linear, norm, pool, softmax, update
    return {name: getattr(family, name) for family in families for name in family.__all__}
