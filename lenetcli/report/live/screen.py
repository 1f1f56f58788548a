"""A terminal's whole screen, drawn again and again; what others print meanwhile is kept, and printed after it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from io import TextIOBase
from typing import Any

from rich.console import Console, RenderableType
from rich.control import Control

KEPT = 1000  # lines that others print
SHOWN = 2  # of them, the last ones


class Screen:
    """The screen, from `open` to `close`.

    Args:
        draw: gives the picture for so many lines.
    """

    def __init__(self, console: Console, draw: Callable[[int], RenderableType]) -> None:
        self.console, self._draw = console, draw
        self._size: Any = None
        self._streams: tuple[Any, Any] | None = None
        self.kept: list[Kept] = []

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self._streams is not None

    def open(self) -> None:
        """Takes the screen, and what is printed."""
        self._streams = sys.stdout, sys.stderr
        self.console.file = self.console.file  # the stream as it is now, not what stands in its place
        self.console.set_alt_screen(True)
        self.console.show_cursor(False)
        self.kept = [Kept(stream) for stream in self._streams]
        sys.stdout, sys.stderr = self.kept

    def refresh(self) -> None:
        """Draws, at the size that the terminal has now."""
        if not self.is_open:
            return
        if self._size != self.console.size:
            self._size = self.console.size
            self.console.clear()
        self.console.control(Control.home())
        picture = self._draw(self.console.height)
        self.console.print(picture, end="", crop=False, no_wrap=True, overflow="ignore", soft_wrap=False)
        self.console.file.flush()

    @property
    def said(self) -> list[str]:
        """The last lines that others have printed."""
        return [line for kept in self.kept for line in list(kept.lines)[-SHOWN:]]

    def close(self) -> None:
        """Gives the screen back, and prints what was kept."""
        if self._streams is None:
            return
        try:
            self.console.show_cursor(True)
            self.console.set_alt_screen(False)
        finally:
            (sys.stdout, sys.stderr), self._streams = self._streams, None
            for kept in self.kept:
                kept.give_back()


class Kept(TextIOBase):
    """Takes what is printed; all else is the stream's."""

    def __init__(self, stream: Any) -> None:
        self.stream, self.lines, self._line = stream, deque[str](maxlen=KEPT), ""

    def write(self, text: str) -> int:
        """Keeps whole lines."""
        *lines, self._line = (self._line + text).split("\n")
        self.lines.extend(lines)
        return len(text)

    def isatty(self) -> bool:
        """As the stream."""
        return bool(self.stream.isatty())

    def fileno(self) -> int:
        """As the stream."""
        return int(self.stream.fileno())

    @property
    def encoding(self) -> str:  # type: ignore[override]  # as the stream's
        """As the stream."""
        return str(self.stream.encoding)

    def give_back(self) -> None:
        """Prints it."""
        for line in self.lines:
            self.stream.write(line + "\n")
        if self._line:
            self.stream.write(self._line)
        self.stream.flush()
