"""A trained net as one HTML page that needs nothing else: pictures go in, every number on the way can be looked at.

The graph becomes a `program` of steps (`operators`) that the page runs forward and backward in its own scripts; it is
`tried` under Node first, where that is there. `samples` of the test data go along.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.display.markup import filled, script_json
from lenetcli.errors import printable
from lenetcli.export.described import Figures
from lenetcli.export.html_file.program import Program
from lenetcli.export.html_file.tried import engine

PLACE = Path(__file__).parent
SCRIPTS = ("picture.js", "page.js", "draw.js", "layers.js", "sum.js", "answer.js", "learn.js", "main.js")


@dataclass(frozen=True)
class About:
    """What the page says beside the net's own numbers.

    Args:
        name: of the run.
        inputs: how pictures become the model's inputs; without it there are test samples only.
        classes: names of the classes; empty where the outputs are no classes.
        meaning: what the outputs are, as `nn.loss.Outputs` says.
        main: which output decides.
        loss: the name of the run's loss.
        smoothing: of its labels.
        rate: the learning rate that the run began with.
        figures: how it did; None where nothing is known.
        samples: as `samples.chosen` gives them.
    """

    name: str
    inputs: Inputs | None
    classes: Sequence[str]
    meaning: str
    main: int = 0
    loss: str = ""
    smoothing: float = 0.0
    rate: float = 0.01
    figures: Figures | None = None
    samples: dict[str, Any] | None = None


def page(program: Program, about: About) -> str:
    """The page."""
    parts = {
        "title": html.escape(printable(about.name)),
        "version": __version__,
        "style": (PLACE / "page.css").read_text("utf-8"),
        "script": "\n".join([engine(), *((PLACE / name).read_text("utf-8") for name in SCRIPTS)]),
        "data": script_json(_record(program, about)),
        "weights": base64.b64encode(program.content()).decode(),
    }
    return filled((PLACE / "page.html").read_text("utf-8"), parts)


def _record(program: Program, about: About) -> dict[str, Any]:
    """All the page knows."""
    figures, known = about.figures, None
    if figures is not None:
        known = {"split": figures.split, "accuracy": figures.accuracy, "epoch": figures.epoch}
    return {
        "name": printable(about.name),
        "program": {**program.record(), "main": about.main},
        "inputs": None if about.inputs is None else _inputs(about.inputs),
        "classes": [printable(name) for name in about.classes],
        "meaning": about.meaning,
        "loss": about.loss,
        "smoothing": about.smoothing,
        "rate": about.rate,
        "figures": known,
        "samples": about.samples,
    }


def _inputs(inputs: Inputs) -> dict[str, Any]:
    """How stored images (`stored`) and pictures of bytes (`picture`) become inputs: a factor, then something added.

    Numbers are those that `Preprocessing` uses, in float32.
    """
    steps, channels = inputs.preprocessing, inputs.shape[0]
    offset, _ = steps.black_and_unit(channels)
    mean, std = steps.normalize or (0.0, 1.0)
    stds = np.broadcast_to(np.asarray(std, np.float64), (channels,))

    def factors(scale: float) -> list[float]:
        return [float(v) for v in (scale / stds).astype(np.float32)]

    return {
        "shape": list(inputs.shape),
        "size": list(inputs.size),
        "white": inputs.white,
        "offset": [float(v) for v in offset],
        "stored": factors(steps.scale),
        "picture": factors(inputs.white / 255 * steps.scale),
        "mean": None if steps.normalize is None else np.broadcast_to(mean, channels).tolist(),
        "std": None if steps.normalize is None else stds.tolist(),
    }
