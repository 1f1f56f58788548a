"""The Python that a run was made with: hashed in its environment.json, copied to code/, and compared when it is used.

What a run directory says is a stranger's word, too: it can refuse a file, and never makes one run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lenetcli.config import consent
from lenetcli.disk import Unreadable, is_there, read_within
from lenetcli.errors import DataError

ENVIRONMENT, COPIES = "environment.json", "code"
LARGEST = 1 << 22  # bytes of environment.json


@dataclass(frozen=True)
class OwnFile:
    """A file of Python, as it was imported.

    Args:
        name: its path from the directory of the file that the configuration names.
    """

    path: Path
    name: str
    content: bytes

    @property
    def sha256(self) -> str:
        return consent.hash_of(self.content)


def copies(files: Sequence[OwnFile]) -> dict[str, OwnFile]:
    """Where in a run directory the copy of each file lies."""
    found: dict[str, OwnFile] = {}
    for file in files:
        name = f"{COPIES}/{file.name}"
        if name in found:
            name = f"{COPIES}/{file.sha256[:12]}/{file.name}"
        found[name] = file
    return found


def record(files: Sequence[OwnFile]) -> list[dict[str, str]]:
    """What environment.json says of them."""
    return [{"file": str(f.path), "sha256": f.sha256, "copy": name} for name, f in copies(files).items()]


def recorded(directory: Path) -> dict[str, dict[str, str]]:
    """What a run directory says of the files that it was made with, by their paths; empty where it says nothing.

    Raises:
        Unreadable: its environment.json is there and cannot be read just now.
    """
    path = directory / ENVIRONMENT
    try:
        found = json.loads(read_within(path, LARGEST)) if is_there(path) else {}
    except Unreadable:
        raise
    except (DataError, ValueError, RecursionError):
        return {}
    entries = found.get("code") if isinstance(found, dict) else None
    return {
        entry["file"]: {"sha256": entry["sha256"], "copy": str(entry.get("copy"))}
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, dict) and isinstance(entry.get("file"), str) and isinstance(entry.get("sha256"), str)
    }


def check(directory: Path, path: Path, digest: str) -> None:
    """Refuses a file that is not what the run in a directory was made with.

    Raises:
        DataError: it is another one now, and nobody has said to go on.
    """
    entry = recorded(directory).get(str(path))
    if entry is None or entry["sha256"] == digest or consent.rules().look:
        return
    then_and_now = f"it had the sha256 {entry['sha256'][:12]}..., now {digest[:12]}..."
    if consent.rules().accept_changed:
        consent.tell_once(f"{path} has changed since {directory} was made: {then_and_now}")
        if entry["sha256"] in consent.remembered():
            consent.agree([digest])  # a file of this user's own, and the word that it may be another now
        return
    raise DataError(
        f"{directory}: {path} has changed since the run was made: {then_and_now}{_copied(directory, entry)}; "
        "--accept-changed goes on with the file as it is, which no longer repeats the run"
    )


def missing(directory: Path, path: Path) -> str | None:
    """Where a run keeps a copy of a file that is no longer where it was; None where it keeps none."""
    entry = recorded(directory).get(str(path))
    return None if entry is None else _copied(directory, entry)[2:] or None


def _copied(directory: Path, entry: Mapping[str, str]) -> str:
    copy, parts = directory / entry["copy"], PurePosixPath(entry["copy"]).parts
    inside = parts[:1] == (COPIES,) and ".." not in parts
    return f"; the run keeps a copy: {copy}" if inside and is_there(copy) else ""


def changes(a: Path, b: Path) -> Iterator[str]:
    """In what the Python differs that two runs were made with, and where it is another now than one was made with."""
    one, other = recorded(a), recorded(b)
    for file in dict.fromkeys([*one, *other]):
        x, y = (found.get(file, {}).get("sha256") for found in (one, other))
        if x != y and {file} <= one.keys() & other.keys():
            yield f"{file}: sha256 {str(x)[:12]}... in {a}, {str(y)[:12]}... in {b}"
        elif x != y:
            yield f"{file}: only {a if x else b} was made with it"
    for directory, found in {a: one, b: other}.items():
        for file, entry in found.items():
            now = _now(file)
            if now != entry["sha256"]:
                state = "is gone" if now is None else f"has the sha256 {now[:12]}... now"
                yield f"{file}: {state}; {directory} was made with {entry['sha256'][:12]}..."


def _now(file: str) -> str | None:
    try:
        return consent.hash_of(read_within(Path(file), consent.LARGEST))
    except DataError:
        return None
