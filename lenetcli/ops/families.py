"""Where each Tensor method is: a family of ops is imported when one of its methods is first asked for."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from importlib import import_module
from typing import Any

import lenetcli
from lenetcli import ops
from lenetcli.ops.keywords import with_axis
from lenetcli.ops.methods import METHODS

# methods that are no functions at the top, or others than the functions of their names
_METHODS_ONLY = {
    "lenetcli.ops.pointwise.clone": "clone float double half long int short char byte bool",
    "lenetcli.ops.shaping.diagonal": "fill_diagonal_",
    "lenetcli.ops.shaping.expand": "expand expand_as repeat",
    "lenetcli.ops.pointwise.fill_": "zero_ fill_ copy_ normal_ uniform_ exponential_ bernoulli_ random_",
    "lenetcli.ops.indexing.getitem": "index __setitem__",
    "lenetcli.ops.shaping.reshape": "view view_as reshape_as contiguous",
    "lenetcli.ops.shaping.split": "unfold",
    "lenetcli.ops.shaping.select_scatter": "sum_to_size",
    "lenetcli.tensors.sampling": "bernoulli multinomial",
}
_TABLE = {family: names for family, names in lenetcli._MODULES.items() if family.startswith("lenetcli.ops.")}
_FAMILIES = {name: f for table in (_TABLE, _METHODS_ONLY) for f, names in table.items() for name in names.split()}


def family_of(name: str) -> str | None:
    """The module that a Tensor method comes from; None where there is no such method."""
    return _FAMILIES.get(name) or _FAMILIES.get(name.removesuffix("_"))  # `add_` is where `add` is


def method(name: str) -> Callable[..., Any]:
    """The function behind a Tensor method.

    Raises:
        AttributeError: there is no such method.
    """
    if name not in METHODS:
        family = family_of(name)
        if family is not None:
            import_module(family)
    if name not in METHODS:
        raise AttributeError(f"'Tensor' object has no attribute {name!r}")
    return with_axis(METHODS[name])


def all_methods() -> dict[str, Callable[..., Any]]:
    """Every method by name; imports all families."""
    for family in (*(found.name for found in pkgutil.walk_packages(ops.__path__, "lenetcli.ops.")), *_METHODS_ONLY):
        import_module(family)
    return METHODS
