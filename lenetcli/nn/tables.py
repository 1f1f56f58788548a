"""The tables of a module: a dict of parameters, buffers, modules or hooks whose changes are counted.

What is remembered of a tree of modules (`nn.recorded`) holds as long as `changes.count` stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


class _Changes:
    count = 0  # of tables, and of attributes of modules that somebody remembers something of


changes = _Changes()


def _counted(name: str) -> Callable[..., Any]:
    """A method of dict that changes it."""
    method = getattr(dict, name)

    def change(self: dict[Any, Any], *args: Any, **kwargs: Any) -> Any:
        changes.count += 1
        return method(self, *args, **kwargs)

    change.__name__ = name
    return change


class Table(dict[Any, Any]):
    """A dict that counts its changes."""


for _name in ("__setitem__", "__delitem__", "__ior__", "pop", "popitem", "clear", "update", "setdefault"):
    setattr(Table, _name, _counted(_name))


def state_of(module: Any) -> tuple[Any, ...]:
    """What the results of a tree of modules depend on, but for the numbers in its tensors."""
    return tuple(entry for each in module.modules() for entry in _entries(each))


def _entries(module: Any) -> Iterator[Any]:
    yield id(module)
    yield type(module).forward
    for name, value in module.__dict__.items():
        if isinstance(value, Table):
            yield name, tuple((key, id(entry)) for key, entry in value.items())
        elif name != "_remembered":
            plain = value is None or isinstance(value, (bool, int, float, str, tuple))
            yield name, value if plain else id(value)
