"""How many threads the kernels use: one number for the native pool and for NumPy's BLAS.

LENET_THREADS sets it from outside, then OMP_NUM_THREADS, else it is the number of processors this process may use, or
one with NumPy's kernels.

With the native kernels, all that a float32 net of the usual layers does runs on their pool, its matrix products
included: BLAS threads that wait for work by spinning would slow it down many times over. BLAS is left what has no
native twin, such as float64 and batched products.

NumPy's kernels leave all products to BLAS, many small ones: its threads wait for each other in every one, and where
another process holds a core, for that (docs/performance.md).
"""

from __future__ import annotations

import os
from typing import Any

from lenetcli.background import begun
from lenetcli.kernels.environment import wanted_threads

_DEFAULT_MOST = 16  # more threads than that do not help images of this size


def _from_environment() -> int:
    value = wanted_threads()[1]
    if value:
        return int(value)
    return min(processors(), _DEFAULT_MOST) if begun(int) else 1


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_count = _from_environment()


def get_num_threads() -> int:
    """Number of threads that kernels use. Source: torch.get_num_threads.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.get_num_threads() >= 1
        True
    """
    return _count


def set_num_threads(count: int) -> None:
    """Sets the number of threads that kernels use, NumPy's BLAS included.

    What the native kernels compute does not depend on it, to the last bit. What BLAS computes may, by rounding: float64
    and batched products, and all products where the kernels are NumPy's.

    Args:
        count: at least 1.

    Raises:
        TypeError: no integer.
        ValueError: less than 1.

    Source: torch.set_num_threads.

    Example:
        >>> import lenetcli as lenet
        >>> before = lenet.get_num_threads()
        >>> lenet.set_num_threads(1)
        >>> lenet.get_num_threads()
        1
        >>> lenet.set_num_threads(before)
    """
    global _count
    if isinstance(count, bool) or not isinstance(count, int):
        raise TypeError(f"set_num_threads expects a positive integer, got {type(count).__name__}")
    if count < 1:
        raise ValueError(f"set_num_threads expects a positive integer, got {count}")
    _count = count
    _tell_native()
    _tell_blas()


def begin(native_runs: bool) -> None:
    """Passes the first number on, when the kernels are loaded."""
    global _count
    alone = not native_runs and not wanted_threads()[0]
    if alone:
        _count = 1
    _tell_native()
    if alone or os.environ.get("LENET_THREADS") or _count == _DEFAULT_MOST:  # else BLAS has come to it itself
        _tell_blas()


def _tell_native() -> None:
    from lenetcli.kernels import native

    if native.absent is None:
        native.set_threads(_count)


def blas_pools() -> list[dict[str, Any]]:
    """What threadpoolctl finds of NumPy's BLAS: name and number of threads."""
    import numpy  # noqa: F401  # its BLAS must be here to be found
    from threadpoolctl import threadpool_info

    return [pool for pool in threadpool_info() if pool["user_api"] == "blas"]


def _tell_blas() -> None:
    import numpy  # noqa: F401  # its BLAS must be here to be told
    from threadpoolctl import threadpool_limits  # only here: it looks through all loaded libraries

    threadpool_limits(_count if begun(int) else 1, user_api="blas")  # it would end the process where it can begin none
