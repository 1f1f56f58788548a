"""The picture of gradients over time: any numbers, any names, many rows and columns."""

from __future__ import annotations

import math

import pytest

from lenetcli.report.training.run_page.heatmap import heatmap
from tests.report.browser import read


@pytest.mark.parametrize("rows", [1, 10, 1000])
@pytest.mark.parametrize("columns", [1, 7, 5000])
def test_it_has_the_first_and_the_last_of_both(rows: int, columns: int) -> None:
    names = [f"layers.{i}.weight" for i in range(rows)]
    values = [[1.0 + i * j for j in range(columns)] for i in range(rows)]
    found = read(heatmap("all", "step", names, range(1, columns + 1), values))
    assert found.problems == []
    titles = found.text
    assert "layers.0.weight, step 1: 1" in titles
    assert f"layers.{rows - 1}.weight, step {columns:,}: " in titles
    assert len(found.all("rect")) <= 130 * 60 + 24
    height = float(str(found.all("svg")[0]["viewbox"]).split()[3])
    assert height < 620


def test_numbers_that_have_no_logarithm_and_hostile_names() -> None:
    values = [[None, 0.0, 1e-300, 1e300], [math.inf, math.nan, 1.0, None]]
    found = read(heatmap("x", "step", ["<script>", "b"], [1, 2, 3, 4], values))
    assert found.problems == []
    assert "script" not in {tag for tag, _ in found.tags}
    cells = [r for r in found.all("rect") if r["class"] == "cell wrong"]
    assert len(cells) == 2
    assert not [r for r in found.all("rect") if "nan" in str(r.get("style"))]


def test_all_the_same_and_nothing_at_all() -> None:
    assert "--share:0.500" in heatmap("x", "step", ["a"], [1, 2], [[3.0, 3.0]])
    assert read(heatmap("x", "step", ["a"], [1], [[None]])).all("rect") == []
