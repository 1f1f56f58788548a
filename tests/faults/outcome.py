"""What came of a fault, and the table of faults, commands and outcomes that it goes into."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

GOES_ON = "goes on to the same bits"


@dataclass(frozen=True)
class Found:
    """One fault and what came of it.

    Args:
        fault: its kind, as "SIGTERM" or "EIO at a read".
        command: what it happened to.
        outcome: what came of it, in words that many faults share.
        wrong: why that should not be; None where it should.
        moment: when it came, or to what of a run.
        detail: which of its kind it was.
    """

    fault: str
    command: str
    outcome: str
    wrong: str | None = None
    moment: str = ""
    detail: str = ""


def exit_code(code: int) -> str:
    """An exit code as the table has it.

    Example:
        >>> exit_code(3), exit_code(-9)
        ('exit 3', 'ended by signal 9')
    """
    return f"exit {code}" if code >= 0 else f"ended by signal {-code}"


class Table:
    """Counts faults by kind and command."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], list[Found]] = {}
        self.whole = True  # all that there is to do was done

    def add(self, found: Found) -> None:
        """Takes one in."""
        self.rows.setdefault((found.fault, found.command), []).append(found)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(map(len, self.rows.values()))

    @property
    def wrong(self) -> list[Found]:
        """Those whose outcome should not be."""
        return [found for row in self.rows.values() for found in row if found.wrong is not None]

    def markdown(self) -> Iterator[str]:
        """Its lines."""
        yield "| fault | command | times | outcome | wrong |"
        yield "|---|---|---:|---|---:|"
        for (fault, command), row in self.rows.items():
            moments = _counts(found.moment for found in row if found.moment)
            outcomes = _counts(found.outcome for found in row)
            wrong = sum(found.wrong is not None for found in row)
            cells = [
                f"{fault}{f' ({moments})' if moments else ''}",
                f"`{command}`",
                str(len(row)),
                outcomes,
                str(wrong),
            ]
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _counts(words: Iterable[str]) -> str:
    """Each word, and how often it comes where there are several."""
    counted = Counter(words)
    if len(counted) == 1:
        return next(iter(counted))
    return "; ".join(f"{count} × {word}" for word, count in counted.most_common())
