"""What a data set finds and does not use, so that nothing is left out without a word."""

from __future__ import annotations

from dataclasses import dataclass, field

from lenetcli.errors import printable


@dataclass(frozen=True)
class LeftOut:
    """Something that a data set does not use.

    Args:
        why: the reason, as the end of "left out: 3 files, ...".
        count: how many there are.
        first: where the first of them lies.
    """

    why: str
    count: int
    first: str

    def record(self) -> dict[str, str | int]:
        """As plain data."""
        return {"why": self.why, "count": self.count, "first": self.first}

    def __str__(self) -> str:
        text = f"left out: {self.count:,} {self.why} ({self.first}{', ...' if self.count > 1 else ''})"
        return printable(text).replace("\n", "\\n")  # files may have any name


@dataclass
class Tally:
    """Counts what is left out, by its reason."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, why: str, place: object, count: int = 1) -> None:
        """Counts one more, or some."""
        self.counts[why] = self.counts.get(why, 0) + count
        self.first.setdefault(why, str(place))

    def join(self, other: Tally) -> None:
        """Counts what another has counted, too."""
        for why, count in other.counts.items():
            self.add(why, other.first[why], count)

    def found(self) -> tuple[LeftOut, ...]:
        """All of it, most often first."""
        ranked = sorted(self.counts, key=lambda why: -self.counts[why])
        return tuple(LeftOut(why, self.counts[why], self.first[why]) for why in ranked)
