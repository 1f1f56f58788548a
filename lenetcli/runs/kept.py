"""What a run directory keeps of a model: checkpoints that are read and verified, and the best weights beside them."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from lenetcli.disk import Unreadable, check_inside, check_regular, is_there, read_within, sha256_within
from lenetcli.errors import DataError, in_a_line
from lenetcli.runs.state_json import LARGEST, check_count, decode
from lenetcli.tensors.serialization import load

CHECKPOINTS = "checkpoints"  # the directory that they lie in
MODEL, AVERAGE, OPTIMIZER = "model.safetensors", "average.safetensors", "optimizer.safetensors"
STATE = "state.json"
REPLACED = "model.replaced.safetensors"  # weights that were found in the place of the best ones
_LARGEST_MODEL = 1 << 33


def read_state(directory: Path, path: Path, most: dict[str, int] | None = None) -> dict[str, Any]:
    """A checkpoint's state, after verifying the files that it vouches for.

    Args:
        directory: the run directory.
        path: the checkpoint's directory.
        most: greatest size of each file; others are refused.

    Raises:
        DataError: a file is missing, damaged, too large or out of the run directory.
    """
    try:
        state = decode(read_within(check_inside(directory, path / STATE), LARGEST))
        files = state["files"]
        if not {MODEL, OPTIMIZER} <= set(files) <= {MODEL, OPTIMIZER, AVERAGE}:
            raise ValueError(f"files: wanted {MODEL} and {OPTIMIZER}")
        for file, stated in files.items():
            size, wanted = stated["bytes"], stated["sha256"]
            if check_count(size, f"files.{file}") > (size if most is None else most[file]):
                raise ValueError(f"files.{file}: absurd size")
            found = sha256_within(check_inside(directory, path / file), size)
            if found != wanted:
                raise DataError(f"{path / file}: damaged, its sha256 is not the one in {STATE}")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path / STATE}: {in_a_line(error)}") from None
    return state


def missing_best(directory: Path, best: dict[str, str] | None) -> bytes | None:
    """What the best checkpoint holds, where model.safetensors is something else; None where it cannot be had.

    Raises:
        Unreadable: one of the two is there and cannot be read.
    """
    if best is None:
        return None
    target, folder = check_inside(directory, directory / MODEL), directory / CHECKPOINTS / best["checkpoint"]
    try:
        if sha256_within(target, _LARGEST_MODEL) == best["sha256"]:
            return None
    except Unreadable:
        raise
    except DataError:
        pass  # it is not there
    source = folder / AVERAGE if is_there(folder / AVERAGE) else folder / MODEL
    try:
        data = read_within(check_inside(directory, source), _LARGEST_MODEL)
    except Unreadable:
        raise
    except DataError:
        return None  # the best epoch comes again, or another one after it
    return data if hashlib.sha256(data).hexdigest() == best["sha256"] else None


def set_aside(directory: Path, target: Path) -> None:
    """Keeps weights that no checkpoint here knows, under another name: somebody may have put them there."""
    if not target.is_file() or _is_known(directory, sha256_within(target, check_regular(target, 1 << 40))):
        return
    with suppress(RuntimeError, DataError):  # what is no weights is no loss
        load(target)
        os.replace(target, target.with_name(REPLACED))


def _is_known(directory: Path, sha256: str) -> bool:
    """Whether a checkpoint holds weights of this hash, or held them, damaged or not."""
    for path in (directory / CHECKPOINTS).glob(f"[0-9]*/{STATE}"):
        with suppress(DataError, ValueError, KeyError, TypeError, AttributeError, OSError):
            state = decode(read_within(check_inside(directory, path), LARGEST))
            if sha256 in (state["best"] or {}).values() or any(f["sha256"] == sha256 for f in state["files"].values()):
                return True
    return False
