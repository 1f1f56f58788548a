"""What streams show that do not take all of Unicode."""

from __future__ import annotations

import io

import pytest
from rich.text import Text

from lenetcli.display.characters import ERRORS, shown, takes
from lenetcli.report.columns import BLOCKS, Column, Columns
from lenetcli.report.console import Terminal
from lenetcli.report.histogram import HEIGHTS
from lenetcli.report.training.curve import BLANK

DRAWN = "─│┤└├┬┼·•×−→←…" + BLOCKS + HEIGHTS + "░▒▓▀" + "".join(map(chr, range(BLANK, BLANK + 256)))


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "koi8-r", "shift_jis", "utf-8"])
def test_what_is_drawn_has_a_sign_in_every_encoding(encoding: str) -> None:
    for character in DRAWN:
        found = shown(character, encoding)
        assert "\\" not in found, character
        assert len(found) == 1 or character in "→←…"
    assert takes(shown(DRAWN, encoding), encoding)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
def test_a_scale_is_drawn_in_one_kind_of_signs(encoding: str) -> None:
    for scale in (BLOCKS, HEIGHTS):
        found = shown(scale, encoding)
        assert found.isascii()
        assert len(found) == len(scale)


def test_names_are_escaped_and_can_be_told_apart() -> None:
    names = ["café", "cafe", "猫", "犬", "αβ", "βγ", "n\udce4me", "n\udcffme"]
    assert len({shown(name, "ascii") for name in names}) == len(names)
    assert [shown(name, "ascii") for name in names[-2:]] == ["n\\xe4me", "n\\xffme"]
    assert shown("n\udce4me", "utf-8") == "n\\xe4me"


def test_a_stream_and_a_layout_show_the_same() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii", errors=ERRORS, newline="\n")
    stream.write("─ 猫 σ(x)\n")
    console = Terminal(file=stream, width=30)
    console.print(Text("─ 猫 σ(x)"))
    stream.flush()
    assert raw.getvalue() == b"- \\u732b sigma(x)\n" * 2


def test_a_table_is_laid_out_in_what_its_stream_shows() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, "ascii", errors="strict", newline="\n")
    table = Columns([Column("名", ["猫", "a"]), Column("n", ["1", "22"], right=True)])
    Terminal(file=stream, width=40).print(table)
    stream.flush()
    assert raw.getvalue().decode().splitlines() == ["\\u540d   n", "----------", "\\u732b   1", "a       22"]


def test_styles_stay_where_they_were() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "ascii", newline="\n")
    text = Text("猫 and ")
    text.append("犬", style="bold")
    console = Terminal(file=stream, width=40, force_terminal=True, color_system="standard")
    with console.capture() as got:
        console.print(text)
    assert got.get() == "\\u732b and \x1b[1m\\u72ac\x1b[0m\n"
