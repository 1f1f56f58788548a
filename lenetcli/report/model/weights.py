"""Weights as text: histograms, the distance of two models, the moves of a run; filters as pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import RenderableType
from rich.text import Text

from lenetcli.display.png import Pixels, signed
from lenetcli.errors import plain_text
from lenetcli.inspection.compare.tensors import Comparison
from lenetcli.inspection.data.contact_sheet import Sheet
from lenetcli.inspection.model.feature_maps import Filters
from lenetcli.inspection.statistics import Figures
from lenetcli.inspection.training.checkpoint_history import Updates
from lenetcli.inspection.training.curvature import Curvature
from lenetcli.inspection.training.gradient_history import GradientCourse, spread
from lenetcli.report.columns import Column, Columns
from lenetcli.report.histogram import blocks, heights
from lenetcli.report.tables import figure, sizes
from lenetcli.tensors.tensor import Tensor

SMALL = 7  # pictures with fewer pixels a side are drawn larger
FILE_ZOOM = 64  # pixels a side of a picture in a file, about
COURSE = 24  # characters of a parameter's course
PAPER = 208  # gray between the pictures


def draw_histograms(tensors: Mapping[str, Tensor], found: Sequence[Figures]) -> Iterator[RenderableType]:
    """A line of blocks for each tensor."""
    bars = ["" if f.histogram is None else blocks(f.histogram.counts) for f in found]
    yield Columns(
        [
            Column("name", [plain_text(name) for name in tensors], fold=True),
            Column("shape", [sizes(t.shape) for t in tensors.values()], 1),
            Column("min", [figure(f.min) for f in found], right=True),
            Column("histogram", bars),
            Column("max", [figure(f.max) for f in found]),
            Column("mean", [figure(f.mean) for f in found], 2, right=True),
            Column("std", [figure(f.std) for f in found], 2, right=True),
            Column("zeros", [f"{f.zeros:.0%}" if f.zeros else "-" for f in found], 3, right=True),
            Column("nan, inf", [f"{f.nonfinite:,}" if f.nonfinite else "-" for f in found], 4, right=True),
        ]
    )


def draw_comparison(found: Comparison, names: tuple[str, str]) -> Iterator[RenderableType]:
    """A row for each tensor."""
    rows = [*found.tensors, found.total]
    yield Text(f"{names[0]} and {names[1]}")
    yield Columns(
        [
            Column("name", [plain_text(d.name) for d in rows], fold=True),
            Column("shape", [sizes(d.shape) if d.shape or d is not found.total else "" for d in rows], 1),
            Column("mean |difference|", [d.note or figure(d.mean) for d in rows], right=True),
            Column("max", [figure(d.max) for d in rows], right=True),
            Column("relative", [figure(d.relative) for d in rows], right=True),
        ],
        [*[None] * len(found.tensors), "bold"],
    )
    yield Text("\nrelative: the norm of the difference by the norm of the first")


def draw_updates(found: Updates) -> Iterator[RenderableType]:
    """Three tables: changes from look to look, gradients at the looks, the steps they lead to."""
    between = [f"{a} → {b}" for a, b in pairwise(found.steps)]
    at = [f"step {step}" for step in found.steps]
    yield Text("change from checkpoint to checkpoint, relative to the weights", style="bold")
    yield _moves(found, between, [t.changes for t in found.tensors])
    yield Text("\nmean |gradient| on the first training batch", style="bold")
    yield _moves(found, at, [t.gradient_mean for t in found.tensors])
    yield Text("\nits standard deviation", style="bold")
    yield _moves(found, at, [t.gradient_std for t in found.tensors])
    yield Text("\nthe optimizer step that follows, relative to the weights", style="bold")
    yield _moves(found, at, [t.updates for t in found.tensors])
    for problem in found.skipped:
        yield Text(f"\nleft out: {plain_text(problem)}")


def draw_gradients(found: GradientCourse) -> Iterator[RenderableType]:
    """A line for each parameter: the course of its gradient's norm and of its update, first and last figures."""
    names = [plain_text(p.name) for p in found.parameters]
    shown = spread(len(found.steps), COURSE)

    def figures(key: str, place: int) -> list[str]:
        return [figure(getattr(p, key)[place]) for p in found.parameters]

    def course(key: str, *more: Column) -> Columns:
        lines = [[getattr(p, key)[i] for i in shown] for p in found.parameters]
        return Columns([
            Column("parameter", names, fold=True),
            Column("first", figures(key, 0), right=True),
            Column("course", heights(lines), 1),
            Column("last", figures(key, -1), right=True),
            *more,
        ])  # fmt: skip

    looks = f"{len(found.steps)} looks" if len(found.steps) > 1 else "1 look"
    yield Text(f"{looks} from step {found.steps[0]} to {found.steps[-1]}")
    yield Text("\nnorm of the gradient, before it was limited", style="bold")
    largest = [Column(f"{key} |g|", figures(key, -1), 2, right=True) for key in ("mean", "max")]
    yield course("norm", *largest)
    yield Text("\nupdate, relative to the weights", style="bold")
    yield course("update")
    yield Text("\ncourses: by orders of magnitude, from the smallest to the largest of the table")


def draw_curvature(found: Curvature) -> Iterator[RenderableType]:
    """The eigenvalues with how exact they are, and the bound on the learning rate beside the rates that are used."""
    yield Text(
        f"{found.parameters:,} parameters, the first {found.samples:,} training samples: loss {figure(found.loss)}, "
        f"norm of its gradient {figure(found.gradient)}"
    )
    yield Text("\nlargest eigenvalues of the Hessian", style="bold")
    yield Columns([
        Column("eigenvalue", [figure(value) for value in found.eigenvalues], right=True),
        Column("exact to", [figure(error) for error in found.errors], right=True),
    ])  # fmt: skip
    yield Text(f"smallest {figure(found.smallest)}")
    yield Text("\nlearning rate", style="bold")
    rates = ", ".join(figure(rate) for rate in found.rates)
    if found.bound is None:
        yield Text("no bound: nothing bends up here")
        return
    yield Text(f"bound 2 / {figure(found.eigenvalues[0])} = {figure(found.bound)}, used {rates} ({found.optimizer})")
    yield Text(
        "Above the bound, plain gradient descent moves away along the first eigenvector; momentum m moves the bound to "
        "(1 + m) times it, and Adam has one of its own, as it scales each weight."
    )


def _moves(found: Updates, titles: Sequence[str], rows: Sequence[Sequence[float | None]]) -> Columns:
    """The newest columns first where not all fit."""
    numbers = [
        Column(title, [figure(row[i]) for row in rows], len(titles) - i, right=True) for i, title in enumerate(titles)
    ]
    return Columns([Column("parameter", [plain_text(t.name) for t in found.tensors], fold=True), *numbers])


# Filters


def sheet(found: Filters, colours: bool = True) -> Sheet:
    """The filters side by side, small ones drawn larger.

    Args:
        colours: sign and size are told by colours; else by shades, for which a line of text takes two rows of pixels.
    """
    side = max(found.pictures.shape[2:])
    zoom = 1 if side >= SMALL else 2 * round((SMALL - 1) / side)
    if colours:
        return Sheet(_enlarged(_pixels(found.pictures), zoom), tuple(found.names))
    shades = np.repeat(_shades(found.pictures).mean(axis=1, keepdims=True), 3, axis=1).transpose(0, 2, 3, 1)
    return Sheet(_enlarged(shades.round().astype(np.uint8), max(2, zoom)), tuple(found.names))


def filter_picture(found: Filters) -> Pixels:
    """The filters as one picture, for a file."""
    zoom = max(1, FILE_ZOOM // max(found.pictures.shape[2:]))
    pictures = _enlarged(_pixels(found.pictures), zoom)
    count, height, width = pictures.shape[:3]
    across = int(np.ceil(np.sqrt(count)))
    gap = 4
    paper = np.full((gap + -(-count // across) * (height + gap), gap + across * (width + gap), 3), PAPER, np.uint8)
    for i, picture in enumerate(pictures):
        y, x = (gap + place * (size + gap) for place, size in zip(divmod(i, across), (height, width)))
        paper[y : y + height, x : x + width] = picture
    return paper


def _pixels(pictures: npt.NDArray[Any]) -> Pixels:
    """(K, C, H, W) numbers as (K, H, W, 3) colours: of three channels as they are, of one by sign and size."""
    if pictures.shape[1] != 3:
        most = float(np.abs(np.nan_to_num(pictures)).max(initial=0))
        return np.stack([signed(picture[0], most) for picture in pictures])
    return _shades(pictures).transpose(0, 2, 3, 1).round().astype(np.uint8)


def _shades(pictures: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """From 0 for the most negative to 255 for the most positive number; 127.5 for 0."""
    most = float(np.abs(np.nan_to_num(pictures)).max(initial=0))
    return (np.nan_to_num(pictures / most if most else pictures).clip(-1, 1) + 1) * 127.5


def _enlarged(pictures: Pixels, zoom: int) -> Pixels:
    return pictures.repeat(zoom, axis=1).repeat(zoom, axis=2)
