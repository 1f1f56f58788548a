"""What the model looks for and sees: filters of its first layer, feature maps of one image."""

from __future__ import annotations

import numpy as np

from lenetcli.display.markup import Child, Markup, element
from lenetcli.display.png import picture, signed
from lenetcli.inspection.model.feature_maps import LayerMaps
from lenetcli.inspection.model.inner_views import InnerMaps
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.model.inside import pixels
from lenetcli.report.tables import figure
from lenetcli.report.training.run_page.parts import across, count, image, missing, note

LIKELIEST = 5
SIGNS = "Blue is above 0, white is 0, orange is below; one scale for the whole layer."


def filters(report: RunReport) -> Child:
    """The weights of the first layer as pictures."""
    found = report.filters
    if found is None:
        reason = report.problems.get("weights")
        return (
            missing(reason) if reason else note("The first layer does not look at pictures: it has no filters to show.")
        )
    most = float(np.abs(np.nan_to_num(found.pictures)).max(initial=0.0))
    colored = found.pictures.shape[1] == 3
    tiles = []
    for name, values in zip(found.names, found.pictures):
        pixels = picture(0.5 + values / (2 * most or 1.0)) if colored else signed(values[0], most)
        low, high = figure(float(values.min())), figure(float(values.max()))
        tiles.append(image(pixels, f"{name}, from {low} to {high}", f"{name}: {low} to {high}"))
    rest = f" The first {len(tiles)} of {found.total:,} are shown." if found.total > len(tiles) else ""
    how = "Gray is 0, colours are those that a filter looks for." if colored else SIGNS
    lead = f"{found.kind} {found.layer}, weights {across(found.shape)}: what each of its units looks for. {how}{rest}"
    return [note(lead), element("div", tiles, class_="tiles-of-pixels filters")]


def maps(report: RunReport) -> Child:
    """What each layer makes of one image."""
    found = report.maps
    if found is None:
        reason = report.problems.get("maps") or report.problems.get("weights")
        return None if reason is None else missing(reason)
    layers = [_layer(maps) for maps in found.layers]
    left = f"{count(found.left_out, 'more layer')} not shown. " if found.left_out else ""
    lead = note(f"{left}{SIGNS}") if layers else note("No layer of this model gives pictures.")
    return [element("div", _input(report), _likeliest(report), class_="seen"), lead, layers]


def inside(report: RunReport) -> Child:
    """Attention of each head and the gates of recurrent layers, of the same image."""
    if not report.inside:
        return None
    lead = (
        "Of the same sample: whom each step attends to, by head (a row for each query, a column for each key; white is "
        "0, blue the largest of the layer), and the gates of recurrent layers (a row for each step, a column for each "
        "unit; blue is above 0, orange below, full at 1)."
    )
    return [note(lead), [_inner(maps) for maps in report.inside]]


def _inner(found: InnerMaps) -> Markup:
    tiles = []
    for name, values, shown in zip(found.names, found.maps, pixels(found)):
        told = f"{name}, from {figure(float(values.min()))} to {figure(float(values.max()))}"
        tiles.append(element("figure", image(shown, told, told), element("figcaption", name)))
    rows, columns = found.maps[0].shape
    sizes = f"{rows} × {columns}, {found.rows} by {found.columns}"
    heading = element("p", element("b", found.layer), f" {found.kind}, {sizes}", class_="inner-name")
    return element("div", heading, element("div", tiles, class_="tiles-of-pixels inner"), class_="layer")


def _input(report: RunReport) -> Markup:
    assert report.maps is not None
    target = report.target
    known = "" if target is None or not 0 <= target < len(report.classes) else f", class {report.classes[target]}"
    split = "" if report.judged is None else f"{report.judged.split} "
    caption = f"{split}sample {report.image}{known}"
    return element("figure", image(picture(report.picture), caption, class_="input"), element("figcaption", caption))


def _likeliest(report: RunReport) -> Markup | None:
    """The classes that the model gives the image, likeliest first, as bars."""
    found = report.probabilities
    if not found:
        return None
    order = sorted(range(len(found)), key=lambda i: -found[i])[:LIKELIEST]
    bars = []
    for i in order:
        name = report.classes[i] if i < len(report.classes) else str(i)
        bar = element("span", style=f"--share:{max(0.0, min(1.0, found[i])):.4f}", class_="bar", aria_hidden="true")
        bars.append(element("li", element("span", name, class_="name"), bar, element("span", f"{found[i]:.4f}")))
    return element("div", element("p", "What the model says"), element("ol", bars), class_="says")


def _layer(found: LayerMaps) -> Markup:
    most = float(np.abs(np.nan_to_num(found.maps)).max(initial=0.0))
    tiles = []
    for i, values in enumerate(found.maps):
        low, high = figure(float(values.min())), figure(float(values.max()))
        blank = "" if values.any() else ", 0 everywhere"
        told = f"{low} to {high}{blank}"
        tiles.append(image(signed(values, most), f"channel {i}, from {told}", f"channel {i}: {told}"))
    rest = f", the first {len(tiles)} shown" if found.shape[0] > len(tiles) else ""
    blank = f", {found.blank} of them 0 everywhere" if found.blank else ""
    heading = element(
        "figcaption", element("b", found.layer), f" {found.kind}, {count(found.shape[0], 'channel')}{rest}{blank}, "
        f"{found.shape[1]} × {found.shape[2]}",
    )  # fmt: skip
    return element("figure", heading, element("div", tiles, class_="tiles-of-pixels"), class_="layer")
