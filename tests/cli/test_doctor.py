"""`lenet doctor`."""

from __future__ import annotations

import json

import pytest

from lenetcli.kernels import dispatch, native
from tests.cli.conftest import Lenet


def test_it_says_which_kernels_run(lenet: Lenet) -> None:
    found = {line["what"]: line for line in json.loads(lenet("doctor", "--json").out)}
    assert found["kernels"]["found"].startswith(dispatch.twin)
    assert found["numpy"]["ok"]
    assert found["kernels"]["ok"] == (native.absent is None)


def test_forcing_numpy_is_told(lenet: Lenet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENET_KERNELS", "numpy")
    with dispatch.force("numpy"):
        assert "LENET_KERNELS=numpy" in lenet("doctor").out
