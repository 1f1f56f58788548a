"""What a survey found and what was chosen for it, as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.data.proposal import Proposal
from lenetcli.inspection.data.survey import Survey
from lenetcli.report.columns import Column, Columns

NAMED = 12  # classes that are named with their counts; of more, the most common and the rarest
SHOWN = 3
EVEN = 1.2  # times as many, below which classes are as common


def draw(found: Survey, chosen: Proposal) -> Iterator[RenderableType]:
    """Both tables."""
    rows = list(_rows(found))
    yield Columns([Column("found", [what for what, _ in rows]), Column("", [said for _, said in rows], fold=True)])
    yield Text("")
    yield Columns(
        [
            Column("chosen", [choice.what for choice in chosen.choices]),
            Column("", [choice.value for choice in chosen.choices], fold=True),
            Column("why", [plain_text(choice.why) for choice in chosen.choices], fold=True),
        ]
    )
    yield Text("")


def _rows(found: Survey) -> Iterator[tuple[str, str]]:
    place = "comes with lenet" if found.data.place is None else plain_text(found.data.place[1])
    yield "data", f"{place} ({found.data.type})"
    held = f", {found.total('validation'):,} for validation" if "validation" in found.counts else ""
    yield "pictures", f"{found.total('train'):,} to train on, {found.total('test'):,} to test on{held}"
    if found.classes:
        yield "classes", _classes(found)
        even = found.imbalance < 1.2
        yield (
            "balance",
            "even" if even else f"the most common class has {found.imbalance:.1f} times as many as the rarest",
        )
    else:
        what = (
            "several labels of 0 and 1" if found.marked else f"numbers of shape {list(found.target or ())}, no classes"
        )
        yield "targets", what
    yield "sizes", _sizes(found)
    saved = " (saved as colours)" if found.channels == 1 and found.saved == 3 and found.of else ""
    yield "colours", {1: f"gray{saved}", 3: "colours"}.get(found.channels, f"{found.channels} channels")
    looked = f"{found.looked:,}" + (f" of {found.of:,}" if found.looked < found.of else "")
    if found.broken:
        named = "; ".join(map(plain_text, found.broken[:SHOWN])) + ("; ..." if len(found.broken) > SHOWN else "")
        yield "broken", f"{len(found.broken):,} of {looked} looked at: {named}"
    else:
        yield "broken", f"none ({looked} looked at)"
    yield "repeated", _repeated(found)
    for part in found.left_out:
        yield "left out", str(part).removeprefix("left out: ")


def _classes(found: Survey) -> str:
    counts = sorted(zip(found.counts["train"], map(plain_text, found.classes)), key=lambda row: -row[0])
    if len(counts) <= NAMED:
        named = ", ".join(f"{name}: {count:,}" for count, name in counts)
    else:
        ends = [", ".join(f"{name}: {count:,}" for count, name in some) for some in (counts[:SHOWN], counts[-SHOWN:])]
        named = f"{ends[0]}, ..., {ends[1]}"
    return f"{len(counts)} (to train on: {named})"


def _sizes(found: Survey) -> str:
    smallest, median, largest = (f"{rows} x {columns}" for rows, columns in found.sizes)
    return f"all {median}" if found.alike else f"{smallest} to {largest} rows x columns, the middle one {median}"


def _repeated(found: Survey) -> str:
    said = []
    if found.across:
        said.append(f"{found.across:,} to test on are among those to train on, too: the test flatters")
    if found.contradicting:
        said.append(f"{found.contradicting:,} to train on are there again with another label")
    if said and found.examples:
        said.append(f"such as {plain_text(found.examples[0])}")
    some = "" if found.compared == found.of else f" among the first {found.compared:,}"
    return "; ".join(said) or f"none{some}"
