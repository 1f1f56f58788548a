"""The table that tools/faults.py prints: rows of faults and commands, with counts."""

from __future__ import annotations

from tests.faults.outcome import Found, Table


def test_a_table_counts_moments_outcomes_and_what_is_wrong() -> None:
    table = Table()
    saved, ended = ("saving", "exit 143", None), ("end", "exit 0", "a|b")
    for moment, outcome, wrong in (saved, saved, ended):
        table.add(Found("TERM", "train", outcome, wrong, moment))
    assert (table.count, [found.wrong for found in table.wrong]) == (3, ["a|b"])
    assert list(table.markdown())[2:] == ["| TERM (2 × saving; 1 × end) | `train` | 3 | 2 × exit 143; 1 × exit 0 | 1 |"]
