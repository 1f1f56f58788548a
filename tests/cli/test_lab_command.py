"""`lenet lab`: the list, a lesson, JSON, what cannot be taught."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lenetcli.inspection.lab import LESSONS
from tests.cli.conftest import Lenet


def test_without_a_name_the_lessons_are_listed(lenet: Lenet) -> None:
    done = lenet("lab")
    assert done.code == 0
    for name in LESSONS:
        assert name in done.out
    assert [lesson["name"] for lesson in json.loads(lenet("lab", "--json").out)] == list(LESSONS)


def test_a_lesson_shows_code_numbers_and_explanation(lenet: Lenet) -> None:
    done = lenet("lab", "forget-zero-grad")
    assert (done.code, done.err) == (0, "")
    for part in ("wrong\n", "right\n", "loss.backward()", "wrong: |grad|", "what gives it away", "why", "what to do"):
        assert part in done.out
    assert "\x1b" not in done.out


def test_a_lesson_takes_a_configuration_and_changes(lenet: Lenet) -> None:
    words = ["lab", "cut-graph", "configs/tutorial.yaml", "optimizer.lr=0.5", "--json"]
    found = json.loads(lenet(*words).out)
    assert found["name"] == "cut-graph"
    assert found["rows"][0][:3] == ["conv1.weight", "None", 0.0]
    own = json.loads(lenet("lab", "lr-too-high", "optimizer.lr=0.003", "--json").out)
    assert "instead of 0.003" in own["signs"][0]


@pytest.mark.parametrize("columns", [80, 200])
@pytest.mark.parametrize("name", ["backward-twice", "bad-init", "no-shuffle", "other-parameters"])
def test_nothing_is_cut_and_nothing_is_too_wide(
    lenet: Lenet, monkeypatch: pytest.MonkeyPatch, columns: int, name: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for words in (["lab"], ["lab", name]):
        lines = lenet(*words).out.splitlines()
        assert max(map(len, lines)) <= columns
        assert "…" not in "".join(lines)
        assert not any(line != line.rstrip() for line in lines)


def test_an_unknown_lesson_is_refused_with_a_suggestion(lenet: Lenet) -> None:
    done = lenet("lab", "forget-zero-grads")
    assert done.code == 2
    assert "did you mean forget-zero-grad?" in done.err
    assert "`lenet lab` lists them" in lenet("lab", "xyz").err


def test_a_lesson_that_does_not_fit_the_data_says_so(lenet: Lenet) -> None:
    done = lenet("lab", "no-shuffle", "configs/tutorial.yaml")
    assert done.code == 2
    assert "wants data with classes" in done.err


def test_nothing_is_written(lenet: Lenet, place: Path) -> None:
    assert lenet("lab", "unscaled-inputs").code == 0
    assert [p.name for p in place.iterdir()] == ["configs"]
