"""Reads a config's text from disk; every way it can fail is one clear line."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from lenetcli.config.problems import InvalidConfig, Problem, Source, did_you_mean
from lenetcli.config.yaml_tree import most_bytes
from lenetcli.disk import unreadable
from lenetcli.formats.recognise import Kind, recognise

_WEIGHTS = ("lenet inspect-params shows its arrays", "lenet import makes it a run, with --config for its model")
HINTS = dict.fromkeys((Kind.safetensors, Kind.npz, Kind.torch), _WEIGHTS)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read(path: Path, rank: int = 0) -> Source:
    """The text of a YAML file (UTF-8, at most 256 KiB; 4 MiB in a run directory, where every default is written out).

    Raises:
        InvalidConfig: missing, a directory or device, unreadable, too large, not UTF-8.
        Unreadable: it is a run's, and cannot be read just now.
    """
    try:
        if not path.exists():
            raise _problem(path, "no such file", *_nearby(path))
        if not path.is_file():
            raise _directory(path) if path.is_dir() else _problem(path, "not a regular file")
        resolved = is_resolved(path)
        most = most_bytes(resolved)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL character
        if isinstance(error, OSError) and is_resolved(path):
            raise unreadable(path, error) from None  # of a run: there is nothing to mend in it
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _problem(path, f"cannot be read: {reason}") from None
    binary = b"\0" in data[:1000] and not data.startswith(_UTF16)
    kind = recognise(path) if binary or data.lstrip().startswith((b"<", b"version https:")) else Kind.text
    if binary or kind in (Kind.page, Kind.pointer):
        found = "one that holds no text" if kind is Kind.unknown else kind.what
        raise _problem(path, f"wanted a YAML file, got {found}", *HINTS.get(kind, ()))
    if len(data) > most:
        raise _problem(path, f"too large: a config has at most {most // 1024} KiB")
    if data.startswith(_UTF16):
        raise _problem(path, "the text is UTF-16: save it as UTF-8")
    try:
        return Source(str(path), data.decode("utf-8-sig"), rank, resolved=resolved)
    except UnicodeDecodeError as error:
        good = data[: error.start].decode("utf-8-sig")
        source = Source(str(path), good + data[error.start :].decode("utf-8", "replace"), rank)
        message = f"not UTF-8 text: byte 0x{data[error.start]:02x}"
        raise InvalidConfig([Problem(source.at(len(good)), (), message, ("save the file as UTF-8",))]) from None


def is_resolved(path: Path) -> bool:
    """Whether a file is the config.yaml of a run directory."""
    signs = ("environment.json", "metrics.jsonl", "model.safetensors", "checkpoints")
    return path.name == "config.yaml" and any(os.path.exists(path.parent / sign) for sign in signs)


def _problem(path: Path, message: str, *hints: str) -> InvalidConfig:
    return InvalidConfig([Problem(None, (), f"{path}: {message}", hints)])


def _directory(path: Path) -> InvalidConfig:
    """A directory where a file is wanted, and the file in it that may be meant."""
    inside = sorted(p for p in path.iterdir() if p.suffix in (".yaml", ".yml") and p.is_file())
    if is_resolved(path / "config.yaml") and path / "config.yaml" in inside:
        run = f"its configuration is {inside[0]}; lenet train --resume {path} goes on with it"
        return _problem(path, "wanted a YAML file, got the directory of a run", run)
    hint = f"did you mean {inside[0]}?" if inside else f"`lenet init {path}` writes one there, or says how for pictures"
    return _problem(path, "wanted a YAML file, got a directory", hint)


def _nearby(path: Path) -> tuple[str, ...]:
    """Similar names in the same directory, or the part of the path that is missing."""
    folder = path.parent
    if not folder.is_dir():
        return (f"there is no directory {folder}",)
    names = sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))[:1000]
    hints = did_you_mean(path.name, names)
    return hints or ((f"{folder} has {', '.join(names[:12])}",) if names else ())
