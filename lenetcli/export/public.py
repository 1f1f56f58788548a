"""A configuration as it may leave the machine: without the folders of whoever trained, their own files by name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from lenetcli.config.user_code import is_own

BEGINNING = ("init", "strict", "rename")


def public(config: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Path]]:
    """The configuration with names for paths, where it says where data lies or which file a class is in; and the files.

    The file of weights that training began with is left out.

    Args:
        config: as `config.writing.plain` gives it.

    Example:
        >>> given = {"data": {"type": "ImageFolder", "root": "/home/me/pets"}, "loss": {"type": "/home/me/my.py:Own"}}
        >>> found, files = public(given)
        >>> found["data"]["root"], found["loss"]["type"], [*files]
        ('pets', 'my.py:Own', ['my.py'])
    """
    files: dict[str, Path] = {}
    found = _named(dict(config), files)
    if "data" in found:
        found["data"] = _without_folders(found["data"])
    if "model" in found:  # the file that its training began with stays where it is: what came of it goes along
        found["model"] = {key: value for key, value in found["model"].items() if key not in BEGINNING}
    return found, files


def last_part(path: str) -> str:
    """The last name of a path of any system; text that is no path stays as it is."""
    return PurePosixPath(PureWindowsPath(path).as_posix()).name or path if "/" in path or "\\" in path else path


def _named(value: Any, files: dict[str, Path]) -> Any:
    """Users' own classes and functions by the names of their files."""
    if isinstance(value, str) and is_own(value):
        file, _, name = value.rpartition(":")
        files[last_part(file)] = Path(file)
        return f"{last_part(file)}:{name}"
    if isinstance(value, dict):
        return type(value)({key: _named(v, files) for key, v in value.items()})
    return type(value)([_named(v, files) for v in value]) if isinstance(value, list) else value


def _without_folders(value: Any) -> Any:
    if isinstance(value, dict):
        return type(value)({key: _without_folders(v) for key, v in value.items()})
    if isinstance(value, list):
        return type(value)([_without_folders(v) for v in value])
    return last_part(value) if isinstance(value, str) else value
