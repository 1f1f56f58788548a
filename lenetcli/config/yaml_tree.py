"""YAML text as a tree in which every key and every value knows its place.

Scalars are read by the core schema of YAML 1.2: `1e-3` is a number, `on` and `yes` are strings, `010` is ten.
A key given twice, a tag, a merge key or a second document is a problem; size, depth and aliases have limits.
Only PyYAML's parser is used, never its constructor; the pure one, whose messages and columns are the same everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

from lenetcli.config.problems import KeyPath, Problem, Source, Span, quoted

MAX_BYTES = 256 * 1024  # the pure parser reads this much in about half a second
RESOLVED = 16  # times as long a config may be once every default is written out, as in a run directory
MAX_DEPTH = 32
MAX_VALUES = 20_000  # with every alias counted as often as it is used
MAX_DIGITS = 100

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_BYTES = range(0xDC80, 0xDD00)  # of a path that is not UTF-8, as `os.fsdecode` gives them: no character for a parser
_STAND_INS = {code: 0x100000 + code for code in _BYTES}  # of Unicode's last private plane, while the text is parsed

Scalar = None | bool | int | float | str


@dataclass(frozen=True, eq=False)
class Node:
    """A value of the tree: a scalar, a mapping from keys to nodes, or a list of nodes.

    Args:
        value: the scalar, a dict of nodes, or a list of nodes.
        span: its place.
        keys: the places of a mapping's keys.
        size: how many values it holds, itself and every use of an alias counted.
        place: where it stands in the config, of a value that was put into another place: an argument of a block.
    """

    value: Scalar | Mapping[str, Node] | list[Node]
    span: Span
    keys: Mapping[str, Span] = field(default_factory=dict)
    size: int = 1
    place: KeyPath | None = None

    @property
    def mapping(self) -> Mapping[str, Node] | None:
        """The mapping's nodes; None when this is no mapping."""
        return self.value if isinstance(self.value, Mapping) else None

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, Mapping):
            return {key: node.plain() for key, node in self.value.items()}
        return [node.plain() for node in self.value] if isinstance(self.value, list) else self.value


def read_scalar(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar by the core schema of YAML 1.2.

    Raises:
        ValueError: a number with more digits than any use has.

    Example:
        >>> [read_scalar(text) for text in ("1e-3", "on", "010", "true", "~", "0x1f", "1_000")]
        [0.001, 'on', 10, True, None, 31, '1_000']
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError(f"a number of {len(text)} digits")
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _NUMBER.fullmatch(text):
        return float(text)
    return float(text.replace(".", "")) if _SPECIAL.fullmatch(text) else text


def compose(source: Source, problems: list[Problem], path: KeyPath = (), text: str | None = None) -> Node | None:
    """The tree of a YAML text. What is wrong is added to `problems`; None means that nothing could be read.

    Args:
        source: the text.
        problems: the list to add to.
        path: where the text stands in the config, for messages.
        text: what to parse, where that is not the whole source; its columns are the source's.
    """
    text = (source.text if text is None else text).translate(_STAND_INS)
    found = _UNPRINTABLE.search(text)
    if found:
        span = source.at(found.start())
        problems.append(Problem(span, (), f"not a YAML text: it contains the character U+{ord(found[0]):04X}"))
        return None
    if len(text) > most_bytes(source.resolved):
        limit = most_bytes(source.resolved) // 1024
        problems.append(Problem(source.at(0), (), f"the text is too long: a config has at most {limit} KiB"))
        return None
    tree = _Tree(source, problems, path)
    try:
        for event in yaml.parse(text, Loader=_loader(text)):
            tree.take(event)
    except _Unreadable as error:
        problems.append(error.problem)
        return None
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax_problem(source, error))
        return None
    except (yaml.YAMLError, ValueError, OverflowError, IndexError) as error:  # PyYAML lets some escape: "\UFFFFFFFF"
        problems.append(Problem(source.at(0), (), f"not valid YAML: {error}"))
        return None
    return tree.root


def most_bytes(resolved: bool) -> int:
    """How long a config may be."""
    return MAX_BYTES * (RESOLVED if resolved else 1)


def _loader(text: str) -> Any:
    """The pure parser; for a long text, which lenet itself has written, libyaml's, where it is there."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader) if len(text) > MAX_BYTES else yaml.SafeLoader


class _Unreadable(Exception):
    def __init__(self, span: Span, path: KeyPath, message: str, *hints: str) -> None:
        super().__init__(message)
        self.problem = Problem(span, path, message, hints)


@dataclass
class _Open:
    """A collection whose end has not come yet."""

    event: Any
    nodes: list[Node] = field(default_factory=list)
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Span] = field(default_factory=dict)
    key: tuple[str, Span] | None = None  # a mapping's key that waits for its value
    size: int = 1


class _Tree:
    """Takes parser events one by one, without recursion, until `root` stands."""

    def __init__(self, source: Source, problems: list[Problem], path: KeyPath) -> None:
        self.source, self.problems, self.base = source, problems, path
        self.open: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}  # None: not complete yet
        self.root: Node | None = None
        has_bytes = any(ord(c) in _BYTES for c in set(source.text))
        self.bytes = {stand_in: code for code, stand_in in _STAND_INS.items()} if has_bytes else {}

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            if self.root is not None:
                self._refuse(event, "a second document: a config is one document")
        elif isinstance(event, yaml.AliasEvent):
            self._add(event, self._anchored(event))
        elif isinstance(event, yaml.ScalarEvent):
            self._check(event)
            self._scalar(event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._check(event)
            top = self.open[-1] if self.open else None
            if top and isinstance(top.event, yaml.MappingStartEvent) and top.key is None:
                self._refuse(event, "a key must be a plain word, not a list or mapping")
            if len(self.open) >= MAX_DEPTH:
                self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
            self.open.append(_Open(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.open.pop()
            is_list = isinstance(done.event, yaml.SequenceStartEvent)
            node = Node(
                done.nodes if is_list else done.items, self._span(done.event, event.end_mark), done.keys, done.size
            )
            self._add(done.event, node)

    def _scalar(self, event: Any) -> None:
        top, text = self.open[-1] if self.open else None, event.value.translate(self.bytes)
        if _SURROGATE.search(text):
            self._refuse(event, "an escape that is no character")
        if top and isinstance(top.event, yaml.MappingStartEvent) and top.key is None:
            if text == "<<" and event.implicit[0]:
                self._refuse(event, "merge keys (<<) are not supported: they left YAML with version 1.2")
            top.key = (text, self._span(event))
            return
        try:
            value = read_scalar(text) if event.implicit[0] else text
        except ValueError as error:
            self._refuse(event, str(error))
        self._add(event, Node(value, self._span(event)))

    def _add(self, event: Any, node: Node) -> None:
        anchor = None if isinstance(event, yaml.AliasEvent) else event.anchor
        if anchor is not None:
            self.anchors[anchor] = node
        if not self.open:
            self.root = node
            return
        top = self.open[-1]
        top.size += node.size
        most = MAX_VALUES * (RESOLVED if self.source.resolved else 1)
        if top.size > most:
            self._refuse(event, f"more than {most} values (every use of an alias counts)")
        if isinstance(top.event, yaml.SequenceStartEvent):
            top.nodes.append(node)
            return
        if top.key is None:
            self._refuse(event, "an alias cannot be a key")
        key, span = top.key
        if key in top.items:
            self.problems.append(Problem(span, self._path(), f"key given twice; first at {top.keys[key]}"))
        else:
            top.items[key], top.keys[key] = node, span
        top.key = None

    def _anchored(self, event: Any) -> Node:
        node = self.anchors.get(event.anchor)
        if node is None:
            why = "refers to itself" if event.anchor in self.anchors else "has no anchor before it"
            self._refuse(event, f"alias *{event.anchor} {why}")
        return node

    def _check(self, event: Any) -> None:
        if event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self._refuse(event, f"tags are not supported, got {quoted(tag)}", "remove the tag")
        if event.anchor is not None:
            self.anchors[event.anchor] = None

    def _path(self) -> KeyPath:
        here = [frame.key[0] if frame.key else len(frame.nodes) for frame in self.open]
        return (*self.base, *here)

    def _span(self, event: Any, end: Any = None) -> Span:
        start, end = event.start_mark, end or event.end_mark
        return Span(self.source, start.line, start.column, end.line, end.column)

    def _refuse(self, event: Any, message: str, *hints: str) -> NoReturn:
        path = self._path() if self.open and self.open[-1].key else self.base
        raise _Unreadable(self._span(event), path, message, *hints)


def _syntax_problem(source: Source, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    what = str(error.problem)
    for raw, clear in _CLEARER.items():
        what = re.sub(raw, clear, what)
    begun = error.context_mark
    if begun and mark and begun.line != mark.line and error.context:
        doing = re.sub("^while (parsing|scanning) ", "", error.context)
        what += f" (in {doing} that begins at line {begun.line + 1})"
    hints = tuple(hint for raw, hint in _SYNTAX_HINTS.items() if raw in str(error.problem))[:1]
    span = Span(source, mark.line, mark.column, mark.line, mark.column + 1) if mark else source.at(0)
    return Problem(span, (), f"not valid YAML: {what}", hints)


_CLEARER = {
    r"found character '\\t' that cannot start any token": "a tab",
    r"found character (.*) that cannot start any token": r"\1 cannot begin a value",
    r"but (got|found) '<stream end>'": "but the text ends",
    r"found unexpected end of stream": "the text ends inside quotes",
    r"expected <block end>, but found '\?'": "this line fits no list or mapping above it",
    r"expected <block end>, but found '<block mapping start>'": "this line is indented deeper than the one it follows",
    r"expected <block end>, but found (.*)": r"\1 does not belong here",
    r"mapping values are not allowed here": "a second ':' in one entry, or wrong indentation",
}
_SYNTAX_HINTS = {
    "found character '\\t'": "indent with spaces",
    "mapping values are not allowed here": "quote a value that contains ': ', or line its key up with the others",
    "cannot start any token": "put the value in quotes",
}
