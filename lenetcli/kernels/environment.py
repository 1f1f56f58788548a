"""LENET_THREADS and LENET_KERNELS: what they may say. Asked before anything heavy is imported, so NumPy is not."""

from __future__ import annotations

import os

from lenetcli.errors import ConfigError

MOST = 1024  # threads
SETS = ("v4", "v3", "v2")  # instruction sets that native kernels are built for


def wanted_threads() -> tuple[str, str]:
    """The environment variable that sets the number of threads, and its value; empty where none does.

    Raises:
        ConfigError: LENET_THREADS is no such number.
    """
    own = os.environ.get("LENET_THREADS", "")
    if own and not _counts(own):
        raise ConfigError(f"LENET_THREADS must be a number from 1 to {MOST}, got {own!r}")
    for name, value in (("LENET_THREADS", own), ("OMP_NUM_THREADS", os.environ.get("OMP_NUM_THREADS", ""))):
        if _counts(value):  # OpenMP also knows lists of numbers, which say nothing here
            return name, value
    return "", ""


def wanted_kernels(sets: tuple[str, ...] = SETS) -> str:
    """What LENET_KERNELS asks for; empty where it asks for nothing.

    Args:
        sets: the instruction sets that there are.

    Raises:
        ConfigError: none of the words it may be.
    """
    wanted = os.environ.get("LENET_KERNELS", "")
    if wanted not in ("", "numpy", "native", *sets):
        or_one = f" or an instruction set ({', '.join(sets)})" if sets else ""
        raise ConfigError(f"LENET_KERNELS must be numpy or native{or_one}, got {wanted!r}")
    return wanted


def _counts(value: str) -> bool:
    return value.isascii() and value.isdecimal() and len(value) < 6 and 1 <= int(value) <= MOST
