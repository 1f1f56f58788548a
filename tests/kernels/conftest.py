"""The instruction sets that this machine has kernels for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lenetcli.kernels import native


@pytest.fixture(params=[] if native.absent is not None else native.targets())
def target(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each instruction set this machine has kernels for."""
    before = native.target()
    assert before is not None
    native.set_target(request.param)
    yield request.param
    native.set_target(before)
