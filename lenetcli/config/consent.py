"""Whose Python may run: a file that a configuration names is imported only once its user has agreed to its content.

    training a configuration    is the agreement: the file and its hash are told, and remembered in trusted.json
    --allow-code                is one for this once
    anything else               needs a hash that is remembered; looking goes on without the file, the rest is refused

What is agreed to is a content, not a place: a file that has changed is another one, and a copy is the same.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lenetcli.disk import is_there, read_within, write_atomically
from lenetcli.errors import DataError, LenetError, printable
from lenetcli.file_lock import alone

NAME = "trusted.json"
LARGEST = 1 << 24  # bytes of trusted.json, and of a file of Python
FORMAT = 1
PATIENCE = 5.0  # seconds to wait for another process that writes trusted.json

Say = Callable[[str], None]


def _to_stderr(line: str) -> None:
    print(printable(line), file=sys.stderr)


@dataclass(frozen=True)
class Rules:
    """What holds for files that are to be imported.

    Args:
        allow: the user agrees to each.
        say: where that is to be told and remembered: where to tell it.
        remember: write it to trusted.json, too.
        look: nothing is refused: what may not be imported is left out.
        accept_changed: files that are not what the run was made with are imported, too.
    """

    allow: bool = False
    say: Say | None = None
    remember: bool = False
    look: bool = False
    accept_changed: bool = False


_rules: ContextVar[Rules] = ContextVar("rules", default=Rules())  # noqa: B039 - it is frozen


@dataclass
class _Process:
    """What this process knows: hashes that were agreed to, and of which files that has been told."""

    agreed: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)


_process = _Process()


def rules() -> Rules:
    """What holds now."""
    return _rules.get()


@contextmanager
def under(**changes: Any) -> Iterator[None]:
    """Within the block other rules hold: `allow`, `look`, `accept_changed` of `Rules`."""
    token = _rules.set(replace(_rules.get(), **changes))
    try:
        yield
    finally:
        _rules.reset(token)


@contextmanager
def given(say: Say = _to_stderr, remember: bool = True) -> Iterator[None]:
    """Within the block the user agrees to what the configuration names: it is told, and remembered.

    Args:
        say: gets a line for each file.
        remember: False where another process of the same training does.
    """
    with under(allow=True, say=say, remember=remember, look=False, accept_changed=True):
        yield


def agree(hashes: Iterable[str]) -> None:
    """This process takes over what another one has agreed to."""
    _process.agreed.update(hashes)


def agreed() -> list[str]:
    """The hashes that a process which does a part of this one's work may import."""
    return sorted(_process.agreed)


def shown(path: Path) -> str:
    """A path on one line."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def tell_once(line: str) -> None:
    """Tells the user something about a file, once in this process."""
    if line not in _process.told:
        _process.told.add(line)
        (_rules.get().say or _to_stderr)(line)


def hash_of(content: bytes) -> str:
    """The hash that a file's content is known by."""
    return hashlib.sha256(content).hexdigest()


def permits(path: Path, digest: str) -> bool:
    """Whether a file of this content may be imported; where that is the user's word, it is told and remembered."""
    now = _rules.get()
    known = digest in _process.agreed or digest in remembered()
    if not known and not now.allow:
        return False
    _process.agreed.add(digest)
    if now.say is not None and digest not in _process.told:
        _process.told.add(digest)
        now.say(f"runs Python of its own: {shown(path)}, sha256 {digest}")
        if now.remember and not known:
            try:
                _remember(path, digest)
            except LenetError as error:
                tell_once(f"this is not remembered: {error}; other commands will want --allow-code")
    return True


# What is remembered


def place() -> Path:
    """The file in the user's own config folder: $XDG_CONFIG_HOME/lenet/trusted.json, or where the system has such."""
    folder = os.environ.get("XDG_CONFIG_HOME", "")
    if os.path.isabs(folder):
        return Path(folder) / "lenet" / NAME
    home = Path(os.path.expanduser("~"))  # not absolute where nobody knows it: then nothing is read or written
    if os.name == "nt":
        return Path(os.environ.get("APPDATA") or home / "AppData" / "Roaming") / "lenet" / NAME
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "lenet" / NAME
    return home / ".config" / "lenet" / NAME


def remembered() -> Mapping[str, Any]:
    """What is known of each hash that was agreed to, by hash; nothing where the file cannot be read."""
    if not place().is_absolute():
        return {}
    try:
        return _read(place())
    except DataError:
        return {}


def _read(path: Path) -> dict[str, Any]:
    """The hashes in the file.

    Raises:
        DataError: it cannot be read, or is none of ours.
    """
    if not is_there(path):
        return {}
    try:
        found = json.loads(read_within(path, LARGEST))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: damaged: not JSON; delete it") from None
    files = found.get("files") if isinstance(found, dict) and found.get("format") == FORMAT else None
    if not isinstance(files, dict):
        raise DataError(f"{path}: damaged, or of another lenet; delete it")
    return files


def _remember(path: Path, digest: str) -> None:
    """Adds a hash to the file, whole or not at all; several processes may do so at once.

    Raises:
        LenetError: it cannot be written.
    """
    target = place()
    if not target.is_absolute():
        raise LenetError("there is no home directory")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LenetError(f"cannot make {target.parent}: {error.strerror or error}") from None
    with alone(target.with_name(f".{NAME}.lock"), PATIENCE):
        files = {**_read(target), digest: {"file": os.fsencode(path).decode("utf-8", "backslashreplace")}}
        write_atomically(target, (json.dumps({"format": FORMAT, "files": files}, indent=1) + "\n").encode())
