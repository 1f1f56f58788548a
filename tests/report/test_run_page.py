"""The page of a run, from data made by hand: hostile text stays text, and whatever is missing is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.display.markup import element, text
from lenetcli.inspection.data.mistakes import Judged, Mistake
from lenetcli.inspection.model.feature_maps import feature_maps, first_filters
from lenetcli.inspection.training.checkpoint_history import Flow, LayerFlow
from lenetcli.inspection.training.run_report import LayerLine, RunReport
from lenetcli.report.training.run_page.page import page
from lenetcli.runs.history import read_history
from lenetcli.train.confusion import Confusion
from lenetcli.train.evaluate import Evaluation
from tests.inspection.test_metrics import evaluated, run_of, step
from tests.report.browser import browse, check

HOSTILE = (
    "</style><script>alert(1)</script>",
    "\"onload='x' <img src=http://e.example/x>",
    "a\u202eb\x00\x1b[31m\ud800",
    "]]>--><!-- &lt; &#x41;",
)


def evaluation(confusion: list[list[int]] | None, **changes: Any) -> Evaluation:
    matrix = None if confusion is None else Confusion.of(confusion)
    known = {"calibration_error": None if matrix is None else 0.25}
    accuracy = None if matrix is None else float(np.trace(confusion) / np.sum(confusion))
    return replace(Evaluation(0.5, accuracy, 12, matrix, 1.0, **known), **changes)


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    """A report with something in every section, and hostile names wherever a run has names."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 4))
    image = np.random.default_rng(0).random((1, 8, 8), np.float32)
    confusion = [[3, 1, 0, 0], [0, 3, 0, 0], [2, 0, 1, 0], [0, 0, 0, 2]]
    mistakes = [Mistake(4, 0.9, 2, 0, image), Mistake(7, float("nan"), 0, 1, image)]
    events = [step(1), evaluated(1, "train"), evaluated(1), step(2), evaluated(2, "train"), evaluated(2, accuracy=0.75)]
    look = {n: {"norm": 10.0**i, "mean": 1e-300, "max": 1e300} for i, n in enumerate(HOSTILE)}  # no update: zeros
    events = [event | {"gradients": look} if event["event"] == "step" else event for event in events]
    return RunReport(
        name=HOSTILE[0],
        place=HOSTILE[1],
        config="\n".join(HOSTILE),
        input=[1, 8, 8],
        layers=[LayerLine(HOSTILE[0], HOSTILE[1], [4, 6, 6], 40)],
        parameters=620,
        trainable=620,
        environment={HOSTILE[0]: HOSTILE[1], "list": list(HOSTILE), "map": {HOSTILE[0]: HOSTILE[2]}, "none": None},
        classes=HOSTILE,
        history=read_history(run_of(tmp_path, *events)),
        judged=Judged("test", evaluation(confusion), mistakes),
        filters=first_filters(model, (1, 8, 8)),
        maps=feature_maps(model, image),
        picture=image,
        target=1,
        probabilities=[0.1, 0.2, 0.3, 0.4],
        flow=Flow([0, 2], [LayerFlow(HOSTILE[0], [0.5], [1.0, float("inf")])], [HOSTILE[1]]),
        problems={},
    )


def test_hostile_names_stay_text(report: RunReport) -> None:
    found = check(page(report))
    assert "<script>alert(1)</script>" in found.text
    assert "\x00" not in found.text
    assert "\u202e" not in found.text
    assert "a\\u202eb\\x00\\x1b[31m\\ud800" in found.text


def test_every_section_is_there(report: RunReport) -> None:
    found = check(page(report))
    assert [s["id"] for s in found.all("section")] == [
        "summary", "curves", "classes", "mistakes", "filters", "maps", "flow", "model", "config", "environment",
    ]  # fmt: skip
    assert len(found.all("img")) == 2 + 4 + 1 + 4 + 4  # mistakes, filters, the image, maps of Conv2d and ReLU


def test_the_confusion_has_a_number_in_every_cell(report: RunReport) -> None:
    cells = [a for a in check(page(report)).all("td") if "heat" in (a.get("class") or "") and "title" in a]
    assert len(cells) == 16
    assert cells[0]["style"] == "--share:0.750"
    assert str(cells[8]["title"]).endswith(
        f"taken for {text(HOSTILE[0]).replace('&lt;', '<').replace('&gt;', '>')}: 2 (66.7%)"
    )


def test_the_confusion_of_many_classes_is_a_picture(report: RunReport) -> None:
    confusion = np.diag(np.full(40, 5))
    confusion[3, 17] = 4
    report.classes = tuple(f"class {i}" for i in range(40))
    report.judged = Judged("test", evaluation(confusion.tolist()), [])
    report.maps = None
    found = check(page(report))
    assert any("40 classes" in str(image["alt"]) for image in found.all("img"))
    assert "class 17" in found.text
    assert "44.4%" in found.text


def test_what_is_missing_is_said(report: RunReport) -> None:
    bare = RunReport("net", "run", "name: net\n", [1, 8, 8], [], 0, 0)
    for section in ("weights", "judged", "maps", "history", "environment", "flow"):
        bare.problems[section] = f"no {section} at all"
    found = check(page(bare))
    for section in ("weights", "judged", "history", "environment", "flow"):
        assert f"no {section} at all" in found.text


def test_a_regression_has_no_classes(report: RunReport) -> None:
    mistakes = [Mistake(0, 1.5, [0.25, 1.0], [3.0, -1.0], report.picture)]
    report.judged = Judged("test", evaluation(None), mistakes)
    report.classes, report.target, report.probabilities = (), None, None
    found = check(page(report))
    assert "classes" not in [s["id"] for s in found.all("section")]
    assert "distance 1.5" in found.text


@pytest.mark.parametrize("losses", [(0.0, 0.0), (1e-5, 9.0), (1e299, -1e299), (5e-324, 1.0), (float("nan"), 1.0)])
def test_curves_of_any_numbers_are_drawn(report: RunReport, tmp_path: Path, losses: tuple[float, float]) -> None:
    events = [evaluated(i + 1, split, loss=loss) for i, loss in enumerate(losses) for split in ("train", "test")]
    report.history = read_history(run_of(tmp_path, *events, *(step(i + 1, loss=v) for i, v in enumerate(losses))))
    shown = page(report)
    check(shown)
    paths = shown.split(' d="')[1:]
    assert not any("nan" in p.split('"')[0] or "inf" in p.split('"')[0] for p in paths)


def test_a_diverged_run_says_so(report: RunReport, tmp_path: Path) -> None:
    ended = {"event": "ended", "epoch": 1, "step": 1, "reason": "diverged", "seconds": 2.0}
    report.history = read_history(run_of(tmp_path, step(1), ended))
    assert "diverged" in check(page(report)).text


def test_markup_escapes_what_is_not_markup() -> None:
    made = element("p", "<i>", element("b", "x & y"), [1, None, "z"], class_="a b", title='"', hidden=True, lang=None)
    assert made == '<p class="a b" title="&quot;" hidden>&lt;i&gt;<b>x &amp; y</b>1z</p>'


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_browser_loads_it_without_complaint(report: RunReport, tmp_path: Path, width: int, dark: bool) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(report), "utf-8")
    dom, complaints, picture = browse(path, width, dark)
    assert complaints == []
    assert dom.count("<section") == 10
    assert len(picture) > 20_000
