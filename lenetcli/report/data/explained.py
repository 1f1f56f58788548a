"""Predictions explained, picture by picture, as sheets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from lenetcli.data.left_out import Tally
from lenetcli.errors import DataError
from lenetcli.inspection.data.contact_sheet import Sheet
from lenetcli.inspection.data.mistakes import shown
from lenetcli.inspection.data.predictions import Prediction, Predictor
from lenetcli.inspection.model.explanation import explained
from lenetcli.report.model.explanation import sheet_of
from lenetcli.tensors.tensor import Tensor
from lenetcli.train.losses import main_term

MOST_EXPLAINED = 100  # pictures
LEAST = 96  # pixels of a picture in a file


def explanations(
    predictor: Predictor, files: Sequence[str], failed: Callable[[DataError], None], left_out: Tally
) -> Iterator[Sheet]:
    """A sheet for each picture: itself, and where its answer comes from."""
    for image, prediction in predictor.one_by_one(files, failed, left_out):
        found = explained(predictor.model, image, _score(predictor, prediction))
        yield sheet_of(shown(image, predictor.inputs.preprocessing), found, _answer(prediction))


def _score(predictor: Predictor, prediction: Prediction) -> Callable[[Tensor], Tensor]:
    """What the answer of a picture follows from: the output of the likeliest class, or the sum of all numbers."""
    term, classes = main_term(predictor.criterion), predictor.inputs.classes

    def score(given: Tensor) -> Tensor:
        output = term.of(given)
        flat: Tensor = output.flatten(1) if output.array.ndim > 1 else output[:, None]
        if not prediction.top:
            return flat.sum(1)
        label = prediction.top[0][0]
        number = classes.index(label) if label in classes else int(label)
        if flat.array.shape[1] == 1:  # one number that decides between two
            return flat[:, 0] if number == 1 else -flat[:, 0]
        return flat[:, number]

    return score


def _answer(prediction: Prediction) -> str:
    if not prediction.top:
        return prediction.name
    label, share = prediction.top[0]
    return f"{label} {share:.0%}"


def together(sheets: Sequence[Sheet]) -> Sheet:
    """Several sheets as one, a row for each; small pictures are enlarged, so that names have room below them."""
    pictures = np.concatenate([sheet.pictures for sheet in sheets])
    times = max(1, LEAST // max(pictures.shape[1:3]))
    enlarged = pictures.repeat(times, axis=1).repeat(times, axis=2)
    return Sheet(enlarged, tuple(name for sheet in sheets for name in sheet.names))
