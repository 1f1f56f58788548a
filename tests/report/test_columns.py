"""Tables that fit their place."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from lenetcli.errors import plain_text
from lenetcli.report.columns import Column, Columns, bar


def drawn(columns: list[Column], width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), legacy_windows=False)
    console.print(Columns(columns), crop=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return [line for line in text.split("\n") if line]


def test_columns_come_in_order_of_importance() -> None:
    columns = [
        Column("a", ["1"]),
        Column("third", ["x" * 10], rank=2),
        Column("second", ["y" * 10], rank=1),
        Column("b", ["2"]),
    ]
    assert drawn(columns, 80)[0] == "a  third       second      b"
    assert drawn(columns, 20)[0] == "a  second      b"
    assert drawn(columns, 8)[0] == "a  b"


def test_long_cells_fold_and_nothing_is_cut() -> None:
    name = "a.very.long.name.of.a.module.that.does.not.fit"
    lines = drawn([Column("id", ["7"], right=True), Column("name", [name], fold=True), Column("next", ["1 2"])], 24)
    assert max(map(len, lines)) <= 24
    assert re.sub(r"[ 12]|7(?= )", "", "".join(lines[2:])) == name
    assert lines[2].startswith(" 7 a.very")
    assert lines[2].endswith("1 2")


def test_cells_fold_at_spaces_where_there_are_some() -> None:
    lines = drawn([Column("a", ["x" * 12]), Column("next", ["10 11 12 13"], fold=True)], 20)
    assert [line[12:].strip() for line in lines[2:]] == ["10 11", "12 13"]


def test_wide_characters_count_double() -> None:
    lines = drawn([Column("name", ["层", "ab"]), Column("b", ["1", "2"])], 40)
    assert lines[2:] == ["层    1", "ab    2"]


@pytest.mark.parametrize(("share", "shown"), [(0, ""), (0.5, "██"), (1, "████"), (7, "████"), (-1, ""), (0.53, "██▏")])
def test_bars(share: float, shown: str) -> None:
    assert bar(share, 4) == shown


def test_what_would_control_a_terminal_is_written_out() -> None:
    assert plain_text("a\x1b[2J\nb\u202ec\ud800") == "a\\x1b[2J\\nb\\u202ec\\ud800"
    assert plain_text("größe 层") == "größe 层"


def test_titles_give_way_before_cells_do() -> None:
    lines = drawn([Column("wrong: loss", ["2.3"], right=True), Column("right: |grad|", ["0.5"], right=True)], 16)
    assert lines == [" wrong:   right:", "   loss   |grad|", "────────────────", "    2.3      0.5"]


def test_in_the_narrowest_place_every_cell_folds() -> None:
    lines = drawn([Column("count", ["123456789"], right=True), Column("of", ["987654321"])], 11)
    assert max(map(len, lines)) <= 11
    assert "".join(line[:5] for line in lines[2:]).replace(" ", "") == "123456789"
