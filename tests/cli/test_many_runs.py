"""Many runs side by side: tables, groups over seeds, plots and a page, also of directories that hold other things."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.inspection.training.curves import Curve
from lenetcli.report.training.plot import LETTERS, labels
from lenetcli.report.training.plot_file import look
from tests.cli.conftest import Lenet
from tests.inspection.test_metrics import evaluated, step
from tests.inspection.test_runs import ENDED, make
from tests.report.browser import check

LRS, SEEDS = (0.1, 0.01), (0, 1, 2)


def accuracy(lr: float, seed: int, epoch: int) -> float:
    return 0.5 + lr + seed / 10 - abs(epoch - 2) / 100  # the second of three epochs is the best


@pytest.fixture
def grid(place: Path) -> Path:
    """Six runs of a sweep, three seeds of each of two learning rates, with the sweep's own file and others beside."""
    number = 0
    for lr in LRS:
        for seed in SEEDS:
            number += 1
            events: list[Any] = []
            for epoch in (1, 2, 3):
                events += [step(epoch, epoch=epoch), evaluated(epoch, "train")]
                events.append(evaluated(epoch, accuracy=accuracy(lr, seed, epoch), loss=seed + 1 / epoch))
            run = place / "runs" / "grid" / f"{number:04d}"
            make(run, *events, {**ENDED, "epoch": 3}, optimizer=f"{{type: SGD, lr: {lr}}}")
            with (run / "config.yaml").open("a") as file:
                file.write(f"seed: {seed}\n")
    grid = place / "runs" / "grid"
    (grid / "sweep.json").write_text("{}")
    (grid / "journal.log").write_text("")
    (grid / "notes").mkdir()
    (grid / "notes" / "a.txt").write_text("no run")
    return grid


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_last_epoch_stands_beside_the_best(lenet: Lenet, grid: Path) -> None:
    done = lenet("runs")
    head, _, first, *_ = done.out.splitlines()
    assert head.split()[:6] == ["run", "status", "lr", "seed", "accuracy", "last"]
    assert first.split()[4:6] == ["0.6000", "0.5900"]
    found = json.loads(lenet("runs", "--json").out)["runs"][0]
    assert (found["best"]["epoch"], found["last"]["epoch"]) == (2, 3)
    assert found["last"]["accuracy"] == pytest.approx(0.59)
    ordered = json.loads(lenet("runs", "--sort", "last_accuracy", "--json").out)["runs"]
    assert ordered[0]["run"] == "runs/grid/0003"
    assert len(json.loads(lenet("runs", "--filter", "last_loss<1", "--json").out)["runs"]) == 2
    assert "chosen on the test split" in done.out


def test_csv_holds_all_figures_and_keys(lenet: Lenet, grid: Path) -> None:
    done = lenet("runs", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == 6
    for row, (lr, seed) in zip(rows, [(lr, seed) for lr in LRS for seed in SEEDS]):
        assert (float(row["optimizer.lr"]), int(row["seed"])) == (lr, seed)
        assert float(row["accuracy"]) == accuracy(lr, seed, 2)
        assert float(row["last_accuracy"]) == accuracy(lr, seed, 3)
        assert (row["best_epoch"], row["split"], row["status"]) == ("2", "test", "finished")
    done = lenet("runs", "--csv", "--json")
    assert (done.code, done.out) == (2, "")
    assert lenet("runs", "configs", "--csv").out.startswith("run,status")


@pytest.mark.parametrize(
    "line", ["runs --group", "runs --group runs", "runs runs --group", "runs --group --sort run", "runs --group="]
)
def test_groups_are_runs_that_differ_in_their_seed_only(lenet: Lenet, grid: Path, line: str) -> None:
    found = json.loads(lenet(*line.split(), "--json").out)["groups"]
    assert [group["config"] for group in found] == [{"optimizer.lr": lr} for lr in LRS]
    for group, lr in zip(found, LRS):
        best = [accuracy(lr, seed, 2) for seed in SEEDS]
        assert len(group["runs"]) == 3
        assert group["accuracy"]["mean"] == pytest.approx(np.mean(best))
        assert group["accuracy"]["std"] == pytest.approx(np.std(best, ddof=1))
        assert (group["accuracy"]["min"], group["accuracy"]["max"]) == (min(best), max(best))
        assert group["last_accuracy"]["mean"] == pytest.approx(np.mean(best) - 0.01)
        assert group["status"] == {"finished": 3}
    table = lenet(*line.split()).out
    assert "0.7000 ± 0.1000" in table
    assert "2 groups of 6 runs" in table


def test_groups_of_the_values_of_keys(lenet: Lenet, grid: Path) -> None:
    found = json.loads(lenet("runs", "--group", "seed", "--sort", "accuracy", "--json").out)["groups"]
    assert [(group["config"], len(group["runs"])) for group in found] == [({"seed": seed}, 2) for seed in (2, 1, 0)]
    both = json.loads(lenet("runs", "--group", "seed,optimizer.lr", "--json").out)["groups"]
    assert [len(group["runs"]) for group in both] == [1] * 6
    assert both[0]["accuracy"]["std"] is None
    rows = list(csv.DictReader(io.StringIO(lenet("runs", "--group", "--csv").out)))
    assert [float(row["accuracy_mean"]) for row in rows] == pytest.approx([0.7, 0.61])
    assert rows[0]["runs"] == "3"
    done = lenet("runs", "--group", "optimiser.lr")
    assert (done.code, done.out) == (2, "")
    assert "did you mean optimizer.lr?" in done.err


@pytest.mark.parametrize("width", ["60", "80", "200"])
@pytest.mark.parametrize("line", ["runs", "runs --group", "plot runs", "plot --group runs"])
def test_tables_fit(lenet: Lenet, grid: Path, monkeypatch: pytest.MonkeyPatch, line: str, width: str) -> None:
    monkeypatch.setenv("COLUMNS", width)
    done = lenet(*line.split())
    assert done.code == 0
    assert max(map(len, done.out.splitlines())) <= int(width)


@pytest.mark.parametrize("command", ["plot", "report"])
@pytest.mark.parametrize("named", ["directory", "pattern", "both", "parent"])
def test_a_directory_stands_for_its_runs_and_what_is_none_is_left_out(
    lenet: Lenet, grid: Path, command: str, named: str
) -> None:
    everything = sorted(f"runs/grid/{path.name}" for path in grid.iterdir())
    places = {"directory": ["runs/grid"], "pattern": everything, "both": ["runs/grid", *everything], "parent": ["runs"]}
    done = lenet(command, *places[named], "--json")
    assert done.code == 0
    assert [run["run"] for run in json.loads(done.out)["runs"]] == [f"runs/grid/{i:04d}" for i in range(1, 7)]
    told = "left out, no run in them: runs/grid/journal.log, runs/grid/notes, runs/grid/sweep.json\n"
    assert done.err == (told if named in ("pattern", "both") else "")


@pytest.mark.parametrize("command", ["plot", "report"])
@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["runs/grid/0001", "nowhere"], "nowhere: not a run directory"),
        (
            ["configs", "runs/grid/sweep.json"],
            "configs: not a run directory (no metrics.jsonl in it), and none below it",
        ),
        (["runs/grid/notes"], "runs/grid/notes: not a run directory"),
    ],
)
def test_no_run_at_all_and_a_place_that_is_not_there_are_one_message(
    lenet: Lenet, grid: Path, command: str, places: list[str], message: str
) -> None:
    done = lenet(command, *places)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_a_damaged_run_among_several_is_left_out(lenet: Lenet, grid: Path) -> None:
    (grid / "0002" / "metrics.jsonl").write_text("")
    done = lenet("plot", "runs", "--json")
    assert len(json.loads(done.out)["runs"]) == 5
    assert "left out: runs/grid/0002/metrics.jsonl" in done.err
    done = lenet("report", "runs", "-o", "page.html")
    assert done.code == 0
    assert "left out: runs/grid/0002/metrics.jsonl" in done.err


def test_the_curve_of_a_group_is_the_mean_with_its_spread(lenet: Lenet, grid: Path, place: Path) -> None:
    found = json.loads(lenet("plot", "--group", "runs", "--metric", "accuracy", "--json").out)["runs"]
    assert [run["run"] for run in found] == ["lr=0.1 (3 runs)", "lr=0.01 (3 runs)"]
    (curve,) = [c for c in found[0]["curves"] if c["split"] == "test"]
    assert curve["y"] == pytest.approx([0.69, 0.7, 0.69])
    assert curve["std"] == pytest.approx([0.1] * 3)
    assert curve["count"] == [3, 3, 3]
    assert "std" not in json.loads(lenet("plot", "runs", "--json").out)["runs"][0]["curves"][0]
    assert "lr=0.1 (3 runs)" in lenet("plot", "runs", "--group").out
    done = lenet("plot", "--group", "runs", "--by", "time")
    assert (done.code, done.out) == (2, "")
    pytest.importorskip("matplotlib")
    assert lenet("plot", "--group", "runs", "-o", "means.svg").code == 0
    assert (place / "means.svg").stat().st_size > 1000


@pytest.mark.parametrize("count", [2, 26, 27, 52, 53, 200, 700])
def test_no_two_curves_have_the_same_letters(count: int) -> None:
    found = labels(count)
    assert len(set(found)) == count
    assert len({len(label) for label in found}) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("runs", [3, 30, 60])
def test_every_curve_has_its_letters_on_it_and_in_the_legend(encoding: str, runs: int) -> None:
    from rich.console import Console

    from lenetcli.report.training.plot import draw

    x = np.arange(1.0, 9.0)
    found = [Curve(f"run{i}", split, x, 1 / x + i / 10) for i in range(runs) for split in ("train", "test")]
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=100)
    for part in draw(found, "loss", "epoch", console):
        console.print(part)
    file.seek(0)
    text = file.read()
    picture, _, legend = text.partition("curve")
    shown = [line.split()[0] for line in legend.splitlines() if re.search(r" run\d+ ", line)]
    assert len(set(shown)) == len(shown) == (2 * runs if runs == 3 else runs)
    rows = [line.partition("|" if encoding == "ascii" else "│")[2] or line for line in picture.splitlines()]
    assert all(any(label in row for row in rows) for label in shown)
    assert ("training data" in legend) == (runs > 3)


def test_the_first_49_runs_of_a_picture_look_different() -> None:
    assert len({tuple(look(i).values()) for i in range(49)}) == 49
    assert len(LETTERS) == 52


@pytest.mark.parametrize("runs", [2, 7, 30])
def test_the_legend_of_a_picture_stands_outside_its_curves(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runs: int
) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    from lenetcli.report.training.plot_file import write

    seen: list[Any] = []
    made = Figure.__init__

    def keep(self: Any, *args: Any, **how: Any) -> None:
        made(self, *args, **how)
        seen.append(self)

    monkeypatch.setattr(Figure, "__init__", keep)
    x = np.arange(1.0, 9.0)
    found = [Curve(f"runs/grid/{i:04d}", split, x, 1 / x + i / 10) for i in range(runs) for split in ("train", "test")]
    write(tmp_path / "many.png", found, "loss", "epoch")
    (figure,) = seen
    (legend,), (axes,) = figure.legends, figure.axes
    outside, curves = legend.get_window_extent(), axes.get_window_extent()
    assert not outside.overlaps(curves)
    assert outside.y0 >= 0
    assert outside.x0 >= 0
    assert outside.x1 <= figure.bbox.x1
    assert curves.height > 0.6 * 4.5 * figure.dpi * 0.8
    assert len(legend.get_texts()) == (runs if runs > 12 else 2 * runs)


def test_the_page_compares_runs(lenet: Lenet, grid: Path, place: Path) -> None:
    done = lenet("report", "runs/grid")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("runs/grid/comparison.html: ")
    found = check((grid / "comparison.html").read_text())
    assert "runs/grid/0003" in found.text
    assert "0.7000 ± 0.1000" in found.text
    assert "chosen on the test split" in found.text
    assert len([svg for svg in found.all("svg") if svg.get("role") == "img"]) == 2
    assert lenet("runs", "runs/grid").out.count("finished") == 6  # the page is no run
    done = lenet("report", "runs/grid/0001", "runs/grid/0004", "-o", "two.html")
    assert done.out.startswith("two.html")
    assert "Means over seeds" not in check((place / "two.html").read_text()).text


def test_hostile_names_stay_text(lenet: Lenet, place: Path) -> None:
    name = "<script>alert(1)<" + "\u202e"
    for part in ("a", "b"):
        make(place / name / part, step(1), evaluated(1), ENDED, optimizer=f"{{type: '<b>{part}', lr: 0.1}}")
    assert lenet("report", name, "-o", "page.html").code == 0
    found = check((place / "page.html").read_text())
    assert "<b>a" in found.text
    assert found.all("script") == []
