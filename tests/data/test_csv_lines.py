"""CSV files as people and programs write them: what a first line is, quotes, marks, and lines named as in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.data import CSV
from lenetcli.errors import DataError

ROWS = [f"{i % 3},{i},0,1,2" for i in range(30)]
QUOTED = [",".join(f'"{cell}"' for cell in row.split(",")) for row in ROWS]


def text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


def read(path: Path, content: str | bytes, **options: Any) -> CSV:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    source = CSV(str(path), (1, 2, 2), **options)
    _ = source.train, source.test
    return source


SOUND = {  # name: content, line of names, line of the row that is 7
    "plain": (text(*ROWS), 0, 8),
    "names": (text("label,a,b,c,d", *ROWS), 1, 9),
    "numbered": (text("label,0,1,2,3", *ROWS), 1, 9),
    "numbered from 1": (text("label,1,2,3,4", *ROWS), 1, 9),
    "byte-order mark": (text(*ROWS).encode("utf-8-sig"), 0, 8),
    "mark and names": (text("label,a,b,c,d", *ROWS).encode("utf-8-sig"), 1, 9),
    "quoted": (text(*QUOTED), 0, 8),
    "quoted names": (text('"label","a","b","c","d"', *QUOTED), 1, 9),
    "quoted names with commas": (text('"label","a,1","b","c","d"', *ROWS), 1, 9),
    "mark and quotes": (text('"label","a","b","c","d"', *QUOTED).encode("utf-8-sig"), 1, 9),
    "CRLF": (text(*ROWS).replace("\n", "\r\n"), 0, 8),
    "blank lines": (text("", "label,a,b,c,d", "", *ROWS[:5], "", "", *ROWS[5:], "", ""), 2, 13),
    "spaces": (text(*(row.replace(",", ", ") for row in ROWS)), 0, 8),
    "no last newline": (text(*ROWS)[:-1], 0, 8),
    "exponents": (text(*(f"{row}e0" for row in ROWS)), 0, 8),
}


@pytest.mark.parametrize("name", SOUND)
def test_every_line_becomes_a_sample_and_keeps_its_number(name: str, tmp_path: Path) -> None:
    content, names, line = SOUND[name]
    path = tmp_path / "a.csv"
    source = read(path, content)
    found = {}
    for part in (source.train, source.test):
        images = part.images[:, 0, 0, 0]  # type: ignore[call-overload]
        found |= {int(value): part.origin(i) for i, value in enumerate(images)}  # type: ignore[misc]
    assert sorted(found) == list(range(30))
    assert found[7] == f"{path}:{line}"
    assert [(p.why, p.count, p.first) for p in source.left_out] == (
        [("line of names", 1, f"{path}:{names}")] if names else []
    )


DAMAGED = {  # name: content, what the message says
    "one cell of the first line": (text("0,1,x,3,4", *ROWS), ":1: not a sound CSV file: 'x' in column 2"),
    "an empty cell of the first line": (text("0,1,,3,4", *ROWS), ":1: not a sound CSV file: '' in column 2"),
    "the label of the first line": (text("cat,9,7,3,4", *ROWS), ":1: not a sound CSV file: 'cat' in column 0"),
    "cells below names": (
        text("label,a,b,c,d", *ROWS, "1,2,3,4,oops"),
        ":32: not a sound CSV file: 'oops' in column 4",
    ),
    "below blank lines": (text(*ROWS[:3], "", "", "0,1,2,x,4", *ROWS), ":6: not a sound CSV file: 'x' in column 3"),
    "several": (text(*ROWS, "0,x,0,0,0", "0,0,y,0,0"), ":31: .* 'x' in column 1 .*; likewise line 32$"),
    "many": (text(*ROWS, *["0,x,0,0,0"] * 9), "likewise lines 32, 33, 34, 35, 36 and 3 more$"),
    "NaN": (text("label,a,b,c,d", *ROWS[:4], "", "0,1,nan,3,4", *ROWS), ":7: holds nan, wanted finite numbers$"),
    "infinity": (text(*ROWS, "0,1,inf,3,4", "0,1,-inf,3,4"), ":31: holds inf, .*; likewise line 32$"),
    "1e300": (text(*ROWS, "0,1,1e300,3,4"), r":31: holds 1e\+300, wanted finite"),
    "half a class": (text(*ROWS, "0.5,1,2,3,4"), r":31: label 0\.5 \(column 0\), wanted class numbers from 0"),
    "a class below 0": (text(*ROWS, "-1,1,2,3,4"), ":31: label -1 "),
    "a short line": (text(*ROWS, "1,2,3"), ":31: 3 columns, wanted 5"),
    "a long quoted line": (text(*QUOTED, '"1","2","3","4","5","6"'), ":31: 6 columns, wanted 5"),
    "another mark": (text(*(row.replace(",", "|") for row in ROWS)), ":2: 1 columns, wanted 5"),
    "two marks": (text(*ROWS, "1;2;3;4;5"), ":31: 1 columns, wanted 5"),
    "a text among labels": (text(*("cat" + row[1:] for row in ROWS), "3,1,2,3,4"), ":1: .* 'cat' in column 0 "),
    "no text as a label": (text(*("cat" + row[1:] for row in ROWS), ",1,2,3,4"), ":31: no label"),
    "nothing but spaces": (text(*ROWS[:3], "   ", *ROWS), ":4: nothing but spaces"),
    "empty cells": (text(*ROWS, ",,,,"), ":31: not a sound CSV file: '' in column 0"),
    "an open quote": (text(*ROWS[:3], '"0,1,2,3,4', *ROWS), ":4: a quoted cell does not end on its line"),
    "another encoding": (text("étiquette,a,b,c,d", *ROWS).encode("cp1252"), "not UTF-8 text"),
    "16 bits": (text(*ROWS).encode("utf-16"), "not UTF-8 text"),
    "names only": (text("label,a,b,c,d", ""), "no lines of data"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_lines_are_named_by_their_number_in_the_file(name: str, tmp_path: Path) -> None:
    content, message = DAMAGED[name]
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path / "a.csv", content)
    assert "\n" not in str(caught.value)


def test_the_label_may_stand_in_any_column(tmp_path: Path) -> None:
    rows = [",".join([*row.split(",")[1:], row.split(",")[0]]) for row in ROWS]
    source = read(tmp_path / "a.csv", text("0,1,2,3,class", *rows), label_column=-1)
    assert len(source.train) + len(source.test) == 30
    assert np.unique(source.train.targets).tolist() == [0, 1, 2]
