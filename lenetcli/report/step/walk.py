"""A training step at the reader's pace: commands typed at a prompt, answered with moments and tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rich.console import Console, RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.statistics import figures
from lenetcli.inspection.step.story import Array, Moment, Story
from lenetcli.report.histogram import blocks
from lenetcli.report.step.story import draw, opening
from lenetcli.report.tables import figure, sizes
from lenetcli.tensors.tensor import of_array

HELP = """\
Enter, n   the next moment
b          back to the one before
j N        jump to moment N
f          finish this phase: on to the next one
t NAME     a tensor: by its role here (x, y, grad), or by name (conv1.weight, y3, d_y3, input)
t          names of all tensors
s          the source of this operation
?          this help
q          quit"""


class Walk:
    """Where a reader stands in a story.

    Args:
        ask: shows a prompt and gives what was typed; raises EOFError where nothing more comes.
    """

    def __init__(self, story: Story, console: Console, ask: Callable[[str], str] = input) -> None:
        self.story, self.console, self.ask = story, console, ask
        self.at = 0

    def go(self) -> None:
        """Answers commands until the reader leaves."""
        self._print(opening(self.story, self.console.width))
        self._print([Text("Enter: next   b: back   t NAME: a tensor   q: quit   ?: all commands", style="dim")])
        self._show()
        while True:
            try:
                typed = self.ask(f"{self.at + 1}/{len(self.story.moments)} {self.here.phase}> ").split()
            except EOFError:
                self.console.print()
                return
            if typed and typed[0] in ("q", "quit", "exit"):
                return
            self._answer(typed[0] if typed else "n", typed[1] if len(typed) > 1 else "")

    @property
    def here(self) -> Moment:
        """The moment on show."""
        return self.story.moments[self.at]

    def _answer(self, command: str, word: str) -> None:
        match command:
            case "n":
                self._move(self.at + 1)
            case "b":
                self._move(self.at - 1)
            case "j":
                if word.isdecimal():
                    self._move(int(word) - 1)
                else:
                    self._say(f"j takes a number, from 1 to {len(self.story.moments)}")
            case "f":
                others = [m.number for m in self.story.moments[self.at :] if m.phase != self.here.phase]
                self._move(others[0] - 1 if others else len(self.story.moments))
            case "t":
                self._print(tensor(self.story, self.here, word))
            case "s":
                self._say(f"{self.here.source}\n\n{self.here.code}" if self.here.code else "nothing to show here")
            case "?" | "h" | "help":
                self._say(HELP)
            case _:
                self._say(f"no command {command!r}; ? shows all")

    def _move(self, to: int) -> None:
        if 0 <= to < len(self.story.moments):
            self.at = to
            self._show()
        else:
            self._say("this is the first moment" if to < 0 else "the step is over; b goes back, q quits")

    def _show(self) -> None:
        self._print(draw(self.story, self.here, self.console.width))

    def _say(self, text: str) -> None:
        self._print([Text(text)])

    def _print(self, parts: Iterator[RenderableType] | list[RenderableType] | list[Text]) -> None:
        for part in parts:
            self.console.print(part)


def tensor(story: Story, moment: Moment, name: str) -> Iterator[RenderableType]:
    """A tensor in full: what the moment calls so, else what the story does; without a name, which there are."""
    if not name:
        here = [f"{s.role} ({s.name})" if s.role != s.name else s.name for s in moment.shown]
        yield Text(f"here: {', '.join([*here, *(c.name for c in moment.changes)])}")
        yield Text(f"everywhere: {plain_text(', '.join(story.tensors))}")
        return
    found: list[tuple[str, Array]] = [
        (f"{s.role}, which is {s.name}", s.array) for s in moment.shown if name in (s.role, s.name)
    ]
    for change in moment.changes:
        if not found and name in (change.name, change.name.removeprefix("its ")):
            for when, array in (("before", change.before), ("after", change.after)):
                found += [] if array is None else [(f"{change.name} {when}", array)]
    if not found and name in story.tensors:
        found = [(name, story.tensors[name])]
    if not found:
        yield Text(f"no tensor {name!r}; t lists their names")
    for title, array in found:
        stats = figures([array], histogram=True)
        told = f"{plain_text(title)}  {sizes(array.shape)}  {array.dtype}"
        yield Text(told, style="bold")
        numbers = {"mean": stats.mean, "std": stats.std, "min": stats.min, "max": stats.max, "norm": stats.norm}
        yield Text("  ".join(f"{key} {figure(value)}" for key, value in numbers.items() if value is not None))
        if stats.histogram is not None:
            yield Text(f"{figure(stats.min)} {blocks(stats.histogram.counts)} {figure(stats.max)}")
        yield Text(repr(of_array(array)))
