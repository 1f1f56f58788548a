"""Integers have 64 bits by name, wherever torch's have: also where NumPy's own have 32."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from tests import narrow
from tests.conftest import ROOT


@functools.cache
def narrowed() -> dict[str, dict[str, Any]]:
    """What a process finds whose NumPy gives 32-bit integers unless others are asked for."""
    command = [sys.executable, "-m", "tests.narrow"]
    environment = {**os.environ, "LENET_KERNELS": "numpy"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("group", narrow.GROUPS, ids=lambda group: group.__name__)
def test_types_do_not_depend_on_the_platforms_integer(group: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wide = dict(group())
    assert wide
    failed = [f"{name}: {kinds}" for name, kinds in wide.items() if isinstance(kinds, str) and "Error: " in kinds]
    assert not failed
    other = narrowed()[group.__name__]
    assert list(other) == list(wide)
    assert [(name, kinds, other[name]) for name, kinds in wide.items() if kinds != other[name]] == []


def test_numpy_is_played_as_it_would_be() -> None:
    """Where nobody names a type, or where elements are counted, 32 bits; else what was asked for."""
    x, call = np.array([3, 1, 2]), narrow.called
    small = [
        call(np.array, [1, 2]), call(np.arange, 3), call(x.argsort), call(np.argsort, x), call(x.nonzero)[0],
        call((x > 1).sum), call(np.full, 3, 1), call(np.where, x > 1, 1, 0), call(np.zeros, 3, int),
        call(np.unique, x, return_inverse=True)[1], call((x > 1).astype, int),
        narrow.combined(lambda a, b: a + b, x > 1, 1),
    ]  # fmt: skip
    assert {array.dtype for array in small} == {np.dtype(np.int32)}
    kept = [
        call(np.array, [1, 2], np.int64), call(np.arange, 3, dtype=np.int64), call(np.asarray, x), call(x.sum),
        call(np.argsort(x).astype, np.int64), call(np.concatenate, [x, x]), call(np.unique, x),
        call(np.zeros, 3, "int64"),
    ]  # fmt: skip
    assert {array.dtype for array in kept} == {np.dtype(np.int64)}


def test_lists_with_numbers_of_numpys_keep_their_type() -> None:
    import lenetcli as lenet

    assert lenet.tensor([np.int32(1), np.int32(2)]).dtype is lenet.int32
    assert lenet.tensor([[np.uint8(1)], [np.uint8(2)]]).dtype is lenet.uint8
    assert lenet.tensor([]).dtype is lenet.float32
    assert lenet.tensor([[1, 2], [3, 2**40]]).dtype is lenet.int64
