"""Runs what the README shows. `python -m tests.readme --write` replaces the outputs shown by those of today.

A block of ```console holds commands after `$ ` and their output; all blocks run in one directory with the
configurations, in order. A block of ```python is a script; the block after it, ```text, is what it prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md"]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = re.compile(r"^```python\n(.*?)^```\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_command(line: str, directory: Path) -> str:
    """Output (and errors) of a `lenet ...` line, 100 columns wide."""
    words = shlex.split(line)
    assert words[0] == "lenet", line
    environment = {**os.environ, "COLUMNS": "100", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "lenetcli", *words[1:]],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return "\n".join(text.rstrip() for text in done.stdout.splitlines()).strip("\n") + "\n"


def run_script(code: str) -> str:
    """What a script prints."""
    printed = io.StringIO()
    scope: dict[str, Any] = {"__name__": "__readme__"}
    with (
        contextlib.redirect_stdout(printed),
        contextlib.chdir(tempfile.mkdtemp()) if sys.version_info >= (3, 11) else contextlib.nullcontext(),
    ):
        exec(compile(code, "README.md", "exec"), scope)
    return printed.getvalue()


def commands(block: str) -> list[tuple[str, str]]:
    """(command, output) pairs of a console block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def same(shown: str, printed: str) -> bool:
    """Equal apart from digits, signs of numbers and the widths of spaces and rules."""
    return _shape(shown) == _shape(printed)


def _shape(text: str) -> str:
    text = re.sub(r"\[?\s*-?\d[\d,.]*(e[-+]?\d+)?", lambda m: "[#" if m[0].startswith("[") else " #", text)
    return re.sub(r"[\s─━]+", " ", text).strip()


def workplace() -> Path:
    """A directory with the configurations, as a user has them."""
    place = Path(tempfile.mkdtemp())
    shutil.copytree(ROOT / "configs", place / "configs")
    return place


def rewritten(text: str) -> str:
    """A page with the outputs of today."""
    place = workplace()

    def console(match: re.Match[str]) -> str:
        shown = [f"$ {line}\n{run_command(line, place)}" for line, _ in commands(match[1])]
        return "```console\n" + "\n".join(shown) + "```"

    def script(match: re.Match[str]) -> str:
        return f"```python\n{match[1]}```\n\n```text\n{run_script(match[1])}```"

    return SCRIPT.sub(script, CONSOLE.sub(console, text))


if __name__ == "__main__":
    for page in PAGES:
        new = rewritten(page.read_text("utf-8"))
        if "--write" in sys.argv:
            page.write_text(new, "utf-8")
        else:
            print(new)
