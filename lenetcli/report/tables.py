"""Results as rich tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from rich import box
from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.report.columns import Column, Columns
from lenetcli.tensors.tensor import of_array

if TYPE_CHECKING:
    from lenetcli.inspection.data.predictions import Prediction
    from lenetcli.inspection.doctor import Finding
    from lenetcli.inspection.model.parameters import ParameterRow


def plain_table(title: str | None = None, caption: str | None = None) -> Table:
    """The house's table: a header rule and no frame, so that it reads well when piped."""
    return Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False,
        title=title, caption=caption, title_justify="left", caption_justify="left",
    )  # fmt: skip


def figure(value: float | None) -> str:
    """A number in three significant digits."""
    return "" if value is None else f"{value:.3g}"


def four(value: float | None) -> str:
    """A loss or an accuracy in four decimals."""
    return "" if value is None else f"{value:.4f}"


def sizes(shape: Iterable[int] | None) -> str:
    """A shape, as in [4,1,3,3]."""
    return "" if shape is None else f"[{','.join(map(str, shape))}]"


def numbers(values: Any) -> str:
    """Nested lists of numbers as torch prints a tensor."""
    return "None" if values is None else repr(of_array(np.asarray(values, np.float32)))


def parameter_table(rows: Sequence[ParameterRow]) -> Iterator[RenderableType]:
    """Name, shape, count and statistics of every parameter; gradient columns where there is a gradient."""
    values = [r.values for r in rows]
    gradients = [
        Column("|grad| mean", [figure(r.gradient.mean) if r.gradient else "" for r in rows], 1, right=True),
        Column("grad std", [figure(r.gradient.std) if r.gradient else "" for r in rows], 1, right=True),
    ]
    yield Columns(
        [
            Column("name", [plain_text(r.name) for r in rows], fold=True),
            Column("shape", [str(r.shape) for r in rows], 2),
            Column("dtype", [r.dtype for r in rows], 5),
            Column("count", [f"{r.count:,}" for r in rows], right=True),
            Column("mean", [figure(v.mean) for v in values], 3, right=True),
            Column("std", [figure(v.std) for v in values], 1, right=True),
            Column("min", [figure(v.min) for v in values], 4, right=True),
            Column("max", [figure(v.max) for v in values], 4, right=True),
            *([_rates(rows)] if any(r.lr is not None for r in rows) else []),
            *(gradients if any(r.gradient for r in rows) else []),
        ],
        [None if r.trainable else "dim" for r in rows],
    )
    total, trainable = sum(r.count for r in rows), sum(r.count for r in rows if r.trainable)
    yield Text(f"{len(rows)} tensors, {total:,} parameters, {trainable:,} trainable", style="italic dim")


def _rates(rows: Sequence[ParameterRow]) -> Column:
    """The learning rate of each parameter, where they differ."""
    return Column("lr", ["" if r.lr is None else f"{r.lr:.4g}" if r.trainable else "frozen" for r in rows], right=True)


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
    more = [name for name, other in predictions[0].outputs if other.top and other.top != predictions[0].top]
    for name in more:
        table.add_column(escape(name))
    for p in predictions:
        (label, probability), *others = p.top
        then = ", ".join(f"{name} {share:.4f}" for name, share in others)
        said = [f"{answer.top[0][0]} {answer.top[0][1]:.4f}" for name, answer in p.outputs if name in more]
        cells = [escape(then)] if len(predictions[0].top) > 1 else []
        table.add_row(escape(p.name), escape(label), f"{probability:.4f}", *cells, *map(escape, said))
    return table


def _numbers(output: Any) -> str:
    flat = np.asarray(output).ravel()
    shown = ", ".join(f"{value:.4g}" for value in flat[:10])
    return f"{shown}, ... ({flat.size} numbers)" if flat.size > 10 else shown


def finding_table(found: Sequence[Finding]) -> Table:
    """What `lenet doctor` found, with a hint where something could be better."""
    table = plain_table()
    for heading in ("", "found", "hint"):
        table.add_column(heading, overflow="fold")
    for line in found:
        table.add_row(Text(line.what), Text(line.found, style="" if line.ok else "yellow"), Text(line.hint))
    return table
