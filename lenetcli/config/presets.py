"""The configurations that come with the package, for `lenet init` to start from."""

from __future__ import annotations

from pathlib import Path

from lenetcli.config.problems import did_you_mean
from lenetcli.errors import ConfigError

PLACE = Path(__file__).parent.parent / "presets"


def presets() -> dict[str, Path]:
    """Every preset's file, by name."""
    return {path.stem: path for path in sorted(PLACE.glob("*.yaml"))}


def preset(name: str) -> str:
    """The text of a preset.

    Raises:
        ConfigError: there is none of that name.
    """
    known = presets()
    if name not in known:
        hints = did_you_mean(name, known)
        raise ConfigError("\n   ".join([f"no preset {name!r}; there are {', '.join(known)}", *hints]))
    return known[name].read_text("utf-8")
