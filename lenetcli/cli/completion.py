"""What a shell offers after TAB beside commands and options: configurations, run directories, names.

A shell asks at every TAB, so files are looked for by the system's own means, and nothing heavy is imported for them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

MOST = 500  # that are offered
DEPTH = 4  # directories below what has been typed
PRESETS = Path(__file__).parent.parent / "presets"
HEAD = 1 << 14  # characters of a YAML file in which a configuration has its model


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
        found += [path for path in paths if path.startswith(incomplete) and _has_model(path)]
        if len(found) >= MOST:
            break
    return found[:MOST]


def _has_model(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return "\nmodel:" in "\n" + file.read(HEAD)
    except OSError:
        return False


def runs(incomplete: str) -> list[str]:
    """Run directories, of `runs/` where nothing has been typed."""
    found: list[str] = []
    for place, directories, files in _walk(incomplete, "runs"):
        if "config.yaml" in files and place:
            directories.clear()
            found += [place] if place.startswith(incomplete) else []
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
