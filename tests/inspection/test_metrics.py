"""Reading metrics.jsonl: what is whole counts, what is not is left out and counted, nothing else happens."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lenetcli.errors import DataError
from lenetcli.inspection.training.curves import Curve, curves, smoothed, thinned
from lenetcli.runs.history import LONGEST_LINE, read_history


def step(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "event": "step", "epoch": 1, "step": number, "loss": 1.0 / number, "lr": 0.1, "samples": 10,
        "samples_per_second": 100.0, **changes,
    }  # fmt: skip


def evaluated(epoch: int, split: str = "test", **changes: Any) -> dict[str, Any]:
    return {
        "event": "evaluated", "epoch": epoch, "step": 2 * epoch, "split": split, "loss": 1.0, "accuracy": 0.5,
        "count": 9, "lr": 0.1, "seconds": 1.0, "samples_per_second": 9.0, **changes,
    }  # fmt: skip


def run_of(place: Path, *lines: Any) -> Path:
    text = b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )  # fmt: skip
    (place / "metrics.jsonl").write_bytes(text)
    return place


def test_events_become_columns_and_a_clock(tmp_path: Path) -> None:
    history = read_history(
        run_of(tmp_path, step(1), step(2), evaluated(1, "train", seconds=0.3), evaluated(1), step(3))
    )
    assert history.steps.step.tolist() == [1, 2, 3]
    assert history.steps.loss.tolist() == [1.0, 0.5, 1 / 3]
    assert history.steps.time.tolist() == pytest.approx([0.1, 0.2, 1.4])  # 0.3 s of training, 1 s of testing, 0.1 s
    assert [(e.event.split, e.time) for e in history.evaluations] == [("train", 0.3), ("test", 1.3)]
    assert (history.ended, history.skipped) == (None, 0)


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    run_of(tmp_path, step(1), step(2))
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(json.dumps(step(3)).encode()[:-7])
    history = read_history(tmp_path)
    assert history.steps.step.tolist() == [1, 2]
    assert history.skipped == 1


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"null", b"[]", b'"step"', b"\xff\xfe", b"[" * 60_000, b'{"event": 3}', b'{"event": "step"}',
        step(2, loss="low"), step(2, loss=None), step(2, step=True), step(2, step=-1), step(2, step=10**400),
        step(2, loss=10**400), step(2, lr=[]), step(2, samples=2.5), step(2, samples_per_second=-1.0),
        step(2, samples_per_second=float("nan")), evaluated(1, split="dev"),
        evaluated(1, split=None), evaluated(1, seconds=float("inf")), evaluated(1, accuracy="half"),
        evaluated(1, seconds=-5.0), {"event": "ended", "epoch": 1, "step": 1, "reason": 4, "seconds": 1.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_line_that_is_no_event_is_left_out(tmp_path: Path, line: Any) -> None:
    history = read_history(run_of(tmp_path, step(1), line, step(3)))
    assert history.steps.step.tolist() == [1, 3]
    assert history.evaluations == []
    assert history.skipped == 1


def test_a_line_that_is_too_long_is_one_line_and_no_event(tmp_path: Path) -> None:
    long = b"x" * (2 * LONGEST_LINE) + json.dumps(step(7)).encode()
    history = read_history(run_of(tmp_path, step(1), long, step(2)))
    assert history.steps.step.tolist() == [1, 2]
    assert history.skipped == 1


def test_of_a_step_that_stands_twice_the_last_counts(tmp_path: Path) -> None:
    history = read_history(run_of(tmp_path, step(1), step(3), step(2), step(3, loss=9.0)))
    assert history.steps.step.tolist() == [1, 2, 3]
    assert history.steps.loss.tolist() == [1.0, 0.5, 9.0]
    assert np.all(np.diff(history.steps.time) >= 0)


def test_events_of_other_kinds_are_no_damage(tmp_path: Path) -> None:
    saved = {"event": "saved", "epoch": 1, "step": 1, "path": "x", "best": True}
    assert read_history(run_of(tmp_path, step(1), saved, {"event": "new in a later version"})).skipped == 0


def test_a_run_that_goes_on_has_not_ended(tmp_path: Path) -> None:
    ended = {"event": "ended", "epoch": 1, "step": 1, "reason": "interrupted", "seconds": 2.0}
    assert read_history(run_of(tmp_path, step(1), ended)).seconds == 2.0
    assert read_history(run_of(tmp_path, step(1), ended, step(2))).ended is None


def test_the_best_is_what_the_run_would_take_for_it(tmp_path: Path) -> None:
    events = [evaluated(1, accuracy=0.5), evaluated(2, accuracy=0.9, loss=3.0), evaluated(3, accuracy=0.9, loss=2.0)]
    best = read_history(run_of(tmp_path, *events)).best
    assert best is not None
    assert best.epoch == 3


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "is empty"), (b"\n\n", "no line in it is an event"), (b"\0" * 99, "no line in it")]
)
def test_a_file_without_events_is_one_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_history(tmp_path)


def test_a_missing_file_a_pipe_and_a_link_that_leads_out_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_history(tmp_path)
    place = tmp_path / "run"
    place.mkdir()
    os.mkfifo(place / "metrics.jsonl")
    with pytest.raises(DataError, match="not a regular file"):
        read_history(place)
    (place / "metrics.jsonl").unlink()
    run_of(tmp_path, step(1))
    (place / "metrics.jsonl").symlink_to(tmp_path / "metrics.jsonl")
    with pytest.raises(DataError, match="leads out"):
        read_history(place)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda s: st.lists(s, max_size=3)
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.binary(max_size=40)
        | st.dictionaries(st.sampled_from([*step(1), *evaluated(1)]), json_values).map(lambda d: {**step(1), **d})
        | st.dictionaries(st.sampled_from([*step(1), *evaluated(1)]), json_values).map(lambda d: {**evaluated(1), **d}),
        max_size=6,
    )
)
def test_no_file_makes_anything_but_curves_or_one_error(tmp_path: Path, lines: list[Any]) -> None:
    try:
        history = read_history(run_of(tmp_path, *lines))
    except DataError:
        return
    for metric in ("loss", "accuracy", "lr"):
        for by in ("step", "epoch", "time"):
            for curve in curves(history, "run", metric, by, 0.5):  # type: ignore[arg-type]
                assert len(curve.x) == len(curve.y) > 0
                assert np.isfinite(curve.y).all()
                assert (np.diff(curve.x) >= 0).all()


def test_curves_have_a_point_a_step_or_a_point_an_epoch(tmp_path: Path) -> None:
    events = [
        step(1),
        step(2),
        evaluated(1, "train"),
        evaluated(1),
        step(3),
        step(4),
        evaluated(2, "train"),
        evaluated(2),
    ]
    history = read_history(run_of(tmp_path, *events))
    found = {(m, b): [(c.split, len(c.x)) for c in curves(history, "run", m, b)] for m in ("loss", "accuracy", "lr")
             for b in ("step", "epoch")}  # type: ignore[arg-type]  # fmt: skip
    assert found == {
        ("loss", "step"): [("train", 4), ("test", 2)],
        ("loss", "epoch"): [("train", 2), ("test", 2)],
        ("accuracy", "step"): [("train", 2), ("test", 2)],
        ("accuracy", "epoch"): [("train", 2), ("test", 2)],
        ("lr", "step"): [("", 4)],
        ("lr", "epoch"): [("", 2)],
    }
    assert curves(history, "run", "loss", "step")[1].x.tolist() == [2, 4]


def test_values_that_are_no_numbers_are_gaps(tmp_path: Path) -> None:
    history = read_history(run_of(tmp_path, step(1), step(2, loss=float("nan")), step(3, loss=float("inf")), step(4)))
    assert curves(history, "run", "loss", "step")[0].x.tolist() == [1, 4]


def test_smoothing_keeps_a_constant_and_calms_noise() -> None:
    assert smoothed(np.full(5, 3.0), 0.9).tolist() == pytest.approx([3.0] * 5)
    noise = np.random.default_rng(0).standard_normal(500)
    assert smoothed(noise, 0.9).std() < 0.5 * noise.std()


def test_thinning_keeps_peaks_and_ends() -> None:
    y = np.zeros(10_000)
    y[1234], y[7777] = 5.0, -5.0
    thin = thinned(Curve("r", "train", np.arange(10_000.0), y), 100)
    assert len(thin.x) <= 100
    assert (thin.y.max(), thin.y.min(), thin.x[0], thin.x[-1]) == (5.0, -5.0, 0.0, 9999.0)
