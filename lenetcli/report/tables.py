"""Results as rich tables."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from lenetcli.inspect.parameters import ParameterRow
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


def class_table(evaluation: Evaluation, classes: Sequence[str]) -> Table:
    """Precision, recall and F1 of every class, with its number of samples."""
    assert evaluation.confusion is not None, "only classifications have classes"
    confusion = evaluation.confusion
    table = plain_table()
    table.add_column("class")
    for name in ("samples", "precision", "recall", "F1"):
        table.add_column(name, justify="right")
    for i, name in enumerate(classes):
        right, actual, predicted = int(confusion[i, i]), int(confusion[i].sum()), int(confusion[:, i].sum())
        precision = right / predicted if predicted else 0.0
        recall = right / actual if actual else 0.0
        f1 = 2 * right / (actual + predicted) if actual + predicted else 0.0
        table.add_row(name, f"{actual:,}", f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}")
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
