"""Where a run begins that has no checkpoints: with the weights that it was given, or with its initial ones.

Weights that a run directory was given (by `lenet import`) are kept as initial.safetensors when training from them
begins, so that no training ever replaces what it has not made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lenetcli.disk import check_inside, check_regular, is_there, read_within, sha256_within, write_atomically
from lenetcli.errors import DataError
from lenetcli.runs.checkpoint import MODEL
from lenetcli.runs.directory import ENVIRONMENT, read_environment
from lenetcli.runs.history import read_history
from lenetcli.tensors.serialization import load
from lenetcli.train.run import Run

INITIAL = "initial.safetensors"
_LARGEST = 1 << 36  # bytes of a weights file


def keep_given(place: Path) -> None:
    """Keeps weights that are not of this run's own making, before it makes some.

    Raises:
        DataError: the run has trained before, and what it would go on from is gone.
        LenetError: they cannot be written.
    """
    weights = check_inside(place, place / MODEL)
    initial = check_inside(place, place / INITIAL)
    if not is_there(weights) or (is_there(initial) and _sha256(weights) == _sha256(initial)):
        return
    if _has_trained(place) or is_there(initial):
        raise DataError(
            f"{place}: its checkpoints are gone, so that it cannot go on exactly; {MODEL} holds those of its best "
            f"epoch. A new run can go on from them: lenet import {weights} --config {place / 'config.yaml'} "
            "--out NEW, then lenet train --resume NEW"
        )
    write_atomically(initial, read_within(weights, check_regular(weights, _LARGEST)))


def check_init(place: Path, found: dict[str, Any]) -> None:
    """Refuses weights to begin with that are not those which a run began with whose configuration is used again.

    Args:
        place: where the configuration lies; no run directory says nothing.
        found: the file, and its hash now.

    Raises:
        DataError: the same file, and other content.
    """
    try:
        wanted = read_environment(place).get("init") if is_there(place / ENVIRONMENT) else None
    except DataError:
        return
    if not isinstance(wanted, dict) or wanted.get("file") != found["file"] or wanted.get("sha256") == found["sha256"]:
        return
    raise DataError(
        f"model.init: {found['file']} has changed since {place} began with it: it had the sha256 "
        f"{str(wanted.get('sha256'))[:12]}..., now {found['sha256'][:12]}...; the run keeps what it began with: "
        f"model.init={place / INITIAL}; --accept-changed begins with the file as it is"
    )


def begin(run: Run, place: Path) -> str:
    """Puts a run to its beginning; says what that is.

    Raises:
        DataError: the weights that it was given are gone, damaged, or of another model.
    """
    initial = check_inside(place, place / INITIAL)
    if not is_there(initial):
        if run.config is not None and run.config["model"].get("init") is not None:
            raise DataError(f"{initial}: it is gone, and with it the weights that this run begins with")
        return f"{place} has no checkpoint yet: starting from its beginning"
    try:
        for model in (run.model, *([] if run.average is None else [run.average.module])):
            model.load_state_dict(load(initial))
    except RuntimeError as error:
        raise DataError(f"{initial}: {error}") from None
    return f"{place} has no checkpoint: training begins from the weights that it was given, kept as {INITIAL}"


def begun(run: Run, place: Path) -> Run:
    """A run that was built, at the beginning that this directory's run had."""
    begin(run, place)
    return run


def _sha256(path: Path) -> str:
    return sha256_within(path, check_regular(path, _LARGEST))


def _has_trained(place: Path) -> bool:
    return is_there(place / "metrics.jsonl") and len(read_history(place).steps.step) > 0
