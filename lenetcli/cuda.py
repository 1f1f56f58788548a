"""The GPU, under torch's names. Tensors and modules go there with `.to("cuda")`; CuPy (extra `cuda`) does the work.

Source: torch.cuda.
"""

from __future__ import annotations

from lenetcli.errors import DeviceError
from lenetcli.kernels import device as _device

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "get_device_name",
    "is_available",
    "max_memory_allocated",
    "mem_get_info",
    "memory_allocated",
    "set_device",
    "synchronize",
]


def is_available() -> bool:
    """Whether CuPy is installed and finds a GPU and a driver that fit.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cuda.is_available() == (lenet.cuda.device_count() > 0)
        True
    """
    return device_count() > 0


def device_count() -> int:
    """The number of GPUs; 0 without CuPy or a driver.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.cuda.device_count() >= 0
        True
    """
    try:
        return int(_device.cupy().cuda.runtime.getDeviceCount())
    except DeviceError:
        return 0


def current_device() -> int:
    """The number of the GPU that tensors go to.

    Raises:
        DeviceError: there is none.
    """
    return _device.current()


def set_device(device: int) -> None:
    """Chooses the GPU that tensors go to from now on; before the first one is made, since ops do not mix GPUs.

    Raises:
        DeviceError: there is no such GPU.
    """
    if not 0 <= device < device_count():
        _device.cupy()  # says why there is none at all
        raise DeviceError(f"there is no cuda:{device}: {device_count()} found")
    _device.cupy().cuda.Device(device).use()


def get_device_name(device: int | None = None) -> str:
    """The name of a GPU.

    Raises:
        DeviceError: there is none.
    """
    return _device.gpu_name(current_device() if device is None else device)


def synchronize() -> None:
    """Waits until the GPU has done all that it was asked for."""
    _device.cupy().cuda.Device().synchronize()


def mem_get_info() -> tuple[int, int]:
    """Bytes of the GPU's memory that are free, and all of them; what the pool keeps for later counts as taken."""
    free, total = _device.cupy().cuda.runtime.memGetInfo()
    return int(free), int(total)


def memory_allocated() -> int:
    """Bytes that tensors hold now."""
    return int(_device.cupy().get_default_memory_pool().used_bytes())


def max_memory_allocated() -> int:
    """Bytes that the pool has taken from the GPU since `empty_cache`: the most that was needed, and a rest."""
    return int(_device.cupy().get_default_memory_pool().total_bytes())


def empty_cache() -> None:
    """Gives memory that no tensor holds back to the GPU."""
    _device.cupy().get_default_memory_pool().free_all_blocks()
