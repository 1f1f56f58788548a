"""Configurations of older versions, brought up to date a version at a time before anything else reads them.

A change of the format that old files would not survive raises `VERSION` and adds one entry to `STEPS`. Values keep
their places, so that messages show the text as the user wrote it. Version 1 is the first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lenetcli.config.problems import Source
from lenetcli.config.yaml_tree import Node

VERSION = 1  # of the config's format
STEPS: dict[int, Callable[[Node], Node]] = {}  # version: what makes a tree of it one of the next


def up_to_date(root: Node) -> Node:
    """The tree as the current version has it; the tree itself where there is no way from its version to that."""
    stated = _at(root, ["version"])
    if stated is None or type(stated.value) is not int or not 0 <= stated.value < VERSION:
        return root
    for version in range(stated.value, VERSION):
        if version not in STEPS:
            return root
        root = STEPS[version](root)
    return _put(root, ["version"], Node(VERSION, stated.span))


def up_to_date_data(config: dict[str, Any]) -> dict[str, Any]:
    """The same for a configuration as plain data, which a checkpoint keeps."""
    return config if config.get("version") == VERSION else up_to_date(_tree(config)).plain()


def moved(root: Node, old: str, new: str) -> Node:
    """The tree with a value under another key: `moved(root, "train.keep", "train.keep_checkpoints")`."""
    value = _at(root, old.split("."))
    return root if value is None else _put(_put(root, old.split("."), None), new.split("."), value)


def _at(node: Node | None, keys: Sequence[str]) -> Node | None:
    for key in keys:
        node = node.mapping.get(key) if node is not None and node.mapping else None
    return node


def _put(node: Node, keys: Sequence[str], value: Node | None) -> Node:
    """The tree with a value at a path of keys; None takes away what is there."""
    (key, *rest), items = keys, dict(node.mapping or {})
    if rest:
        value = _put(items.get(key, Node({}, node.span)), rest, value)
    if value is None:
        del items[key]
        return Node(items, node.span, node.keys)
    return Node({**items, key: value}, node.span, {key: value.span, **node.keys})


def _tree(value: Any) -> Node:
    """Plain data as a tree whose places mean nothing."""
    nowhere = Source("", "").at(0)
    if isinstance(value, dict):
        return Node({key: _tree(item) for key, item in value.items()}, nowhere)
    return Node([_tree(item) for item in value] if isinstance(value, list) else value, nowhere)
