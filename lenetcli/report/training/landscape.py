"""The landscape of a run: a page of one HTML file without scripts, and a summary for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress
from math import isfinite

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from lenetcli.display.markup import Child, Markup, element
from lenetcli.errors import plain_text
from lenetcli.inspection.training.curves import Curve
from lenetcli.inspection.training.landscape import Landscape, Look, Surface
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import figure
from lenetcli.report.training.contours import STYLE, contours, is_logarithmic
from lenetcli.report.training.curve import curve
from lenetcli.report.training.run_page.chart import Line, chart, legend
from lenetcli.report.training.run_page.page import whole
from lenetcli.report.training.run_page.parts import count, missing, note, table

FLAT = 30  # times: what differs more goes upward by orders of magnitude
LOOK = (
    ".card { max-width: 42.5rem; } "
    ".line.bound { stroke: var(--bad); stroke-dasharray: 2 4; } .mark.bound { display: none; } "
)


def page(found: Landscape, place: str, command: str) -> str:
    """The page.

    Args:
        place: of the run, as it was given.
        command: that makes the page.
    """
    kinds = {surface.kind: surface for surface in found.surfaces}
    sections = [
        ("path", "The run's way", _surface(found, kinds.get("path"))),
        ("random", "Random directions", _surface(found, kinds.get("random"))),
        ("line", "Straight from first to last", _line(found)),
        ("edge", "Edge of stability", _edge(found)),
        ("looks", "In numbers", _table(found)),
    ]
    headline = element(
        "p", element("code", place),
        *(element("span", part) for part in (found.criterion, _part(found), count(found.parameters, "weight"))),
        class_="place",
    )  # fmt: skip
    return whole(f"Landscape of {place}", "Loss landscape", found.name, headline, sections, command, STYLE + LOOK)


def draw(found: Landscape) -> Iterator[RenderableType]:
    """The straight way as a curve, and a row for each look."""
    yield Text(f"{found.criterion} of {_part(found)}; {count(found.parameters, 'weight')}")
    if found.line is not None:
        yield Text("\nloss along the straight way from the first weights (0) to the last (1)", style="bold")
        ends = [isfinite(loss) for loss in found.line.losses]
        xs, ys = (list(compress(values, ends)) for values in (found.line.at, found.line.losses))
        if xs:
            yield Text("\n".join(curve(xs, ys)))
    yield Text("\nat the beginning and at the checkpoints", style="bold")
    yield Columns([
        Column("step", [f"{look.step:,}" for look in found.looks], right=True),
        Column("loss", [figure(look.loss) for look in found.looks], right=True),
        Column("largest eigenvalue", [figure(look.sharpness) for look in found.looks], right=True),
        Column("2 / rate", [figure(_limit(look)) for look in found.looks], right=True),
        Column("rate", [figure(look.rate) for look in found.looks], 1, right=True),
    ])  # fmt: skip
    for problem in [*found.skipped, *([] if found.unbent is None else [f"no eigenvalues: {found.unbent}"])]:
        yield Text(f"\nleft out: {plain_text(problem)}")


def _part(found: Landscape) -> str:
    return f"the first {found.samples:,} of {count(found.of, 'training sample')}"


def _limit(look: Look) -> float | None:
    return 2 / look.rate if look.rate else None


def _surface(found: Landscape, surface: Surface | None) -> Child:
    if surface is None:
        return None
    side = f"{len(surface.xs)} × {len(surface.ys)}"
    losses = np.array(surface.losses, np.float64)
    seen = losses[np.isfinite(losses)]
    share = "" if surface.share is None else f"{_percent(surface.share)} of the way (of squared distances) lies in it"
    if surface.kind == "path":
        what = "The plane in which most of the run's way lies, by principal components about its last weights"
        if surface.axes[1].startswith("a random"):
            what = "The run's way is straight, as there are two looks: the plane of it and a random direction across it"
        lead = f"{what}; {share}. Units are distances between weights."
    else:
        lead = (
            f"Two random directions from the last weights (seed {found.seed}), each filter of them as long as the "
            f"filter of the weights; biases and norms stay. 1 is that length. {share}: the way is seen at right "
            "angles, and so looks short." if share else "Two random directions."
        )  # fmt: skip
    shades = "orders of magnitude" if is_logarithmic(losses) else "loss"
    how = (
        f"Each of {side} cells has its loss computed, on {_part(found)}; contour lines go straight between cells, "
        f"and stand at even steps of {shades}. The stronger the colour, the higher."
    )
    norms = " Batch norm uses the moments of these samples." if found.batch_norm else ""
    low, high = (figure(float(value)) for value in ((seen.min(), seen.max()) if seen.size else (np.nan, np.nan)))
    label = f"Loss on a plane, from {low} to {high}, with the run's way over {count(len(surface.path), 'look')}"
    picture = contours(surface, [look.step for look in found.looks], label)
    caption = element("figcaption", f"Loss from {low} to {high}")
    return [note(lead), element("figure", caption, picture, class_="card"), note(how + norms)]


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.2%}"


def _line(found: Landscape) -> Child:
    if found.line is None:
        return missing("The last weights are the first ones: there is no way between them.")
    shown = _curve("loss", found.line.at, found.line.losses)
    if shown is None:
        return missing("No loss on the way is a number.")
    ends = [look.loss for look in (found.looks[0], found.looks[-1])]
    label = f"Loss along the straight way, {figure(ends[0])} at the first weights, {figure(ends[1])} at the last"
    lead = (
        "All weights go from their first values (0) to their last (1) at once, and on. A hill between says that the "
        "training went around something; none, that it did not have to."
    )
    picture = chart([Line("loss", shown, "test")], label, "share of the way", 0.0, whole=False, best=(1.0, "last"))
    return [note(lead), element("figure", element("figcaption", "Loss"), picture, class_="card")]


def _edge(found: Landscape) -> Child:
    """Sharpness at every look beside what the rate allows."""
    steps = [look.step for look in found.looks]
    sharp = _curve("sharpness", steps, [look.sharpness for look in found.looks])
    if sharp is None:
        return missing(f"No eigenvalues: {found.unbent}" if found.unbent else "No eigenvalue is a number.")
    limits = [_limit(look) for look in found.looks]
    lines = [Line("largest eigenvalue", sharp, "test")]
    plain = _curve("2 / rate", steps, limits)
    if plain is not None:
        lines.append(Line("2 / rate", plain, "train"))
    if found.momentum and plain is not None:
        with_momentum = _curve("bound", steps, [limit and limit * (1 + found.momentum) for limit in limits])
        if with_momentum is not None:
            lines.append(Line(f"2 (1 + {found.momentum:g}) / rate", with_momentum, "bound"))
    lowest = min(float(line.curve.y.min()) for line in lines)
    highest = max(float(line.curve.y.max()) for line in lines)
    label = "Largest eigenvalue of the Hessian at the beginning and at each checkpoint, beside what the rate allows"
    log = lowest > 0 and highest > FLAT * lowest
    picture = chart(lines, label, "step", 0.0, log=log)
    lead = (
        "Along a direction that bends by λ, gradient descent with a rate above 2 / λ overshoots further each time. "
        "Where the largest eigenvalue meets 2 / rate, training is at the edge of stability (Cohen et al. 2021): it "
        "often rises until there, and stays about there."
    )
    more = _of_optimizer(found)
    running = " Batch norm uses its running moments here." if found.batch_norm else ""
    card = element("figure", element("figcaption", "Sharpness"), legend(lines), picture, class_="card")
    told = f"Eigenvalues are of the mean loss over {_part(found)}, by Lanczos' method with 20 products.{running}"
    return [note(lead, more), card, note(told)]


def _of_optimizer(found: Landscape) -> str:
    if found.optimizer == "SGD":
        return (
            f" Momentum {found.momentum:g} moves the bound to {1 + found.momentum:g} times it."
            if found.momentum
            else ""
        )
    return (
        f" {found.optimizer} scales each weight's step, so that its own bound is another one: the lines of the rate "
        "tell what plain gradient descent would bear."
    )


def _table(found: Landscape) -> Markup:
    rows = [
        [f"{look.step:,}", *map(figure, (look.loss, look.sharpness, look.bound, look.rate, _limit(look)))]
        for look in found.looks
    ]
    heads = ["step", "loss", "largest eigenvalue λ", "2 / λ", "rate", "2 / rate"]
    left = [note(f"Left out: {problem}") for problem in found.skipped]
    body = table("At the beginning and at each checkpoint that is left", heads, rows, class_="numbers")
    return element("div", body, left)


def _curve(name: str, xs: Sequence[float], ys: Sequence[float | None]) -> Curve | None:
    """Of the places that have a number."""
    pairs = [(x, y) for x, y in zip(xs, ys) if y is not None and isfinite(y)]
    if not pairs:
        return None
    return Curve("", "", *(np.array(values, np.float64) for values in zip(*pairs)))
