"""An index of run directories, in SQLite: it saves reading again what has not changed, and decides nothing.

What a run is like stands in its directory alone. A row of the index counts only where the run's files are the very ones
it was made from and its hash is right; an index that is damaged, locked or cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from lenetcli.errors import DataError
from lenetcli.runs.lock import is_locked
from lenetcli.runs.table import KILLED, RUNNING, Figures, RunRow, find, read_run

NAME = ".lenet-runs.sqlite"
FORMAT = 2  # of the rows
FILES = ("config.yaml", "metrics.jsonl", "model.safetensors")
SETTLED = 2.0  # seconds: a file may change again within a tick of its clock, so younger ones are read each time
PATIENCE = 1.0  # seconds to wait for another process that writes the index
_TABLE = "CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, stamp TEXT, row TEXT, hash TEXT)"

Kept = dict[str, tuple[str, str, str]]  # run -> (stamp, row, hash)


def list_runs(root: Path, failed: Callable[[DataError], None], rebuild: bool = False) -> list[RunRow]:
    """Every run at or below a place; one that is damaged is handed to `failed` and left out.

    Args:
        rebuild: forget the index, and read every run.

    Raises:
        ConfigError: there is no such directory.
    """
    runs = find(root)
    path = root / NAME
    if rebuild:
        with suppress(OSError):
            path.unlink()
    kept = _read(path)
    new: Kept = {}
    rows = []
    for run in runs:
        name = os.path.relpath(run, root)
        stamp = _stamp(run)
        row = _row(name, stamp, kept.get(name))
        if row is None:
            try:
                row = read_run(run)
            except DataError as error:
                failed(error)
                continue
            if stamp is not None and stamp == _stamp(run):
                text = json.dumps({**asdict(row), "run": name})
                new[name] = (stamp, text, _hash(name, stamp, text))
        running = row.status == KILLED and is_locked(run)
        rows.append(replace(row, run=str(run), status=RUNNING if running else row.status))
    gone = kept.keys() - {os.path.relpath(run, root) for run in runs}
    if new or gone:
        _write(path, new, gone)
    return rows


def _stamp(run: Path) -> str | None:
    """What changes whenever a run's files do; None where they are so young that it may not."""
    parts: list[Any] = [FORMAT]
    for name in FILES:
        try:
            found = os.lstat(run / name)
        except OSError:
            parts.append(None)
            continue
        if time.time() - max(found.st_mtime, found.st_ctime) < SETTLED:
            return None
        parts.append([found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns])
    return json.dumps(parts)


def _hash(name: str, stamp: str, row: str) -> str:
    return hashlib.sha256("\0".join((name, stamp, row)).encode("utf-8", "surrogateescape")).hexdigest()


def _row(name: str, stamp: str | None, kept: tuple[str, str, str] | None) -> RunRow | None:
    """The row that the index keeps, if it is of the files as they are now."""
    if kept is None or stamp is None or kept[0] != stamp or kept[2] != _hash(name, stamp, kept[1]):
        return None
    values = json.loads(kept[1])
    for name in ("best", "last"):
        values[name] = None if values[name] is None else Figures(**values[name])
    return RunRow(**values)


def _read(path: Path) -> Kept:
    """What the index holds; nothing where it cannot be read, and a damaged one is taken away."""
    if path.is_symlink() or not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(path, timeout=PATIENCE)) as index:
            rows = index.execute("SELECT run, stamp, row, hash FROM runs").fetchall()
    except sqlite3.OperationalError:  # locked, or of no table yet
        return {}
    except (sqlite3.Error, UnicodeDecodeError):
        with suppress(OSError):
            path.unlink()
        return {}
    return {row[0]: row[1:] for row in rows if all(isinstance(cell, str) for cell in row)}


def _write(path: Path, new: Kept, gone: Iterable[str]) -> None:
    """Notes what is new and forgets what is gone, where the place can be written."""
    if path.is_symlink() or not os.access(path.parent, os.W_OK):
        return
    with suppress(sqlite3.Error, UnicodeEncodeError), closing(sqlite3.connect(path, timeout=PATIENCE)) as index, index:
        index.execute("PRAGMA synchronous = OFF")  # what a power cut tears is found and read again
        index.execute(_TABLE)
        index.executemany("DELETE FROM runs WHERE run = ?", [(name,) for name in gone])
        index.executemany("REPLACE INTO runs VALUES (?, ?, ?, ?)", [(name, *row) for name, row in new.items()])
