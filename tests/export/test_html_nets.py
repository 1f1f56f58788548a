"""Trained nets as pages, held to the engine on their own test samples: a small one always, ten with -m slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenetcli.runs.open import load_run
from tests.commands import run
from tests.export.html_nets import compared, held
from tests.report.live_page import browser, new_page

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium here")


def test_a_runs_page_gives_the_engines_scores_and_gradients(small_run: Path, tmp_path: Path) -> None:
    assert run(["export", str(small_run), "-o", "net.html"], tmp_path).code == 0
    with new_page(tmp_path / "browser") as page:
        found = compared(page, "mlp", tmp_path / "net.html", load_run(small_run), 60)
    assert (found.samples, found.others, found.problems) == (60, 0, ())
    assert max(found.scores, found.gradients) < 1e-5


@pytest.mark.slow
def test_ten_nets_give_the_engines_scores_and_gradients(real_data: Path, tmp_path: Path) -> None:
    found = list(held(real_data, tmp_path))
    assert len(found) == 10
    for net in found:
        assert (net.name, net.others, net.problems) == (net.name, 0, ())
        assert net.exact <= 1e-5, net
        assert net.gradients <= 1e-5, net
    assert (found[0].name, found[0].samples) == ("LeNet", 10_000)
    assert found[0].scores <= 1e-5
    assert found[0].size <= 600_000
    assert found[0].milliseconds < 16
