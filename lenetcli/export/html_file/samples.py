"""Test samples that go along in the page: some of each class, and some that the net gets wrong."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.data.dataset import ArrayDataset
from lenetcli.data.inputs import Inputs
from lenetcli.export.graph import Array
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import from_numpy

ROOM = 32_000  # bytes that all of them may take
MOST, MISTAKES = 40, 8
LOOKED_AT = 1000  # of the first test samples, those that the net gets wrong are told


def chosen(data: Any, model: Module, inputs: Inputs | None, output: int | None) -> dict[str, Any] | None:
    """Some samples of a data set, as plain data.

    Args:
        data: the test samples.
        inputs: how the data's images become what the model takes; without it samples go along as the model takes them.
        output: which of the model's outputs decides; None where it has one.
    """
    raw = inputs is not None and isinstance(data, ArrayDataset) and data.images.shape[1:] == inputs.shape
    first = np.arange(min(len(data), LOOKED_AT))
    x, targets = data.gather(first)
    labels = np.asarray(targets)
    known = labels.ndim == 1 and labels.dtype.kind in "iu"
    sample = np.asarray(data.images[0:1] if raw else x[:1])
    whole = sample.dtype == np.uint8 or (raw and _are_bytes(np.asarray(data.images[first])))
    count = min(MOST, ROOM // (sample[0].size * (1 if whole else 4)), len(first))
    if count < 1:
        return None
    wrong = _wrong(model, x, labels, output) if known else np.empty(0, np.int64)
    at = _spread(labels, count, wrong[: min(MISTAKES, count // 4)]) if known else first[:count]
    found = np.asarray(data.images[at]) if raw else x[at]
    values = np.ascontiguousarray(found, np.uint8 if whole else np.float32)
    return {
        "bytes": bool(whole),
        "ready": not raw,
        "values": base64.b64encode(values.tobytes()).decode(),
        "labels": labels[at].tolist() if known else [],
        "numbers": at.tolist(),
        "border": _border(found) if raw else None,
    }


def _wrong(model: Module, x: Array, labels: Array, output: int | None) -> Array:
    """The numbers of samples that the model decides wrongly about."""
    with no_grad():
        found: Any = model.eval()(from_numpy(np.ascontiguousarray(x)))
    scores = (found if output is None else found[output]).numpy()
    if scores.ndim != 2 or scores.shape[1] < 2:
        return np.empty(0, np.int64)
    return np.flatnonzero(scores.argmax(1) != labels)


def _spread(labels: Array, count: int, others: Array) -> Array:
    """So many numbers: the others, and of each class alike the first ones, class by class."""
    free = np.setdiff1d(np.arange(len(labels)), others)
    turns = np.zeros(len(free), np.int64)
    for label in np.unique(labels[free]):
        own = labels[free] == label
        turns[own] = np.arange(own.sum())
    first = free[np.lexsort((labels[free], turns))][: count - len(others)]
    order = np.lexsort((first, labels[first]))
    return np.concatenate([first[order], others]).astype(np.int64)


def _are_bytes(images: Array) -> bool:
    return bool(np.isfinite(images).all() and (images == images.astype(np.uint8)).all())


def _border(images: Array) -> float:
    """The mean of the outermost pixels: whether pictures of the data set are dark there, or light."""
    rim = np.concatenate([images[..., [0, -1], :].ravel(), images[..., [0, -1]].ravel()])
    return float(rim.mean())
