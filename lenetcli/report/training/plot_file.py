"""Curves as a PNG or SVG file, drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lenetcli.autograd.silence import silence
from lenetcli.disk import write_atomically
from lenetcli.errors import ConfigError
from lenetcli.inspection.training.curves import By, Curve, Metric
from lenetcli.report.columns import plain_text
from lenetcli.report.training.plot import NAMES, UNITS

# of Okabe and Ito, Color Universal Design, 2008: told apart by every kind of eye
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "osD^vPX"
DASHES = {"train": (4.0, 2.0), "validation": (1.0, 0.0), "test": (1.0, 0.0), "": (1.0, 0.0)}
MOST_INSIDE = 6  # curves whose legend stands within the axes
MARKED = 60  # curves of more points carry a mark here and there only


def write(path: Path, found: Sequence[Curve], metric: Metric, by: By) -> None:
    """Writes the picture: a run has a colour, a split a kind of line.

    Raises:
        ConfigError: matplotlib is not installed.
        LenetError: the file cannot be written.
    """
    write_picture(path, 8.0, lambda axes: _draw(axes, found, metric, by))


def check_installed() -> None:
    """Refuses, before anything else is done, where matplotlib is missing.

    Raises:
        ConfigError: it is.
    """
    try:
        import matplotlib  # noqa: F401  # only whether it is there
    except ImportError:
        raise ConfigError("a picture needs matplotlib: python -m pip install 'lenet[plot]'") from None


def write_picture(path: Path, width: float, draw: Callable[[Any], None]) -> None:
    """Writes what is drawn on axes of matplotlib; the suffix, .png or .svg, says which kind of picture it is.

    Args:
        width: in inches.

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
        figure, file = Figure(figsize=(width, 4.5), layout="constrained"), io.BytesIO()
        vector = path.suffix.lower() == ".svg"
        canvas = FigureCanvasSVG(figure) if vector else FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        how: dict[str, Any] = {"format": "svg", "metadata": {"Date": None}} if vector else {"format": "png", "dpi": 150}
        canvas.print_figure(file, **how)
    write_atomically(path, file.getvalue())


def _draw(axes: Any, found: Sequence[Curve], metric: Metric, by: By) -> None:
    runs = list(dict.fromkeys(curve.run for curve in found))
    for curve in found:
        number = runs.index(curve.run)
        few = len(curve.x) <= MARKED
        axes.plot(
            curve.x, curve.y, color=COLORS[number % len(COLORS)], linewidth=1.6, dashes=DASHES[curve.split],
            marker=MARKERS[number % len(MARKERS)], markersize=4.5, markevery=1 if few else len(curve.x) // 12,
            markerfacecolor="white" if curve.split == "train" else None, label=_label(curve, len(runs)),
        )  # fmt: skip
    axes.set_xlabel({"time": "time (seconds)"}.get(by, UNITS[by]))
    axes.set_ylabel(NAMES[metric])
    if by != "time":
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    title = f"{NAMES[metric].capitalize()} of {plain_text(runs[0])}" if len(runs) == 1 else NAMES[metric].capitalize()
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    if len(found) > 1:
        how = {"frameon": False, "handlelength": 3.2}
        if len(found) <= MOST_INSIDE:
            legend = axes.legend(**how)
        else:
            legend = axes.figure.legend(loc="outside lower center", ncols=2, fontsize=8, **how)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _label(curve: Curve, runs: int) -> str:
    if runs == 1:
        return curve.split
    return f"{curve.split}: {plain_text(curve.run)}" if curve.split else f"run {plain_text(curve.run)}"
