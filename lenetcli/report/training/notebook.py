"""A run in a notebook: how it ended, and its curves as SVG, in colours for light and dark pages."""

from __future__ import annotations

from lenetcli.display.markup import Markup, element, joined
from lenetcli.inspection.training.curves import Curve, Metric, curves
from lenetcli.report.training.progress import duration
from lenetcli.report.training.run_page.chart import Line, chart, legend
from lenetcli.runs.history import History

STYLE = """
.lenet-run { max-width: 62rem; } .lenet-run div { display: flex; flex-wrap: wrap; gap: 0 1rem; }
.lenet-run figure { margin: 0; flex: 1 1 20rem; max-width: 30rem; }
.lenet-run svg text { fill: currentColor; font-size: 12px; opacity: .8; }
.lenet-run .chart { display: block; width: 100%; height: auto; } .lenet-run .grid { stroke: rgba(128,128,128,.25); }
.lenet-run .axis { stroke: rgba(128,128,128,.8); } .lenet-run .best { stroke: rgba(128,128,128,.8);
  stroke-dasharray: 2 3; } .lenet-run .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.lenet-run .train { stroke: #d97a1c; } .lenet-run .test { stroke: #3f83d6; } .lenet-run path.train
{ stroke-dasharray: 6 4; } .lenet-run .mark.train { fill: #d97a1c; } .lenet-run .mark.test { fill: #3f83d6; }
.lenet-run .legend { display: flex; gap: 1.2rem; margin: .1rem 0; font-size: 85%; }
.lenet-run .legend svg { vertical-align: middle; margin-right: .4rem; }
"""


def summary(history: History) -> str:
    """A run in a line.

    Example:
        >>> from lenetcli.runs.history import history_of
        >>> summary(history_of([]))
        'not trained yet'
    """
    best, ended = history.best, history.ended
    if best is None:
        return "not trained yet" if ended is None else ended.reason
    figure = f"accuracy {best.accuracy:.4f}" if best.accuracy is not None else f"loss {best.loss:.6g}"
    status = "not ended" if ended is None else ended.reason
    epochs = max(judged.epoch for judged in history.judged)
    many = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    chosen = f", chosen on the {best.split} split" if epochs > 1 else ""
    return f"{status} after {many}, best epoch {best.epoch}: {best.split} {figure}{chosen}; {duration(history.seconds)}"


def run_html(history: History, title: str = "") -> Markup:
    """The summary, and loss and accuracy over epochs (over steps, where there is one epoch or none)."""
    drawn = curves_html(history)
    return element(
        "div",
        Markup(f"<style>{STYLE}</style>"),
        element("p", joined([element("code", title), " "]) if title else None, summary(history)),
        drawn,
        class_="lenet-run",
    )


def curves_html(history: History) -> Markup | None:
    """Loss and accuracy, to stand in an element of class lenet-run; None where there are no points yet."""
    by = "epoch" if len(history.judged) > 1 else "step"
    best = history.best
    mark = None if best is None or by == "step" else (float(best.epoch), f"best: epoch {best.epoch}")
    figures = []
    metrics: tuple[Metric, ...] = ("loss", "accuracy")
    for metric in metrics:
        found: list[Curve] = curves(history, "", metric, by)  # type: ignore[arg-type]  # one of the two
        lines = [Line(c.split, c, "train" if c.split == "train" else "test") for c in found]
        if lines:
            floor = 0.0 if metric == "loss" else None
            drawn = chart(lines, metric, by, floor=floor, best=mark)
            figures.append(element("figure", element("figcaption", metric.capitalize()), drawn, legend(lines)))
    return element("div", figures) if figures else None
