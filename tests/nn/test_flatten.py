"""Sizes that Unflatten refuses; test_module_sweep.py compares both layers with torch."""

from __future__ import annotations

from typing import Any

import pytest

import lenetcli as lenet
from lenetcli import nn


@pytest.mark.parametrize("sizes", [6, (2, 3.0), "23", (("a", 2), ("b", 3))])
def test_sizes_that_are_no_integers_are_refused(sizes: Any) -> None:
    with pytest.raises(TypeError, match="tuple of integers"):
        nn.Unflatten(1, sizes)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(RuntimeError):
        nn.Unflatten(1, (2, 4))(lenet.ones(1, 6))
    with pytest.raises(IndexError):
        nn.Unflatten(2, (2, 3))(lenet.ones(1, 6))
