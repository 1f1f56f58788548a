"""Traces between training steps: they show the very next step, and change nothing about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lenetcli.inspection.graph.step_traces import traces
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from tests.conftest import run_of
from tests.train.small import write_config


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(write_config(tmp_path))


def test_each_trace_has_the_loss_of_the_step_that_follows(path: str) -> None:
    trained = [event.loss for event in fit(run_of(path)) if isinstance(event, Step)]
    seen = list(traces(run_of(path), [], first=0, count=10))  # over the ends of two epochs, dropout and all
    assert [t.step for t in seen] == list(range(10))
    assert [t.loss for t in seen] == pytest.approx(trained[:10], rel=1e-6)


def test_looking_late_shows_what_looking_all_along_shows(path: str) -> None:
    *_, last = traces(run_of(path), ["fc2.bias"], count=6)
    (late,) = traces(run_of(path), ["fc2.bias"], first=5)
    assert late.step == last.step == 5
    assert late.record() == last.record()


def test_more_steps_than_the_training_has_can_be_looked_at(path: str) -> None:
    (found,) = traces(run_of(path, "train.epochs=1"), [], first=9)
    assert found.step == 9


def test_only_the_first_trace_is_checked(path: str) -> None:
    first, second = traces(run_of(path), [], count=2, check=True)
    assert any(n.check for n in first.nodes)
    assert not any(n.check for n in second.nodes)
