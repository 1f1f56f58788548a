"""docs/numbers.md states errors that a computation here finds again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT


@pytest.fixture
def sums(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield import_module("sums")
    for name in ("sums", "page"):
        sys.modules.pop(name, None)


def stated() -> dict[str, list[str]]:
    part = (ROOT / "docs" / "numbers.md").read_text("utf-8").partition("<!-- errors -->")[2].partition("<!-- end")[0]
    lines = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in part.strip().splitlines()[2:]]
    return {name: cells for name, *cells in lines}


@pytest.mark.parametrize("size", [1_000, 100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_the_errors_of_sums_are_as_the_page_states(sums: Any, size: int) -> None:
    rows, column = stated(), 3 * sums.SIZES.index(size)
    assert list(rows) == list(sums.CASES)
    with np.errstate(all="ignore"):
        for name, cells in rows.items():
            ours = sums.errors(name, size)[0]
            # exponentials and logarithms differ by processors
            assert ours == pytest.approx(float(cells[column]), abs=0.06 if "exp" not in name else 1), name
            assert ours < 5
