"""The page of `trace-grad --html` in a real browser: folding, slider, search, keys, phone, theme; and no complaints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.inspection.graph.trace import Trace
from lenetcli.report.graph.trace_page import page as page_of
from tests.inspection.passes import trace
from tests.report.live_page import Page, browser, new_page

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium here")

HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{data}}"


class Block(nn.Module):
    """A residual block that uses its activation twice."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.relu = nn.ReLU()

    def forward(self, x: Any) -> Any:
        return self.relu(x + self.relu(self.conv(x)))


def traced(name: str = "block", steps: int = 4, check: bool = False) -> list[Trace]:
    """Traces of a small net between steps of a training."""
    lenet.manual_seed(0)
    model: Any = nn.Sequential(nn.Conv2d(1, 3, 3, padding=1))
    model.add_module(name, Block())
    model.add_module("flat", nn.Flatten())
    model.add_module("head", nn.Linear(3 * 16, 4))
    x, y, criterion = lenet.randn(5, 1, 4, 4), lenet.tensor([0, 1, 2, 3, 0]), nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    found = []
    for step in range(steps):
        found.append(trace(model, criterion, x, y, ["head.bias"], histograms=True, step=step, check=check))
        optimizer.step()
    return found


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests."""
    with new_page(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture
def shown(window: Page, tmp_path: Path) -> Page:
    """The page, just opened in a wide window."""
    return show(window, tmp_path, traced())


def show(window: Page, place: Path, traces: list[Trace], **options: Any) -> Page:
    (place / "trace.html").write_text(page_of("small net", traces), "utf-8")
    window.problems.clear()
    window.open(place / "trace.html", **options)
    return window


def rows(page: Page) -> list[str]:
    """Names of the rows on the page, top to bottom."""
    found: list[str] = page.value("[...document.querySelectorAll('[role=treeitem]')].map(r => r.row.name)")
    return found


def chosen(page: Page) -> str:
    found: str = page.value("document.querySelector('[aria-selected=true] .name').textContent")
    return found


def row(page: Page, name: str) -> str:
    """A selector of the row with that name."""
    found = page.value(
        f"[...document.querySelectorAll('[role=treeitem]')].find(r => r.row.name === {json.dumps(name)}).id"
    )
    return f"#{found}"


FOLDED = ["CrossEntropyLoss", "head", "flat", "block", "relu #2", "AddBackward", "relu #1", "conv", "0"]


def test_modules_are_folded_at_first_and_unfold_by_click(shown: Page) -> None:
    assert rows(shown) == FOLDED
    assert chosen(shown) == "head"  # the first with more to show than one number
    assert shown.value("panel.querySelectorAll('.histogram').length") == 2
    shown.click(f"{row(shown, 'head')} .fold")
    inside = ["AddmmBackward", "bias", "TBackward", "weight"]
    assert rows(shown) == [*FOLDED[:2], *inside, *FOLDED[2:]]
    assert shown.value(f"document.querySelector('{row(shown, 'head')}').getAttribute('aria-expanded')") == "true"
    shown.click(f"{row(shown, 'head')} .fold")
    assert rows(shown) == FOLDED
    shown.click("#unfold")
    assert len(rows(shown)) == shown.value("state.tree.rows.length") > len(FOLDED)
    shown.click("#fold")
    assert rows(shown) == ["CrossEntropyLoss", "head", "flat", "block", "0"]
    assert shown.problems == []


def test_figures_are_those_of_the_trace(shown: Page) -> None:
    first = traced(steps=1)[0]
    shown.click("#unfold")
    norms: dict[str, str] = shown.value(
        "Object.fromEntries(state.seen.filter(r => r.type === 'parameter')"
        ".map(r => [state.tree.graph.nodes[r.node].parameter, r.element.querySelector('.norm b').textContent]))"
    )
    for node in first.nodes:
        if node.parameter is not None:
            assert float(norms[node.parameter]) == pytest.approx(node.grad_norm, rel=6e-3)
    assert len(norms) == 6


def test_ways_lead_from_row_to_row_and_around_what_they_skip(shown: Page) -> None:
    ways = shown.value("state.ways.map(w => [w.from.name, w.to.name, w.lane])")
    assert ["AddBackward", "0", 1] in ways
    assert ["AddBackward", "relu #1", 0] in ways
    assert ["head", "flat", 0] in ways
    assert len(ways) == len(FOLDED) - 1
    shown.click("#unfold")
    seen = shown.value("state.ways.map(w => [w.from.name, w.to.name])")
    assert ["AddmmBackward", "bias"] in seen
    assert ["TBackward", "weight"] in seen


def test_the_slider_goes_through_the_steps(shown: Page) -> None:
    losses = [f"{t.loss:.3g}" for t in traced()]
    for number in (1, 3, 0):
        shown.value(f"(slider.value = {number}, slider.dispatchEvent(new Event('input')), 0)")
        assert shown.value("document.querySelector('#at').textContent") == f"step {number} of 3 · loss {losses[number]}"
    shown.value("(slider.focus(), 0)")
    shown.key("ArrowRight")
    assert "step 1 of 3" in shown.value("slider.getAttribute('aria-valuetext')")
    shown.click("#on")
    assert shown.value("state.step") == 2
    shown.click("#back")
    assert shown.value("state.step") == 1
    after = shown.value("document.querySelectorAll('#parameters pre')[1].textContent")
    expected = traced()[1].parameters[0].after
    assert np.allclose(np.array(json.loads(after[after.index("[") : after.index("]") + 1])), expected, atol=1e-4)
    shown.click("#play")
    shown.wait("state.step === 3 && document.querySelector('#play').getAttribute('aria-pressed') === 'false'")
    assert shown.problems == []


def test_search_unfolds_marks_and_goes_on(shown: Page) -> None:
    shown.key("/")
    assert shown.value("document.activeElement.id") == "search"
    shown.type("bias")
    assert shown.value("document.querySelector('#hits').textContent") == "1 of 3"
    assert chosen(shown) == "bias"
    assert "head.bias" in shown.value("panel.textContent")
    shown.key("Enter")
    assert shown.value("document.querySelector('#hits').textContent") == "2 of 3"
    assert "block.conv.bias" in shown.value("panel.textContent")
    assert shown.value("document.querySelectorAll('.row.hit').length") == 2  # the third is still folded away
    shown.type(" nothing")
    assert shown.value("document.querySelector('#hits').textContent") == "0 found"
    shown.key("Escape")
    assert shown.value("search.value + document.querySelector('#hits').textContent") == ""
    assert shown.value("document.activeElement.getAttribute('role')") == "treeitem"
    assert shown.problems == []


def test_keys_lead_through_the_tree(shown: Page) -> None:
    shown.value("(document.querySelector('[tabindex=\"0\"][role=treeitem]').focus(), 0)")
    for key, name in (
        ("ArrowUp", "CrossEntropyLoss"), ("ArrowDown", "head"), ("ArrowRight", "head"),
        ("ArrowRight", "AddmmBackward"), ("ArrowLeft", "head"), ("Enter", "head"),
        ("End", "0"), ("Home", "CrossEntropyLoss"), ("ArrowUp", "CrossEntropyLoss"),
    ):  # fmt: skip
        shown.key(key)
        assert chosen(shown) == name, key
        assert shown.value("document.activeElement === document.querySelector('[aria-selected=true]')")
        assert shown.value("document.querySelectorAll('[role=treeitem][tabindex=\"0\"]').length") == 1
    assert rows(shown) == FOLDED
    assert shown.value("getComputedStyle(document.activeElement).outlineStyle") != "none"


def test_hovering_shows_values_and_histograms(shown: Page) -> None:
    shown.hover(row(shown, "relu #2"))
    text = shown.value("panel.textContent")
    assert "relu #2" in text
    assert "ReluBackward" in text
    for word in ("norm", "mean |g|", "zeros", "std", "dead units", "gradients from", "gradients to"):
        assert word in text, word
    assert shown.value("panel.querySelectorAll('.histogram rect').length") == 32
    assert shown.value("panel.querySelectorAll('.course').length") == 1
    shown.hover("h1")
    assert "head" in shown.value("panel.querySelector('h2').textContent")


def test_neighbours_lead_on(shown: Page) -> None:
    shown.click(row(shown, "AddBackward"))
    links = shown.value("[...panel.querySelectorAll('.links button')].map(b => b.textContent)")
    assert [link.split(" ")[0] for link in links] == ["relu", "ConvolutionBackward", "relu"]
    shown.click(".links button:nth-child(1)")
    assert chosen(shown) == "relu #2"


def test_everything_has_a_name_for_screen_readers(shown: Page) -> None:
    shown.click("#unfold")
    assert shown.value("[...document.querySelectorAll('[role=treeitem]')].every(r => r.getAttribute('aria-label'))")
    assert shown.value(
        "[...document.querySelectorAll('button, input')]"
        ".every(b => b.textContent.trim() || b.getAttribute('aria-label'))"
    )
    assert shown.value("document.documentElement.lang") == "en"
    levels = shown.value(
        "[...document.querySelectorAll('[role=treeitem]')].map(r => Number(r.getAttribute('aria-level')))"
    )
    assert max(levels) == 3
    assert all(b <= a + 1 for a, b in pairwise(levels))


@pytest.mark.parametrize("dark", [False, True])
def test_light_and_dark_follow_the_system_and_the_button(window: Page, tmp_path: Path, dark: bool) -> None:
    page = show(window, tmp_path, traced(), dark=dark)

    def paper() -> bool:
        colour = page.value("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour[4:-1].split(",")) < 200

    assert paper() is dark
    page.click("#theme")
    assert paper() is not dark
    page.click("#theme")
    assert paper() is dark


def test_a_phone_shows_details_in_a_sheet_and_nothing_is_too_wide(window: Page, tmp_path: Path) -> None:
    page = show(window, tmp_path, traced(), width=390, height=800, touch=True)
    assert not page.is_wider_than_the_window()
    assert page.value("getComputedStyle(panel).display") == "none"
    page.tap(row(page, "conv"))
    assert page.value("getComputedStyle(panel).display") == "block"
    assert "Conv2d" in page.value("panel.textContent")
    assert page.value(
        "document.querySelector('[aria-selected=true]').getBoundingClientRect().bottom <= panel.offsetTop"
    )
    page.tap("#close")
    assert page.value("getComputedStyle(panel).display") == "none"
    page.tap(f"{row(page, 'conv')} .fold")
    assert "ConvolutionBackward" in rows(page)
    page.value("(foldAll(false), 0)")
    assert not page.is_wider_than_the_window()
    assert page.problems == []


@pytest.mark.parametrize("width", [320, 390, 700, 1000, 1001, 1200, 1201, 1600])
def test_names_and_figures_can_be_read_at_every_width(window: Page, tmp_path: Path, width: int) -> None:
    traces = traced(steps=2)
    for found in traces:
        found.step += 123_456  # a long text beside the slider
        found.forward[1:1] = ["conv2d", "relu"] * 10
    page = show(window, tmp_path, traces, width=width)
    assert not page.is_wider_than_the_window()
    assert page.value("slider.getBoundingClientRect().width") > 120
    assert page.value("byId('chain').scrollWidth <= byId('chain').clientWidth")
    cut = page.value(
        "state.seen.map(r => r.element.querySelector('.name')).filter(n => n.scrollWidth > n.clientWidth).length"
    )
    assert cut == 0
    overlaps = page.value(
        "state.seen.map(r => [r.element.querySelector('.name'), r.element.querySelector('.norm b')])"
        ".filter(([n, b]) => n.getBoundingClientRect().right > b.getBoundingClientRect().left).length"
    )
    assert overlaps == 0


def test_hostile_names_stay_text(window: Page, tmp_path: Path) -> None:
    (tmp_path / "trace.html").write_text(page_of(HOSTILE, traced(HOSTILE.replace(".", ""))), "utf-8")
    window.problems.clear()
    window.open(tmp_path / "trace.html")
    window.click("#unfold")
    assert HOSTILE in rows(window)
    assert window.value("document.querySelector('#name').textContent") == HOSTILE
    assert window.value("document.querySelectorAll('img').length") == 0
    assert window.problems == []


def test_units_at_zero_are_dead_only_where_all_samples_say_so(window: Page, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    for parameter in model[0].parameters():
        parameter.detach().fill_(-1.0)
    for samples, said in ((1, "3 zero"), (2, "3 dead")):
        x, y = lenet.ones(samples, 2), lenet.zeros(samples, 1)
        page = show(window, tmp_path, [trace(model, nn.MSELoss(), x, y, [], histograms=True)])
        assert page.value("document.querySelector('.badge.warn').textContent") == said


def test_verdicts_are_shown(window: Page, tmp_path: Path) -> None:
    page = show(window, tmp_path, traced(steps=1, check=True))
    assert page.value("document.querySelectorAll('.row:not(.open) .badge.good').length") == len(FOLDED) - 1
    assert page.value("getComputedStyle(document.querySelector('#steps')).display") == "none"  # one step, no slider
    page.click(row(page, "AddBackward"))
    assert "relative error" in page.value("panel.textContent")


def test_numbers_that_are_none_do_no_harm(window: Page, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    traces = [
        trace(model, nn.MSELoss(), lenet.full((2, 2), value), lenet.zeros(2, 1), [], histograms=True)
        for value in (1.0, float("inf"))
    ]
    page = show(window, tmp_path, traces)
    page.click("#on")
    page.click("#unfold")
    assert page.value("document.querySelectorAll('.badge.bad').length") > 0
    assert page.problems == []


def test_thousands_of_nodes_stay_quick(window: Page, tmp_path: Path) -> None:
    model = nn.Sequential(*[nn.Linear(4, 4) if i % 2 == 0 else nn.ReLU() for i in range(2000)])
    found = trace(model, nn.MSELoss(), lenet.randn(3, 4), lenet.zeros(3, 4), [], histograms=True)
    assert len(found.nodes) == 5001
    page = show(window, tmp_path, [found, found])
    page.click("#unfold")
    assert len(rows(page)) == 6001
    took = page.value("(() => { const t = performance.now(); showStep(1); move(1); return performance.now() - t; })()")
    assert took < 1000
    page.value("(window.scrollTo(0, 90000), 0)")
    page.wait(
        "document.elementsFromPoint(300, 600).some(e => e.closest('.row')?.querySelector('.norm b')?.textContent)"
    )
    assert page.problems == []
