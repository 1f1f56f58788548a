"""torch.accelerator: the GPU, where there is one, without its maker's name."""

from __future__ import annotations

from lenetcli import cuda
from lenetcli.tensors.device import device

__all__ = ["current_accelerator", "device_count", "is_available"]


def is_available() -> bool:
    """Whether there is a GPU that tensors can go to. Source: torch.accelerator.is_available.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.accelerator.is_available() == lenet.cuda.is_available()
        True
    """
    return cuda.is_available()


def device_count() -> int:
    """How many there are. Source: torch.accelerator.device_count."""
    return cuda.device_count()


def current_accelerator(check_available: bool = False) -> device | None:
    """The kind of device that tensors go to beside the CPU; None where there is none.

    Source: torch.accelerator.current_accelerator (which gives the kind that the library was built for, or with
    `check_available` what is there; this package is built for none).
    """
    return device("cuda") if cuda.is_available() else None
