"""Results as rich tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from lenetcli.inspect.doctor import Finding
    from lenetcli.inspect.parameters import ParameterRow
    from lenetcli.inspect.predictions import Prediction
    from lenetcli.train.evaluate import Evaluation


def plain_table(title: str | None = None, caption: str | None = None) -> Table:
    """The house's table: a header rule and no frame, so that it reads well when piped."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False,
        title=title, caption=caption, title_justify="left", caption_justify="left",
    )  # fmt: skip


def figure(value: float | None) -> str:
    """A number in three significant digits."""
    return "" if value is None else f"{value:.3g}"


def parameter_table(rows: Sequence[ParameterRow]) -> Table:
    """Name, shape, count and statistics of every parameter; gradient columns where there is a gradient."""
    with_gradient = any(r.gradient is not None for r in rows)
    total = sum(r.count for r in rows)
    trainable = sum(r.count for r in rows if r.trainable)
    table = plain_table(caption=f"{len(rows)} tensors, {total:,} parameters, {trainable:,} trainable")
    table.add_column("name", no_wrap=True)
    table.add_column("shape", no_wrap=True)
    table.add_column("dtype")
    for name in ("count", "mean", "std", "min", "max"):
        table.add_column(name, justify="right", no_wrap=True)
    if with_gradient:
        table.add_column("|grad| mean", justify="right")
        table.add_column("grad std", justify="right")
    for r in rows:
        v = r.values
        cells = [r.name, str(r.shape), r.dtype, f"{r.count:,}", *map(figure, (v.mean, v.std, v.min, v.max))]
        if with_gradient:
            g = r.gradient
            cells += [figure(g.mean) if g else "", figure(g.std) if g else ""]
        table.add_row(*cells, style=None if r.trainable else "dim")
    return table


def prediction_table(predictions: Sequence[Prediction]) -> Table:
    """A picture a line: its likeliest class and the next ones, or the model's numbers where they are no classes."""
    table = plain_table()
    table.add_column("file", overflow="fold")
    if not predictions[0].top:
        table.add_column("output")
        for p in predictions:
            table.add_row(escape(p.name), escape(_numbers(p.output)))
        return table
    table.add_column("label")
    table.add_column("probability", justify="right")
    if len(predictions[0].top) > 1:
        table.add_column("then")
    for p in predictions:
        (label, probability), *others = p.top
        then = ", ".join(f"{name} {share:.4f}" for name, share in others)
        table.add_row(escape(p.name), escape(label), f"{probability:.4f}", *([escape(then)] if others else []))
    return table


def _numbers(output: Any) -> str:
    flat = np.asarray(output).ravel()
    shown = ", ".join(f"{value:.4g}" for value in flat[:10])
    return f"{shown}, ... ({flat.size} numbers)" if flat.size > 10 else shown


def class_table(evaluation: Evaluation, classes: Sequence[str]) -> Table:
    """Precision, recall and F1 of every class, with its number of samples."""
    table = plain_table()
    table.add_column("class")
    for name in ("samples", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for name, f in zip(classes, evaluation.per_class):
        table.add_row(name, f"{f.count:,}", f"{f.precision:.4f}", f"{f.recall:.4f}", f"{f.f1:.4f}")
    return table


def confusion_table(evaluation: Evaluation, classes: Sequence[str]) -> Table:
    """Rows are true classes, columns predicted ones; the diagonal is right."""
    assert evaluation.confusion is not None, "only classifications have classes"
    table = plain_table()
    table.add_column("", no_wrap=True)
    for name in classes:
        table.add_column(name, justify="right")
    for i, name in enumerate(classes):
        cells = [
            f"[bold]{n}[/bold]" if i == j else (f"[red]{n}[/red]" if n else "[dim]·[/dim]")
            for j, n in enumerate(evaluation.confusion[i].tolist())
        ]
        table.add_row(name, *cells)
    return table


def finding_table(found: Sequence[Finding]) -> Table:
    """What `lenet doctor` found, with a hint where something could be better."""
    table = plain_table()
    for heading in ("", "found", "hint"):
        table.add_column(heading, overflow="fold")
    for line in found:
        table.add_row(Text(line.what), Text(line.found, style="" if line.ok else "yellow"), Text(line.hint))
    return table
