"""Checkpoints: one directory each, whole or not there, verified when loaded.

checkpoints/000450/model.safetensors       weights and buffers
                   average.safetensors     the moving average of them, where the run keeps one
                   optimizer.safetensors   the optimizer's state_dict
                   state.json              everything else, and the sha256 of these files; see state.py
checkpoints/latest                         the name of the newest directory
model.safetensors                          the best weights so far

A checkpoint is written under a temporary name, made durable file by file, and renamed; `latest` follows. A kill leaves
at any moment every earlier checkpoint whole, and names that begin with a dot, which the next save takes away.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from lenetcli.build.model import under_own_names
from lenetcli.disk import (
    Unreadable,
    check_inside,
    is_temporary,
    is_there,
    make_way,
    put_aside,
    read_within,
    stamp,
    sync_directory,
    sync_file,
    unreadable,
    write_atomically,
    write_new,
)
from lenetcli.errors import DataError, LenetError, in_a_line
from lenetcli.nn.module import Module
from lenetcli.runs import resume_rules
from lenetcli.runs.kept import AVERAGE, CHECKPOINTS, MODEL, OPTIMIZER, STATE, missing_best, read_state, set_aside
from lenetcli.runs.lock import Lost
from lenetcli.runs.restore import put_back, streams
from lenetcli.runs.state_json import LARGEST, check_count, decode, encode
from lenetcli.tensors.serialization import load, to_bytes
from lenetcli.train.run import Place, Run

__all__ = ["AVERAGE", "LATEST", "METRICS", "MODEL", "OPTIMIZER", "STATE", "Checkpoints"]

LATEST, METRICS = "latest", "metrics.jsonl"
_HEADER = 1 << 24  # bytes of a file beside its tensors


class Checkpoints:
    """The checkpoints of a run directory.

    Args:
        directory: the run directory; `checkpoints/` and `model.safetensors` are written below it.
        keep: how many of the newest stay; the one with the best weights stays as well.
    """

    def __init__(self, directory: Path, keep: int = 3) -> None:
        self.directory = directory
        self.keep = keep
        self.best: dict[str, str] | None = None  # the checkpoint that holds the best weights, and their hash
        self.events = 0  # bytes of metrics.jsonl that were there at the last save
        self.before_save: Callable[[], Place] | None = None  # says where the directory is now
        self._way = directory  # what files are written by
        self._shown: tuple[int, ...] | None = None  # model.safetensors, as it was written
        self._written: tuple[str, dict[str, str]] = "", {}  # the last checkpoint that was saved, its files' hashes

    @property
    def root(self) -> Path:
        """Where they lie."""
        return self._way / CHECKPOINTS

    def _at(self, name: str) -> str:
        """The path of a directory of theirs, as text: its name may be new at each save, and pathlib keeps account of
        every name that it has seen."""
        return os.path.join(self.root, name)

    # Saving

    def save(self, run: Run, best: bool) -> str:
        """Writes the run's state; then the best weights, where these are the best; then drops what is old.

        Raises:
            LenetError: no space, no permission; earlier checkpoints are whole.
            DataError: a link leads out of the run directory.
            Lost: the run directory is not there any more, or another's.
        """
        name = f"{run.progress.step:06d}"
        while True:
            try:
                self._find()
                self._save(run, name, best)
                break
            except (Lost, DataError):
                raise
            except (OSError, LenetError) as error:
                if not self._has_moved():
                    raise LenetError(self._failure(name, error)) from None
        self._tidy()
        return os.path.join(self.directory, CHECKPOINTS, name)

    def settle(self) -> None:
        """Takes the directory by its name again: it trains no more."""
        self.before_save, self._way = None, self.directory

    def _save(self, run: Run, name: str, best: bool) -> None:
        check_inside(self._way, self.root)
        check_inside(self._way, self._way / MODEL)
        self._make_root()
        shown = self._write(run, name, best)
        make_way(self.root / LATEST)
        write_atomically(self.root / LATEST, name.encode())
        if best:
            self._show(shown)
        else:
            self._put_back_best()

    def _has_moved(self) -> bool:
        """Whether the directory is somewhere else than it was when a save began, which failed.

        Raises:
            Lost: it is not there any more, or another's.
        """
        before = self.directory
        try:
            self._find()
        except Lost:
            raise
        except (OSError, LenetError):
            return False
        return self.directory != before

    def _make_root(self) -> None:
        """The directory that they lie in; what is in its way is put aside."""
        if not os.path.isdir(self.root):
            if is_there(self.root):
                put_aside(self.root)
            os.mkdir(self.root)
            sync_directory(self._way)

    def _show(self, data: bytes) -> None:
        """Writes the best weights."""
        target = self._way / MODEL
        make_way(target)
        write_atomically(target, data)
        self._shown = stamp(target)

    def _find(self) -> None:
        """Takes note of where the directory is now, and of the events that are on disk."""
        if self.before_save is not None:
            self.directory, self._way, self.events = self.before_save()
        else:
            metrics = self._way / METRICS
            self.events = sync_file(metrics) if is_there(metrics) else 0

    def _write(self, run: Run, name: str, best: bool) -> bytes:
        """The checkpoint's directory; gives the content of the file with the weights that are shown."""
        files = {MODEL: to_bytes(run.model.state_dict()), OPTIMIZER: to_bytes(run.optimizer.state_dict())}
        if run.average is not None:
            files[AVERAGE] = to_bytes(run.average.module.state_dict())
        hashes = {file: hashlib.sha256(data).hexdigest() for file, data in files.items()}
        shown = AVERAGE if AVERAGE in files else MODEL
        if best:
            self.best = {"checkpoint": name, "sha256": hashes[shown]}
        state = {
            "files": {file: {"bytes": len(data), "sha256": hashes[file]} for file, data in files.items()},
            "config": run.config,
            "samples": len(run.train_loader.dataset),
            "progress": dataclasses.asdict(run.progress),
            "averaged": None if run.average is None else int(run.average.n_averaged),
            "scheduler": None if run.scheduler is None else run.scheduler.state_dict(),
            "random": streams(run),
            "best": self.best,
            "events": self.events,
        }
        temporary = self._at(f".writing-{name}-{secrets.token_hex(4)}")
        try:
            os.mkdir(temporary)
            for file, data in files.items():
                if not self._again(name, file, hashes[file], temporary):
                    write_new(os.path.join(temporary, file), data)
            write_new(os.path.join(temporary, STATE), encode(state))
            sync_directory(temporary)
            self._put(temporary, name)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
        self._written = name, hashes
        return files[shown]

    def _again(self, name: str, file: str, sha256: str, temporary: str) -> bool:
        """Takes a file over from the checkpoint of the same step, where it is the same: saved before the evaluation,
        and once more after it."""
        if self._written[0] != name or self._written[1].get(file) != sha256:
            return False
        try:
            os.link(os.path.join(self._at(name), file), os.path.join(temporary, file))
        except OSError:  # taken away, or a file system without such names
            return False
        return True

    def _put(self, temporary: str, name: str) -> None:
        """Gives the directory its name. One that has it, of the same step, stays whole until the new one is there."""
        final, old = self._at(name), self._at(f"{name}.old")
        if os.path.exists(final):
            shutil.rmtree(old, ignore_errors=True)
            os.rename(final, old)
        os.rename(temporary, final)  # on disk when `latest` is, which lies in the same directory

    def _failure(self, name: str, error: Exception) -> str:
        try:
            whole = self._found()
        except DataError:
            whole = []
        older = f"checkpoint {whole[-1].removesuffix('.old')} is whole" if whole else "there is no checkpoint yet"
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return (
            f"cannot save checkpoint {name} in {self.directory}: {reason}; {older}. "
            f"When that is mended, continue with: lenet train --resume {self.directory}"
        )

    def exist(self) -> bool:
        """Whether there is any, whole or damaged."""
        return bool(self._found())

    def names(self) -> list[str]:
        """Names of the checkpoints, oldest first."""
        return [name for name in self._found() if name.isdecimal()]

    def epochs(self) -> int:
        """Epochs that were finished when the newest one was made, as far as it says."""
        for name in reversed(self.names()):
            with suppress(DataError, ValueError, KeyError, TypeError):
                state = decode(read_within(check_inside(self.directory, self.root / name / STATE), LARGEST))
                return check_count(state["progress"]["epoch"], "epoch")
        return 0

    def _found(self) -> list[str]:
        """Names of directories that may be whole checkpoints, oldest first: 000030.old stands in for 000030."""
        try:
            found = [name for name in os.listdir(self.root) if re.fullmatch(r"[0-9]{1,18}(\.old)?", name)]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise unreadable(self.root, error) from None
        return sorted(found, key=lambda name: (int(name.removesuffix(".old")), name.isdecimal()))

    def _tidy(self) -> None:
        """Drops checkpoints that are neither new nor the best, and what killed processes left."""
        names = self.names()
        kept = {*names[-self.keep :], *((self.best["checkpoint"],) if self.best else ())}
        for name in names:
            if name not in kept:
                with suppress(OSError):  # it stays until the next time
                    os.rename(self._at(name), self._at(f".dropped-{name}-{secrets.token_hex(4)}"))
        with suppress(OSError):
            for left in os.listdir(self.root):
                if re.fullmatch(r"\.(writing|dropped)-.*|[0-9]+\.old", left):
                    shutil.rmtree(self._at(left), ignore_errors=True)
            for place in (self.root, self._way):
                for left in filter(is_temporary, os.listdir(place)):
                    os.unlink(os.path.join(place, left))

    # Restoring

    def load_best(self, model: Module) -> None:
        """Puts the best weights so far into the model."""
        self._find()
        self._put_back_best()
        model.load_state_dict(under_own_names(model, load(self._way / MODEL)))

    def restore(self, run: Run) -> str:
        """Puts the run back to its newest whole checkpoint; damaged newer ones are set aside as `NAME.damaged`.

        One that cannot be read just now is not damaged: then nothing is changed.

        Returns:
            The checkpoint's name, followed by what was wrong with newer ones, if any was.

        Raises:
            DataError: there is no whole checkpoint.
            Unreadable: a file is there and cannot be read.
            ConfigError: the run's configuration is another than the checkpoint's.
        """
        check_inside(self.directory, self.root)
        problems: list[str] = []
        damaged: list[str] = []
        for name in reversed(self._found()):
            try:
                state = self._restore(run, self.root / name)
            except Unreadable:
                raise
            except DataError as error:
                problems.append(f"skipped: {error}")
                damaged.append(name)
                continue
            best = missing_best(self.directory, state["best"])
            try:
                name = self._settle(name, damaged, state, best)
            except OSError as error:
                raise LenetError(f"cannot write to {self.directory}: {error.strerror or error}") from None
            return "; ".join([name, *problems])
        raise DataError("; ".join([f"{self.directory}: no whole checkpoint to resume from", *problems]))

    def look(self, run: Run, step: int | None = None) -> str:
        """Puts the run to its newest whole checkpoint without changing anything on disk.

        Args:
            step: to the checkpoint of this step instead.

        Returns:
            The checkpoint's name, followed by what was wrong with newer ones, if any was.

        Raises:
            DataError: there is no whole checkpoint.
            ConfigError: the run's configuration is another than the checkpoint's.
        """
        problems = []
        for name in reversed(self._found()):
            if step is not None and int(name.removesuffix(".old")) != step:
                continue
            try:
                self._restore(run, self.root / name)
            except Unreadable:
                raise
            except DataError as error:
                problems.append(f"skipped: {error}")
                continue
            return "; ".join([name, *problems])
        raise DataError("; ".join([f"{self.directory}: no whole checkpoint", *problems]))

    def _restore(self, run: Run, path: Path) -> dict[str, Any]:
        weights = sum(tensor.array.nbytes for tensor in run.model.state_dict().values())
        most = {MODEL: weights, AVERAGE: weights, OPTIMIZER: 8 * weights}
        state = self.read_state(path, {file: size + _HEADER for file, size in most.items()})
        resume_rules.check(state.get("config"), run.config)
        try:
            read = {file: load(path / file) for file in state["files"]}
            put_back(run, state, read[MODEL], read[OPTIMIZER], read.get(AVERAGE))
        except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DataError(f"{path}: does not fit this configuration: {in_a_line(error)}") from None
        return state

    def read_state(self, path: Path, most: dict[str, int] | None = None) -> dict[str, Any]:
        """A checkpoint's state, as `kept.read_state` verifies it."""
        return read_state(self.directory, path, most)

    def _settle(self, name: str, damaged: list[str], state: dict[str, Any], best: bytes | None) -> str:
        """Makes the directory what it was when this checkpoint was the newest.

        Args:
            best: what model.safetensors should hold, where it does not.
        """
        for other in damaged:
            aside = self.root / f"{other.removesuffix('.old')}.damaged"
            shutil.rmtree(aside, ignore_errors=True)
            os.rename(self.root / other, aside)
        plain = name.removesuffix(".old")
        if plain != name:
            os.rename(self.root / name, self.root / plain)
        write_atomically(self.root / LATEST, plain.encode())
        self.best, self.events = state["best"], state["events"]
        target = check_inside(self.directory, self.directory / MODEL)
        if self.best is None:
            set_aside(self.directory, target)
        elif best is not None:
            set_aside(self.directory, target)
            write_atomically(target, best)
        self._tidy()
        return plain

    def _put_back_best(self) -> None:
        """Writes model.safetensors anew where it was taken away, emptied or replaced."""
        target = self._way / MODEL
        if self.best is None or (self._shown is not None and self._shown == stamp(target)):
            return
        data = missing_best(self._way, self.best)
        if data is not None:
            set_aside(self._way, target)
            self._show(data)
