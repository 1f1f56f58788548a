"""Runs what the pages show. `python -m tests.readme --write` replaces the outputs shown by those of today.

A block of ```console holds commands after `$ ` and their output; all blocks of a page run in one directory with the
configurations, in order. A line `...` stands for output that is left out. A block of ```python is a script; the block
after it, ```text, is what it prints.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.commands import inside, run

ROOT = Path(__file__).parent.parent
README, TUTORIAL = ROOT / "README.md", ROOT / "docs" / "tutorial.md"
EXPERIMENTS, FINE_TUNING = ROOT / "docs" / "experiments.md", ROOT / "docs" / "fine-tuning.md"
GRAPHS, SECOND = ROOT / "docs" / "graphs.md", ROOT / "docs" / "second-derivatives.md"
C_FILE, HTML_FILE = ROOT / "docs" / "c-file.md", ROOT / "docs" / "html-file.md"
INT8, DATA = ROOT / "docs" / "int8.md", ROOT / "docs" / "data.md"
PAGES = [README, TUTORIAL, EXPERIMENTS, FINE_TUNING, GRAPHS, SECOND, C_FILE, HTML_FILE, INT8, DATA]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT = re.compile(r"^```python\n(.*?)^```\n+```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run_command(line: str, directory: Path) -> str:
    """Output (and errors) of a `lenet ...` line, 100 columns wide."""
    words = shlex.split(line)
    assert words[0] == "lenet", line
    printed = run(words[1:], directory, together=True, COLUMNS="100", NO_COLOR="1").out
    return "\n".join(text.rstrip() for text in printed.splitlines()).strip("\n") + "\n"


def run_script(code: str) -> str:
    """What a script prints, in a directory with the configurations."""
    printed = io.StringIO()
    scope: dict[str, Any] = {"__name__": "__readme__"}
    with contextlib.redirect_stdout(printed), inside(workplace()):
        exec(compile(code, "README.md", "exec"), scope)
    return printed.getvalue()


def commands(block: str) -> list[tuple[str, str]]:
    """(command, output) pairs of a console block."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2]))


def same(shown: str, printed: str) -> bool:
    """Equal apart from what is left out, digits, signs of numbers, drawn curves and the widths of spaces and rules."""
    parts = [re.escape(_shape(part)) for part in shown_parts(shown)]
    return re.fullmatch(".*".join(parts), _shape(printed)) is not None


NUMBER = re.compile(r"[-−]?\d[\d,]*(?:\.\d+)?(?:e[-+−]?\d+)?")
# What is measured: speed before the time left, times; and lines of source files.
MEASURED = re.compile(r"(?:[\d,]+ +)?[\d.:]+ (?:m?s|min)\b|[\d,]+ images/s|\.py:\d+")
WORST = re.compile(r"(largest relative error \S+ at)\s+\w+ \d+\s+\(module [^)]*\)")  # rounding chooses the node
NOISE = 1e-6  # less than that is rounding itself


def far_off(shown: str, printed: str) -> list[tuple[str, str]]:
    """The numbers that differ by more than a thousandth, or two units of their last digit; not those measured.

    Another instruction set rounds otherwise, see docs/repeating.md.
    """
    pairs = zip(*(NUMBER.findall(MEASURED.sub("", WORST.sub("", text))) for text in (shown, printed)), strict=True)
    return [(a, b) for a, b in pairs if abs(_value(a) - _value(b)) > _allowed(a)]


def _value(number: str) -> float:
    return float(number.replace("−", "-").replace(",", ""))


def _allowed(number: str) -> float:
    """How far a number may be from the one shown; whole ones count something and are the same everywhere."""
    digits, _, power = number.replace("−", "-").partition("e")
    if "." not in digits:
        return 0.0
    unit: float = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return max(1e-3 * abs(_value(number)), 2.1 * unit, NOISE)


def shown_parts(shown: str) -> list[str]:
    """What stands between the lines `...`."""
    return re.split(r"^\.\.\.\n", shown, flags=re.MULTILINE)


def _shape(text: str) -> str:
    text = re.sub(r"\b\d+(:\d\d)+\b", "0 s", WORST.sub(r"\1 (node)", text))  # a minute, on a busy machine
    text = re.sub(r"(^( +[-\d.e]* ?|[-\d.e]+ )[┤│].*\n)+", "(curve)\n", text, flags=re.MULTILINE)
    text = re.sub(r"[\[(]?\s*[-+−]?\d[\d,.]*(e[-+−]?\d+)?", lambda m: m[0][0] + "#" if m[0][0] in "[(" else " #", text)
    return re.sub(r"[\s─━▁-▟]+", " ", text).strip()


def excerpt(shown: str, printed: str) -> str:
    """The lines printed today that a page shows; all of them where it leaves none out."""
    parts = shown_parts(shown.rstrip("\n") + "\n")
    if len(parts) == 1:
        return printed
    lines, found = printed.splitlines(keepends=True), []
    for number, part in enumerate(parts):
        count = part.count("\n")
        last = len(lines) - count
        starts = range(last + 1) if number < len(parts) - 1 else [last]
        at = next((i for i in starts if _shape("".join(lines[i : i + count])) == _shape(part)), None)
        assert at is not None, f"no longer printed:\n{part}"
        found.append("".join(lines[at : at + count]))
        lines = lines[at + count :]
    return "...\n".join(found)


def workplace() -> Path:
    """A directory with the configurations, as a user has them."""
    place = Path(tempfile.mkdtemp())
    shutil.copytree(ROOT / "configs", place / "configs")
    return place


def rewritten(text: str) -> str:
    """A page with the outputs of today."""
    place = workplace()

    def console(match: re.Match[str]) -> str:
        shown = [f"$ {line}\n{excerpt(old, run_command(line, place))}" for line, old in commands(match[1])]
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
