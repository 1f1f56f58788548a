"""A user's own class, named in a config as `my_nets.py:Net`: the file lies beside the config (or at the path given).

This is the one place that imports such files and what lies beside them. Each must have been agreed to (see `consent`),
and what is run is the very content that was: it is read once, and no compiled copy of it is looked at.
"""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import lenetcli
from lenetcli.config import consent, made_with
from lenetcli.config.made_with import OwnFile
from lenetcli.config.problems import did_you_mean, quoted
from lenetcli.disk import read_within
from lenetcli.errors import ConfigError, DataError, LenetError

_PREFIX = "lenetcli_own_"  # of the names of modules that users' files become


class NoSuchClass(ConfigError):
    """A `type` that names no usable class; `hints` are what to try."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


class NotImported(NoSuchClass):
    """A file that is there and may not be imported: its user has not agreed to it."""

    def __init__(self, what: str, path: Path, digest: str) -> None:
        self.what, self.path, self.digest = f"{path.name}:{what.rpartition(':')[2]}", path, digest
        super().__init__(
            f"{quoted(what, 200)} is Python that would be run, and you have not agreed to it: {consent.shown(path)}, "
            f"sha256 {digest}. "
            "Read it; --allow-code runs it (in Python, allow_code=True), lenet train CONFIG does and remembers it"
        )


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


def load(name: str, directory: Path | None = None) -> type:
    """The class that `file.py:Class` names.

    Args:
        directory: of the configuration; None for a whole path, which a configuration has been read with.

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


def function(name: str, directory: Path | None = None) -> Callable[..., Any]:
    """The function that `file.py:name` names.

    Args:
        directory: as in `load`.

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


def made_of(plain: Any) -> list[OwnFile]:
    """The files that a configuration, as plain data, is made of, as they were imported, with those they import."""
    found: dict[Path, OwnFile] = {}
    for text in _texts(plain):
        main = _imported.get(Path(text.rpartition(":")[0])) if is_own(text) else None
        found |= {file.path: file for file in (main.files if main is not None else ())}
    return list(found.values())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list, tuple)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)


# Importing


@dataclass(frozen=True)
class _Imported:
    """What a file defines, and all the files that were read for it, itself first."""

    module: ModuleType
    files: list[OwnFile]


_imported: dict[Path, _Imported] = {}  # the newest of each file
_beside: dict[str, tuple[OwnFile, ModuleType]] = {}  # modules that such files have imported from beside them, by name


def _module(name: str, directory: Path | None) -> tuple[Path, ModuleType]:
    """The file that `file.py:name` names, and what it defines.

    Raises:
        NoSuchClass: there is no such file, or it raises.
        NotImported: it has not been agreed to.
        DataError: it is not what the run in the directory was made with.
    """
    file = name.rpartition(":")[0]
    path = (directory or Path()) / file
    try:
        path.stat()
    except (OSError, ValueError) as error:
        beside = [p.name for p in sorted(path.parent.glob("*.py"))[:1000]] if path.parent.is_dir() else []
        reason = "no such file" if isinstance(error, (FileNotFoundError, NotADirectoryError)) else str(error)
        copied = None if directory is None else made_with.missing(directory, path)
        raise NoSuchClass(
            f"{quoted(str(path), 200)}: {reason}",
            *((copied,) if copied else ()),
            *did_you_mean(path.name, beside, f"{Path(file).with_name('{}')}:{name.rpartition(':')[2]}"),
        ) from None
    if not path.is_file():
        raise NoSuchClass(f"{path}: not a file")
    resolved = path.resolve()
    content = _agreed_content(resolved, name, directory)
    known = _imported.get(resolved)
    if known is None or known.files[0].content != content:
        known = _import(resolved, content, directory)
    _imported[resolved] = known
    return path, known.module


def _agreed_content(path: Path, name: str, directory: Path | None) -> bytes:
    """What a file holds, if it may run."""
    try:
        content = read_within(path, consent.LARGEST)
    except DataError as error:
        raise NoSuchClass(str(error)) from None
    digest = consent.hash_of(content)
    if directory is not None:
        made_with.check(directory, path, digest)
    if not consent.permits(path, digest):
        raise NotImported(name, path, digest)
    return content


def _import(path: Path, content: bytes, directory: Path | None) -> _Imported:
    """Runs the file, with its directory importable meanwhile."""
    name = f"{_PREFIX}{path.stem}_{abs(hash((str(path), content))):x}"
    spec = spec_from_file_location(name, path, loader=_Content(name, path, content))
    if spec is None:
        raise NoSuchClass(f"{path}: not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    beside = _Beside(path.parent, directory)
    hidden = {other: sys.modules.pop(other) for other in _beside if other in sys.modules}  # may be another directory's
    sys.meta_path.insert(0, beside)
    sys.path.insert(0, str(path.parent))
    try:
        module.__loader__.exec_module(module)  # type: ignore[union-attr]  # it is a _Content
    except (NotImported, DataError):
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise NoSuchClass(f"{path} cannot be imported: {told(error)}") from error
    else:
        _beside.update({other: (file, sys.modules[other]) for other, file in beside.found.items()})
        return _Imported(module, [OwnFile(path, path.name, content), *beside.found.values()])
    finally:
        for other in beside.found.keys() - _beside.keys():
            sys.modules.pop(other, None)  # of a file that was refused, or raised
        for other, known in hidden.items():
            sys.modules.setdefault(other, known)
        sys.meta_path.remove(beside)
        with suppress(ValueError):  # the file may have changed the list itself
            sys.path.remove(str(path.parent))


class _Content(SourceFileLoader):
    """Runs the content that was looked at, whatever the file and compiled copies of it hold by now."""

    def __init__(self, name: str, path: Path, content: bytes) -> None:
        super().__init__(name, str(path))
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        """The content, compiled."""
        code: CodeType = self.source_to_code(self._content, self.path)
        return code


class _Again(Loader):
    """Gives a module that has been imported before."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The very module."""
        return self._module

    def exec_module(self, module: ModuleType) -> None:
        """It has been run."""


class _Beside(MetaPathFinder):
    """Finds modules that lie beside a user's file, or below: they are the user's own as well, and need agreement.

    What is installed below that directory is not.

    Args:
        run: the directory of the configuration, which may be a run; None where that does not matter.
    """

    def __init__(self, directory: Path, run: Path | None) -> None:
        self.directory, self.run = directory, run
        self.found: dict[str, OwnFile] = {}
        packages = [place for place in sys.path if os.path.basename(place) in ("site-packages", "dist-packages")]
        installed = [os.path.dirname(lenetcli.__file__), *map(os.path.realpath, packages)]
        self._installed = [place for place in installed if _is_below(place, str(directory))]

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        """The module, with a loader that runs what was agreed to; None where it is no file of the user's."""
        if fullname in sys.builtin_module_names:
            return None
        places = [str(self.directory), *sys.path] if path is None else path
        spec = PathFinder.find_spec(fullname, places, target)
        if spec is None or spec.origin is None or not spec.has_location:
            return None
        origin = os.path.realpath(spec.origin)
        if not _is_below(origin, str(self.directory)) or any(_is_below(origin, p) for p in self._installed):
            return None
        content = _agreed_content(Path(origin), spec.origin, self.run)
        found = OwnFile(Path(origin), Path(os.path.relpath(origin, self.directory)).as_posix(), content)
        known, module = _beside.get(fullname, (None, None))
        if module is not None and known == found:
            spec.loader = _Again(module)
        elif origin.endswith(".py"):
            spec.loader = _Content(fullname, Path(origin), content)
        self.found[fullname] = found
        return spec


def _is_below(path: str, directory: str) -> bool:
    return path.startswith(directory.rstrip(os.sep) + os.sep)


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
