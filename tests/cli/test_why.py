"""`lenet why`: one weight's way through a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet
from tests.report.browser import read


def test_the_command_tells_all_steps_and_shows_the_largest(small_run: Path, lenet: Lenet, tmp_path: Path) -> None:
    found = json.loads(lenet("why", str(small_run), "fc3.weight[2, 5]", "--json", "--samples", "2").out)
    assert (found["name"], found["index"], len(found["steps"])) == ("fc3.weight", [2, 5], 184)
    assert found["last"] - found["first"] == pytest.approx(found["sum"])
    assert {len(step["samples"]) for step in found["steps"]} == {2}
    shown = lenet("why", str(small_run), "fc3.bias[0]", "--steps", "4").out
    assert "fc3.bias[0]: " in shown
    assert "4 steps of 184: those that changed it most" in shown
    assert "samples: those that pushed it most" in shown
    page = tmp_path / "why.html"
    assert lenet("why", str(small_run), "fc3.weight[2,5]", "--html", str(page), "--steps", "3").out == f"{page}\n"
    read_page = read(page.read_text("utf-8"))
    assert read_page.problems == []
    assert not read_page.all("script")
    assert len(read_page.all("img")) == 9  # three samples of each of the three steps
    assert all((img["src"] or "").startswith("data:image/png;base64,") for img in read_page.all("img"))
    assert f"{found['sum']:+.3g}" in read_page.text
    for weight, said in (
        ("fc9.weight[0,0]", "no parameter 'fc9.weight'; there are fc1.weight, fc1.bias"),
        ("fc3.weight[2]", "fc3.weight: wanted 2 numbers below [10, 64], its shape, got [2]"),
        ("fc3.weight[2,64]", "fc3.weight: wanted 2 numbers below [10, 64], its shape, got [2, 64]"),
        ("fc3.weight[a]", "fc3.weight[a]: wanted a parameter and a place in it, such as 'fc1.weight[3,7]'"),
    ):
        lenet("why", str(small_run), weight).assert_refused(2, said)
    lenet("why", "configs/mlp.yaml", "fc3.bias[0]").assert_refused(2, "configs/mlp.yaml")
