"""The device of these tests: the stand-in everywhere, and a real GPU where there is one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lenetcli.kernels import device
from tests.device import standin


def _there_is_a_gpu() -> bool:
    try:
        device.cupy()
    except device.DeviceError:
        return False
    return True


GPU = _there_is_a_gpu()
device.use(None)


@pytest.fixture(params=["standin", pytest.param("gpu", marks=pytest.mark.skipif(not GPU, reason="there is no GPU"))])
def cuda(request: pytest.FixtureRequest) -> Iterator[str]:
    """The name to move tensors to, with the stand-in or CuPy behind it."""
    if request.param == "standin":
        with standin.installed():
            yield "cuda"
    else:
        yield "cuda"
