"""How the model was judged: classes, confusion, the worst mistakes."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lenetcli.display.markup import Child, Markup, element
from lenetcli.display.png import picture, signed
from lenetcli.inspection.data.mistakes import Judged, Mistake
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.tables import figure
from lenetcli.report.training.run_page.parts import count, heat, image, missing, note, table

NUMBERED = 30  # classes; the confusion of more is a picture without numbers
PAIRS = 10
LONG = 2  # letters of a class, over a column of the confusion matrix


def classes(report: RunReport) -> Child:
    """The confusion matrix as a heat map with numbers, figures of each class, pairs that are confused most often."""
    judged = report.judged
    if judged is None or judged.evaluation.confusion is None:
        return None
    tables = element(
        "div", _confusion(report, judged), _figures(report, judged), _pairs(report, judged), class_="beside"
    )
    explained = note(
        "Confusion: true class down, predicted class across; the diagonal is right. Precision: of samples taken for "
        "the class, the share that is of it. Recall: of its samples, the share that was found. F1: their harmonic mean."
    )
    return [tables, explained]


def _figures(report: RunReport, judged: Judged) -> Markup:
    """Precision, recall and F1 of each class."""
    rows = [
        [name, f"{f.count:,}", f"{f.precision:.4f}", f"{f.recall:.4f}", heat(f"{f.f1:.4f}", f.f1)]
        for name, f in zip(report.classes, judged.evaluation.per_class)
    ]
    heads = ["class", "samples", "precision", "recall", "F1"]
    caption = f"{judged.split.capitalize()} split, {count(judged.evaluation.count, 'sample')}"
    return table(caption, heads, rows, class_="numbers")


def _confusion(report: RunReport, judged: Judged) -> Markup:
    matrix = judged.evaluation.confusion
    assert matrix is not None
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    caption = f"Confusion, {judged.split} split"
    if len(matrix) > NUMBERED:
        pixels = signed(np.sqrt(shares), 1.0)
        alt = f"Confusion matrix of {len(matrix)} classes; the numbers of the largest cells are in the table below."
        return element("figure", image(pixels, alt, class_="matrix"), element("figcaption", caption))
    return _matrix(report, caption, shares)


def _matrix(report: RunReport, caption: str, shares: npt.NDArray[np.float64]) -> Markup:
    assert report.judged is not None
    matrix = report.judged.evaluation.confusion
    assert matrix is not None
    rows: list[list[Child]] = []
    for i, name in enumerate(report.classes):
        row: list[Child] = [name]
        for j, number in enumerate(matrix[i].tolist()):
            share = float(shares[i, j])
            title = (
                f"{name} taken for {report.classes[j]}: {number:,} ({share:.1%})"
                if i != j
                else f"{name}: {share:.1%} found"
            )
            strength = share if i == j else math.sqrt(share)
            row.append(heat(f"{number:,}" if number else "·", strength, "right" if i == j else "wrong", title))
        rows.append(row)
    upright = max(map(len, report.classes)) > LONG
    return table(caption, ["", *report.classes], rows, class_="confusion upright" if upright else "confusion")


def _pairs(report: RunReport, judged: Judged) -> Markup:
    pairs = judged.confused
    if not pairs:
        return note("No sample was taken for another class.")
    matrix = judged.evaluation.confusion
    assert matrix is not None
    rows = [
        [report.classes[t], report.classes[p], f"{n:,}", f"{n / int(matrix[t].sum()):.1%}"] for t, p, n in pairs[:PAIRS]
    ]
    return table("Confused most often", ["class", "taken for", "samples", "of its class"], rows, class_="numbers pairs")


def mistakes(report: RunReport) -> Child:
    """The samples that the model is most wrong about, as pictures."""
    judged = report.judged
    if judged is None:
        return missing(report.problems.get("judged") or report.problems.get("weights") or "The data cannot be had.")
    if not judged.mistakes:
        if judged.evaluation.accuracy == 1.0:
            return note(f"No sample of the {judged.split} split is classified wrongly.")
        return None
    numbers = judged.evaluation.confusion is None
    lead = (
        "The samples whose outputs are farthest from their targets (mean distance)."
        if numbers
        else "The wrong predictions that the model is surest of, surest first."
    )
    return [note(lead), element("div", [_mistake(report, judged, m) for m in judged.mistakes], class_="mistakes")]


def _mistake(report: RunReport, judged: Judged, found: Mistake) -> Markup:
    pixels = picture(found.image)
    where = f"{judged.split} sample {found.index}"
    if isinstance(found.target, int) and isinstance(found.output, int):
        true, taken = report.classes[found.target], report.classes[found.output]
        caption = [
            element("span", element("b", true), " taken for ", element("b", taken)),
            element("span", f"{found.wrongness:.1%} sure, sample {found.index}", class_="more"),
        ]
        alt = f"{where}: {true}, taken for {taken} with probability {found.wrongness:.4f}"
    else:
        caption = [
            element("span", "distance ", element("b", figure(found.wrongness))),
            element("span", f"sample {found.index}", class_="more"),
        ]
        alt = f"{where}: {_some(found.output)} where {_some(found.target)} was wanted"
    return element("figure", image(pixels, alt, alt), element("figcaption", caption))


def _some(values: int | list[float]) -> str:
    return str(values) if isinstance(values, int) else "[" + ", ".join(figure(v) for v in values) + ", ...]"
