"""Runs a script with torch's names answered, and says what was missing and what was not the same."""

from __future__ import annotations

import ast
import linecache
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from lenetcli.as_torch.finder import ROOTS, Finder, MissingModule, MissingName, install
from lenetcli.autograd.torch_random import draw_as_torch
from lenetcli.disk import read_within
from lenetcli.errors import DataError, printable

USAGE = "usage: python -m lenetcli.as_torch [--check] SCRIPT [ARGS]"
_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep
LARGEST = 1 << 24  # bytes of a script
FAILED, USED_WRONGLY, MISSING = 1, 2, 5


def main(words: list[str]) -> int:
    """Runs the script that the words name; its exit code, 1 where it failed, 2 where there is none.

    With `--check` it is not run: the names that it needs and that are not here are listed, and the code is 5 where
    there are some.
    """
    check = words[:1] == ["--check"]
    words = words[1:] if check else words
    if not words or words[0].startswith("-"):
        _say(USAGE)
        return 0 if words[:1] in (["-h"], ["--help"]) else USED_WRONGLY
    path = Path(words[0])
    try:
        source = read_within(path, LARGEST)
        code = compile(source, str(path), "exec")
    except DataError as error:
        _say(str(error))
        return USED_WRONGLY
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        _say(f"{path}{line}: not a Python script: {error.args[0]}")
        return USED_WRONGLY
    finder = install()
    draw_as_torch()
    if check:
        found = list(missing(source))
        for number, name in found:
            print(f"{path}:{number}: {name} is not here")
        return MISSING if found else 0
    return _run(path, code, source, words, finder)


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)


def _run(path: Path, code: Any, source: bytes, words: list[str], finder: Finder) -> int:
    sys.argv = words
    sys.path.insert(0, str(path.resolve().parent))
    module = ModuleType("__main__")
    module.__file__ = os.path.abspath(path)  # as Python's own: it holds where the script changes its directory
    sys.modules["__main__"] = module
    try:
        exec(code, module.__dict__)
        return 0
    except SystemExit as ended:
        if ended.code is None or isinstance(ended.code, int):
            return ended.code or 0
        _say(str(ended.code))
        return FAILED
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BaseException as error:
        _tell(error, path, source)
        return FAILED
    finally:
        sys.stdout.flush()
        if finder.used.names:
            _say("\nanswered by something that is not torch's own:")
            for name, differs in sorted(finder.used.names.items()):
                _say(f"  {name}: {differs}")


def missing(source: bytes) -> Iterator[tuple[int, str]]:
    """Lines and names of a script that are not here, as far as its imports and dotted names tell, in order, once each.

    Example:
        >>> import sys
        >>> from lenetcli.as_torch.finder import install
        >>> from lenetcli.as_torch.script import missing
        >>> before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "torch"}
        >>> finder = install()
        >>> list(missing(b"import torch\\nx = torch.fft.fft(torch.ones(3))"))
        [(2, 'torch.fft')]
        >>> sys.meta_path.remove(finder)
        >>> for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
        ...     del sys.modules[name]
        >>> sys.modules.update(before)
    """
    tree = ast.parse(source)
    bound: dict[str, str] = {}  # what a name of the script stands for
    told: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] in ROOTS:
                    bound[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in ROOTS:
            bound |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    places: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if dotted := _dotted(node, bound):
                places.append((node.lineno, dotted))
        elif isinstance(node, ast.Import):
            places += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            places += [(node.lineno, f"{node.module}.{alias.name}") for alias in node.names if alias.name != "*"]
    for line, name in sorted(places):
        lost = _lost(name) if name.partition(".")[0] in ROOTS else None
        if lost is not None and lost not in told:
            told.add(lost)
            yield line, lost


def _dotted(node: ast.expr, bound: dict[str, str]) -> str | None:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name) and node.id in bound:
        return ".".join([bound[node.id], *reversed(names)])
    return None


def _lost(path: str) -> str | None:
    """The first part of a dotted name that is not here; None where all is."""
    root, *names = path.split(".")
    value: Any = __import__(root)
    for i, name in enumerate(names):
        try:
            value = getattr(value, name)
        except (AttributeError, ImportError):
            return ".".join([root, *names[: i + 1]])
    return None


def _tell(error: BaseException, path: Path, source: bytes) -> None:
    """Says what ended the script: a missing name in a line, else Python's own traceback of the script's frames."""
    lost = _name_of(error)
    trace = _from_script(error.__traceback__, path)
    if lost is None:
        traceback.print_exception(type(error), error, trace)
        return
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if not frame.filename.startswith((_PACKAGE, "<"))]
    where = own[-1] if own else None
    if where is None:
        _say(f"{path}: {lost} is not here")
    else:
        line = linecache.getline(where.filename, where.lineno or 0).strip()
        _say(f"{where.filename}:{where.lineno}: {lost} is not here\n    {line}")
    others = [(at, name) for at, name in missing(source) if name != lost]
    if others:
        _say("also missing: " + ", ".join(f"{name} (line {at})" for at, name in others))


def _name_of(error: BaseException) -> str | None:
    """The name of torch's that an error is about; None where it is about something else."""
    if isinstance(error, (MissingName, MissingModule)):
        return error.path
    if isinstance(error, ImportError) and error.name and error.name.partition(".")[0] in ROOTS:
        quoted = re.match("cannot import name '(.*?)'", str(error))  # Python 3.12 has it as name_from
        return f"{error.name}.{quoted[1]}" if quoted else error.name
    if isinstance(error, AttributeError) and error.name:
        holder = error.obj if isinstance(error.obj, type) else type(error.obj)
        if holder.__module__.startswith("lenetcli.") and not error.name.startswith("__"):
            return f"{holder.__name__}.{error.name}"
    return None


def _from_script(trace: TracebackType | None, path: Path) -> TracebackType | None:
    """A traceback from the script's own first frame on."""
    found = trace
    while found is not None and found.tb_frame.f_code.co_filename != str(path):
        found = found.tb_next
    return found or trace
