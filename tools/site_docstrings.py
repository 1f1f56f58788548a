"""How the documentation site reads this project's docstrings: formulas and examples become code, arguments a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

CODE = {"Formula": "text", "Shape": "text", "Example": "pycon"}
LISTS = {"Args", "Raises"}
SECTION = re.compile(
    r"^(Formula|Args|Shape|Gradient|Returns|Raises|Example):\n((?:[ ]{4}.*\n|\n(?=\n*[ ]{4}))+)", re.MULTILINE
)


class Sections(griffe.Extension):
    """Turns the sections of a docstring into Markdown."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every function and class that is read."""
        if obj.docstring is not None:
            obj.docstring.value = SECTION.sub(_markdown, obj.docstring.value + "\n").rstrip()


def _markdown(section: re.Match[str]) -> str:
    name, body = section[1], "\n".join(line[4:] for line in section[2].rstrip().split("\n"))
    if name in CODE:
        body = f"```{CODE[name]}\n{body}\n```"
    elif name in LISTS:
        body = re.sub(r"^(\S[^:\n]*):", r"- `\1`:", body, flags=re.MULTILINE)
    return f"**{name}**\n\n{body}\n\n"
