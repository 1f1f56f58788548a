"""Several runs on one page: a table, means over seeds, and their curves together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lenetcli.display.markup import Child, element
from lenetcli.inspection.training.curves import Metric, curves
from lenetcli.report.tables import four
from lenetcli.report.training.progress import duration
from lenetcli.report.training.run_groups import spread_of
from lenetcli.report.training.run_page.chart import Line, chart, legend
from lenetcli.report.training.run_page.page import whole
from lenetcli.report.training.run_page.parts import count, heat, missing, note, table
from lenetcli.report.training.runs import CHOSEN_ON_TEST, Differences, short_keys, shown
from lenetcli.runs.groups import Group
from lenetcli.runs.history import History
from lenetcli.runs.table import RunRow, ordered

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7a7a7a")  # Okabe and Ito's, but black
MOST = 500  # runs in the table
STYLE = "".join(
    f".line.c{i} {{ stroke: {color}; }} .mark.c{i} {{ fill: {color}; }} " for i, color in enumerate(COLORS)
) + ".line.faint { stroke: #8f97a3; } .legend { flex-wrap: wrap; }"  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Args:
        place: what was asked for, in words.
        differing: the keys that the runs differ in, with the value of each.
        groups: runs that differ in their seed only.
        histories: of the runs that have one, by name.
    """

    place: str
    rows: Sequence[RunRow]
    differing: Differences
    groups: Sequence[Group]
    histories: Mapping[str, History]

    @property
    def metric(self) -> str:
        """What makes a run good."""
        return "loss" if all(row.accuracy is None for row in self.rows) else "accuracy"

    @property
    def best_first(self) -> list[RunRow]:
        """The runs, the best first."""
        return ordered(self.rows, self.metric)


def page(found: Comparison) -> str:
    """The page."""
    sections = [
        ("runs", "Runs", _runs(found)), ("means", "Means over seeds", _means(found)),
        ("loss", "Loss", _curves(found, "loss")), ("accuracy", "Accuracy", _curves(found, "accuracy")),
    ]  # fmt: skip
    headline = element(
        "p", element("code", found.place), element("span", count(len(found.rows), "run")), class_="place"
    )
    title = f"Runs of {found.place}"
    return whole(title, "Training runs", "Comparison", headline, sections, f"lenet report {found.place}", STYLE)


def _runs(found: Comparison) -> Child:
    """A row a run, the best first; its best figure on the stronger ground the better it is."""
    titles = short_keys(list(found.differing))
    index = {id(row): i for i, row in enumerate(found.rows)}
    figures = [value for row in found.rows if (value := row.value(found.metric)) is not None]
    low, high = (min(figures), max(figures)) if figures else (0.0, 0.0)
    rows: list[list[Child]] = []
    for row in found.best_first[:MOST]:
        value = row.value(found.metric)
        share = 0.0 if value is None else (value - low) / ((high - low) or 1.0)
        best: dict[str, Child] = {"accuracy": four(row.accuracy), "loss": four(row.loss)}
        if value is not None:
            best[found.metric] = heat(four(value), 1 - share if found.metric == "loss" else share)
        keys = [shown(values[index[id(row)]]) for values in found.differing.values()]
        rows.append([
            row.run, row.status, *keys, best["accuracy"], four(row.last_accuracy), best["loss"], four(row.last_loss),
            f"{row.best_epoch or '-'} of {row.epoch}", duration(row.seconds),
        ])  # fmt: skip
    heads = ["run", "status", *titles.values(), "accuracy", "last accuracy", "loss", "last loss", "best epoch", "time"]
    splits = {row.best.split for row in found.rows if row.best is not None}
    more = f", the first {MOST:,} shown" if len(found.rows) > MOST else ""
    caption = (
        f"{count(len(found.rows), 'run')}, the best first{more}; figures on the {' or '.join(sorted(splits))} split"
    )
    return [
        table(caption, heads, rows, class_="numbers"),
        note(f"{CHOSEN_ON_TEST.capitalize()}.") if "test" in splits else None,
    ]


def _means(found: Comparison) -> Child:
    """Mean and standard deviation of runs that differ in their seed only."""
    groups = [group for group in found.groups if len(group.rows) > 1]
    if not groups:
        return None
    titles = short_keys(list(groups[0].config))
    rows = [
        [
            ", ".join(f"{titles.get(key, key)} {shown(value)}" for key, value in group.config.items()) or "all",
            str(len(group.rows)), *(spread_of(group, name) for name in ("accuracy", "last_accuracy", "loss")),
        ]
        for group in groups
    ]  # fmt: skip
    heads = ["runs with", "runs", "accuracy", "last accuracy", "loss"]
    return table("Mean ± standard deviation over the seeds", heads, rows, class_="numbers")


def _curves(found: Comparison, metric: Metric) -> Child:
    """The curves of the split that judges: the best runs in colours, the others pale behind them."""
    lines, many = [], 0
    for row in found.best_first:
        history = found.histories.get(row.run)
        judged = [] if history is None else [c for c in curves(history, row.run, metric, "epoch") if c.split != "train"]
        look = f"c{many}" if many < len(COLORS) else "faint"
        lines += [Line(row.run, curve, look) for curve in judged]
        many += bool(judged)
    if not lines:
        return missing("No run has such a curve.") if metric == "loss" else None
    colored = [line for line in lines if line.look != "faint"]
    rest = many - len(COLORS)
    pale = note(f"The {len(COLORS)} best runs in colours, best first; the other {rest:,} pale.") if rest > 0 else None
    drawn = chart(lines, metric, "epoch", floor=0.0 if metric == "loss" else None)
    return [pale, element("figure", drawn, legend(colored), class_="wide-chart")]
