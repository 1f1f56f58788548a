"""ROC and precision against recall as a picture: a curve for each class or label."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np
import numpy.typing as npt

from lenetcli.errors import plain_text
from lenetcli.train.answers import class_name
from lenetcli.train.scores import Measured

SIDE, LEFT, TOP = 320, 56, 56  # pixels
MOST = 10  # curves; of more, those with the least average precision
POINTS = 400  # of a curve
COLOURS = (
    "#1f77b4", "#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf",
)  # fmt: skip


def curves_svg(measured: Measured, classes: Sequence[str], title: str) -> str:
    """The picture, as SVG.

    Args:
        classes: their names, as far as they are known.
    """
    rankings = [(column, measured.ranking(column)) for column in range(measured.columns)]
    known = [(c, r) for c, r in rankings if r.counts()[0][-1] > 0 and r.counts()[1][-1] > 0]
    shown = sorted(known, key=lambda pair: pair[1].average_precision())[:MOST]
    roc, recall, legend = [], [], []
    for (column, ranking), colour in zip(shown, COLOURS):
        precision, found = ranking.precision_recall()
        roc.append(_line(*ranking.roc(), colour))
        recall.append(_line(np.append(0.0, found), np.append(precision[:1], precision), colour))
        figures = f"AUC {ranking.roc_auc():.3f}, average precision {ranking.average_precision():.3f}"
        legend.append(
            (colour, f"{plain_text('yes' if measured.task == 'binary' else class_name(classes, column))}: {figures}")
        )
    height = TOP + SIDE + 64 + 18 * len(legend)
    width = 2 * (LEFT + SIDE) + 40
    more = f" (the worst {MOST} of {len(known)})" if len(known) > MOST else ""
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="24" font-size="14">{escape(plain_text(title))}{more}</text>',
        *_panel(LEFT, "false positive rate", "true positive rate", [_diagonal(), *roc]),
        *_panel(2 * LEFT + SIDE + 20, "recall", "precision", recall),
        *(_entry(TOP + SIDE + 56 + 18 * i, colour, text) for i, (colour, text) in enumerate(legend)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _panel(left: int, across: str, up: str, lines: Sequence[str]) -> Iterator[str]:
    yield f'<g transform="translate({left} {TOP})">'
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        at = share * SIDE
        yield f'<path d="M{at:g} 0V{SIDE}M0 {SIDE - at:g}H{SIDE}" stroke="#ddd" fill="none"/>'
        yield f'<text x="{at:g}" y="{SIDE + 16}" text-anchor="middle">{share:g}</text>'
        yield f'<text x="-6" y="{SIDE - at + 4:g}" text-anchor="end">{share:g}</text>'
    yield from lines
    yield f'<text x="{SIDE // 2}" y="{SIDE + 34}" text-anchor="middle">{across}</text>'
    yield f'<text x="{-SIDE // 2}" y="-36" text-anchor="middle" transform="rotate(-90)">{up}</text>'
    yield "</g>"


def _line(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], colour: str) -> str:
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(np.int64))
    points = " ".join(f"{SIDE * a:.1f},{SIDE * (1 - b):.1f}" for a, b in zip(x[chosen], y[chosen]))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _diagonal() -> str:
    return f'<path d="M0 {SIDE}L{SIDE} 0" stroke="#999" stroke-dasharray="4 4" fill="none"/>'


def _entry(y: int, colour: str, text: str) -> str:
    box = f'<rect x="{LEFT}" y="{y - 9}" width="12" height="10" fill="{colour}"/>'
    return f'{box}<text x="{LEFT + 18}" y="{y}">{escape(text)}</text>'
