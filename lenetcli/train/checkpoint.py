"""Checkpoints: one directory each, whole or not there, verified when loaded.

checkpoints/000450/model.safetensors       weights and buffers
                   optimizer.safetensors   its tensors, "<parameter number>.<name>"
                   state.json              numbers, random state, progress, and the sha256 of the other two
checkpoints/latest                          the name of the newest directory
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lenetcli._tensor import Tensor
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.errors import DataError
from lenetcli.serialization import load, save

if TYPE_CHECKING:
    from lenetcli.train.run import Run

FORMAT = 1
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


class Checkpoints:
    """The checkpoints of a run directory.

    Args:
        directory: the run directory; `checkpoints/` and `model.safetensors` are written below it.
        keep: how many of the newest stay.
    """

    def __init__(self, directory: Path, keep: int = 2) -> None:
        self.directory = directory
        self.root = directory / "checkpoints"
        self.keep = keep

    def save(self, run: Run, best: bool) -> Path:
        """Writes the run's state under a temporary name, makes it durable, then gives it its own name."""
        self.root.mkdir(exist_ok=True)
        final = self.root / f"{run.progress.step:06d}"
        temporary = Path(tempfile.mkdtemp(prefix=".writing-", dir=self.root))
        try:
            save(run.model.state_dict(), temporary / MODEL)
            tensors, numbers = _split(run.optimizer.state_dict())
            save(tensors, temporary / OPTIMIZER)
            state = {
                "format": FORMAT,
                "progress": dataclasses.asdict(run.progress),
                "optimizer": numbers,
                "scheduler": run.scheduler.state_dict() if run.scheduler is not None else None,
                "random": get_rng_state(),
                "sha256": {name: _sha256(temporary / name) for name in (MODEL, OPTIMIZER)},
            }
            write_durably(temporary / STATE, json.dumps(state, indent=1))
            os.chmod(temporary, 0o755)
            _sync_directory(temporary)
            if final.exists():
                shutil.rmtree(final)  # the same step, saved again after a resume
            temporary.rename(final)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        _sync_directory(self.root)
        replace_durably(self.root / "latest", final.name)
        if best:
            save(run.model.state_dict(), self.directory / MODEL)
        self._drop_old()
        return final

    def _drop_old(self) -> None:
        for old in self._names()[: -self.keep]:
            shutil.rmtree(self.root / old, ignore_errors=True)

    def _names(self) -> list[str]:
        """Names of the whole checkpoints, oldest first."""
        if not self.root.is_dir():
            return []
        return sorted((p.name for p in self.root.iterdir() if p.name.isdigit() and p.is_dir()), key=int)

    def restore(self, run: Run) -> str:
        """Puts the run back to its newest whole checkpoint.

        Returns:
            The checkpoint's name, followed by what was wrong with newer ones, if any was.

        Raises:
            DataError: there is no whole checkpoint.
        """
        problems = []
        for name in reversed(self._names()):
            try:
                state = self.read_state(self.root / name)
                self._apply(run, self.root / name, state)
            except DataError as error:
                problems.append(str(error))
                continue
            return "; ".join([name, *(f"skipped: {p}" for p in problems)])
        raise DataError("; ".join([f"{self.directory}: no whole checkpoint to resume from", *problems]))

    @staticmethod
    def read_state(path: Path) -> dict[str, Any]:
        """A checkpoint's state.json, after verifying the hashes it holds.

        Raises:
            DataError: a file is missing or damaged.
        """
        try:
            if (path / STATE).stat().st_size > 1 << 24:
                raise DataError(f"{path / STATE}: larger than 16 MiB, no state of ours")
            state = json.loads((path / STATE).read_text("utf-8"))
            if not isinstance(state, dict) or state.get("format") != FORMAT:
                raise DataError(f"{path / STATE}: wanted format {FORMAT}")
            for name in (MODEL, OPTIMIZER):
                if _sha256(path / name) != state["sha256"][name]:
                    raise DataError(f"{path / name}: damaged, its sha256 is not the one in {STATE}")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(f"{path}: not a whole checkpoint: {error}") from None
        return state

    @staticmethod
    def _apply(run: Run, path: Path, state: dict[str, Any]) -> None:
        try:
            model, tensors = load(path / MODEL), load(path / OPTIMIZER)
            run.model.load_state_dict(model)
            run.optimizer.load_state_dict(_join(tensors, state["optimizer"]))
            if run.scheduler is not None:
                run.scheduler.load_state_dict(state["scheduler"])
            set_rng_state(state["random"])
            run.optimizer._opt_called = True  # the steps before the checkpoint count, or schedulers would warn
            for field, value in state["progress"].items():
                setattr(run.progress, field, value)
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: does not fit this configuration: {error}") from None


def _split(state: dict[str, Any]) -> tuple[OrderedDict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as tensors for safetensors and numbers for JSON."""
    tensors: OrderedDict[str, Tensor] = OrderedDict()
    numbers: dict[str, Any] = {}
    for parameter, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{parameter}.{name}"] = value
            else:
                numbers.setdefault(str(parameter), {})[name] = value
    return tensors, {"state": numbers, "param_groups": state["param_groups"]}


def _join(tensors: dict[str, Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
    """What `_split` took apart."""
    state: dict[int, dict[str, Any]] = {int(k): dict(v) for k, v in numbers["state"].items()}
    for key, tensor in tensors.items():
        parameter, _, name = key.partition(".")
        state.setdefault(int(parameter), {})[name] = tensor
    groups = [{k: tuple(v) if k == "betas" else v for k, v in g.items()} for g in numbers["param_groups"]]
    return {"state": state, "param_groups": groups}


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _sync_directory(path: Path) -> None:
    """Makes names in a directory durable, where the system can."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_durably(path: Path, text: str) -> None:
    """Writes a file and waits until it is on disk."""
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def replace_durably(path: Path, text: str) -> None:
    """Replaces a file's content at once: readers see the old or the new text, never a part."""
    temporary = path.with_name(path.name + ".new")
    write_durably(temporary, text)
    temporary.replace(path)
    _sync_directory(path.parent)
