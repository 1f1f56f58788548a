"""Curves as a PNG or SVG file, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lenetcli.autograd.silence import silence
from lenetcli.disk import write_file
from lenetcli.errors import ConfigError, plain_text
from lenetcli.inspection.training.curves import By, Curve, Metric
from lenetcli.report.training.plot import NAMES, UNITS

# of Okabe and Ito, Color Universal Design, 2008: told apart by every kind of eye
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
DASHES = {"train": (4.0, 2.0), "validation": (1.0, 0.0), "test": (1.0, 0.0), "": (1.0, 0.0)}
MANY = 12  # runs; of more, the training curves are thin and pale, and have no line in the legend
MARKED = 60  # curves of more points carry a mark here and there only
HEIGHT = 4.5  # inches, without the legend
LINE = 0.19  # inches of a line in the legend
BROAD = 100  # letters of a legend in a row


def write(path: Path, found: Sequence[Curve], metric: Metric, by: By) -> None:
    """Writes the picture: a run has a colour, a split a kind of line.

    Raises:
        ConfigError: matplotlib is not installed.
        LenetError: the file cannot be written.
    """
    named = [_label(curve, len({c.run for c in found})) for curve in found if not _is_pale(curve, found)]
    columns = max(1, min(len(named), BROAD // (12 + max(map(len, named), default=0))))
    lines = -(-len(named) // columns) if len(found) > 1 else 0
    write_picture(path, 8.0, lambda axes: _draw(axes, found, metric, by, columns), HEIGHT + lines * LINE)


def check_installed() -> None:
    """Refuses, before anything else is done, where matplotlib is missing.

    Raises:
        ConfigError: it is.
    """
    try:
        import matplotlib  # noqa: F401  # only whether it is there
    except ImportError:
        raise ConfigError("a picture needs matplotlib: python -m pip install 'lenet[plot]'") from None


def write_picture(path: Path, width: float, draw: Callable[[Any], None], height: float = HEIGHT) -> None:
    """Writes what is drawn on axes of matplotlib; the suffix, .png or .svg, says which kind of picture it is.

    Args:
        width, height: in inches.

    Raises:
        ConfigError: matplotlib is not installed.
        LenetError: the file cannot be written.
    """
    check_installed()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "lenet", "svg.fonttype": "path", "font.size": 10}), silence():
        # without a word of letters in a run's name that the font lacks
        figure, file = Figure(figsize=(width, height), layout="constrained"), io.BytesIO()
        vector = path.suffix.lower() == ".svg"
        canvas = FigureCanvasSVG(figure) if vector else FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        how: dict[str, Any] = {"format": "svg", "metadata": {"Date": None}} if vector else {"format": "png", "dpi": 150}
        canvas.print_figure(file, **how)
    write_file(path, file.getvalue())


def _is_pale(curve: Curve, found: Sequence[Curve]) -> bool:
    """Whether a curve only stands behind others."""
    return curve.split == "train" and len({c.run for c in found}) > MANY and any(c.split != "train" for c in found)


def look(number: int) -> dict[str, Any]:
    """Colour and mark of a run; no two of the first 49 runs have the same.

    Example:
        >>> look(0)["color"] == look(7)["color"], look(0)["marker"] == look(7)["marker"]
        (True, False)
    """
    around, color = divmod(number, len(COLORS))
    return {"color": COLORS[color], "marker": MARKERS[(color + around) % len(MARKERS)]}


def _draw(axes: Any, found: Sequence[Curve], metric: Metric, by: By, columns: int) -> None:
    runs = list(dict.fromkeys(curve.run for curve in found))
    for curve in sorted(found, key=lambda curve: not _is_pale(curve, found)):
        looks, pale = look(runs.index(curve.run)), _is_pale(curve, found)
        every = 1 if len(curve.x) <= MARKED else len(curve.x) // 12
        if curve.spread is not None and curve.spread.any():
            axes.fill_between(
                curve.x, curve.y - curve.spread, curve.y + curve.spread, color=looks["color"], alpha=0.12, linewidth=0
            )
            axes.errorbar(
                curve.x[::every], curve.y[::every], curve.spread[::every], fmt="none", ecolor=looks["color"],
                elinewidth=1.0, capsize=2.5,
            )  # fmt: skip
        axes.plot(
            curve.x, curve.y, linewidth=0.8 if pale else 1.6, dashes=DASHES[curve.split], markersize=4.5,
            markevery=every, markerfacecolor="white" if curve.split == "train" else None,
            label=None if pale else _label(curve, len(runs)), alpha=0.3 if pale else 1.0,
            **({**looks, "marker": None} if pale else looks),
        )  # fmt: skip
    axes.set_xlabel({"time": "time (seconds)"}.get(by, UNITS[by]))
    axes.set_ylabel(NAMES[metric])
    if by != "time":
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{NAMES[metric].capitalize()} of {plain_text(runs[0])}" if len(runs) == 1 else NAMES[metric].capitalize()
    if any(_is_pale(curve, found) for curve in found):
        title += " (pale: training data)"
    if any(curve.spread is not None for curve in found):
        title += " (mean and standard deviation)"
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    if len(found) > 1:
        legend = axes.figure.legend(
            loc="outside lower center", ncols=columns, fontsize=8, frameon=False, handlelength=3.2
        )
        for text in legend.get_texts():
            text.set_parse_math(False)


def _label(curve: Curve, runs: int) -> str:
    if runs == 1:
        return curve.split
    return f"{curve.split}: {plain_text(curve.run)}" if curve.split else f"run {plain_text(curve.run)}"
