"""Round numbers for any range, drawn curves for any values."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from lenetcli.inspection.training.curves import Curve
from lenetcli.report.axes import limits, short, ticks
from lenetcli.report.training.plot import draw
from lenetcli.report.training.run_page.chart import Line, chart

values = st.floats(-1e300, 1e300)


@given(values, values, st.integers(2, 12))
def test_ticks_are_few_and_within_the_limits(a: float, b: float, most: int) -> None:
    low, high = limits([(min(a, b), max(a, b))])
    found = ticks(low, high, most)
    assert 1 <= len(found) <= max(2, most)
    room = 1e-9 * (high / 2 - low / 2)
    assert all(low - room <= tick <= high + room for tick in found)


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [(0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]), (0.01, 0.013, [0.01, 0.011, 0.012, 0.013]), (1, 3, [1, 1.5, 2, 2.5, 3])],
)
def test_ticks_are_round(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high, 6) == found


def test_an_axis_begins_at_its_floor_when_that_is_near() -> None:
    assert limits([(0.1, 2.0)], 0.0) == (0.0, 2.0)
    assert limits([(1.9, 2.0)], 0.0) == (1.9, 2.0)
    assert limits([(0.01, 0.01)], 0.0) == (0.0, pytest.approx(0.011))


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_short(value: float) -> None:
    assert len(short(value)) <= 11


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(values, min_size=1, max_size=20), min_size=1, max_size=3), st.sampled_from(["utf-8", "ascii"]))
def test_any_finite_values_can_be_drawn(found: list[list[float]], encoding: str) -> None:
    curves = [Curve(f"r{i}", "train", np.arange(1.0, 1 + len(y)), np.array(y)) for i, y in enumerate(found)]
    file = io.TextIOWrapper(io.BytesIO(), encoding)
    console = Console(file=file, width=80)
    for part in draw(curves, "loss", "step", console):
        console.print(part)
    picture = chart([Line(c.run, c, "test") for c in curves], "loss", "step", 0.0)
    assert "nan" not in picture
    assert "inf" not in picture
