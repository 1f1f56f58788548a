"""Every example in a docstring runs and prints what it shows."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import lenetcli
from lenetcli import nn, optim
from lenetcli.nn import functional
from lenetcli.optim import lr_scheduler

FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(lenetcli.__path__, "lenetcli."):
        if not found.name.endswith("__main__") and ".native" not in found.name:
            yield found.name


@pytest.mark.parametrize("name", list(modules()))
def test_examples_print_what_they_show(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lenetcli.manual_seed(0)
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert not failed, capsys.readouterr().out


def public() -> Iterator[tuple[str, object]]:
    for place in (lenetcli, functional, nn, optim, lr_scheduler):
        for name in place.__all__:
            value = getattr(place, name)
            if callable(value) and not isinstance(value, lenetcli.dtype):
                yield f"{place.__name__}.{name}", value


def test_every_public_name_has_a_docstring_with_an_example() -> None:
    found = list(public())
    assert len(found) > 500
    assert [name for name, value in found if ">>>" not in (value.__doc__ or "")] == []
