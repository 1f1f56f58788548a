"""Where results are drawn: the terminal at its width, or a pipe or file at a width that cuts nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from lenetcli.display.characters import shown, takes

PIPE_WIDTH = 200


class Terminal(Console):
    """A console that lays out what its stream can show, and takes a terminal of no size for a pipe.

    Characters that the stream lacks are replaced before the layout, not after.
    """

    @property
    def is_terminal(self) -> bool:
        """Whether somebody looks at it, or FORCE_COLOR says so: colours and lines drawn anew are welcome."""
        asked = self._force_terminal is not None or os.environ.get("FORCE_COLOR")
        return super().is_terminal and (bool(asked) or not has_no_size(self.file))

    def render_str(self, text: str, **how: Any) -> Text:
        """See rich."""
        return super().render_str(shown(text, self.encoding), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """See rich."""
        if isinstance(renderable, Text):
            renderable = _shown(renderable, self.encoding)
        return super().render(renderable, options)


def results() -> Console:
    """stdout; as wide as the terminal (or as COLUMNS says), else wide enough for every table."""
    return Terminal(highlight=False, width=_width(sys.stdout))


def messages() -> Console:
    """stderr, in the same way: for tables that come before a command's results."""
    return Terminal(stderr=True, highlight=False, width=_width(sys.stderr))


def _width(stream: Any) -> int | None:
    return PIPE_WIDTH if not is_looked_at(stream) and "COLUMNS" not in os.environ else None


def is_looked_at(stream: Any) -> bool:
    """Whether a stream is a terminal with a place to show something."""
    return stream is not None and stream.isatty() and not has_no_size(stream)


def has_no_size(stream: Any) -> bool:
    """Whether a stream is a terminal of 0 lines of 0 characters, and COLUMNS does not tell otherwise.

    Open MPI gives its ranks such, whose output goes to a job's log.
    """
    try:
        return stream.isatty() and not any(os.get_terminal_size(stream.fileno())) and "COLUMNS" not in os.environ
    except (OSError, ValueError, AttributeError):  # none of the system's
        return False


def is_animated(console: Console) -> bool:
    """Whether lines can be drawn again: a terminal that knows how to move its cursor."""
    return console.is_terminal and not console.is_dumb_terminal


def _shown(text: Text, encoding: str) -> Text:
    """The text with its styles, of characters that the encoding has."""
    if takes(text.plain, encoding):
        return text
    ends = sorted({end for span in text.spans for end in (span.start, span.end)})
    found = text.blank_copy()
    for part in text.divide(ends):
        piece = shown(part.plain, encoding)
        found.append(Text(piece, spans=[span._replace(start=0, end=len(piece)) for span in part.spans]))
    return found
