"""Common mistakes get the messages that docs/mistakes.md shows."""

from __future__ import annotations

import pytest

from tests.mistakes import MISTAKES, message, shown, written

ALL = [code for codes in MISTAKES.values() for code in codes]


@pytest.mark.parametrize("code", ALL)
def test_a_mistake_gets_the_message_on_the_page(code: str) -> None:
    told = message(code)
    assert told != "no error"
    assert written()[code] == shown(told)


def test_the_page_has_every_mistake() -> None:
    assert list(written()) == ALL
    assert len(ALL) >= 60


@pytest.mark.parametrize("code", ALL)
@pytest.mark.usefixtures("torch")
def test_torch_refuses_the_same(code: str) -> None:
    theirs = message(code, "torch")
    assert theirs != "no error"
    # the same kind of error, so that `except` clauses written for torch still work; ShapeError is a RuntimeError
    ours = message(code).partition(":")[0].replace("ShapeError", "RuntimeError")
    assert ours == theirs.partition(":")[0] or code in OTHER_KIND


OTHER_KIND = {
    "lenet.ones(2).to('disk')",
}
