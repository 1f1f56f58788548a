"""The learning-rate range test: it finds the fall, leaves no trace, and ends when there is nothing more to learn."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.autograd.random import get_rng_state
from lenetcli.inspection.training.lr_finder import LrRange, Point, _smoothed, _suggestion, lr_range
from lenetcli.report.training.curve import curve
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from tests.conftest import run_of


def weights(run: Run) -> list[Any]:
    return [tensor.numpy().copy() for tensor in run.model.state_dict().values()]


@pytest.mark.parametrize("extra", [(), ("train.accumulate=2", "train.warmup=50", "train.ema=0.9")])
def test_rates_rise_evenly_and_the_run_is_as_before(extra: tuple[str, ...]) -> None:
    run, untouched = run_of("mlp", "train.epochs=1", *extra), run_of("mlp", "train.epochs=1", *extra)
    before, random = weights(run), get_rng_state()
    found = lr_range(run, 1e-5, 1e-1, 60)
    assert found.ended == "all steps"
    assert len(found.points) == 60
    assert [math.log10(p.lr) for p in found.points] == pytest.approx(np.linspace(-5, -1, 60))
    assert found.suggestion is not None
    assert found.best_lr is not None
    assert 1e-3 < found.suggestion < found.best_lr
    assert all((a == b).all() for a, b in zip(before, weights(run)))
    assert get_rng_state() == random
    assert run.lr == untouched.lr
    assert run.progress.step == 0
    for one in (run, untouched):
        list(fit(one))
    assert all((a == b).all() for a, b in zip(weights(run), weights(untouched)))


def test_it_goes_on_over_several_epochs() -> None:
    assert len(lr_range(run_of("mlp"), 1e-9, 1e-8, 110).points) == 110


def test_it_ends_when_the_loss_explodes() -> None:
    found = lr_range(run_of("mlp"), 1e-4, 1e4, 100)
    assert found.ended == "loss exploded"
    assert len(found.points) < 100


def test_it_ends_when_numbers_do() -> None:
    found = lr_range(run_of("mlp", "optimizer={type: SGD, lr: 0.1}"), 1e20, 1e30, 10)
    assert found.ended == "diverged"
    assert found.suggestion is None


def test_a_loss_that_does_not_fall_gives_no_suggestion() -> None:
    assert lr_range(run_of("mlp"), 1e-12, 1e-11, 20).suggestion is None


@pytest.mark.parametrize(("low", "high", "steps"), [(0.0, 1.0, 9), (1.0, 0.1, 9), (0.1, math.inf, 9), (0.1, 1.0, 1)])
def test_senseless_ranges_are_refused(low: float, high: float, steps: int) -> None:
    with pytest.raises(ValueError, match="wanted 0 < from < to"):
        lr_range(run_of("mlp"), low, high, steps)


def test_the_suggestion_is_where_the_fall_is_steepest() -> None:
    losses = [2.0, 2.0, 1.9, 1.5, 0.9, 0.6, 0.5, 0.7, 3.0]
    points = [Point(10.0**-i, loss, loss) for i, loss in zip(range(9, 0, -1), losses)]
    assert _suggestion(points) == (points[3].lr, points[6].lr)


def test_smoothing_moves_nothing() -> None:
    peak = [0.0] * 20 + [1.0] + [0.0] * 20
    assert int(np.argmax(_smoothed(peak, 2.0))) == 20
    assert _smoothed([3.0, 3.0, 3.0], 5.0).tolist() == pytest.approx([3.0, 3.0, 3.0])


def test_its_record_is_plain() -> None:
    found = LrRange([Point(0.1, 1.0, 1.0)], None, None, "all steps")
    assert found.record() == {
        "points": [{"lr": 0.1, "loss": 1.0, "smoothed": 1.0}],
        "suggestion": None,
        "best_lr": None,
        "ended": "all steps",
    }


def test_a_curve_has_the_size_and_the_limits_asked_for() -> None:
    lines = curve([1e-3, 1e-2, 1e-1], [5.0, 1.0, 9.0], width=20, height=4, log_x=True)
    assert len(lines) == 5
    assert lines[0].startswith("9 │")
    assert lines[3].startswith("1 │")
    assert all(len(line) == 3 + 20 for line in lines)
    assert lines[4].split() == ["0.001", "0.1"]
    assert lines[3][3 + 10] != "\u2800"
    assert len(curve([1.0], [2.0])) == 13


def test_a_run_directory_stays_untouched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lr_range(run_of("mlp"), 1e-4, 1e-2, 5)
    assert list(tmp_path.iterdir()) == []
