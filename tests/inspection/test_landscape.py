"""The loss around a run's way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.inspection.training.curvature import curvature, first_samples
from lenetcli.inspection.training.directions import Plane, across, filter_normalised, principal
from lenetcli.inspection.training.landscape import Landscape, landscape
from lenetcli.report.training.contours import segments
from lenetcli.report.training.landscape import page
from lenetcli.runs.open import load_training
from tests.report.browser import browse, check


@pytest.fixture(scope="module")
def found(small_run: Path) -> Landscape:
    return landscape(small_run, samples=64, steps=5, seed=3)


def test_each_filter_of_a_direction_is_as_long_as_its_own() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.Linear(20, 4))
    direction = filter_normalised(list(model.parameters()), np.random.default_rng(0))
    begin = 0
    for p in model.parameters():
        part = direction[begin : begin + p.array.size].reshape(p.array.shape)
        begin += p.array.size
        if p.array.ndim == 1:
            assert not part.any()
            continue
        lengths = [np.linalg.norm(values.reshape(len(values), -1), axis=1) for values in (part, p.array)]
        np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_principal_components_are_those_of_a_singular_value_decomposition() -> None:
    points = list(np.random.default_rng(0).standard_normal((6, 40)).cumsum(0).astype(np.float32))
    x, y, shares = principal(points) or pytest.fail("there are two")
    _, values, rows = np.linalg.svd(np.array([p - points[-1] for p in points[:-1]], np.float64), full_matrices=False)
    for direction, row in ((x, rows[0]), (y, rows[1])):
        assert abs(direction @ row) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(shares, (values**2 / (values**2).sum())[:2], rtol=1e-5)
    places, share = Plane(points[-1], x, y).places(points)
    assert share == pytest.approx(sum(shares), rel=1e-5)
    assert places[-1] == pytest.approx((0, 0))
    assert principal(points[:2]) is None
    assert principal([points[0]] * 3) is None
    rest = across(points[0], points[1])
    assert rest @ points[1] == pytest.approx(0, abs=1e-4)
    assert np.linalg.norm(rest) == pytest.approx(np.linalg.norm(points[1]), rel=1e-5)


def test_contour_lines_lie_where_a_plane_has_the_level() -> None:
    y, x = np.mgrid[0:6, 0:7].astype(np.float64)
    heights = 2 * x + 3 * y
    found = np.array(segments(heights, 7.5)).reshape(-1, 2)
    assert len(found)
    np.testing.assert_allclose(2 * found[:, 0] + 3 * found[:, 1], 7.5)
    heights[2, 2] = np.nan
    assert len(segments(heights, 7.5)) < len(found) / 2
    saddle = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert len(segments(saddle, 0.4)) == len(segments(saddle, 0.6)) == 2


def test_losses_are_those_of_the_model_with_these_weights(small_run: Path, found: Landscape) -> None:
    assert (found.samples, found.skipped, found.unbent) == (64, [], None)
    assert found.looks[0].step == 0
    assert [place.losses[place.ys.index(0.0)][place.xs.index(0.0)] for place in found.surfaces] == [
        pytest.approx(found.looks[-1].loss, rel=1e-5)
    ] * 2
    assert found.line is not None
    ends = [found.line.losses[found.line.at.index(share)] for share in (0.0, 1.0)]
    assert ends == pytest.approx([found.looks[0].loss, found.looks[-1].loss], rel=1e-5)
    _, run = load_training(str(small_run), [])
    assert run.progress.step == found.looks[-1].step
    run.progress.epoch = 0
    run.model.eval()
    inputs, targets = first_samples(run, 64)
    assert run.criterion(run.model(inputs), targets).item() == pytest.approx(found.looks[-1].loss, rel=1e-5)
    assert curvature(run, 64).eigenvalues[0] == pytest.approx(found.looks[-1].sharpness or 0, rel=1e-3)


def test_the_page_stands_by_itself(small_run: Path, tmp_path: Path, found: Landscape) -> None:
    text = page(replace(found, name="<b>net</b>"), "a & b", "lenet landscape a & b")
    seen = check(text)
    assert len(seen.all("svg")) == 4 + 2 + bool(found.momentum)  # pictures, and what the lines of one stand for
    assert "the first 64 of 1,442 training samples" in seen.text
    assert "seed 3" in seen.text
    (tmp_path / "page.html").write_text(text)
    for dark in (False, True):
        _, complaints, _ = browse(tmp_path / "page.html", 390, dark)
        assert complaints == []
