"""Cases that are tried in one test fail as those with a test each would."""

from __future__ import annotations

import inspect

import pytest

from tests.cases import all_pass, each_by_name


def test_no_case_is_left_out_beside_other_parameters() -> None:
    tried: list[tuple[int, int]] = []

    @each_by_name([3, 4, 5], "number", lambda number: "odd" if number % 2 else "even")
    def test(number: int, more: int) -> None:
        tried.append((number, more))

    assert list(inspect.signature(test).parameters) == ["name", "more"]
    for name in ("odd", "even"):
        test(name=name, more=1)
    assert sorted(tried) == [(3, 1), (4, 1), (5, 1)]


def test_every_failure_is_listed_with_its_case() -> None:
    def check(number: int) -> None:
        assert number < 3, "too large"
        if number == 1:
            pytest.fail("never one")

    with pytest.raises(AssertionError) as caught:
        all_pass(range(5), check)
    text = str(caught.value)
    assert text.startswith("3 of 5 cases fail\n\n1: Failed: never one\n\n3: AssertionError: too large")
    assert "\n\n4: AssertionError: too large" in text
