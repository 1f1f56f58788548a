"""The instruction sets that this machine has kernels for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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


@pytest.fixture
def each_target() -> Iterator[Callable[[], Iterator[str]]]:
    """For a loop over them, after a reference that takes longer than all of their results."""
    before = native.target()
    assert before is not None

    def targets() -> Iterator[str]:
        for name in native.targets():
            native.set_target(name)
            yield name

    yield targets
    native.set_target(before)
