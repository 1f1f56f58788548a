"""The lines of a CSV file: which one holds names, which hold numbers, and which of them are not sound."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import DataError, in_a_line

ENCODING = "utf-8-sig"  # with a byte-order mark or without
MARKS = (",", ";", "\t")  # what may separate the cells
MOST_TEXTS = 10_000  # labels
SHOWN = 5  # lines that a message names beside the first
_LARGEST_PIXEL = 3e38  # of a float32


@dataclass(frozen=True)
class Lines:
    """Where the rows of a table stand in its file.

    Args:
        names: number of the line of names, counted from 1; 0: there is none.
        blank: numbers of the lines after it that hold nothing.

    Example:
        >>> [Lines(names=1, blank=[3]).number(row) for row in range(3)]
        [2, 4, 5]
    """

    names: int = 0
    blank: list[int] = field(default_factory=list)

    def number(self, row: int) -> int:
        """The line of a row."""
        line = self.names + 1 + row
        for blank in self.blank:
            if blank > line:
                break
            line += 1
        return line


@dataclass(frozen=True)
class Table:
    """The numbers of a CSV file.

    Args:
        numbers: (rows, columns); where labels are texts, these are numbered in the order of `texts`.
        lines: where the rows stand.
        label_column: which column holds the label, from 0; -1: there is none.
        texts: the labels that are texts, in the order of the alphabet; empty where they are numbers.
        names: the cells of the line of names; empty where there is none.
    """

    numbers: npt.NDArray[np.float64]
    lines: Lines
    label_column: int = 0
    texts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


def read_table(path: Path, columns: int, label_column: int | str | None) -> Table:
    """The numbers of a CSV file, quoted or not, and where they stand; commas, semicolons or tabs separate them.

    Args:
        columns: how many there are.
        label_column: by its number, negative from the end, or its name; None: all are numbers.

    Raises:
        DataError: a line with another number of columns or with something that is no number; the message names it.
        OSError: it cannot be read.
    """
    try:
        mark, names = _first(path, columns)
        column = _label_column(path, columns, label_column, names)
        lines = _lines(path, columns, column, mark)
        texts = _texts(path, lines, column, mark)
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    numbered = {text: str(number) for number, text in enumerate(texts)}
    converters: Any = {column: lambda cell: float(numbered[cell.strip()])} if texts else None
    try:
        table = np.loadtxt(
            path, np.float64, delimiter=mark, skiprows=lines.names, ndmin=2, encoding=ENCODING, comments=None,
            quotechar='"', converters=converters,
        )  # fmt: skip
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except ValueError as error:
        raise _no_numbers(path, lines, error, mark, column if texts else None) from None
    return Table(table, lines, column, texts, tuple(names) if lines.names else ())


def _first(path: Path, columns: int) -> tuple[str, list[str]]:
    """What separates the cells, and those of the first line that holds something."""
    with path.open(encoding=ENCODING, newline="") as file:
        for number, line in enumerate(iter(lambda: file.readline(_longest(columns)), ""), 1):
            if line.strip():
                marks = [mark for mark in MARKS if len(_cells(path, number, line, mark)) == columns]
                mark = marks[0] if marks else MARKS[0]
                return mark, _cells(path, number, line, mark)
    return MARKS[0], []


def _label_column(path: Path, columns: int, wanted: int | str | None, names: list[str]) -> int:
    if wanted is None:
        return -1
    if isinstance(wanted, str):
        found = [name.strip() for name in names]
        if wanted not in found:
            held = ", ".join(found[:5])[:100] + (", ..." if len(found) > 5 else "")
            raise DataError(f"{path}: no column is called {wanted!r} (label_column); its first line is {held}")
        return found.index(wanted)
    if not -columns <= wanted < columns:
        raise DataError(f"{path}: label_column {wanted} of {columns} columns")
    return wanted % columns


def _texts(path: Path, lines: Lines, column: int, mark: str) -> tuple[str, ...]:
    """The labels, where they are texts: where none is a number."""
    found: set[str] = set()
    if column < 0:
        return ()
    with path.open(encoding=ENCODING, newline="") as file:
        for number, line in enumerate(file, 1):
            if number <= lines.names or not line.strip():
                continue
            cell = _cells(path, number, line, mark)[column].strip()
            if _may_be_number(cell) or (not cell and not found):
                return ()
            if not cell:
                raise DataError(f"{path}:{number}: no label (column {column})")
            found.add(cell)
            if len(found) > MOST_TEXTS:
                raise DataError(f"{path}:{number}: more than {MOST_TEXTS:,} texts as labels (column {column})")
    return tuple(sorted(found))


def check_values(path: Path, table: npt.NDArray[Any], label_column: int, most_classes: int, lines: Lines) -> None:
    """Refuses numbers that are no pixels or no classes.

    Raises:
        DataError: names the lines.
    """
    labels = table[:, label_column]
    _refuse(
        path, lines, ~(np.abs(table) < _LARGEST_PIXEL).all(axis=1),
        lambda row: f"holds {_worst(table[row])}, wanted finite numbers",
    )  # fmt: skip
    _refuse(
        path, lines, (labels != np.floor(labels)) | (labels < 0),
        lambda row: f"label {labels[row]:g} (column {label_column}), wanted class numbers from 0",
    )  # fmt: skip
    _refuse(
        path, lines, labels > most_classes,
        lambda row: f"class number {labels[row]:.0f}: at most {most_classes:,} classes are allowed",
    )  # fmt: skip


def _refuse(path: Path, lines: Lines, wrong: npt.NDArray[np.bool_], said: Callable[[int], str]) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        numbers = [lines.number(int(row)) for row in rows[: SHOWN + 1]]
        raise DataError(f"{path}:{numbers[0]}: {said(int(rows[0]))}{_and_more(numbers[1:], len(rows) - 1)}")


def _and_more(numbers: list[int], count: int) -> str:
    if not count:
        return ""
    more = f" and {count - len(numbers):,} more" if count > len(numbers) else ""
    return f"; likewise line{'s' if count > 1 else ''} {', '.join(map(str, numbers))}{more}"


def _worst(row: npt.NDArray[Any]) -> str:
    return f"{row[np.argmax(~(np.abs(row) < _LARGEST_PIXEL))]:g}"


def _lines(path: Path, columns: int, label_column: int, mark: str) -> Lines:
    """Names the first line that has another number of columns; finds the line of names and the blank ones."""
    longest = _longest(columns)
    names = number = rows = 0
    blank: list[int] = []
    with path.open(encoding=ENCODING, newline="") as file:
        while line := file.readline(longest):
            number += 1
            if len(line) == longest:
                raise DataError(f"{path}:{number}: more than {longest:,} characters for {columns} columns")
            if not line.strip():
                if line.strip("\r\n"):
                    raise DataError(f"{path}:{number}: nothing but spaces; delete the line")
                blank.append(number)
                continue
            quoted = '"' in line
            if quoted and line.count('"') % 2:
                raise DataError(f"{path}:{number}: a quoted cell does not end on its line")
            if not rows and not names and _are_names(_cells(path, number, line, mark), label_column):
                names, blank = number, []
                continue
            rows += 1
            found = len(_cells(path, number, line, mark)) if quoted else line.count(mark) + 1
            if found != columns:
                what = "a label and the pixels" if label_column >= 0 else "the pixels"
                raise DataError(f"{path}:{number}: {found} columns, wanted {columns} ({what})")
    if not rows:
        raise DataError(f"{path}: no lines of data")
    return Lines(names, blank)


def _cells(path: Path, number: int, line: str, mark: str) -> list[str]:
    """The cells of a line.

    Raises:
        DataError: it cannot be taken apart; before Python 3.11 a NUL is such.
    """
    try:
        return next(csv.reader([line], delimiter=mark), [])
    except csv.Error as error:
        raise DataError(f"{path}:{number}: not a sound CSV file: {error}") from None


def _longest(columns: int) -> int:
    """Characters of a line at most, so that no file is read as one."""
    return 64 * columns + 1000


def _are_names(cells: list[str], label_column: int) -> bool:
    """Whether a first line names columns: it holds no number, or a word above the labels and 0, 1, 2 ... elsewhere."""
    words = [not is_number(cell) for cell in cells]
    if all(words):
        return True
    if sum(words) != 1 or not 0 <= label_column < len(cells) or not cells[label_column].strip().isalpha():
        return False
    rest = [cell for cell, is_word in zip(cells, words) if not is_word]
    return any(rest == [str(start + i) for i in range(len(rest))] for start in (0, 1))


def is_number(cell: str) -> bool:
    """Whether a cell is a number, in the way of `read_table`; NaN is none."""
    try:
        value = float(cell)
    except ValueError:
        return False
    return "_" not in cell and not math.isnan(value)


def _no_numbers(path: Path, lines: Lines, error: Exception, mark: str, texts: int | None) -> DataError:
    """The error that names the lines with something that is no number, as they are counted in the file."""
    said, count, number = "", 0, 0
    numbers: list[int] = []
    with path.open(encoding=ENCODING, newline="") as file:
        for line in file:
            number += 1
            if number <= lines.names or not line.strip():
                continue
            cells = _cells(path, number, line, mark)
            at = next((i for i, cell in enumerate(cells) if i != texts and not _may_be_number(cell)), -1)
            if at >= 0:
                count += 1
                cell = cells[at][:40]
                said = said or f"{path}:{number}: not a sound CSV file: {cell!r} in column {at} (from 0) is no number"
                if len(numbers) <= SHOWN:
                    numbers.append(number)
    if not said:
        return DataError(f"{path}: not a sound CSV file: {in_a_line(error)}")
    return DataError(said + _and_more(numbers[1:], count - 1))


def _may_be_number(cell: str) -> bool:
    return is_number(cell) or cell.strip().lower() == "nan"
