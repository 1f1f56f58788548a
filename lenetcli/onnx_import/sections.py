"""What a configuration needs beside its model: data to stand in, the loss that outputs of this kind have, an optimizer.

A file of a net says nothing of them, so these are to begin with, and to be replaced.
"""

from __future__ import annotations

import math
import re
from typing import Any

from lenetcli.onnx_import.imported import Imported

_MOST_CLASSES = 1 << 16


def whole(found: Imported) -> dict[str, Any]:
    """A configuration as plain data."""
    shape = found.model["input"]
    loss, targets = _loss(found)
    picture = [*shape, 1, 1][:3] if len(shape) < 4 else [shape[0] * shape[1], *shape[2:]]  # depths beside each other
    data: dict[str, Any] = {"type": "Random", "shape": picture, **targets}
    return {
        "version": 1,
        "name": name_of(found.name),
        "model": found.model,
        "data": data,
        "loss": loss,
        "optimizer": {"type": "SGD", "lr": 0.01, "momentum": 0.9},
        "train": {"epochs": 1, "batch_size": 32},
    }


def name_of(stem: str) -> str:
    """A run's name, of a file's.

    Example:
        >>> name_of("my net (2)"), name_of("ü")
        ('my-net-2', 'net')
    """
    return re.sub(r"[^A-Za-z0-9._]+", "-", stem).strip("-._")[:100] or "net"


def _loss(found: Imported) -> tuple[Any, dict[str, Any]]:
    """The loss, and what the data's targets are then."""
    outputs = found.model.get("outputs")
    count = math.prod(found.output)
    if outputs:
        return _losses(found)
    if _is_picture(found.output, found):
        return {"type": "MSELoss", "target": "input"}, {"classes": 0, "targets": min(count, 10)}
    return _of_one(found.last, found.output)


def _is_picture(sizes: tuple[int, ...], found: Imported) -> bool:
    return tuple(sizes) == tuple(found.model["input"]) and len(sizes) == 3


def _losses(found: Imported) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The losses of several outputs, and targets that as many as can share one have: class numbers, where any has."""
    losses, targets = [], []
    for name, last, sizes in found.heads:
        if _is_picture(sizes, found):
            losses.append({"output": name, "type": "MSELoss", "target": "input"})
        else:
            loss, wanted = _of_one(last, sizes)
            losses.append({"output": name, **loss})
            targets.append(wanted)
    classes = [wanted["classes"] for wanted in targets if wanted["classes"]]
    if classes:
        return losses, {"classes": min(classes)}
    return losses, targets[0] if targets else {"classes": 0, "targets": 10}


def _of_one(last: str, sizes: tuple[int, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Of one output, by the layer that gives it."""
    if len(sizes) == 1 and 1 < sizes[0] <= _MOST_CLASSES and last != "Sigmoid":
        return {"type": "NLLLoss" if last == "LogSoftmax" else "CrossEntropyLoss"}, {"classes": sizes[0]}
    if sizes in ((), (1,)) and last == "Sigmoid":
        return {"type": "BCELoss"}, {"classes": 2}
    return {"type": "MSELoss"}, {"classes": 0, "targets": max(1, min(math.prod(sizes), _MOST_CLASSES))}
