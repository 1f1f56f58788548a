"""A user's own class, named in a config as `my_nets.py:Net`: the file lies beside the config (or at the path given).

The file is Python and runs when a config that names it is loaded; nothing else ever loads it.
"""

from __future__ import annotations

import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from lenetcli.config.problems import did_you_mean, quoted
from lenetcli.errors import ConfigError, LenetError

_PREFIX = "lenetcli_own_"  # of the names of modules that users' files become


class NoSuchClass(ConfigError):
    """A `type` that names no usable class; `hints` are what to try."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


def is_own(name: str) -> bool:
    """The name is `file.py:Class`.

    Example:
        >>> [is_own(name) for name in ("my_nets.py:Net", "Conv2d")]
        [True, False]
    """
    return re.search(r"\.py:[^:/\\]*$", name) is not None


def absolute(name: str, directory: Path) -> str:
    """The same class, named independently of where the config lies."""
    file, _, class_name = name.rpartition(":")
    return f"{(directory / file).resolve()}:{class_name}"


def load(name: str, directory: Path) -> type:
    """The class that `file.py:Class` names.

    Raises:
        NoSuchClass: no such file or class, the file raises, or the name is no class.
    """
    class_name = name.rpartition(":")[2]
    path, module = _module(name, directory)
    found = getattr(module, class_name, None)
    if isinstance(found, type):
        return found
    if found is not None:
        raise NoSuchClass(f"{path}: {class_name} is no class")
    own_classes = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
    classes = [value.__name__ for value in own_classes if isinstance(value, type)]
    near = did_you_mean(class_name, classes, name.rpartition(":")[0] + ":{}") or (
        (f"its classes: {', '.join(classes[:20])}",) if classes else ()
    )
    raise NoSuchClass(f"{path} has no class {quoted(class_name)}", *near)


def function(name: str, directory: Path) -> Callable[..., Any]:
    """The function that `file.py:name` names.

    Raises:
        NoSuchClass: no such file or function, the file raises, or the name is no function.
    """
    if not is_own(name):
        raise NoSuchClass(f"wanted a function of your own, got {quoted(name)}", "it is written my_rates.py:halving")
    path, module = _module(name, directory)
    found = getattr(module, name.rpartition(":")[2], None)
    if not callable(found):
        raise NoSuchClass(f"{path} has no function {quoted(name.rpartition(':')[2])}")
    return found


def _module(name: str, directory: Path) -> tuple[Path, ModuleType]:
    """The file that `file.py:name` names, and what it defines."""
    file = name.rpartition(":")[0]
    path = directory / file
    try:
        state = path.stat()
    except (OSError, ValueError) as error:
        beside = [p.name for p in sorted(path.parent.glob("*.py"))[:1000]] if path.parent.is_dir() else []
        reason = "no such file" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else str(error)
        raise NoSuchClass(
            f"{quoted(str(path), 200)}: {reason}",
            *did_you_mean(path.name, beside, f"{Path(file).with_name('{}')}:{name.rpartition(':')[2]}"),
        ) from None
    if not path.is_file():
        raise NoSuchClass(f"{path}: not a file")
    return path, _import(path.resolve(), state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=64)
def _import(path: Path, mtime_ns: int, size: int) -> ModuleType:
    """Runs the file once per version of it, with its directory importable meanwhile."""
    name = f"{_PREFIX}{path.stem}_{abs(hash((str(path), mtime_ns, size))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NoSuchClass(f"{path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise NoSuchClass(f"{path} cannot be imported: {told(error)}") from error
    finally:
        with suppress(ValueError):  # the file may have changed the list itself
            sys.path.remove(str(path.parent))
    return module


# Errors of a user's own file


def told(error: BaseException) -> str:
    """The error on one line, with its kind and the line of the user's file that raised it; others in their words."""
    place = _place(error)
    if place is None:
        return str(error)
    text = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return f"{type(error).__name__}: {text[:200]} ({place})"


@contextmanager
def blamed(where: Callable[[], str]) -> Iterator[None]:
    """Within the block, an error that a user's own file raises becomes a LenetError that names file and line.

    Args:
        where: what the program was doing, such as "at step 12".
    """
    try:
        yield
    except LenetError:
        raise
    except Exception as error:
        if _place(error) is None:
            raise
        raise LenetError(f"{told(error)} {where()}") from error


def _place(error: BaseException) -> str | None:
    """The last line of a user's file that the error came through; None where it came through none."""
    frames = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__", "")).startswith(_PREFIX)
    ]
    if isinstance(error, SyntaxError) and error.filename is not None:
        frames.append((error.filename, error.lineno or 1))
    return f"{Path(frames[-1][0]).name}, line {frames[-1][1]}" if frames else None
