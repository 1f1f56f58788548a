"""Predictions as the file that a competition wants: a number or a name, and a class, on each line."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lenetcli.errors import ConfigError
from lenetcli.inspection.data.predictions import Prediction


def submission_of(found: Sequence[Prediction], columns: str) -> bytes:
    """The likeliest class of each picture; pictures of a table are numbered from 1, others called as their files are.

    Args:
        columns: the two columns' names, with a comma between them.

    Raises:
        ConfigError: not two names, or outputs that are no classes.
    """
    names = [name.strip() for name in columns.split(",")]
    if len(names) != 2 or not all(names):
        raise ConfigError(f"--columns {columns}: wanted two names with a comma between them, such as ImageId,Label")
    if any(not prediction.top for prediction in found):
        raise ConfigError("--submission: the outputs of this run are no classes")
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow(names)
    for prediction in found:
        name = Path(prediction.file).stem if prediction.index is None else prediction.index + 1
        lines.writerow([name, prediction.top[0][0]])
    return text.getvalue().encode("utf-8", "surrogateescape")
