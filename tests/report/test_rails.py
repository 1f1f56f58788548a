"""Rails beside a table: every value leads from the row that gives it to every row that takes it."""

from __future__ import annotations

import random

import pytest

from lenetcli import nn
from lenetcli.inspection.model.wiring import wired
from lenetcli.report.console import results
from lenetcli.report.model.wiring import draw, page
from lenetcli.report.rails import ENTERS, NODE, drawn, heads, lines

DOWN, UP = set("│├┤┼" + NODE), set("│├┤┼╰╯┴" + NODE)  # signs that go on below, and that come from above


@pytest.mark.parametrize("seed", range(40))
def test_no_rail_breaks_off_or_begins_in_the_air(seed: int) -> None:
    rng = random.Random(seed)
    inputs = [sorted({rng.choice([ENTERS, *range(i)]) for _ in range(rng.choice([1, 1, 1, 2, 3]))}) for i in range(15)]
    rows = lines(inputs)
    texts = heads(rows)
    assert len({len(text) for text in texts}) == 1
    for i, (line, text) in enumerate(zip(rows, texts)):
        signs = text[::2]
        assert signs.count(NODE) == 1
        assert signs[line.rail or 0] == NODE
        for rail in line.before:  # what runs above a row is drawn in it, or joins it
            assert signs[rail] in UP, (i, texts)
        for rail in line.after - {line.rail}:
            assert signs[rail] in DOWN, (i, texts)
        assert len(line.sources) == len(inputs[i])
        assert i == 0 or line.before == rows[i - 1].after


def test_a_row_that_takes_no_part_is_passed() -> None:
    assert heads(lines([[ENTERS], None, [0], [0, 2]])) == ["•  ".ljust(4)[:4], "│   ", "├─• ", "•─╯ "]


def test_signs_stay_in_an_ascii_log() -> None:
    from lenetcli.display.characters import shown

    found = [shown(drawn(line, 3), "ascii") for line in lines([[ENTERS], [0], [0], [0, 1, 2]])]
    assert all(text.isascii() and "\\" not in text for text in found)


def net() -> nn.Graph:
    return nn.Graph(
        {"a": nn.Linear(4, 4), "block": nn.Residual(nn.ReLU(), nn.Linear(4, 4)), "b": nn.Tanh(), "sum": nn.Add()},
        {"b": ["a"], "sum": ["block", "b", "input"]},
        ["sum", "block"],
    )


def test_layers_within_blocks_are_told_with_what_they_take() -> None:
    found = [(place.path, place.kind, place.inputs, place.leaves) for place in wired(net(), (4,))]
    assert found == [
        ("a", "Linear", (-1,), False),
        ("block.0", "ReLU", (0,), False),
        ("block.1", "Linear", (1,), False),
        ("block", "Add", (2, 0), True),
        ("b", "Tanh", (0,), False),
        ("sum", "Add", (3, 4, -1), True),
    ]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_a_drawing_keeps_to_its_place(width: int) -> None:
    console = results()
    console.width = width
    with console.capture() as found:
        for part in draw(wired(net(), (4,)), (4,)):
            console.print(part)
    texts = found.get().splitlines()
    assert max(map(len, texts)) <= width
    assert any("•─┴─╯" in text or "├─•" in text for text in texts)
    assert any("sum →" in text for text in texts)


def test_a_page_has_a_line_for_each_value_taken() -> None:
    text = page("<net>", wired(net(), (4,)), (4,), "model: <b>")
    assert text.count("<path ") == 9
    assert text.count("<circle ") == 7
    assert "<b>" not in text
    assert "<net>" not in text
