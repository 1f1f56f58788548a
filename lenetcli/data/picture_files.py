"""Which files of a folder are pictures, and which are left out, and why."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from lenetcli.data.left_out import LeftOut, Tally
from lenetcli.data.pictures import SUFFIXES
from lenetcli.disk import Unreadable, unreadable

DEEPEST = 64  # folders in folders
_OF_SYSTEMS = ("thumbs.db", "desktop.ini", "__macosx", "ehthumbs.db")
UNREAD = (  # pictures of formats that are not read, by their suffixes
    ".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".tga", ".ico", ".psd", ".dng", ".cr2", ".cr3", ".nef", ".arw",
    ".raw", ".eps", ".pdf",
)  # fmt: skip
HIDDEN = "hidden, or a file of the system"


def is_hidden(name: str) -> bool:
    """Whether a file or folder is one that people do not see: of the system, or what an archiver left."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


def entries(place: Path) -> list[Path]:
    """What a folder holds, in the order of the names.

    Raises:
        DataError: it cannot be read.
    """
    try:
        return sorted(place.iterdir())
    except OSError as error:
        raise unreadable(place, error) from None


def folders_in(place: Path) -> list[str]:
    """The names of a folder's folders that are not hidden, in order."""
    return [path.name for path in entries(place) if not is_hidden(path.name) and path.is_dir()]


def picture_files(folder: Path, left_out: Tally, suffixes: tuple[str, ...] = SUFFIXES) -> list[Path]:
    """The pictures in a folder and in the folders in it, in the order of their paths; counts the other files.

    Links are followed, but not round in circles. What a picture is, its suffix says here, and its content when it is
    decoded.

    Raises:
        DataError: a folder cannot be read.
    """
    found: list[Path] = []
    _walk(folder, suffixes, left_out, found, frozenset())
    return found


def _walk(folder: Path, suffixes: tuple[str, ...], left_out: Tally, found: list[Path], above: frozenset[str]) -> None:
    real = os.path.realpath(folder)
    if real in above:
        left_out.add("links that lead back to a folder above", folder)
        return
    if len(above) == DEEPEST:
        left_out.add(f"folders more than {DEEPEST} deep", folder)
        return
    try:
        with os.scandir(folder) as listed:
            inside = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:
        raise unreadable(folder, error) from None
    for entry in inside:
        path = folder / entry.name
        if is_hidden(entry.name):
            left_out.add(HIDDEN, path)
        elif _is(entry.is_dir, path):
            _walk(path, suffixes, left_out, found, above | {real})
        elif not _is(entry.is_file, path):
            left_out.add("broken links, pipes or devices", path)
        elif path.suffix.lower() in suffixes:
            found.append(path)
        else:
            left_out.add(f"{path.suffix.lower()} files" if path.suffix else "files without a suffix", path)


def are_pictures(part: LeftOut) -> bool:
    """Whether what was left out are pictures, too, of formats that are not read."""
    return part.why.removesuffix(" files") in UNREAD


def _is(kind: Callable[[], bool], path: Path) -> bool:
    try:
        return kind()
    except OSError as error:
        found = unreadable(path, error)
        if isinstance(found, Unreadable):
            raise found from None
        return False  # a link round in a circle
