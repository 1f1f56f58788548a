"""The learning-rate range test as a curve, a table and a suggestion."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.inspection.training.lr_finder import LrRange
from lenetcli.report.columns import Column, Columns
from lenetcli.report.training.curve import curve

ROWS = 20
AXIS = 10  # characters beside the curve
TOP = 1.2  # times the highest loss before the lowest: what lies above would flatten the rest of the curve
ENDS = {
    "all steps": "",
    "loss exploded": "the test ended early: the loss was four times its lowest",
    "diverged": "the test ended early: the loss or a gradient became NaN or infinite",
}


def draw(found: LrRange, width: int) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom, in a place of that width."""
    points = found.points
    if points:
        yield Text("loss (smoothed) over learning rate", style="bold")
        losses = [p.smoothed for p in points]
        ceiling = TOP * max(losses[: losses.index(min(losses)) + 1])
        across = min(64, width - AXIS)
        heights = [min(loss, ceiling) for loss in losses]
        yield Text("\n".join(curve([p.lr for p in points], heights, across, log_x=True)))
        yield ""
        marks = {found.suggestion: "steepest fall", found.best_lr: "lowest"}
        every = -(-len(points) // ROWS)
        shown = [(i, p) for i, p in enumerate(points, 1) if i % every == 0 or i == 1 or p.lr in marks]
        yield Columns(
            [
                Column("step", [str(i) for i, _ in shown], right=True),
                Column("lr", [f"{p.lr:.3g}" for _, p in shown], right=True),
                Column("loss", [f"{p.loss:.4f}" for _, p in shown], right=True),
                Column("smoothed", [f"{p.smoothed:.4f}" for _, p in shown], right=True),
                Column("", [marks.get(p.lr, "") for _, p in shown], fold=True),
            ],
            ["bold" if p.lr in marks else None for _, p in shown],
        )
    if ENDS[found.ended]:
        yield Text("\n" + ENDS[found.ended])
    if found.suggestion is None:
        yield Text("\nno suggestion: the loss hardly fell; try other --from and --to, or more --steps")
    else:
        yield Text(f"\nsuggestion: optimizer.lr={found.suggestion:.2g}", style="bold")
