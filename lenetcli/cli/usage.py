"""What is said of an option that there is not, where it is a change of the configuration: --epochs 3."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

WORDS = r"[\s{}*?$&|<>;'\"]"  # characters that a shell does not leave alone


def as_change(error: Any, words: Sequence[str]) -> str | None:
    """The hint for a wrong option of a command that takes changes, [K=V ...]; None where nothing is near.

    Args:
        error: of the parser.
        words: the command line.
    """
    command, option = getattr(error, "cmd", None), getattr(error, "option_name", None)
    if option is None or not any("K=V" in (getattr(p, "metavar", None) or "") for p in getattr(command, "params", ())):
        return None
    at = next((i for i, word in enumerate(words) if word.startswith(option)), None)
    if at is None:
        return None
    key, equals, value = words[at].lstrip("-").partition("=")
    following = words[at + 1] if at + 1 < len(words) else ""
    if not equals:
        value = following if following and not following.startswith("--") and "=" not in following else "true"
    from lenetcli.config.loading import meant_override
    from lenetcli.config.presets import presets
    from lenetcli.errors import LenetError

    configs = [Path(word) for word in words if word.endswith((".yaml", ".yml")) and Path(word).is_file()]
    for path in (*configs[:1], presets()["lenet"]):
        try:
            found = meant_override(f"{key}={value}", path)
        except LenetError:
            continue
        if found is not None:
            written = shlex.quote(found) if re.search(WORDS, found) else found
            return f"did you mean {written}? Changes of the configuration are written so, without dashes."
    return None
