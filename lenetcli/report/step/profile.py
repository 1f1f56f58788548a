"""The times of a training step as a table, and what they are."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.step import profile
from lenetcli.inspection.step.profile import LayerTime, Timing
from lenetcli.report.columns import Column, Columns, bar

BAR = 10
RECORDED = ", made by two; the rows' steps are not, so that they can come to more than the step"


def draw(found: Timing) -> Iterator[RenderableType]:
    """What ran where, a row for each layer and each other part of the step, and how it was measured."""
    batches = f" ({found.accumulate} batches of {found.batch:,})" if found.accumulate > 1 else ""
    speed = f"{_time(found.step)}, {found.samples / found.step:,.0f} samples/s"
    yield Text(
        f"a training step of {found.samples:,} samples{batches}: {speed}\n"
        f"kernels: {found.kernels}; {found.threads} thread{'s' if found.threads > 1 else ''}\n"
    )
    rows = [*found.layers, found.loss]
    rest = [
        ("between ops", found.between_forward, found.between_backward),
        ("update", found.update, None),
        ("step", found.forward, found.backward),
    ]
    shares = [row.seconds for row in rows] + [found.between_forward + found.between_backward, found.update, found.step]
    blanks = [""] * len(rest)
    backward = [_time(row.backward) if row.backward else "-" for row in rows]
    backward += ["" if seconds is None else _time(seconds) for *_, seconds in rest]
    yield Columns(
        [
            Column("layer", [_name(row) for row in rows] + [name for name, *_ in rest], fold=True),
            Column("type", [" + ".join(row.types) for row in rows] + blanks, 5, fold=True),
            Column("forward", [_time(row.forward) for row in rows] + [_time(f) for _, f, _ in rest], right=True),
            Column("backward", backward, right=True),
            Column("of step", [f"{share / found.step:.0%}" for share in shares], right=True),
            Column("", [bar(share / found.step, BAR) for share in shares], 6),
            Column("M mult-adds", [_millions(row.forward_multiply_adds) for row in rows] + blanks, 3, right=True),
            Column("back", [_millions(row.backward_multiply_adds) for row in rows] + blanks, 4, right=True),
            Column("G/s", [_rate(row.rate) for row in rows] + [*blanks[1:], _rate(_whole_rate(found))], 1, right=True),
            Column(
                "of peak",
                [_share(row.rate, found) for row in rows] + [*blanks[1:], _share(_whole_rate(found), found)],
                2,
                right=True,
            ),
        ],
        [None] * len(rows) + ["dim", "dim", "bold"],
    )
    yield Text("\n" + "\n".join(_notes(found)))


def _notes(found: Timing) -> Iterator[str]:
    yield (
        f"Medians of {found.steps} steps on the same samples; the rows' come from {found.steps} steps between them, "
        "with a clock in every op."
    )
    yield f"The whole step is {found.recorded}{'' if found.recorded.startswith('not') else RECORDED}."
    if any(row.fused for row in found.layers):
        yield "Where a row has several layers, they ran as one op; its multiply-adds are those of the single layers."
    if any(row.seconds == row.forward for row in found.layers):
        yield "Where a row has no time backward, its gradient was made in one kernel with that of the layer before."
    yield (
        "between ops: the tape and Python, the loss read. update: old gradients dropped, new ones checked and limited, "
        "the optimizer's step, the moving average."
    )
    yield (
        f"G/s: multiply-adds of both passes. Peak: {found.peak / 1e9:,.0f} G/s, the best of one thread at products of "
        f"{profile.SIDE}x{profile.SIDE} float32 matrices by NumPy's BLAS, times the threads."
    )
    yield f"The loader takes {_time(found.loader)} for a batch, beside the step."


def _name(row: LayerTime) -> str:
    return " + ".join(plain_text(path) or "model" for path in row.layers)


def _time(seconds: float) -> str:
    """As people write it.

    Example:
        >>> _time(0.0000123), _time(0.0123)
        ('12.3 us', '12.30 ms')
    """
    return f"{seconds * 1e6:,.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:,.2f} ms"


def _millions(count: int) -> str:
    return f"{count / 1e6:,.2f}" if count else "-"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate / 1e9:.1f}"


def _share(rate: float | None, found: Timing) -> str:
    return "-" if rate is None else f"{rate / found.peak:.0%}"


def _whole_rate(found: Timing) -> float | None:
    count = sum(row.forward_multiply_adds + row.backward_multiply_adds for row in found.layers)
    return count / found.step if count else None
