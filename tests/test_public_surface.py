"""Names, options, keys and files that users and scripts rely on stay; the list is public_surface.txt."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.public_surface import STORED, answers, names, options, schema


@pytest.mark.parametrize(
    ("kinds", "found"),
    [("name", names), ("option", options), ("key", schema), ("event file json", answers)],
    ids=["names", "options", "keys of configurations", "answers and files"],
)
def test_what_was_public_is_public(kinds: str, found: Callable[[], Iterator[str]]) -> None:
    wanted = {line for line in STORED.read_text("utf-8").splitlines() if line.split()[0] in kinds.split()}
    assert len(wanted) > 40
    assert not wanted - set(found())
