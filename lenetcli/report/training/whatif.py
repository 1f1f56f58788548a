"""A run without some of its samples, as a table: predicted beside actual."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.training.whatif import WhatIf
from lenetcli.report.columns import Column, Columns
from lenetcli.train.answers import class_name

NAMED = 8  # numbers of samples that a line has


def draw(found: WhatIf) -> Iterator[RenderableType]:
    """The change of the test loss, then the test samples that it changes most for."""
    named = ", ".join(map(str, found.without[:NAMED])) + (", ..." if len(found.without) > NAMED else "")
    many = f"{len(found.without):,} sample{'s' if len(found.without) != 1 else ''}"
    yield Text(f"without {many}: {named}; in {found.batches:,} batches of {found.steps:,} steps")
    right = "" if found.accuracy is None else f", accuracy {found.accuracy:.4f}"
    yield Text(f"test loss of the run's last weights: {found.loss:.5g}{right}\n")
    accuracy = "" if found.accuracy_without is None else f"{found.accuracy_without:.4f}"
    rows = [("predicted", found.predicted, "", "estimated along the run, which is made again")]
    rows += [("actual", found.actual, accuracy, "trained again without them")]
    rows += [("by chance", c.actual, "", "trained again without as many others") for c in found.controls]
    yield Columns([
        Column("", [row[0] for row in rows]),
        Column("change of test loss", [f"{row[1]:+.4g}" for row in rows], right=True),
        Column("accuracy", [row[2] for row in rows], 1, right=True),
        Column("how", [row[3] for row in rows], 2, fold=True),
    ])  # fmt: skip
    if found.images:
        yield Text("\ntest samples whose loss changes most")
        yield Columns([
            Column("sample", [str(i.index) for i in found.images], right=True),
            Column("class", [_class(found.classes, i.target) for i in found.images], 1),
            Column("loss", [f"{i.loss:.4g}" for i in found.images], right=True),
            Column("predicted", [f"{i.predicted:+.3g}" for i in found.images], 2, right=True),
            Column("actual", [f"{i.actual:+.3g}" for i in found.images], right=True),
        ])  # fmt: skip
    if found.agreement is not None:
        yield Text(f"predicted and actual changes of all test samples: correlation {found.agreement:+.2f}")


def _class(classes: Sequence[str], target: int | None) -> str:
    return "" if target is None else plain_text(class_name(classes, target))
