"""Tensors in nested tuples, lists and dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lenetcli.autograd.tape import Variable


def leaves_of(tree: Any) -> list[Any]:
    """The tensors in nested tuples, lists and dicts, in their order."""
    if isinstance(tree, Variable):
        return [tree]
    inner = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, (tuple, list)) else ()
    return [leaf for part in inner for leaf in leaves_of(part)]


def with_leaves(tree: Any, leaves: Any) -> Any:
    """The same nesting with other tensors, taken from an iterator."""
    if isinstance(tree, Variable):
        return next(leaves)
    if isinstance(tree, Mapping):
        return {key: with_leaves(part, leaves) for key, part in tree.items()}
    return type(tree)(with_leaves(part, leaves) for part in tree) if isinstance(tree, (tuple, list)) else tree
