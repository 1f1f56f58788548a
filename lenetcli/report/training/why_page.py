"""A weight's way as one HTML page without scripts: its curve, the parts of its change, the samples that pushed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.data.dataset import ArrayDataset
from lenetcli.display.markup import Child, Markup, element
from lenetcli.inspection.data.contact_sheet import pictures
from lenetcli.inspection.training.curves import Curve
from lenetcli.inspection.training.why import Moved, Sample, Why
from lenetcli.report.training.run_page.chart import Line, chart
from lenetcli.report.training.run_page.page import whole
from lenetcli.report.training.run_page.parts import count, image, note, table
from lenetcli.train.answers import class_name

PARTS = ("gradient", "momentum", "decay", "rounding")


def page(found: Why, run: str, steps: int, classes: Sequence[str], dataset: Any) -> str:
    """The page.

    Args:
        run: the run's directory.
        steps: how many are shown with their samples, those that changed the weight most.
        classes: names of the targets.
        dataset: the training data, whose pictures are shown where it has any.
    """
    name = found.name + (f"[{','.join(map(str, found.index))}]" if found.index else "")
    shown = sorted(found.largest(steps), key=lambda step: step.step)
    headline = element("p", element("span", f"{found.first:.6g} at first, {found.last:.6g} at last"), class_="place")
    sections: list[tuple[str, str, Child]] = [
        ("sum", "Sum", _sum(found)),
        ("way", "Way", _way(found, name) if found.steps and found.trains else None),
        ("steps", "Largest steps", _steps(shown, len(found.steps)) if shown and found.trains else None),
        ("samples", "Samples", _samples(shown, classes, dataset) if found.trains else None),
    ]
    command = f"lenet why {run} '{name}'"
    return whole(f"{name}: {run}", "Why a weight is what it is", name, headline, sections, command)


def _sum(found: Why) -> Child:
    if not found.trains:
        return note("Frozen: no step changes it.")
    tiles = [("change", found.last - found.first), ("sum of all parts", found.sum)]
    tiles += [(part, getattr(found, part)) for part in PARTS]
    told = (
        f"{found.undivided} asks for all numbers of a parameter: the whole change is told as the gradient's."
        if found.undivided
        else "In each step: what the optimizer would do with no gradient and no decay (momentum), what decay adds, "
        "what the gradient adds. Rounding is what is left."
    )
    return [
        element("dl", [element("div", element("dt", k), element("dd", f"{v:+.3g}")) for k, v in tiles], class_="tiles"),
        note(told),
    ]


def _way(found: Why, name: str) -> Child:
    values = np.array([found.first, *(step.before + step.change for step in found.steps)])
    line = Line(name, Curve("", "train", np.arange(len(values), dtype=float), values), "test")
    return element("figure", chart([line], f"{name} after each step", "step"), class_="card")


def _steps(shown: Sequence[Moved], steps: int) -> Child:
    rows = [
        [str(s.step), str(s.epoch), f"{s.before:.6g}", f"{s.change:+.4g}", *(f"{getattr(s, p):+.3g}" for p in PARTS)]
        for s in shown
    ]
    caption = f"{len(shown)} of {count(steps, 'step')}: those that changed it most"
    return table(caption, ["step", "epoch", "before", "change", *PARTS], rows, class_="numbers")


def _samples(shown: Sequence[Moved], classes: Sequence[str], dataset: Any) -> Child:
    """Of each step, the samples that pushed the weight most, with their pictures."""
    parts: list[Child] = []
    for step in shown:
        if not step.samples:
            continue
        numbers = np.array([sample.index for sample in step.samples], np.int64)
        pixels = pictures(dataset, numbers) if isinstance(dataset, ArrayDataset) else [None] * len(numbers)
        figures = [_sample(sample, picture, classes) for sample, picture in zip(step.samples, pixels)]
        parts += [
            element("h3", f"Step {step.step:,}, changed by {step.change:+.4g}"),
            element("div", figures, class_="mistakes"),
            note(f"All others of the batch together: {step.others:+.3g}."),
        ]
    return [note("Their part of the step's change; an augmented run saw them changed."), *parts] if parts else None


def _sample(sample: Sample, pixels: Any, classes: Sequence[str]) -> Markup:
    label = class_name(classes, sample.target) if isinstance(sample.target, int) else ""
    said = f"training sample {sample.index}" + (f": {label}" if label else "")
    return element(
        "figure",
        None if pixels is None else image(pixels, said, said),
        element(
            "figcaption",
            element("span", element("b", f"{sample.change:+.3g}")),
            element("span", f"{label}, sample {sample.index}" if label else f"sample {sample.index}", class_="more"),
        ),
    )
