"""The run's course: its summary, its curves, every epoch in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lenetcli.display.markup import Child, Markup, element
from lenetcli.inspection.training.curves import By, Curve, smoothed
from lenetcli.inspection.training.curves import curves as curves_of
from lenetcli.inspection.training.run_report import RunReport
from lenetcli.report.tables import figure
from lenetcli.report.training.progress import duration
from lenetcli.report.training.run_page.chart import Line, chart, legend
from lenetcli.report.training.run_page.parts import count, missing, note, table
from lenetcli.runs.history import History

SMOOTH = 0.9
FLAT = 30  # times: a loss that falls further gets a logarithmic axis beside the plain one
LEAST = 1e-300  # of a logarithmic axis
ROWS = 100  # epochs in the table


def headline(report: RunReport) -> Markup:
    """Where the run is, how far it came and how it ended."""
    history = report.history
    more: list[Child] = []
    if history is not None:
        steps = int(history.steps.step[-1]) if len(history.steps.step) else 0
        status = "not ended" if history.ended is None else history.ended.reason
        kind = {"finished": "good", "stopped early": "good", "diverged": "bad"}.get(status, "open")
        more = [
            element("span", status, class_=f"status {kind}"),
            f"{count(_epochs(history), 'epoch')}, {count(steps, 'step')}",
        ]
    return element("p", element("code", report.place), *(element("span", part) for part in more), class_="place")


def summary(report: RunReport) -> Child:
    """The figures that matter, large."""
    tiles: list[tuple[str, str, str]] = []
    history, judged = report.history, report.judged
    best = None if history is None else history.best
    where = "" if best is None else f"best epoch {best.epoch} of {_epochs(history)}"
    if best is not None and _epochs(history) > 1:
        where += f", chosen on the {best.split} split"
    if judged is not None:
        found = judged.evaluation
        what = f"{judged.split} split, {count(found.count, 'sample')}"
        if found.accuracy is not None:
            tiles.append((f"{judged.split} accuracy", f"{found.accuracy:.4f}", where or what))
        tiles.append((f"{judged.split} loss", _four(found.loss), what if found.accuracy is not None else where or what))
        if found.calibration_error is not None:
            tiles.append(("calibration error", f"{found.calibration_error:.4f}", "0: as right as it is sure"))
    elif best is not None:
        if best.accuracy is not None:
            tiles.append((f"best {best.split} accuracy", f"{best.accuracy:.4f}", where))
        tiles.append((f"best {best.split} loss", _four(best.loss), where))
    frozen = report.parameters - report.trainable
    tiles.append(("parameters", f"{report.parameters:,}", f"{frozen:,} frozen" if frozen else "all trainable"))
    if history is not None:
        tiles.append(("time", duration(history.seconds), _speed(history)))
    tile = [
        element("div", element("dt", name), element("dd", value), element("dd", more or None, class_="more"))
        for name, value, more in tiles
    ]
    problem = report.problems.get("weights") or report.problems.get("judged")
    return [element("dl", tile, class_="tiles"), missing(f"Not evaluated: {problem}") if problem else None]


def _epochs(history: History | None) -> int:
    if history is None:
        return 0
    return max(
        [*(e.event.epoch for e in history.evaluations), *history.steps.epoch[-1:].astype(int).tolist()], default=0
    )


def _speed(history: History) -> str:
    """Mean training speed, where it is known."""
    passes = [e.event for e in history.evaluations if e.event.split == "train" and e.event.seconds > 0]
    seconds = sum(e.seconds for e in passes)
    return f"{sum(e.count for e in passes) / seconds:,.0f} images/s" if seconds else ""


def curves(report: RunReport) -> Child:
    """Loss, accuracy and learning rate, and the epochs as a table."""
    history = report.history
    if history is None:
        return missing(report.problems.get("history", "There is no history."))
    by: By = "epoch" if len(history.judged) > 1 else "step"
    best = None if history.best is None else float(history.best.epoch if by == "epoch" else history.best.step)
    mark = None if best is None else (best, f"best: {by} {best:.0f}")
    charts = [
        _loss(_lines(curves_of(history, report.place, "loss", by)), by, mark),
        _plain("Accuracy", _lines(curves_of(history, report.place, "accuracy", by)), by, mark),
        _steps(history, report.place) if by == "epoch" else None,
        _plain("Learning rate", _lines(curves_of(history, report.place, "lr", "step")), "step", None, 0.0),
    ]
    skipped = (
        f"{count(history.skipped, 'line')} of metrics.jsonl could not be read and left out." if history.skipped else ""
    )
    return [
        note(skipped) if skipped else None,
        element("div", charts, class_="charts"),
        _table(history),
    ]


def _lines(found: Sequence[Curve]) -> list[Line]:
    """The learning rate is drawn like what is judged: a solid line."""
    return [Line(c.split or "learning rate", c, "train" if c.split == "train" else "test") for c in found]


def _loss(lines: list[Line], by: str, best: tuple[float, str] | None) -> Markup | None:
    if not lines:
        return None
    label = _label("Loss", lines, by)
    plain = chart(lines, label, by, 0.0, best=best)
    lowest = min(float(line.curve.y.min()) for line in lines)
    highest = max(float(line.curve.y.max()) for line in lines)
    if lowest <= LEAST or highest < FLAT * lowest:
        return _figure("Loss", legend(lines), plain)
    logarithmic = chart(lines, f"{label}, logarithmic", by, log=True, best=best)
    scales = element(
        "fieldset",
        element("legend", "Scale of the loss", class_="unseen"),
        element("label", element("input", type="radio", name="scale", checked=True), " linear"),
        element("label", element("input", type="radio", name="scale", class_="log"), " logarithmic"),
    )
    return _figure(
        "Loss", scales, legend(lines), element("div", plain, class_="linear"),
        element("div", logarithmic, class_="logarithmic"),
    )  # fmt: skip


def _plain(
    title: str, lines: list[Line], by: str, best: tuple[float, str] | None, floor: float | None = None
) -> Markup | None:
    if not lines:
        return None
    return _figure(
        title, legend(lines) if len(lines) > 1 else None, chart(lines, _label(title, lines, by), by, floor, best=best)
    )


def _steps(history: History, run: str) -> Markup | None:
    """The training loss of every step, and its running mean."""
    found = [c for c in curves_of(history, run, "loss", "step") if c.split == "train"]
    if not found or len(found[0].x) <= _epochs(history):
        return None  # the curve by epoch shows the same
    (curve,) = found
    mean = replace(curve, y=smoothed(curve.y, SMOOTH))
    lines = [Line("every step", curve, "faint"), Line("running mean", mean, "train solid")]
    return _figure(
        "Training loss by step", legend(lines), chart(lines, _label("Training loss", lines, "step"), "step", 0.0)
    )


def _figure(title: str, *content: Child) -> Markup:
    return element("figure", element("figcaption", title), *content, class_="card")


def _label(what: str, lines: Sequence[Line], by: str) -> str:
    """A chart in words."""
    parts = [
        f"{line.name} from {figure(float(line.curve.y[0]))} to {figure(float(line.curve.y[-1]))}" for line in lines
    ]
    return f"{what} by {by}: {', '.join(parts)}"


def _table(history: History) -> Markup | None:
    """Every epoch (of many, some) in numbers."""
    judged = sorted({e.event.epoch: e.event for e in history.evaluations if e.event.split != "train"}.items())
    trained = {e.event.epoch: e.event for e in history.evaluations if e.event.split == "train"}
    if not judged:
        return None
    every = -(-len(judged) // ROWS)
    best = history.best
    split = judged[-1][1].split
    has_accuracy = any(e.accuracy is not None for _, e in judged)
    heads = ["epoch", "train loss", *(["train accuracy"] if has_accuracy else []), f"{split} loss"]
    heads += [*([f"{split} accuracy"] if has_accuracy else []), "learning rate", "seconds"]
    rows = []
    for number, (epoch, event) in enumerate(judged, 1):
        if number % every and number != len(judged) and event is not best:
            continue
        train = trained.get(epoch)
        shares = [_four(None if train is None else train.accuracy)], [_four(event.accuracy)]
        seconds = event.seconds + (0.0 if train is None else train.seconds)
        rows.append([
            f"{epoch} (best)" if event is best else str(epoch), _four(None if train is None else train.loss),
            *(shares[0] if has_accuracy else []), _four(event.loss), *(shares[1] if has_accuracy else []),
            f"{event.lr:.4g}", f"{seconds:.2f}",
        ])  # fmt: skip
    caption = "Every epoch" if every == 1 else f"Every {every}th epoch, the best and the last"
    return element("details", element("summary", f"{caption} in numbers"), table(caption, heads, rows))


def _four(value: float | None) -> str:
    """As `lenet eval` shows it, but for numbers that would fill the line."""
    return "" if value is None else f"{value:.4f}" if abs(value) < 1e6 else f"{value:.4g}"
