"""The learning-rate range test as a curve, a table and a suggestion."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.inspect.lr_range import LrRange
from lenetcli.report.curve import curve
from lenetcli.report.tables import plain_table

ROWS = 20
TOP = 1.2  # times the highest loss before the lowest: what lies above would flatten the rest of the curve
ENDS = {
    "all steps": "",
    "loss exploded": "the test ended early: the loss was four times its lowest",
    "diverged": "the test ended early: the loss or a gradient became NaN or infinite",
}


def draw(found: LrRange) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom."""
    points = found.points
    if points:
        yield Text("loss (smoothed) over learning rate", style="bold")
        losses = [p.smoothed for p in points]
        ceiling = TOP * max(losses[: losses.index(min(losses)) + 1])
        yield Text("\n".join(curve([p.lr for p in points], [min(loss, ceiling) for loss in losses], log_x=True)))
        yield ""
        table = plain_table()
        for name in ("step", "lr", "loss", "smoothed", ""):
            table.add_column(name, justify="left" if name == "" else "right", no_wrap=True)
        marks = {found.suggestion: "steepest fall", found.best_lr: "lowest"}
        every = -(-len(points) // ROWS)
        for number, point in enumerate(points, 1):
            mark = marks.get(point.lr, "")
            if number % every == 0 or number == 1 or mark:
                style = "bold" if mark else None
                cells = (f"{point.lr:.3g}", f"{point.loss:.4f}", f"{point.smoothed:.4f}", mark)
                table.add_row(str(number), *cells, style=style)
        yield table
    if ENDS[found.ended]:
        yield Text("\n" + ENDS[found.ended])
    if found.suggestion is None:
        yield Text("\nno suggestion: the loss hardly fell; try other --from and --to, or more --steps")
    else:
        yield Text(f"\nsuggestion: optimizer.lr={found.suggestion:.2g}", style="bold")
