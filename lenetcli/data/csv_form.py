"""What a CSV file of pixels looks like, told from its first lines: the arguments that CSV needs to read it."""

from __future__ import annotations

import csv
import math
from itertools import islice
from pathlib import Path
from typing import Any

from lenetcli.data.csv_lines import ENCODING, MARKS, is_number
from lenetcli.data.pictures import SUFFIXES
from lenetcli.disk import check_regular, is_regular, unreadable
from lenetcli.errors import DataError

LARGEST = 1 << 31  # bytes of the file
PATHS = ("path", "image", "file", "filename", "file_name", "filepath", "image_path", "image_id", "id", "name", "img")
LABELS = ("label", "labels", "class", "target", "digit", "y")  # what the column of labels is often called
_LOOKED_AT = 200  # lines
_LONGEST = 1 << 22  # characters of a line


def first_lines(path: Path) -> list[list[str]]:
    """The cells of the first lines that hold something.

    Raises:
        DataError: the file cannot be read, or is no text.
    """
    check_regular(path, LARGEST)
    try:
        with path.open(encoding=ENCODING, newline="") as file:
            lines = list(filter(str.strip, islice(iter(lambda: file.readline(_LONGEST), ""), _LOOKED_AT)))
            marks = MARKS if lines else ()
            return list(csv.reader(lines, delimiter=max(marks, key=lines[0].count))) if marks else []
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a sound CSV file: {error}") from None
    except OSError as error:
        raise unreadable(path, error) from None


def guessed(path: Path) -> dict[str, Any]:
    """The arguments of CSV for a file of pixels: shape, label_column and scale, and the file to test on beside it.

    Raises:
        DataError: it cannot be read, or its pixels make no square picture.
    """
    lines = first_lines(path)
    if not lines:
        raise DataError(f"{path}: no lines of data")
    names = [cell.strip().lower() for cell in lines[0]]
    column = next((i for i, name in enumerate(names) if name in LABELS), 0)
    pixels = len(names) - 1
    channels = next((c for c in (1, 3) if c * math.isqrt(pixels // c) ** 2 == pixels and pixels), 0)
    if not channels:
        raise DataError(
            f"{path}: {pixels} columns beside the label, which make no square picture in gray or colours; write a "
            f"configuration with data: {{type: CSV, path: {path.name}, shape: [C, H, W]}}"
        )
    side = math.isqrt(pixels // channels)
    values = [float(cell) for line in lines for i, cell in enumerate(line) if i != column and is_number(cell)]
    scale = {"scale": 1 / 255} if 1 < max(values, default=0.0) <= 255 else {}
    where = {"label_column": column} if column else {}
    return {"shape": [channels, side, side], **where, **scale, **_test_beside(path, len(names))}


def _test_beside(path: Path, columns: int) -> dict[str, str]:
    """The file to test on, which is called as the one to train on but for a word; one without labels is none."""
    beside = path.with_name(path.name.replace("train", "test"))
    if beside == path or not is_regular(beside):
        return {}
    lines = first_lines(beside)
    return {"test": str(beside)} if lines and len(lines[0]) == columns else {}


def lists_pictures(path: Path) -> bool:
    """Whether a table lists pictures, with their labels: it has a column of texts that are no labels.

    Raises:
        DataError: it cannot be read.
    """
    lines = first_lines(path)
    cells = lines[1] if len(lines) > 1 else lines[0] if lines else []
    named = any(Path(cell.strip()).suffix.lower() in SUFFIXES for cell in cells)
    called = bool(lines) and any(name.strip().lower() in PATHS for name in lines[0]) and len(cells) < 64
    return named or (called and len(cells) > 1)
