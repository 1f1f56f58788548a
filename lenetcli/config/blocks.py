"""Blocks of a model: named lists of layers with arguments, and what stands in their place where they are used.

blocks:
  Pair:
    args: {channels: null, stride: 1}     # with defaults; null: has to be given
    layers: [{type: Conv2d, out_channels: $channels, kernel_size: 3, stride: $stride}, {type: ReLU}]
layers:
  - {type: Pair, name: stem, channels: 16}
  - {type: Pair, name: stage, channels: 32, repeat: 2}    # stage.0 and stage.1
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lenetcli.config.catalogue import ROLES
from lenetcli.config.messages import got, unknown_key
from lenetcli.config.problems import Hint, KeyPath, Problem, did_you_mean
from lenetcli.config.yaml_tree import Node

RESERVED = ("type", "name", "from", "repeat", "layers")  # keys of a layer that uses a block
MOST_REPEATS = 1_000
MOST_LAYERS = 4_096  # of a model, blocks counted as often as they are used
DEEPEST = 12  # layers within layers; what they come to has to be a config that can be read

_ARGUMENT = re.compile(r"\$(\w+)", re.ASCII)
_NAME = re.compile(r"[A-Za-z_]\w{0,99}", re.ASCII)


@dataclass(frozen=True)
class Block:
    """A named list of layers.

    Args:
        name: what a layer's `type` says to use it.
        path: its place in the config.
        args: its arguments' defaults.
        layers: the list.
    """

    name: str
    path: KeyPath
    args: Mapping[str, Node]
    layers: Node

    @property
    def required(self) -> list[str]:
        """The arguments that have to be given."""
        return [name for name, default in self.args.items() if default.value is None]


@dataclass(frozen=True)
class Use:
    """A block as it stands in the place of one layer.

    Args:
        layers: its list, with the arguments' values in.
        args: these values.
        repeat: how often it stands there; None: once, and not in a list of its own.
    """

    block: Block
    layers: Node
    args: dict[str, Any]
    repeat: int | None


def read_blocks(node: Node, path: KeyPath, problems: list[Problem]) -> dict[str, Block | None]:
    """The blocks of a model; what is wrong with them is added to `problems`, and one that is is None."""
    if node.mapping is None:
        problems.append(Problem(node.span, path, f"wanted a mapping from names to blocks, got {got(node.plain())}"))
        return {}
    names = list(node.mapping)
    return {name: _block(name, names, node, path, problems) for name in names}


def _block(name: str, names: list[str], blocks: Node, path: KeyPath, problems: list[Problem]) -> Block | None:
    assert blocks.mapping is not None
    before, key, node, path = len(problems), blocks.keys[name], blocks.mapping[name], (*path, name)
    if not _NAME.fullmatch(name):
        problems.append(Problem(key, path, "wanted a name of letters, digits and '_'"))
    elif ROLES["layers"].offered(name) is not None:
        problems.append(Problem(key, path, f"{name} is a layer already: a block needs another name"))
    if node.mapping is None:
        message = f"wanted a block like {{args: {{...}}, layers: [...]}}, got {got(node.plain())}"
        hint = ("its layers stand under the key layers",) if isinstance(node.value, list) else ()
        problems.append(Problem(node.span, path, message, hint))
        return None
    for word in node.mapping:
        if word not in ("args", "layers"):
            hints = unknown_key(word, ("args", "layers"), node, f"the block {name}")
            problems.append(Problem(node.keys[word], (*path, word), "unknown key", hints))
    args = node.mapping.get("args", Node({}, node.span))
    if args.mapping is None and args.value is not None:
        message = f"wanted a mapping from arguments to defaults, got {got(args.plain())}"
        written = f"{{{', '.join(f'{word}: null' for word in _words(args))}}}"
        hints = (Hint(f"write {written}", write=written),) if _words(args) else ()
        problems.append(Problem(args.span, (*path, "args"), message, hints))
    for word in args.mapping or {}:
        if word in RESERVED or not _NAME.fullmatch(word):
            why = "every layer has a key of that name" if word in RESERVED else "wanted letters, digits and '_'"
            problems.append(Problem(args.keys[word], (*path, "args", word), f"{word} cannot be an argument: {why}"))
    layers = node.mapping.get("layers")
    if layers is None:
        hints = did_you_mean(name, [other for other in names if other != name]) if not key.source.is_file else ()
        problems.append(Problem(key, (*path, "layers"), f"missing: the block {name} needs a list of layers", hints))
    elif len(problems) == before:
        problems += _unused(name, args, layers, path)
    return Block(name, path, args.mapping or {}, layers) if len(problems) == before and layers is not None else None


def _unused(name: str, args: Node, layers: Node, path: KeyPath) -> Iterator[Problem]:
    """Arguments that no layer uses: most often misspelt ones of the command line."""
    found = set(_names_in(layers))
    for word in args.mapping or {}:
        if word not in found:
            others = [other for other in args.mapping or {} if other in found]
            message = f"no layer of the block {name} uses ${word}"
            yield Problem(args.keys[word], (*path, "args", word), message, did_you_mean(word, others))


def _names_in(node: Node) -> Iterator[str]:
    """The names of the arguments that a tree uses."""
    parts = node.value if isinstance(node.value, list) else (node.mapping or {}).values()
    for part in parts:
        yield from _names_in(part)
    if isinstance(node.value, str) and (found := _ARGUMENT.fullmatch(node.value)):
        yield found[1]


def _words(node: Node) -> list[str]:
    """The names in a list of arguments without defaults."""
    values = node.value if isinstance(node.value, list) else []
    return [item.value for item in values if isinstance(item.value, str) and _NAME.fullmatch(item.value)]


def used(block: Block, node: Node, path: KeyPath, within: Sequence[str], problems: list[Problem]) -> Use | None:
    """What a layer that names a block comes to; None where something is wrong with it.

    Args:
        within: the blocks around, outermost first.
    """
    assert node.mapping is not None
    before, where = len(problems), node.mapping["type"].span
    if block.name in within:
        chain = " > ".join([*within[within.index(block.name) :], block.name])
        problems.append(Problem(where, (*path, "type"), f"the block {block.name} is made of itself: {chain}"))
        return None
    offered = [*block.args, "name", "from", "repeat"]
    given: dict[str, Node] = {}
    for key, value in node.mapping.items():
        if key in block.args:
            given[key] = value if value.place is not None else replace(value, place=(*path, key))
        elif key not in ("type", "name", "from", "repeat"):
            hints = unknown_key(key, offered, node, f"the block {block.name}")
            problems.append(Problem(node.keys[key], (*path, key), f"unknown argument of the block {block.name}", hints))
    for name, default in block.args.items():
        if name in given:
            continue
        if default.value is None:
            misspelt = any(did_you_mean(key, [name]) for key in node.mapping if key not in offered)
            if not misspelt:
                message = f"missing: the block {block.name} needs its argument {name}"
                problems.append(
                    Problem(
                        where,
                        (*path, name),
                        message,
                        (f"write {name}: ... here, or a default in {'.'.join(map(str, block.path))}.args",),
                    )
                )
        given[name] = replace(default, place=(*block.path, "args", name))
    repeat = _repeat(node.mapping.get("repeat"), path, problems)
    if len(problems) > before:
        return None
    layers = _filled(block.layers, given, block, (*block.path, "layers"), problems)
    values = {name: node.plain() for name, node in given.items()}
    return Use(block, layers, values, repeat) if len(problems) == before else None


def _repeat(node: Node | None, path: KeyPath, problems: list[Problem]) -> int | None:
    if node is None:
        return None
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_REPEATS:
        return value
    place = node.place or (*path, "repeat")
    problems.append(Problem(node.span, place, f"wanted an integer from 1 to {MOST_REPEATS:,}, got {got(node.plain())}"))
    return 1


def _filled(node: Node, given: Mapping[str, Node], block: Block, path: KeyPath, problems: list[Problem]) -> Node:
    """The tree with values in the place of `$name`."""
    if isinstance(node.value, str):
        found = _ARGUMENT.fullmatch(node.value)
        if found is None:
            return node
        if found[1] in given:
            return given[found[1]]
        hints = did_you_mean(found[1], given, "${}") or (
            (f"it has {', '.join(given)}",)
            if given
            else (f"{'.'.join(map(str, block.path))}.args: {{{found[1]}: null}} would give it one",)
        )
        problems.append(Problem(node.span, path, f"the block {block.name} has no argument {found[1]}", hints))
        return node
    if isinstance(node.value, list):
        return replace(node, value=[_filled(n, given, block, (*path, i), problems) for i, n in enumerate(node.value)])
    if node.mapping is not None:
        return replace(node, value={k: _filled(n, given, block, (*path, k), problems) for k, n in node.mapping.items()})
    return node
