"""The key `groups` of an optimizer: parameters, by their names, that take options of their own."""

from __future__ import annotations

import inspect
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from lenetcli.config.signature import Argument, String, arguments

if TYPE_CHECKING:
    from lenetcli.config.components import Component

_GROUPS = (
    'Options of layers by their names, such as [{match: "fc.*", lr: 0.1}]; what the first pattern matches takes the '
    "options of that one, and what a group leaves out is as for all."
)
_MATCH = "Name of a module or parameter, with * and ?."


def keys_of(cls: Any, base: type) -> tuple[Argument, ...]:
    """The keys that a config may give to an optimizer beside those of its constructor."""
    if "groups" in inspect.signature(cls.__init__).parameters:
        return ()
    empty = inspect.Parameter.empty
    return (Argument("groups", list[_group(cls, base)], False, empty, _GROUPS, False, False, False, False),)  # type: ignore[misc]  # built at run time


@cache
def _group(cls: Any, base: type) -> type[BaseModel]:
    """The keys of a group: the arguments of the optimizer, each of which it may leave out."""
    fields: dict[str, Any] = {"match": (String, Field(min_length=1, description=_MATCH))}
    fields |= {a.name: (a.annotation, Field(None, description=a.description or None)) for a in arguments(cls, base)}
    return create_model("Group", __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def groups_of(spec: Component) -> list[dict[str, Any]]:
    """The groups that a config gives an optimizer: of each `match`, and the options that it sets."""
    return [group.model_dump(exclude_unset=True) for group in spec.keys.get("groups", ())]
