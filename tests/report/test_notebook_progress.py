"""In a notebook a training has one output, which is drawn anew."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli.report.training import notebook_progress
from lenetcli.report.training.listeners import in_notebook
from lenetcli.report.training.notebook_progress import ROWS, NotebookTable
from lenetcli.train.events import Ended, Evaluated, Step
from tests.train.small import write_config


class Kernel:
    """Stands in for IPython: keeps what is displayed and how each display changes."""

    def __init__(self) -> None:
        self.outputs: list[list[tuple[str, str]]] = []

    def display(self, thing: Any, display_id: bool = False) -> Any:
        seen: list[tuple[str, str]] = []
        self.outputs.append(seen)

        def update(thing: Any) -> None:
            seen.append((repr(thing), thing._repr_html_()))

        update(thing)
        return SimpleNamespace(update=update) if display_id else None


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    found = Kernel()
    ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    ipython.display, display.display = display, found.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return found


@pytest.mark.parametrize("mode", ["auto", "bar"])
def test_a_training_is_one_output_that_is_drawn_anew(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], mode: Any
) -> None:
    monkeypatch.setattr(notebook_progress, "PAUSE", -1.0)
    monkeypatch.setattr(notebook_progress, "SHARE", 1e9)
    lenet.Trainer(write_config(tmp_path), out=tmp_path / "run").fit(progress=mode)
    (seen,) = kernel.outputs
    assert len(seen) > 12  # each step and each epoch
    first, last = seen[0], seen[-1]
    assert "epoch 1/3, step 1/4" in first[0]
    assert "<progress" in first[1]
    assert "<progress" not in last[1]
    assert last[1].count("<tr>") == 4
    assert "finished" in last[0]
    drawn = [html.count('<svg viewBox="0 0 460') for _, html in seen]
    assert drawn[0] == 1, "the loss, as soon as there is a step"
    assert drawn[-1] == 2, "and the accuracy"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("mode", ["plain", "json", "off"])
def test_other_modes_write_text(kernel: Kernel, tmp_path: Path, capsys: pytest.CaptureFixture[str], mode: Any) -> None:
    lenet.Trainer(write_config(tmp_path), out=tmp_path / "run").fit(progress=mode)
    assert kernel.outputs == []
    assert bool(capsys.readouterr().out) == (mode != "off")


def test_of_many_epochs_the_last_are_shown_and_drawing_is_seldom(kernel: Kernel) -> None:
    table = NotebookTable(500, 1)
    for epoch in range(1, 501):
        table(Step(epoch, epoch, 0.5, 0.1, 8, 100.0))
        table(Evaluated(epoch, epoch, "train", 0.5, None, 8, 0.1, 0.1, 80.0))
        table(Evaluated(epoch, epoch, "validation", 0.4, None, 8, 0.1, 0.1, 80.0))
    table(Ended(500, 500, "finished", 3.0, 500))
    table.close()
    (seen,) = kernel.outputs
    assert len(seen) < 50
    assert seen[-1][1].count("<tr>") == ROWS + 1
    assert "470 earlier epochs" in seen[-1][1]
    assert "val loss" in seen[-1][1]


def test_a_training_that_fails_leaves_its_epochs(kernel: Kernel, tmp_path: Path) -> None:
    with pytest.raises(lenet.errors.DivergedError):
        lenet.Trainer(write_config(tmp_path), "optimizer.lr=1e30", out=tmp_path / "run").fit()
    (seen,) = kernel.outputs
    assert "diverged" in seen[-1][0]


def test_a_plain_python_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    ipython = ModuleType("IPython")
    ipython.get_ipython = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    assert not in_notebook()
