"""Overrides of the command line: `optimizer.lr=0.1`, `model.layers.conv1.out_channels=8`, `data={type: Digits}`.

A layer is addressed by its position (`layers.0`, `layers[0]`, `layers.-1`) or by its name. The value is YAML.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lenetcli.config.problems import Hint, KeyPath, Problem, Source, Span, did_you_mean, dotted
from lenetcli.config.yaml_tree import Node, compose

MISWRITTEN = "wanted key=value", "cannot read the key"  # of what is no override
_STEP = re.compile(r"\.?(?:([^.\[\]=\s]+)|\[(-?\d+)\])")


@dataclass(frozen=True)
class Override:
    """One parsed override.

    Args:
        steps: each part of the key with its place.
        value: the tree of its value.
    """

    steps: tuple[tuple[str, Span], ...]
    value: Node

    @classmethod
    def parse(cls, text: str, rank: int, problems: list[Problem]) -> Override | None:
        """Reads `key.path=value`; what is wrong is added to `problems`."""
        source = Source("command line", text, rank, is_file=False)
        key, equals, value = text.partition("=")
        steps = []
        at = 0
        while at < len(key) and (step := _STEP.match(key, at)):
            group = 1 if step[1] is not None else 2
            steps.append((step[group], Span(source, 0, step.start(group), 0, step.end(group))))
            at = step.end()
        if not equals or not key or at < len(key) or key.startswith("."):
            hint, message = _as_override(text), MISWRITTEN[bool(equals)]
            from_start = not equals or hint.is_executable or at >= len(key)
            wrong = Span(
                source, 0, 0 if from_start else at, 0, len(text) if hint.is_executable or not equals else len(key)
            )
            problems.append(Problem(wrong, (), message, (hint,)))
            return None
        if not value.strip():
            return cls(tuple(steps), Node(None, Span(source, 0, len(key) + 1, 0, len(text))))
        # the parser gets spaces in place of the key, so that its columns are those of `text`
        node = compose(source, problems, tuple(name for name, _ in steps), " " * (len(key) + 1) + value)
        return None if node is None else cls(tuple(steps), node)


def joined(texts: Iterable[str]) -> list[str]:
    """The overrides, with those made one that a shell took apart at spaces: {type: Adam} without quotes.

    A key and its value that stand apart, as after an option, are told as one.

    Example:
        >>> joined(["train.epochs", "3", "optimizer={type:", "Adam}", "seed", "=", "1"])
        ['train.epochs 3', 'optimizer={type: Adam}', 'seed = 1']
    """
    found: list[str] = []
    for text in texts:
        last = found[-1] if found else ""
        value = "[^=]*" if "=" in last else "=?[^=]*"
        apart = re.fullmatch(r"[\w.\[\]-]+\s*=?", last) and re.fullmatch(value, text)
        if apart or ("=" in last and any(last.count(a) > last.count(b) for a, b in ("{}", "[]"))):
            found[-1] += f" {text}"
        else:
            found.append(text)
    return found


def _as_override(text: str) -> Hint:
    """What may be meant by a text that is no override: the key stands apart from its value, or before a colon."""
    found = re.fullmatch(r"\s*-*([\w.\[\]-]+)\s*(?::=?|=|\s)\s*(\S.*)", text)
    if found is None:
        return Hint("an override looks like optimizer.lr=0.1")
    written = f"{re.sub('[.]+', '.', found[1]).strip('.')}={found[2]}"
    if written == text:
        return Hint("an override looks like optimizer.lr=0.1")
    return Hint(f"did you mean {written}?", write=written)


def apply(root: Node, override: Override, problems: list[Problem]) -> Node:
    """The tree with one value replaced or added; the tree as it was when the key leads nowhere."""
    try:
        return _put(root, override.steps, override.value, ())
    except _NoWay as error:
        problems.append(error.problem)
        return root


class _NoWay(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__()
        self.problem = problem


def _put(node: Node, steps: tuple[tuple[str, Span], ...], value: Node, path: KeyPath) -> Node:
    if not steps:
        return value
    (key, span), rest = steps[0], steps[1:]
    if isinstance(node.value, list):
        index = _index(node.value, key, span, path)
        nodes = list(node.value)
        nodes[index] = _put(nodes[index], rest, value, (*path, index))
        return Node(nodes, node.span)
    if node.mapping is None and node.value is not None:
        raise _NoWay(Problem(span, (*path, key), f"{dotted(path)} is a single value, it has no keys"))
    items, keys = dict(node.mapping or {}), dict(node.keys)
    items[key] = _put(items.get(key, Node(None, span)), rest, value, (*path, key))
    keys[key] = span
    return Node(items, node.span, keys)


def _index(nodes: list[Node], key: str, span: Span, path: KeyPath) -> int:
    if re.fullmatch(r"-?\d{1,9}", key):
        index = int(key)
        if -len(nodes) <= index < len(nodes):
            return index % len(nodes)
        size = f"it has {len(nodes)} entries, 0 to {len(nodes) - 1}" if nodes else "it is empty"
        raise _NoWay(Problem(span, path, f"no entry {key}: {size}"))
    names = [node.mapping["name"].value if node.mapping and "name" in node.mapping else None for node in nodes]
    if key in names:
        return names.index(key)
    known = [name for name in names if isinstance(name, str)]
    hints = did_you_mean(key, known) or ((f"named entries: {', '.join(known[:20])}",) if known else ())
    raise _NoWay(Problem(span, path, f"no entry is named {key}", hints))
