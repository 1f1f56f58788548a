"""How the model was judged: classes, confusion, the worst mistakes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from lenetcli.display.markup import Child, Markup, element
from lenetcli.display.png import picture, signed
from lenetcli.inspection.data.mistakes import Judged, Mistake
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.tables import figure, four
from lenetcli.report.training.run_page.parts import count, heat, image, missing, note, table
from lenetcli.train.answers import class_name, class_names
from lenetcli.train.confusion import DENSE, Counts

NUMBERED = 30  # classes; the confusion of more is a picture without numbers, that of more than DENSE only its pairs
ALL = 100  # classes; of more, the worst have a row
WORST = 30
PAIRS = 10
LONGEST = 60  # letters of a file's path; the whole one is the title of the picture
LONG = 2  # letters of a class, over a column of the confusion matrix


def measured(report: RunReport) -> Child:
    """The metrics of answers that are no classes."""
    judged = report.judged
    if judged is None or judged.evaluation.counts is not None:
        return None
    return [part for part in (_outputs(judged), _metrics(judged)) if part is not None] or None


def classes(report: RunReport) -> Child:
    """The confusion matrix as a heat map with numbers, figures of each class, pairs that are confused most often."""
    judged = report.judged
    if judged is None or judged.evaluation.counts is None:
        return None
    outputs = _outputs(judged)
    tables = element(
        "div", _confusion(report, judged), _figures(report, judged), _pairs(report, judged), class_="beside"
    )
    explained = note(
        "Confusion: true class down, predicted class across; the diagonal is right. Precision: of samples taken for "
        "the class, the share that is of it. Recall: of its samples, the share that was found. F1: their harmonic mean."
    )
    which = note(f"Of the output {report.output}:") if outputs is not None else None
    return [outputs, which, _metrics(judged), tables, explained]


def _metrics(judged: Judged) -> Markup | None:
    """Every metric of the task, with its interval."""
    found = judged.metrics
    if found is None:
        return None
    rows = [
        [name.replace("_", " "), four(value), " to ".join(map(four, found.intervals.get(name, ())))]
        for name, value in found.values.items()
    ]
    caption = f"Metrics, {judged.split} split; the interval holds 95 of 100 bootstraps"
    return table(caption, ["metric", "value", "95 % interval"], rows, class_="numbers")


def _outputs(judged: Judged) -> Markup | None:
    """Loss and accuracy of each of several outputs."""
    found = judged.evaluation.outputs
    if found is None:
        return None
    rows = [
        [name, f"{each.loss:.4f}", "" if each.accuracy is None else f"{each.accuracy:.4f}"]
        for name, each in found.items()
    ]
    caption = f"Outputs, {judged.split} split; the loss is the weighted sum of theirs: {judged.evaluation.loss:.4f}"
    return table(caption, ["output", "loss", "accuracy"], rows, class_="numbers")


def _figures(report: RunReport, judged: Judged) -> Markup:
    """Precision, recall and F1 of each class or, where they are many, of the worst."""
    figures = judged.evaluation.per_class
    chosen = list(enumerate(figures)) if len(figures) <= ALL else judged.evaluation.worst(WORST)
    rows = [
        [class_name(report.classes, i), f"{f.count:,}", f"{f.precision:.4f}", f"{f.recall:.4f}",
         heat(f"{f.f1:.4f}", f.f1)]
        for i, f in chosen
    ]  # fmt: skip
    heads = ["class", "samples", "precision", "recall", "F1"]
    caption = f"{judged.split.capitalize()} split, {count(judged.evaluation.count, 'sample')}"
    if len(chosen) < len(figures):
        caption += f"; the {WORST} of {len(figures):,} classes with the lowest F1"
    return table(caption, heads, rows, class_="numbers")


def _confusion(report: RunReport, judged: Judged) -> Markup | None:
    counts = judged.evaluation.counts
    assert counts is not None
    if counts.classes > DENSE:
        return None
    return matrix(report.classes, f"Confusion, {judged.split} split", counts.matrix())


def matrix(classes: Sequence[str], caption: str, counts: Counts) -> Markup:
    """Which class was taken for which: a table of numbers or, of many classes, a picture."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    if len(counts) > NUMBERED:
        pixels = signed(np.sqrt(shares), 1.0)
        alt = f"Confusion matrix of {len(counts)} classes; the numbers of the largest cells are in the table below."
        return element("figure", image(pixels, alt, class_="matrix"), element("figcaption", caption))
    names = class_names(classes, len(counts))
    rows: list[list[Child]] = []
    for i, name in enumerate(names):
        row: list[Child] = [name]
        for j, number in enumerate(counts[i].tolist()):
            share = float(shares[i, j])
            title = f"{name} taken for {names[j]}: {number:,} ({share:.1%})" if i != j else f"{name}: {share:.1%} found"
            strength = share if i == j else math.sqrt(share)
            row.append(heat(f"{number:,}" if number else "·", strength, "right" if i == j else "wrong", title))
        rows.append(row)
    upright = max(map(len, names)) > LONG
    return table(caption, ["", *names], rows, class_="confusion upright" if upright else "confusion")


def _pairs(report: RunReport, judged: Judged) -> Markup:
    pairs = judged.confused
    if not pairs:
        return note("No sample was taken for another class.")
    assert judged.evaluation.counts is not None
    actual = judged.evaluation.counts.actual
    rows = [
        [class_name(report.classes, t), class_name(report.classes, p), f"{n:,}", f"{n / int(actual[t]):.1%}"]
        for t, p, n in pairs[:PAIRS]
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
    numbers = judged.evaluation.counts is None
    lead = (
        "The samples whose outputs are farthest from their targets (mean distance)."
        if numbers
        else "The wrong predictions that the model is surest of, surest first."
    )
    return [note(lead), element("div", [_mistake(report, judged, m) for m in judged.mistakes], class_="mistakes")]


def _mistake(report: RunReport, judged: Judged, found: Mistake) -> Markup:
    pixels = picture(found.image)
    where = f"{judged.split} sample {found.index}"
    file = (
        element("span", element("code", _short(found.file)), class_="more file", title=found.file)
        if found.file
        else None
    )
    if isinstance(found.target, int) and isinstance(found.output, int):
        true, taken = (class_name(report.classes, number) for number in (found.target, found.output))
        caption = [
            element("span", element("b", true), " taken for ", element("b", taken)),
            element("span", f"{found.wrongness:.1%} sure, sample {found.index}", class_="more"),
            file,
        ]
        alt = f"{where}: {true}, taken for {taken} with probability {found.wrongness:.4f}"
    else:
        caption = [
            element("span", "distance ", element("b", figure(found.wrongness))),
            element("span", f"sample {found.index}", class_="more"),
            file,
        ]
        alt = f"{where}: {_some(found.output)} where {_some(found.target)} was wanted"
    return element("figure", image(pixels, alt, alt), element("figcaption", caption))


def _short(file: str) -> str:
    """The end of a path, in which files of a data set differ."""
    return file if len(file) <= LONGEST else "…" + file[1 - LONGEST :]


def _some(values: int | list[float]) -> str:
    return str(values) if isinstance(values, int) else "[" + ", ".join(figure(v) for v in values) + ", ...]"
