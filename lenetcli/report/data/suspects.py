"""Suspect training samples: as a table, a CSV file, a sheet of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from lenetcli.data.dataset import ArrayDataset
from lenetcli.errors import ConfigError, plain_text
from lenetcli.inspection.data.contact_sheet import Sheet, pictures
from lenetcli.inspection.training.suspects import Suspects
from lenetcli.report.columns import Column, Columns
from lenetcli.report.data.contact_sheet import png_sheet

FIELDS = ("rank", "index", "loss", "label", "predicted", "file")


def draw(found: Suspects, count: int) -> Iterator[RenderableType]:
    """The head of the ranking."""
    rows = found.record(count)["suspects"]
    columns = [
        Column("rank", [str(number) for number in range(1, len(rows) + 1)], 3, right=True),
        Column("sample", [str(row["index"]) for row in rows], right=True),
    ]
    for rank, (key, name) in enumerate([("label", "label"), ("predicted", "taken for"), ("file", "file")]):
        if any(key in row for row in rows):
            columns.append(Column(name, [plain_text(str(row.get(key, ""))) for row in rows], rank, fold=key == "file"))
    losses = ["" if row["loss"] is None else f"{row['loss']:.4g}" for row in rows]
    columns.insert(len(columns) - ("file" in rows[0]), Column("loss", losses, right=True))
    yield Columns(columns)
    told = f"{len(rows):,} of {len(found.numbers):,} samples; loss: the mean of a sample's own"
    yield Text(f"\n{told}, usual is {float(np.median(found.losses)):.4g}")


def csv_of(found: Suspects) -> bytes:
    """All samples, the most suspect first."""
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({"rank": place + 1, **found.row(place)} for place in range(len(found.numbers)))
    return text.getvalue().encode()


def png_of(found: Suspects, count: int) -> bytes:
    """The head of the ranking as pictures: number, label, and what they are taken for.

    Raises:
        ConfigError: samples are no pictures, or Pillow is not installed.
    """
    if not isinstance(found.dataset, ArrayDataset):
        raise ConfigError("--png: this run's samples are no pictures")
    rows = found.record(count)["suspects"]
    names = (f"{row['index']}" + (f" {row['label']}>{row['predicted']}" if "label" in row else "") for row in rows)
    return png_sheet(Sheet(pictures(found.dataset, found.numbers[:count]), tuple(names)))
