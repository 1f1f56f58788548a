"""What an evaluation found: figures of the classes, and which was taken for which; of many classes, the worst."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import plain_table
from lenetcli.train.answers import class_name, class_names
from lenetcli.train.confusion import Confusion, Counts
from lenetcli.train.evaluate import ClassFigures, Evaluation

ALL = 100  # classes; of more the worst are shown
WORST = 20
PAIRS = 20


def draw(found: Evaluation, classes: Sequence[str], what: str, width: int) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom, in a place of that width.

    Args:
        classes: their names, as far as they are known.
        what: was evaluated.
    """
    accuracy = "" if found.accuracy is None else f", accuracy {found.accuracy:.4f}"
    calibration = "" if found.calibration_error is None else f", calibration error {found.calibration_error:.4f}"
    ignored = f" ({found.ignored:,} ignored)" if found.ignored else ""
    yield f"{what}, {found.count:,} samples{ignored}: loss {found.loss:.4f}{accuracy}{calibration}"
    if found.counts is not None:
        yield ""
        yield from _figures(found, classes)
        yield from _confusion(found.counts, class_names(classes, found.counts.classes), width)


def draw_outputs(
    found: Evaluation, outputs: Mapping[str, Evaluation], classes: Sequence[str], what: str, width: int
) -> Iterator[RenderableType]:
    """The same of a model with several outputs: the sum of the losses, then each output."""
    (name, only), *others = outputs.items()
    if not others and only.loss == found.loss:
        yield from draw(only, classes, f"{what}, output {plain_text(name)}", width)
        return
    weighted = f"the weighted sum of {len(outputs)}" if others else "which has a weight"
    yield f"{what}, {found.count:,} samples: loss {found.loss:.4f}, {weighted}"
    for name, each in outputs.items():
        yield ""
        yield from draw(each, classes, f"output {plain_text(name)}", width)


def _figures(found: Evaluation, classes: Sequence[str]) -> Iterator[RenderableType]:
    """Precision, recall and F1 of the classes, with their numbers of samples."""
    rows = found.per_class
    chosen = list(enumerate(rows)) if len(rows) <= ALL else found.worst(WORST)
    yield Columns([
        Column("class", [plain_text(class_name(classes, i)) for i, _ in chosen], fold=True),
        Column("samples", [f"{f.count:,}" for _, f in chosen], 1, right=True),
        Column("precision", [f"{f.precision:.4f}" for _, f in chosen], right=True),
        Column("recall", [f"{f.recall:.4f}" for _, f in chosen], right=True),
        Column("F1", [f"{f.f1:.4f}" for _, f in chosen], right=True),
    ])  # fmt: skip
    if len(chosen) < len(rows):
        yield Text(f"\n{_rest(rows)}")


def _rest(rows: Sequence[ClassFigures]) -> str:
    """What is said of classes that are too many to be shown."""
    known = [f for f in rows if f.count]
    means = (sum(getattr(f, name) for f in known) / max(len(known), 1) for name in ("precision", "recall", "f1"))
    precision, recall, f1 = (f"{mean:.4f}" for mean in means)
    whole = sum(f.f1 == 1.0 for f in known)
    empty = f", {len(rows) - len(known):,} without a sample" if len(known) < len(rows) else ""
    return (
        f"The {WORST} of {len(rows):,} classes with the lowest F1; --json has all. {whole:,} without a mistake{empty}."
        f"\nMean over classes: precision {precision}, recall {recall}, F1 {f1}"
    )


def _confusion(counts: Confusion, classes: Sequence[str], width: int) -> Iterator[RenderableType]:
    """The matrix where it has room, else the pairs that are confused most often."""
    matrix = _matrix(counts, classes, width)
    if matrix is not None:
        table, numbered = matrix
        how = "numbered as the classes are down" if numbered else "predicted class across"
        yield f"\nconfusion: true class down, {f'predicted class across, {how}' if numbered else how}\n"
        yield table
        return
    pairs = counts.mistaken
    if not pairs:
        yield Text("\nno sample was taken for another class")
        return
    more = f"; {len(pairs) - PAIRS:,} more pairs, --json has all" if len(pairs) > PAIRS else ""
    yield Text(f"\nconfused most often (the matrix of {counts.classes:,} classes has no room here{more})\n")
    actual = counts.actual
    shown = pairs[:PAIRS]
    yield Columns([
        Column("class", [plain_text(classes[t]) for t, _, _ in shown], fold=True),
        Column("taken for", [plain_text(classes[p]) for _, p, _ in shown], fold=True),
        Column("samples", [f"{n:,}" for _, _, n in shown], right=True),
        Column("of its class", [f"{n / int(actual[t]):.1%}" for t, _, n in shown], 1, right=True),
    ])  # fmt: skip


def _matrix(counts: Confusion, classes: Sequence[str], width: int) -> tuple[Table, bool] | None:
    """Rows are true classes, columns predicted ones; the diagonal is right. None where it is wider than the place.

    Columns stand closer in a narrow place, and have numbers for names in a narrower one, which the rows then tell.
    """
    if counts.classes > width:
        return None
    matrix = counts.matrix()
    names = [plain_text(name) for name in classes]
    digits = [len(str(n)) for n in matrix.max(axis=0, initial=0).tolist()]
    numbers = [str(i) for i in range(len(names))]
    for heads, gap in [(names, 2), (names, 1), (numbers, 1)]:
        rows = names if heads is names else _numbered(names)
        if max(map(cell_len, rows)) + sum(gap + max(cell_len(h), d) for h, d in zip(heads, digits)) <= width:
            return _table(matrix, rows, heads, gap), heads is not names
    return None


def _numbered(names: Sequence[str]) -> list[str]:
    return [name if name == str(i) else f"{i} {name}" for i, name in enumerate(names)]


def _table(matrix: Counts, rows: Sequence[str], heads: Sequence[str], gap: int) -> Table:
    table = plain_table()
    if gap == 1:
        table.padding = (0, 0, 0, 0)
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="right")
    for i, (name, row) in enumerate(zip(rows, matrix.tolist())):
        looks = ["bold" if i == j else "red" if n else "dim" for j, n in enumerate(row)]
        cells = [Text(str(n) if n or i == j else "·", look) for j, (n, look) in enumerate(zip(row, looks))]
        table.add_row(Text(name), *cells)
    return table
