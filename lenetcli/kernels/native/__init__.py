"""The native twins: C++ kernels for float32, and the functions that call them under the names of their NumPy twins.

Each twin takes the same arguments as its reference and hands what it was not made for (other types, strides, sizes) on
to the reference. The compiled module is missing where no compiler was at hand at installation, and of no use where it
was built for other processors; everything then runs on NumPy, `absent` says why and `remedy` what would help.

    *.py                        which calls a kernel takes; allocation of results
    module.cc, threads.cc       bindings; the one pool of threads
    kernels.cc, *.h             the kernels, compiled once per instruction set; kernels.h is all that the others see
"""

from __future__ import annotations

from importlib import import_module

absent: str | None = None  # why there is no native module that runs here
remedy = ""  # what would help then

try:
    _native = import_module("lenetcli.kernels.native._native")
except ModuleNotFoundError:
    absent = "the native kernels are not built"
    remedy = "install the C++ compiler GCC or Clang, then this package once more"
except ImportError as error:
    absent = f"the native kernels cannot be loaded: {error}"
    remedy = "install this package once more, on this machine"
else:
    if not _native.targets():
        _built = " or ".join(_native.built())
        absent = f"the native kernels are built for processors with {_built}, which this one lacks"
        remedy = "install this package once more on this machine, or with -C cmake.define.LENET_TARGETS=all"


def target() -> str | None:
    """The instruction set in use: v4 (AVX-512), v3 (AVX2), v2 (SSE4) on x86-64, plain elsewhere."""
    return None if absent is not None else str(_native.target())


def targets() -> list[str]:
    """The instruction sets this processor has, of those the kernels were built for; the best first."""
    return list(_native.targets())


def set_target(name: str) -> None:
    """Chooses another of the instruction sets, for tests."""
    _native.set_target(name)


def set_threads(count: int) -> None:
    """Sets the number of threads of the native pool."""
    _native.set_threads(count)
