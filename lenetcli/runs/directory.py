"""The run directory: made once, never overwritten.

config.yaml        the configuration, fully resolved: training from it repeats the run
environment.json   versions, processor, threads, commit, the hashes of the data and of Python of the user's own
code/              copies of that Python, as it was when the run began
initial.safetensors  weights that the run was given and trains from; see beginning.py
inputs.json        how pictures are made into what the model takes
metrics.jsonl      one event a line
model.safetensors  the best weights so far
checkpoints/       see checkpoint.py
lock               while a training runs; see lock.py
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from lenetcli import __version__
from lenetcli.config import made_with
from lenetcli.config.made_with import OwnFile
from lenetcli.config.yaml_tree import most_bytes
from lenetcli.data.left_out import LeftOut
from lenetcli.disk import (
    check_inside,
    check_regular,
    has_content,
    is_temporary,
    is_there,
    make_way,
    read_within,
    sync_directory,
    unreadable,
    write_atomically,
)
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.file_lock import same_file
from lenetcli.kernels import device, dispatch, threads
from lenetcli.nn.module import Module
from lenetcli.runs import lock
from lenetcli.runs.checkpoint import METRICS
from lenetcli.train.events import LONGEST_LINE, Event

ENVIRONMENT = made_with.ENVIRONMENT
LARGEST = 1 << 24  # bytes of config.yaml or environment.json

OF_THREADS = ("LENET_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def create(name: str, out: Path | None = None) -> Path:
    """Makes a new, empty run directory: `out`, or the next free runs/<name>/<NNN>.

    Raises:
        ConfigError: `out` exists and is not an empty directory.
        LenetError: it cannot be made or written to.
    """
    try:
        if out is not None:
            if out.exists():
                check_new(out)
            was_there = out.exists()
            out.mkdir(parents=True, exist_ok=True)
            _sync_name(out, was_there)
            return out
        parent = Path("runs") / name
        parent.mkdir(parents=True, exist_ok=True)
        number = max((int(p.name) for p in parent.iterdir() if re.fullmatch("[0-9]{1,9}", p.name)), default=0)
        while True:
            number += 1
            if lock.is_taken(parent, number):
                continue  # the directory was renamed, and its training goes on there
            try:
                (parent / f"{number:03d}").mkdir()
            except FileExistsError:
                continue  # another training was faster
            _sync_name(parent / f"{number:03d}")
            return parent / f"{number:03d}"
    except OSError as error:
        place = f" {error.filename}" if error.filename else ""
        reason = error.strerror or str(error)
        raise LenetError(f"cannot make the run directory{place}: {reason}; choose another with --out DIR") from None


def _sync_name(directory: Path, was_there: bool = False) -> None:
    """Waits until a new directory is on disk; where that fails, it is taken away."""
    try:
        sync_directory(directory.absolute().parent)
    except OSError:
        if not was_there:
            with contextlib.suppress(OSError):
                directory.rmdir()
        raise


@contextlib.contextmanager
def made(name: str, out: Path | None = None) -> Iterator[Path]:
    """A new run directory, as `create` makes it, to be filled in the block; nothing is left of it where that fails.

    Raises:
        ConfigError: `out` exists and is not an empty directory.
        LenetError: it cannot be made or written to.
    """
    was_there = out is not None and out.exists()
    place = create(name, out)
    try:
        yield place
    except BaseException as error:
        if isinstance(error, ConfigError):  # another process was faster: what is there is not ours
            raise
        for path in place.iterdir():
            with contextlib.suppress(OSError):
                path.unlink() if path.is_symlink() or not path.is_dir() else shutil.rmtree(path)
        if not was_there:
            with contextlib.suppress(OSError):
                place.rmdir()
        raise


def check_new(directory: Path) -> None:
    """Refuses a directory that holds more than what a training leaves that was killed before it began.

    Raises:
        ConfigError: it holds files, or is no directory.
    """
    if not directory.is_dir() or any(p.name != lock.NAME and not is_temporary(p.name) for p in directory.iterdir()):
        raise ConfigError(
            f"{directory}: exists and is not an empty directory; name another with --out, or continue it with "
            f"lenet train --resume {directory}"
        )


def check_space(directory: Path, model: Module, keep: int) -> None:
    """Refuses to begin where the disk cannot hold the run's checkpoints.

    Args:
        directory: where they go.
        model: whose size decides; an optimizer keeps up to twice as much beside it.
        keep: checkpoints that stay: beside these there are the best one and the one that is being written.

    Raises:
        LenetError: there is less room than that.
    """
    weights = sum(tensor.array.nbytes for tensor in model.state_dict().values())
    needed = (keep + 2) * 3 * weights
    free = shutil.disk_usage(directory).free
    if free < needed:
        raise LenetError(
            f"{directory}: {free / 1e6:,.1f} MB free, but {keep + 2} checkpoints of this model may take "
            f"{needed / 1e6:,.1f} MB; make room, choose another place with --out DIR, or lower train.keep_checkpoints"
        )


def environment(
    ranks: int = 1, data: dict[str, Any] | None = None, left_out: Sequence[LeftOut] = (),
    code: Sequence[Mapping[str, str]] = (), init: dict[str, Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What a repeat of the run would need to know about this machine, these versions and these data.

    Args:
        ranks: processes that train the run together.
        data: the hash of its data, as `fingerprint` gives it.
        left_out: what the data set found and does not use.
        code: the user's own Python, as `lenetcli.config.made_with.record` gives it.
        init: the file of the weights that it began with, and its hash.
    """
    return {
        "lenet": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        **({"gpu": device.description()} if device.library is not None else {}),
        "kernels": dispatch.description(),
        **({"ranks": ranks} if ranks > 1 else {}),
        "threads": {"lenet": threads.get_num_threads(), **{k: v for k, v in os.environ.items() if k in OF_THREADS}},
        "git_commit": _commit(),
        "command": sys.argv,
        **({"data": data} if data is not None else {}),
        **({"init": init} if init is not None else {}),
        **({"code": list(code)} if code else {}),
        **({"left_out": [part.record() for part in left_out]} if left_out else {}),
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _commit() -> str | None:
    try:
        found = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None


def check_config(config_text: str) -> None:
    """Refuses a configuration that could not be read again.

    Raises:
        ConfigError: fully resolved, it is too long.
    """
    most = most_bytes(resolved=True)
    if len(config_text.encode()) > most:
        raise ConfigError(
            f"the configuration has {len(config_text.encode()):,} bytes with all defaults written out, more than the "
            f"{most:,} that a run directory may keep: fewer layers"
        )


def write_config(directory: Path, config_text: str) -> None:
    """Writes config.yaml, with which a directory is a run that can be resumed.

    Raises:
        LenetError: it cannot be written.
        DataError: it is a link that leads out of the run directory.
    """
    write_atomically(check_inside(directory, directory / "config.yaml"), config_text.encode())


def _write_copies(directory: Path, files: Mapping[str, OwnFile]) -> None:
    """Writes files at their places in the run directory."""
    for name, file in files.items():
        path = directory / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LenetError(f"cannot make {path.parent}: {error.strerror or error}") from None
        write_atomically(check_inside(directory, path), file.content)


def write_environment(
    directory: Path, ranks: int = 1, data: dict[str, Any] | None = None, left_out: Sequence[LeftOut] = (),
    code: Sequence[OwnFile] = (), init: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Writes environment.json and copies of the user's own Python, unless it is there: it describes how the run began.

    Raises:
        LenetError: it cannot be written.
        DataError: it is a link that leads out of the run directory.
    """
    path = check_inside(directory, directory / ENVIRONMENT)
    if not has_content(path):
        _write_copies(directory, made_with.copies(code))
        record = environment(ranks, data, left_out, made_with.record(code), init)
        write_atomically(path, (json.dumps(record, indent=1) + "\n").encode())


class MetricsFile:
    """Listens to a run and appends each event to metrics.jsonl, line by line, so that a kill loses none.

    Args:
        keep: where a run is resumed, how many bytes of events the checkpoint knows of; what comes after them, but for
            the checkpoint's own `saved` event, will happen again.

    Raises:
        LenetError: the file cannot be written.
        DataError: it is no ordinary file, or a link that leads out of the run directory.
    """

    def __init__(self, directory: Path, keep: int = 0) -> None:
        self._path = check_inside(directory, directory / METRICS)
        size = check_regular(self._path, 1 << 40) if is_there(self._path) else 0
        try:
            if size:
                with self._path.open("r+b") as file:
                    try:
                        end = _end(file, min(keep, size))
                    except OSError as error:
                        raise unreadable(self._path, error) from None
                    file.truncate(end)
            self._file = self._opened()
        except OSError as error:
            raise self._failure(error) from None

    def __call__(self, event: Event) -> None:
        try:
            self._file.write(json.dumps(event.record()) + "\n")
        except OSError as error:
            raise self._failure(error) from None

    def sync(self, directory: Path) -> int:
        """Waits until what was written is on disk, under the file's name in the directory, wherever that is by now.

        Returns:
            Its size in bytes.

        Raises:
            LenetError: the file cannot be written.
        """
        self._path = directory / METRICS
        try:
            if not same_file(self._file.fileno(), self._path):
                self._put_back()
            os.fsync(self._file.fileno())
            return os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._failure(error) from None

    def close(self) -> None:
        """Closes the file."""
        with contextlib.suppress(OSError):  # of a line that could not be written, and was complained about
            self._file.close()

    def _opened(self) -> TextIO:
        return self._path.open("a+", encoding="utf-8", buffering=1)

    def _put_back(self) -> None:
        """Writes the file anew where it was taken away: what is open still has all of it."""
        with open(os.dup(self._file.fileno()), "rb") as taken:
            taken.seek(0)
            make_way(self._path)
            write_atomically(self._path, taken.read())
        self._file.close()
        self._file = self._opened()

    def _failure(self, error: OSError) -> LenetError:
        return LenetError(
            f"cannot write {self._path}: {error.strerror or error}. "
            f"When that is mended, continue with: lenet train --resume {self._path.parent}"
        )


def _end(file: BinaryIO, keep: int) -> int:
    """Where the lines end that a resumed run keeps, of the first `keep` bytes and a `saved` event behind them."""
    back = min(keep, LONGEST_LINE)
    file.seek(keep - back)
    end = keep - back + file.read(back).rfind(b"\n") + 1
    file.seek(end)
    line = file.readline(LONGEST_LINE)
    return end + len(line) if line.startswith(b'{"event": "saved"') and line.endswith(b"\n") else end


def read_config_text(run: Path) -> str:
    """The text of config.yaml.

    Raises:
        DataError: it cannot be read, or is no text.
    """
    path = check_inside(run, run / "config.yaml")
    try:
        return read_within(path, LARGEST).decode()
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text") from None


def read_environment(run: Path) -> dict[str, Any]:
    """What environment.json says.

    Raises:
        DataError: it cannot be read, or is no JSON object.
    """
    path = check_inside(run, run / ENVIRONMENT)
    try:
        found = json.loads(read_within(path, LARGEST))
    except (ValueError, RecursionError):
        raise DataError(f"{path}: not JSON") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: wanted a JSON object, got {type(found).__name__}")
    return found
