"""Downloads that survive a broken connection: mirrors in turn, continued where they stopped, hashed before they count.

pooch, which others use for this, starts a broken download from its beginning and knows one address for each file.
"""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.disk import md5_of
from lenetcli.errors import DataError, DownloadError
from lenetcli.file_lock import alone

TIMEOUT = 30  # seconds without an answer
LARGEST = 1 << 30  # bytes of a file
BLOCK = 1 << 16  # bytes between two reports of progress
_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Progress:
    """How far a file has come; `total` is None where the server does not say."""

    file: str
    done: int
    total: int | None
    mirror: str


class _Refused(Exception):
    """Why a mirror did not deliver."""


def download(
    path: Path, md5: str, mirrors: tuple[str, ...], progress: Callable[[Progress], None] | None = None
) -> None:
    """Gets one file from the first mirror that delivers it with the right hash.

    Bytes go to `path` with `.part` at its end, which stays when the connection breaks and is continued the next time,
    also from another mirror. The file itself appears whole or not at all. One process at a time gets a file; others
    that want it wait, and find it there.

    Raises:
        DownloadError: no mirror delivered; the message says what each answered.
        DataError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with alone(path.with_name(f".{path.name}.lock")):
            if not (path.is_file() and md5_of(path) == md5):  # else another process has got it in the meantime
                _download(path, md5, mirrors, progress)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from None


def _download(path: Path, md5: str, mirrors: tuple[str, ...], progress: Callable[[Progress], None] | None) -> None:
    part = path.with_name(path.name + ".part")
    failures = []
    for mirror in mirrors:
        try:
            continued = _size(part) > 0
            _fetch(mirror, path.name, part, progress)
            if continued and md5_of(part) != md5:  # what was there may have been of another file
                part.unlink()
                _fetch(mirror, path.name, part, progress)
            found = md5_of(part)
            if found != md5:
                part.unlink()
                raise _Refused(f"wrong md5 {found}, wanted {md5}")
        except (_Refused, urllib.error.URLError, http.client.HTTPException, TimeoutError, ValueError) as error:
            failures.append(f"{mirror}: {error}")
            continue
        os.replace(part, path)
        return
    tried = "".join(f"\n  {failure}" for failure in failures)
    kept = f" ({_size(part):,} bytes are kept in {part.name} and will be continued)" if _size(part) else ""
    raise DownloadError(f"{path.name}: no mirror delivered it{kept}; put the file into {path.parent} yourself{tried}")


def _fetch(mirror: str, name: str, part: Path, progress: Callable[[Progress], None] | None) -> None:
    """Appends to the part what it lacks; starts it anew where the server cannot continue it."""
    have = _size(part)
    request = urllib.request.Request(mirror + name, headers={"User-Agent": "lenet"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:  # nothing lies beyond what is there: the hash will tell
            return
        raise
    with answer:
        if have and not _continues(answer, have):
            part.unlink()
            have = 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdecimal() else None
        if max(total or 0, have) > LARGEST:
            raise _Refused(f"states {total:,} bytes, more than {LARGEST:,}")
        _copy(answer, part, Progress(name, have, total, mirror), progress)


def _copy(answer: Any, part: Path, at: Progress, progress: Callable[[Progress], None] | None) -> None:
    done = at.done
    with os.fdopen(os.open(part, _APPEND, 0o666), "ab") as file:
        while True:
            try:
                block = answer.read(BLOCK)
            except OSError as error:  # of the connection, not of the disk
                raise _Refused(f"broke off after {done:,} bytes: {error}") from None
            if not block:
                break
            file.write(block)
            done += len(block)
            if done > LARGEST:
                raise _Refused(f"sends more than {LARGEST:,} bytes")
            if progress is not None:
                progress(Progress(at.file, done, at.total, at.mirror))
    if at.total is not None and done < at.total:
        raise _Refused(f"broke off after {done:,} of {at.total:,} bytes")


def _continues(answer: Any, have: int) -> bool:
    """The server sends the rest, from where we are."""
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == 206 and start is not None and int(start[1]) == have


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
