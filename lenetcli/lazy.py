"""Names that a package offers from its modules, each module imported when one of its names is first used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def offered(
    package: str,
    modules: Mapping[str, str],
    submodules: str = "",
    renamed: Mapping[str, tuple[str, str]] | None = None,
    prepared: Callable[[Any], Any] | None = None,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """`__getattr__`, `__dir__` and `__all__` of a package; `__all__` in the order of the table.

    Args:
        package: its `__name__`.
        modules: the names that each module offers, separated by spaces.
        submodules: modules of the package that are offered themselves.
        renamed: offered under another name than the module has: name -> (module, its name there).
        prepared: makes of what a module holds what is offered.

    Example:
        >>> from lenetcli.lazy import offered
        >>> get, _, names = offered("lenetcli.lazy", {"math": "sqrt floor", "cmath": "phase"})
        >>> get("floor")(2.5), names
        (2, ['sqrt', 'floor', 'phase'])
    """
    homes = {name: (module, name) for module, names in modules.items() for name in names.split()} | dict(renamed or {})
    parts = submodules.split()

    def find(name: str) -> Any:
        if name in parts:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = homes[name]
        value = getattr(importlib.import_module(module), attribute)
        if prepared is not None:
            value = prepared(value)
        setattr(sys.modules[package], name, value)
        return value

    names = [*homes, *parts]
    return find, lambda: sorted({*vars(sys.modules[package]), *names}), names
