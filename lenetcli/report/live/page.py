"""A run while it trains, as one HTML page without scripts that asks to be read again as long as it goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lenetcli.display.markup import Child, Markup, element
from lenetcli.display.png import Pixels
from lenetcli.errors import DataError
from lenetcli.inspection.training.gradient_history import Course, by_layer, gradient_course
from lenetcli.inspection.training.newest import Look
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.inspection.training.standing import TRAINING, Standing
from lenetcli.report.axes import short
from lenetcli.report.graph.svg import picture
from lenetcli.report.live.frame import Watched
from lenetcli.report.live.heat import COLOURS, level
from lenetcli.report.training.progress import duration
from lenetcli.report.training.run_page import course, views
from lenetcli.report.training.run_page.judgement import matrix
from lenetcli.report.training.run_page.page import whole
from lenetcli.report.training.run_page.parts import image, missing, note

LOOKS = 240  # that a heat row shows, the last ones
STYLE = """
.heats { display: grid; grid-template-columns: minmax(4rem, max-content) 1fr max-content; gap: 2px .6rem;
  align-items: center; font-size: .875rem; }
.heats img { width: 100%; height: 1.1rem; }
.heats code { overflow-wrap: anywhere; }
.trace { overflow-x: auto; }
progress { width: 100%; accent-color: var(--test); }
"""


def page(watched: Watched, look: Look | None, problem: str, refresh: float | None) -> str:
    """The page.

    Args:
        look: at the newest checkpoint, where there is one.
        problem: why there is none, or why it is not the newest one.
        refresh: seconds until it should be read again; None where the run is over.
    """
    now, history = watched.standing, watched.history
    report = RunReport(now.run, now.run, "", [], [], 0, 0, history=history, classes=tuple(watched.classes))
    if look is not None:
        report.filters, report.maps, report.picture = look.filters, look.maps, look.picture
        report.probabilities, report.target = look.probabilities, look.target
    else:
        report.problems["weights"] = problem or "No checkpoint yet: there is one after the first epoch."
    sections: list[tuple[str, str, Child]] = [
        ("now", "Now", _now(now)),
        ("curves", "Curves", course.curves(report) if history.evaluations or len(history.steps.step) else None),
        ("layers", "Layers", _layers(watched)),
        ("classes", "Classes", _classes(watched)),
        ("filters", "First layer", _dated(look, problem, views.filters(report))),
        ("maps", "Feature maps", views.maps(report) if look is not None else None),
        ("trace", "Next step", _trace(look)),
    ]
    return whole(
        f"{now.status}: {now.run}", "Training run, live" if refresh else "Training run", now.run, _headline(now),
        sections, f"lenet watch {now.run}", STYLE, refresh,
    )  # fmt: skip


def _headline(now: Standing) -> Markup:
    kind = {"finished": "good", "stopped early": "good", "diverged": "bad"}.get(now.status, "open")
    return element("p", element("span", now.status, class_=f"status {kind}"), class_="place")


def _now(now: Standing) -> Child:
    """How far it is, in figures."""
    known = [
        ("epoch", f"{now.epoch} of {now.epochs}" if now.epochs else str(now.epoch)),
        ("step", f"{now.step:,}" + (f" of {now.steps:,}" if now.steps else "")),
        ("loss", None if now.loss is None else f"{now.loss:.4g}"),
        (f"{now.split} accuracy", None if now.accuracy is None else f"{now.accuracy:.4f}"),
        ("learning rate", None if now.lr is None else f"{now.lr:.4g}"),
        ("images/s", None if now.samples_per_second is None else f"{now.samples_per_second:,.0f}"),
        ("time", duration(now.seconds)),
        ("left", duration(now.left) if now.left is not None and now.status == TRAINING else None),
    ]
    tiles = [element("div", element("dt", name), element("dd", value)) for name, value in known if value]
    bar = element("progress", max=now.steps, value=now.step, aria_label="Progress") if now.steps else None
    return [bar, element("dl", tiles, class_="tiles")]


def _layers(watched: Watched) -> Child:
    """Gradient norm and update ratio of each layer, a row each, the newest step at the right."""
    found = gradient_course(watched.history.gradients[-LOOKS:])
    if found is None:
        return note("Nothing is measured: train.log_gradients says how often gradients and updates are.")
    layers = by_layer(found).parameters
    parts = [_heat("Gradient norm", layers, "norm"), _heat("Update / weight", layers, "update")]
    steps = f"Steps {found.steps[0]:,} to {found.steps[-1]:,}, from left to right; dead: units without a gradient."
    return [note(steps), element("div", parts, class_="charts")]


def _heat(title: str, layers: Sequence[Course], key: str) -> Markup:
    rows = [getattr(layer, key) for layer in layers]
    known = [value for row in rows for value in row if value]
    low, high = (min(known), max(known)) if known else (1.0, 1.0)
    cells: list[Child] = []
    for layer, row in zip(layers, rows):
        last = next((value for value in reversed(row) if value is not None), None)
        told = "" if last is None else short(float(f"{last:.3g}"))
        dead = layer.dead[-1] if layer.dead and key == "norm" else None
        alt = f"{title} of {layer.name}, last {told}"
        cells += [
            element("code", layer.name),
            image(_pixels(row, low, high), alt, alt),
            element("span", told, f", {dead:.0f} dead" if dead else None),
        ]
    scale = f"blue {short(float(f'{low:.2g}'))}, red {short(float(f'{high:.2g}'))}, logarithmic"
    return element(
        "figure", element("figcaption", title), note(scale), element("div", cells, class_="heats"), class_="card"
    )


def _pixels(row: Sequence[float | None], low: float, high: float) -> Pixels:
    shades = [(128, 128, 128) if v is None else _rgb(COLOURS[level(v, low, high)]) for v in row]
    return np.array([shades], np.uint8)


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(colour[1:]))


def _classes(watched: Watched) -> Child:
    judged = [e.event for e in watched.history.evaluations if e.event.confusion]
    if not judged:
        return None
    caption = f"Confusion, {judged[-1].split} split, after epoch {judged[-1].epoch}"
    return matrix(watched.classes, caption, np.array(judged[-1].confusion))


def _dated(look: Look | None, problem: str, content: Child) -> Child:
    """With the step whose weights are shown."""
    if look is None:
        return content
    late = missing(f"The newest checkpoint is not shown: {problem}") if problem else None
    return [late, note(f"Weights after step {look.step:,}, the newest checkpoint."), content]


def _trace(look: Look | None) -> Child:
    """The graph of the step that follows the newest checkpoint."""
    if look is None or look.trace is None:
        return None
    try:
        drawn = Markup(picture(look.trace))
    except DataError as error:
        return missing(str(error))
    lead = f"Step {look.step + 1:,} on its own batch, loss {look.trace.loss:.4g}: lenet trace-grad shows more."
    return [note(lead), element("div", drawn, class_="trace")]
