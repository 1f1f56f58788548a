"""The files that make a run: what no other output may replace."""

from __future__ import annotations

from pathlib import Path

SIGNS = ("metrics.jsonl", "environment.json", "model.safetensors")  # one of them makes a directory with a config a run
FILES = {*SIGNS, "config.yaml", "inputs.json", "lock"}
FOLDERS = {"checkpoints", "code"}
_DEEPEST = 3  # a checkpoint's files lie two folders below the run


def is_of_run(path: Path) -> bool:
    """Whether a file is one that a run keeps and is opened by: its configuration, events, weights, checkpoints.

    Args:
        path: resolved, without links.
    """
    if not path.exists():
        return False
    for above in path.parents[:_DEEPEST]:
        if (above / "config.yaml").is_file():
            first = path.relative_to(above).parts[0]
            if path.suffix == ".safetensors" and path.parent == above:
                return True
            if any((above / sign).exists() for sign in SIGNS):
                return first in (FILES if path.parent == above else FOLDERS)
    return False
