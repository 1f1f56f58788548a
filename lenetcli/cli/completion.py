"""What a shell offers after TAB beside commands and options: configurations, run directories, names.

A shell asks at every TAB, so files are looked for by the system's own means, and nothing heavy is imported for them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

MOST = 500  # that are offered
DEPTH = 4  # directories below what has been typed
PRESETS = Path(__file__).parent.parent / "presets"
HEAD = 1 << 14  # bytes of a YAML file in which a configuration has its model


def _walk(typed: str, start: str = "") -> Iterator[tuple[str, list[str], list[str]]]:
    """Directories from the one that has been typed so far, each with its directories and files; hidden ones are not."""
    first = os.path.dirname(typed) or start
    for place, directories, files in os.walk(first or "."):
        shown = os.path.relpath(place, first or ".")
        depth = 0 if shown == "." else shown.count(os.sep) + 1
        directories[:] = sorted(name for name in directories if not name.startswith(".")) if depth < DEPTH else []
        yield (place if first else "" if place == "." else place[2:]), directories, sorted(files)


def configs(incomplete: str) -> list[str]:
    """Configurations: YAML files with a model, but not those of runs."""
    found: list[str] = []
    for place, directories, files in _walk(incomplete):
        if "config.yaml" in files and "environment.json" in files:
            directories.clear()
            continue
        paths = [os.path.join(place, name) for name in files if name.endswith((".yaml", ".yml"))]
        found += [path for path in paths if path.startswith(incomplete) and is_plain(path) and _has_model(path)]
        if len(found) >= MOST:
            break
    return found[:MOST]


def is_plain(path: str) -> bool:
    """Whether a shell takes a path as it stands: what it would take apart, or run, must not get into a command line.

    Example:
        >>> [is_plain(path) for path in ("configs/lenet-5.yaml", "a b.yaml", "$(reboot).yaml", "-f.yaml")]
        [True, False, False, False]
    """
    return all(c.isalnum() or c in "_./-+@%=:," for c in path) and path[:1] not in "-+@%=:,"


def _has_model(path: str) -> bool:
    """Looks into an ordinary file only: to open a pipe is to wait for its writer, and devices do what they like."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
        with open(handle, "rb") as file:
            return stat.S_ISREG(os.fstat(handle).st_mode) and b"\nmodel:" in b"\n" + file.read(HEAD)
    except (OSError, ValueError):
        return False


def runs(incomplete: str) -> list[str]:
    """Run directories, of `runs/` where nothing has been typed."""
    found: list[str] = []
    for place, directories, files in _walk(incomplete, "runs"):
        if "config.yaml" in files and place:
            directories.clear()
            found += [place] if place.startswith(incomplete) and is_plain(place) else []
        if len(found) >= MOST:
            break
    return found[:MOST]


def either(incomplete: str) -> list[str]:
    """Configurations and run directories."""
    return configs(incomplete) + runs(incomplete)


def layers(incomplete: str) -> list[str]:
    """What a configuration may name: layers, losses, optimizers, schedulers, data."""
    from lenetcli.config.catalogue import ROLES

    return sorted(name for role in ROLES.values() for name in role.classes if name.startswith(incomplete))


def preset_names() -> list[str]:
    """Configurations that `lenet init` starts from."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def presets(incomplete: str) -> list[str]:
    """Those that begin with what has been typed."""
    return [name for name in preset_names() if name.startswith(incomplete)]


def lessons(incomplete: str) -> list[str]:
    """Lessons of the mistake lab."""
    from lenetcli.inspection.lab import LESSONS

    return [name for name in LESSONS if name.startswith(incomplete)]
