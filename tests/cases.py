"""Many cases of a few microseconds in one test: all are tried, and those that fail are listed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def each_by_name(
    cases: Iterable[Any], argument: str = "sample", name: Callable[[Any], str] = lambda case: case.name
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """As `pytest.mark.parametrize(argument, cases)`, but a test takes all cases of a name: an op's, a layer's.

    A test of its own costs some milliseconds, a case of an op far less.

    Args:
        cases: what the test takes, one at a time.
        argument: of the test.
        name: of a case.
    """
    groups: dict[str, list[Any]] = {}
    for case in cases:
        groups.setdefault(name(case), []).append(case)

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def test(name: str, **others: Any) -> None:
            all_pass(groups[name], lambda case: function(**{argument: case}, **others))

        known = inspect.signature(function)
        others = [parameter for parameter in known.parameters.values() if parameter.name != argument]
        named = inspect.Parameter("name", inspect.Parameter.POSITIONAL_OR_KEYWORD)
        test.__signature__ = known.replace(parameters=[named, *others])  # type: ignore[attr-defined]
        return pytest.mark.parametrize("name", list(groups))(test)

    return decorate


def all_pass(cases: Iterable[Any], check: Callable[[Any], None]) -> None:
    """Tries every case.

    Raises:
        AssertionError: some fail: all of them, each with its error. The traceback is that of the first.
    """
    failed: list[tuple[Any, BaseException]] = []
    tried = list(cases)
    for case in tried:
        try:
            check(case)
        except (Exception, pytest.fail.Exception) as error:
            failed.append((case, error))
    if failed:
        lines = [f"{shown(case)}: {type(error).__name__}: {error}" for case, error in failed]
        raise AssertionError("\n\n".join([f"{len(failed)} of {len(tried)} cases fail", *lines])) from failed[0][1]


def shown(case: Any) -> str:
    """A case in words; of a tuple each part."""
    return " of ".join(map(str, case)) if isinstance(case, tuple) else str(case)
