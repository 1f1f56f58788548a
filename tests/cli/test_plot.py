"""`lenet plot`: curves in the terminal, as JSON, as a picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Lenet
from tests.conftest import ROOT
from tests.inspection.test_metrics import evaluated, run_of, step


@pytest.fixture
def runs(place: Path) -> list[str]:
    """Two runs of three epochs with two steps each, and what they wrote down."""
    for name, slowness in (("a", 1.0), ("b", 2.0)):
        events = []
        for epoch in (1, 2, 3):
            for number in (2 * epoch - 1, 2 * epoch):
                events.append(step(number, epoch=epoch, loss=slowness / number, lr=0.1 / epoch))
            for split in ("train", "test"):
                events.append(evaluated(epoch, split, loss=slowness / epoch, accuracy=1 - slowness / (4 * epoch)))
        (place / name).mkdir()
        run_of(place / name, *events)
    return ["a", "b"]


def test_the_json_holds_what_the_run_wrote_down(lenet: Lenet, runs: list[str]) -> None:
    found = json.loads(lenet("plot", *runs, "--json").out)
    assert (found["metric"], found["by"], found["smooth"]) == ("loss", "epoch", 0.0)
    assert [run["run"] for run in found["runs"]] == runs
    train, test = found["runs"][1]["curves"]
    assert (train["split"], train["x"], train["y"]) == ("train", [1, 2, 3], [2.0, 1.0, 2 / 3])
    assert test["split"] == "test"


def test_smoothing_shows_steps_and_leaves_the_test_curve_as_it_is(lenet: Lenet, runs: list[str]) -> None:
    found = json.loads(lenet("plot", "a", "--smooth", "0.5", "--json").out)
    train, test = found["runs"][0]["curves"]
    assert found["by"] == "step"
    assert len(train["x"]) == 6
    assert train["y"] != [1 / n for n in range(1, 7)]
    assert test["y"] == [1.0, 0.5, 1 / 3]


def test_a_single_epoch_is_shown_by_step(lenet: Lenet, place: Path) -> None:
    run_of(place, step(1), step(2), evaluated(1, "train"), evaluated(1))
    assert json.loads(lenet("plot", ".", "--json").out)["by"] == "step"


@pytest.mark.parametrize("metric", ["loss", "accuracy", "lr"])
@pytest.mark.parametrize("by", ["step", "epoch", "time"])
def test_the_terminal_shows_axes_curves_and_legend(lenet: Lenet, runs: list[str], metric: str, by: str) -> None:
    done = lenet("plot", *runs, "--metric", metric, "--by", by)
    assert (done.code, done.err) == (0, "")
    title, *_ = done.out.splitlines()
    assert title.endswith(f"over {by}")
    assert "┤" in done.out
    assert any("\u2800" < letter <= "\u28ff" for letter in done.out)
    legend = done.out[done.out.index("run ") :]
    assert [line.split()[0] for line in legend.splitlines()[2:]] == (["a", "b"] if metric == "lr" else list("abcd"))


def plotted(place: Path, *words: str, **environment: str) -> str:
    """What the program prints into a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "lenetcli", "plot", *words],
        cwd=place, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, check=True,
    )  # fmt: skip
    assert done.stderr == b""
    return done.stdout.decode()


@pytest.mark.parametrize("columns", ["80", "40", "200"])
def test_it_fits_the_width(place: Path, runs: list[str], columns: str) -> None:
    shown = plotted(place, *runs, COLUMNS=columns, PYTHONUTF8="1")
    assert max(map(len, shown.splitlines())) <= int(columns)


def test_an_output_that_is_not_utf8_gets_plain_characters(place: Path, runs: list[str]) -> None:
    (place / "a").rename(place / "läuft")
    shown = plotted(place, "läuft", "b", COLUMNS="80", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert shown.isascii()
    assert "l\\xe4uft" in shown
    assert "+---" in shown


def test_a_hostile_name_cannot_control_the_terminal(lenet: Lenet, place: Path, runs: list[str]) -> None:
    name = "\x1b[2J[red]x"
    (place / "a").rename(place / name)
    done = lenet("plot", name, "b")
    assert "\x1b[2J" not in done.out
    assert "\\x1b[2J[red]x" in done.out


def test_torn_lines_are_left_out_and_said(lenet: Lenet, place: Path, runs: list[str]) -> None:
    with (place / "a" / "metrics.jsonl").open("ab") as file:
        file.write(b'{"event": "step", "epo')
    done = lenet("plot", "a")
    assert done.code == 0
    assert done.err == "a: 1 line of metrics.jsonl left out: no events\n"


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_picture_is_written(lenet: Lenet, place: Path, runs: list[str], suffix: str) -> None:
    pytest.importorskip("matplotlib")
    done = lenet("plot", *runs, "--metric", "accuracy", "-o", f"out.{suffix}")
    assert (done.code, done.out, done.err) == (0, f"out.{suffix}\n", "")
    first = (place / f"out.{suffix}").read_bytes()
    assert first.startswith({"png": b"\x89PNG", "svg": b"<?xml"}[suffix])
    assert lenet("plot", *runs, "--metric", "accuracy", "-o", f"out.{suffix}").code == 0
    assert (place / f"out.{suffix}").read_bytes() == first


def test_odd_names_do_not_hurt_a_picture(lenet: Lenet, place: Path, runs: list[str]) -> None:
    pytest.importorskip("matplotlib")
    for old, new in zip(runs, ("_$\\frac{$", "日本 <b>&")):
        (place / old).rename(place / new)
    done = lenet("plot", "_$\\frac{$", "日本 <b>&", "-o", "out.svg")
    assert (done.code, done.err) == (0, "")


def test_without_matplotlib_the_message_says_how_to_get_it(
    lenet: Lenet, place: Path, runs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    done = lenet("plot", "a", "-o", "out.png")
    assert done.code == 2
    assert "python -m pip install 'lenet[plot]'" in done.err
    assert not (place / "out.png").exists()
    assert lenet("plot", "a").code == 0


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 2, "nowhere: not a run directory"),
        (["configs"], 2, "configs: not a run directory (no metrics.jsonl in it)"),
        (["a", "-o", "out.pdf"], 2, "wanted a name that ends in .png or .svg"),
        (["a", "-o", "nowhere/out.png"], 2, "its directory does not exist"),
        (["a", "--smooth", "1"], 2, "wanted a share from 0 to below 1"),
        (["a", "--smooth", "nan"], 2, "wanted a share"),
        (["a", "--metric", "lr", "--smooth", "0.5"], 2, "no noise"),
        (["a", "--metric", "speed"], 2, "speed"),
        ([], 2, "RUN"),
    ],
)
def test_wrong_input_is_one_message(lenet: Lenet, runs: list[str], words: list[str], code: int, message: str) -> None:
    lenet("plot", *words).assert_refused(code, message)


def test_a_metric_that_no_run_has_is_said(lenet: Lenet, place: Path) -> None:
    run_of(place, step(1), evaluated(1, accuracy=None))
    done = lenet("plot", ".", "--metric", "accuracy")
    assert done.code == 2
    assert "there is nothing to show" in done.err
