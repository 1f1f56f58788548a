"""Hints, followed as they stand: to a copy of the texts that a message is about."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from lenetcli.config.problems import Hint, InvalidConfig, Problem, Span
from lenetcli.errors import DataError
from tests.config.golden import GOOD, check


@dataclass(frozen=True)
class Texts:
    """A configuration's file, and the changes of the command line."""

    file: str = GOOD
    changes: tuple[str, ...] = ()

    def problems(self, place: Path) -> tuple[Problem, ...]:
        """What is wrong with them, as far as can be told before training."""
        path = place / "config.yaml"
        path.write_text(self.file, "utf-8")
        try:
            check(path, self.changes)
        except InvalidConfig as error:
            return error.problems
        except DataError:
            pass  # files that are not here
        return ()

    def after(self, hint: Hint, problem: Problem) -> Texts:
        """The texts with a hint followed."""
        found, where = self, problem.where
        if hint.write is not None:
            assert where is not None
            found = found.written(where, hint.write)
        if hint.drop:
            found = replace(found, file=_without(found.file, problem.path))
        if hint.insert is not None:
            found = replace(found, file=_with_layer(found.file, *hint.insert))
        return replace(found, changes=(*found.changes, *hint.sets))

    def written(self, where: Span, text: str) -> Texts:
        """The texts with one stretch replaced."""
        if where.source.is_file:
            lines = self.file.splitlines(keepends=True)
            line = lines[where.line]
            end = where.end_column if where.end_line == where.line else len(line.rstrip())
            lines[where.line] = line[: where.column] + text + line[end:]
            return replace(self, file="".join(lines))
        before = where.source.text
        after = before[: where.column] + text + before[where.end_column :]
        joined = "\n".join(self.changes).replace(before, after, 1)
        if joined == "\n".join(self.changes):  # a key and a value apart
            joined = joined.replace(before.replace(" ", "\n", 1), after, 1)
        return replace(self, changes=tuple(joined.split("\n")))


def _without(text: str, path: tuple[Any, ...]) -> str:
    tree: Any = yaml.safe_load(text)
    inside = tree
    for part in path[:-1]:
        inside = inside[part]
    del inside[path[-1]]
    return yaml.safe_dump(tree, sort_keys=False)


def _with_layer(text: str, path: tuple[Any, ...], layer: str) -> str:
    tree: Any = yaml.safe_load(text)
    inside = tree
    for part in path[:-1]:
        inside = inside[part]
    inside.insert(path[-1], yaml.safe_load(layer))
    return yaml.safe_dump(tree, sort_keys=False)
