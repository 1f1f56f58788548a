"""What is wrong with a config, and where: places in texts, problems, and how they are shown.

configs/lenet.yaml:12:53: model.layers[3].kernel_sise: unknown argument of Conv2d
   12 |     - {type: Conv2d, name: conv2, out_channels: 16, kernel_sise: 3}
      |                                                     ^^^^^^^^^^^
   did you mean kernel_size?
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from lenetcli.config.vocabulary import meant
from lenetcli.errors import ConfigError

KeyPath = tuple[str | int, ...]  # ("model", "layers", 3, "kernel_size")

_SHOWN_PROBLEMS = 50
_SHOWN_COLUMNS = 150
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # as YAML counts lines


@dataclass(frozen=True, eq=False)
class Source:
    """A text that config values come from: a file, or one override of the command line.

    Args:
        label: how messages name it; a file's path as the user typed it.
        text: the whole text.
        rank: order among the sources of a config; problems are sorted by it.
        is_file: line and column are shown (a command line has neither).
        resolved: a run directory's config.yaml, where every default is written out: it may be longer.
    """

    label: str
    text: str
    rank: int = 0
    is_file: bool = True
    resolved: bool = False

    @cached_property
    def lines(self) -> list[str]:
        """The text's lines, without their ends."""
        return _LINE_BREAK.split(self.text)

    @property
    def directory(self) -> Path:
        """Where paths written in this source start."""
        return Path(self.label).parent if self.is_file else Path()

    def at(self, index: int) -> Span:
        """The place of one character."""
        breaks = list(_LINE_BREAK.finditer(self.text, 0, index))
        column = index - (breaks[-1].end() if breaks else 0)
        return Span(self, len(breaks), column, len(breaks), column + 1)


class Span(NamedTuple):
    """A stretch of a source; lines and columns count from 0."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.label}:{self.line + 1}:{self.column + 1}" if self.source.is_file else self.source.label


@dataclass(frozen=True)
class Problem:
    """One thing to put right.

    Args:
        where: the text to underline; None where no text exists (a missing file).
        path: the keys that lead to it.
        message: what was wanted and what came instead.
        hints: what to try, a line each.
    """

    where: Span | None
    path: KeyPath
    message: str
    hints: tuple[str, ...] = field(default=())

    def __str__(self) -> str:
        head = ": ".join(part for part in (str(self.where or ""), dotted(self.path), self.message) if part)
        underlined = [] if self.where is None else _underlined(self.where)
        return "\n".join([head, *underlined, *(f"   {hint}" for hint in self.hints)])


class InvalidConfig(ConfigError):
    """A config that cannot be used; `problems` holds every reason, in the order of the text; `more` follows them.

    Example:
        >>> print(InvalidConfig([Problem(None, ("train", "epochs"), "wanted an integer, got true")]))
        train.epochs: wanted an integer, got true
    """

    begins_with_place = True

    def __init__(self, problems: Iterable[Problem], more: str = "") -> None:
        self.problems, self.more = tuple(sorted(problems, key=_position)), more
        shown = [str(problem) for problem in self.problems[:_SHOWN_PROBLEMS]]
        if len(self.problems) > _SHOWN_PROBLEMS:
            shown.append(f"... and {len(self.problems) - _SHOWN_PROBLEMS} more problems")
        super().__init__("\n".join([*shown, *(["", more] if more else [])]))

    def __reduce__(self) -> tuple[type[InvalidConfig], tuple[tuple[Problem, ...], str]]:
        return InvalidConfig, (self.problems, self.more)


def dotted(path: KeyPath) -> str:
    """A path as messages and overrides write it.

    Example:
        >>> dotted(("model", "layers", 3, "kernel_size"))
        'model.layers[3].kernel_size'
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[\w-]+", part):
            text += f".{part}" if text else part
        else:
            text += f"[{quoted(part)}]"
    return text


def quoted(text: str, limit: int = 60) -> str:
    """A string on one line, cut where it is long.

    Example:
        >>> quoted("on")
        '"on"'
    """
    return json.dumps(text if len(text) <= limit else text[: limit - 3] + "...", ensure_ascii=not text.isprintable())


class Hint(str):
    """A line that says what to try, with what that is, so that a program can do it as well.

    Args:
        text: the line.
        write: what to write in place of what the problem underlines.
        sets: changes besides, as on the command line: data.resize=[32, 32].
        drop: the key that the problem underlines goes, with its value.
        insert: a layer to put before the one at a path.

    Example:
        >>> hint = Hint("did you mean lr?", write="lr")
        >>> hint, hint.write
        ('did you mean lr?', 'lr')
    """

    write: str | None
    sets: tuple[str, ...]
    drop: bool
    insert: tuple[KeyPath, str] | None

    def __new__(
        cls, text: str, write: str | None = None, sets: tuple[str, ...] = (), drop: bool = False,
        insert: tuple[KeyPath, str] | None = None,
    ) -> Hint:  # fmt: skip
        hint = super().__new__(cls, text)
        hint.write, hint.sets, hint.drop, hint.insert = write, sets, drop, insert
        return hint

    @property
    def is_executable(self) -> bool:
        """It says what to do so that a program can do it."""
        return self.write is not None or bool(self.sets) or self.drop or self.insert is not None


def did_you_mean(word: str, known: Iterable[str], form: str = "{}") -> tuple[Hint, ...]:
    """The hint that names the nearest of the known words, if one is near; case does not count.

    Args:
        form: how the word is written in its place.

    Example:
        >>> did_you_mean("kernel_sise", ["kernel_size", "stride"]), did_you_mean("learning_rate", ["lr", "momentum"])
        (('did you mean kernel_size?',), ('did you mean lr?',))
    """
    found = nearest(word, list(known))
    return () if found is None else (Hint(f"did you mean {form.format(found)}?", write=form.format(found)),)


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that is meant, or the one that is written most like it; None where none is near."""
    import difflib  # only needed when something is wrong

    same = meant(word, known)
    if same is not None:
        return same
    folded = {name.lower(): name for name in reversed(known)}
    near = difflib.get_close_matches(word[:100].lower(), folded, n=1, cutoff=0.6)
    return folded[near[0]] if near else None


def _position(problem: Problem) -> tuple[int, int, int]:
    if problem.where is None:
        return (-1, 0, 0)
    return (problem.where.source.rank, problem.where.line, problem.where.column)


def _underlined(span: Span) -> list[str]:
    source, row, start = span.source, span.line, span.column
    text = source.lines[row] if row < len(source.lines) else ""
    stop = span.end_column if span.end_line == row else len(text.rstrip())
    cut = max(0, start - _SHOWN_COLUMNS // 2) if len(text) > _SHOWN_COLUMNS else 0
    shown = "".join(c if c.isprintable() else " " for c in text[cut : cut + _SHOWN_COLUMNS])
    before = shown[: start - cut]
    carets = max(1, min(_width(shown[start - cut : stop - cut]), _SHOWN_COLUMNS))
    number = str(row + 1) if source.is_file else ""
    margin = max(5, len(number))
    return [
        f"{number:>{margin}} | {shown}".rstrip(),
        f"{'':>{margin}} | {' ' * _width(before)}{'^' * carets}",
    ]


def _width(text: str) -> int:
    """Columns that a terminal needs."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else not unicodedata.combining(c) for c in text)
