"""The tree of a whole config: its file, the files of its sections, and the overrides of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lenetcli.config import files
from lenetcli.config.overrides import Override, apply, joined
from lenetcli.config.problems import InvalidConfig, KeyPath, Problem, Source, Span, quoted
from lenetcli.config.suggestions import in_place_of
from lenetcli.config.yaml_tree import Node, compose
from lenetcli.disk import may_be_there

_MARKS = {"model": "input|layers", "train": "epochs|batch_size"}  # keys that tell a section; of the others: type
# The key that tells another section, with a class's name behind it, which "service_account" is not.
_TYPE = r"""type(?=["']?\s*:\s*["']?([A-Za-z][A-Za-z0-9]*|[^"'\n]*\.py:\w*)["']?\s*([,}#\n]|\Z))"""
_SUFFIXES = (".yaml", ".yml")
SECTIONS = ("model", "data", "loss", "optimizer", "scheduler", "train")


class Document:
    """Reads a config and everything that belongs to it.

    Args:
        path: the config file.
        overrides: `key.path=value` texts, applied in order.
        text: what to read in place of the file.

    `root` is the tree (None if it cannot be read), `problems` what is wrong so far, `broken` the sections that are
    already complained about.
    """

    def __init__(self, path: Path, overrides: Iterable[str] = (), text: str | None = None) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self.broken: set[str] = set()
        self.sources = 1
        source = files.read(path) if text is None else Source(str(path), text)
        self.root = compose(source, self.problems)
        if self.root is None and not self.problems:
            self.root = Node(None, source.at(0))  # no text, or comments only
        if self.root is None or not self._is_mapping(self.root, source):
            self.root = None
            return
        self._expand()
        for number, text in enumerate(joined(overrides)):
            override = Override.parse(text, 1000 + number, self.problems)
            if override is not None:
                self.root = apply(self.root, override, self.problems)
                self._expand()

    def place(self, path: KeyPath) -> Span | None:
        """Where a value stands in the texts, or the nearest one around it; None where there is no text."""
        node, span = self.root, None
        for part in path:
            if node is None:
                break
            span = node.span
            if isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
            else:
                node = node.mapping.get(str(part)) if node.mapping else None
        return span if node is None else node.span

    def _is_mapping(self, root: Node, source: Source) -> bool:
        if root.mapping is not None:
            return True
        wanted = f"a mapping with the keys version, {', '.join(SECTIONS)}"
        empty = root.value is None and not any(line.split("#")[0].strip() for line in source.lines)
        where = source.at(0) if empty else root.span
        got = "an empty file" if empty else "a list" if isinstance(root.value, list) else "a single value"
        self.problems.append(Problem(where, (), f"wanted {wanted}, got {got}"))
        return False

    def _expand(self) -> None:
        """Replaces each section that is a path by what its file holds."""
        assert self.root is not None
        assert self.root.mapping is not None
        items = dict(self.root.mapping)
        for section in SECTIONS:
            node = items.get(section)
            if node is not None and isinstance(node.value, str):
                read = self._section(section, node, node.value)
                if read is None:
                    self.broken.add(section)
                    del items[section]
                else:
                    self.broken.discard(section)
                    items[section] = read
        self.root = Node(items, self.root.span, self.root.keys)

    def _section(self, section: str, node: Node, name: str) -> Node | None:
        """The tree of a section's file; its path starts at the naming file, from the command line at the config."""
        places = [node.span.source.directory / name]
        if not node.span.source.is_file:
            places = [self.path.parent / name, Path(name)]
        path = next((place for place in places if may_be_there(place)), places[0])
        if may_be_there(path) and path.suffix.lower() not in _SUFFIXES:  # any file that we may read: it is not quoted
            said = f"{quoted(str(path), 200)}: wanted a YAML file, whose name ends in .yaml or .yml"
            self.problems.append(Problem(node.span, (section,), said))
            return None
        foreign = Problem(node.span, (section,), f"{quoted(str(path), 200)}: {_no_section(section)}")
        try:
            source = files.read(path, self.sources)
        except InvalidConfig as error:
            (problem,) = error.problems
            if problem.where is not None and not _is_section(section, problem.where.source.text):
                problem = foreign
            elif problem.where is None:
                hints = problem.hints if name.endswith(_SUFFIXES) else in_place_of(section, name, self.path)
                problem = Problem(node.span, (section,), problem.message, hints)
            self.problems.append(problem)
            return None
        if not _is_section(section, source.text):
            self.problems.append(foreign)
            return None
        self.sources += 1
        tree = compose(source, self.problems, (section,))
        if tree is None:
            return None
        if tree.mapping is None and not (section == "loss" and isinstance(tree.value, list)):  # one loss, or several
            self.problems.append(foreign)
            return None
        if set(tree.mapping or ()) == {section}:
            hint = f"a section file holds just the section: remove the line {quoted(section + ':')} and its indentation"
            self.problems.append(Problem(tree.keys[section], (section, section), "unknown key", (hint,)))
            return None
        return tree


def _is_section(section: str, text: str) -> bool:
    """Whether a file looks like one of ours: only then may messages quote it, since a path can lead to any file."""
    names = f"({section}|{_MARKS.get(section, _TYPE)})"
    item = r"(-\s+)?" if section == "loss" else ""  # one loss, or a list of them
    return not text.strip() or re.search(rf"""(?m)(^\s*{item}|[{{,]\s*)["']?{names}["']?\s*:""", text) is not None


def _no_section(section: str) -> str:
    marks = _MARKS.get(section, "type").replace("|", " and ")
    return f"wanted a mapping that is the {section} section, with {marks}; the file holds something else"
