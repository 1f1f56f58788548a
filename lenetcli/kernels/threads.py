"""How many threads the kernels use: one number for the native pool and for NumPy's BLAS.

LENET_THREADS sets it from outside, then OMP_NUM_THREADS, else it is the number of processors this process may use. With
the native kernels, all that a float32 net of the usual layers does runs on their pool, its matrix products included:
BLAS threads that wait for work by spinning would slow it down many times over. BLAS is left what has no native twin,
such as float64 and batched products.
"""

from __future__ import annotations

import os

_DEFAULT_MOST = 16  # more threads than that do not help images of this size


def _from_environment() -> int:
    for name in ("LENET_THREADS", "OMP_NUM_THREADS"):
        value = os.environ.get(name, "")
        if value.isdigit() and int(value) > 0:
            return int(value)
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), _DEFAULT_MOST)
    return min(os.cpu_count() or 1, _DEFAULT_MOST)


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
    """Sets the number of threads that kernels use, NumPy's BLAS included. Results do not depend on it.

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
    tell_native()
    from threadpoolctl import threadpool_limits  # only here: it looks through all loaded libraries

    threadpool_limits(count, user_api="blas")


def tell_native() -> None:
    """Passes the number on to the native pool, where there is one."""
    from lenetcli.kernels import native

    if native.absent is None:
        native.set_threads(_count)
