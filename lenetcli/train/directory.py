"""The run directory: made once, never overwritten.

config.yaml        the configuration, fully resolved: training from it repeats the run
environment.json   versions, processor, threads, commit
metrics.jsonl      one event a line
model.safetensors  the best weights so far
checkpoints/       see checkpoint.py
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from lenetcli import __version__
from lenetcli.errors import ConfigError, LenetError
from lenetcli.train.checkpoint import write_durably
from lenetcli.train.events import Event, Step


def create(name: str, out: Path | None = None) -> Path:
    """Makes a new, empty run directory: `out`, or the next free runs/<name>/<NNN>.

    Raises:
        ConfigError: `out` exists and is not an empty directory.
        LenetError: it cannot be made or written to.
    """
    try:
        if out is not None:
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise ConfigError(
                    f"--out {out}: exists and is not an empty directory; name another, or continue it with --resume {out}"
                )
            out.mkdir(parents=True, exist_ok=True)
            _check_writable(out)
            return out
        parent = Path("runs") / name
        parent.mkdir(parents=True, exist_ok=True)
        number = max((int(p.name) for p in parent.iterdir() if p.name.isdigit()), default=0)
        while True:
            number += 1
            try:
                (parent / f"{number:03d}").mkdir()
            except FileExistsError:
                continue  # another training was faster
            _check_writable(parent / f"{number:03d}")
            return parent / f"{number:03d}"
    except OSError as error:
        raise LenetError(f"cannot make the run directory: {error}") from None


def _check_writable(path: Path) -> None:
    if not os.access(path, os.W_OK):
        raise LenetError(f"{path}: not writable; choose another place with --out DIR")


def environment() -> dict[str, Any]:
    """What a repeat of the run would need to know about this machine and these versions."""
    return {
        "lenet": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": _processor(),
        "cpus": os.cpu_count(),
        "threads": {k: v for k, v in os.environ.items() if k.endswith("_NUM_THREADS")},
        "git_commit": _commit(),
        "command": sys.argv,
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


def describe(directory: Path, config_text: str) -> None:
    """Writes config.yaml and environment.json."""
    write_durably(directory / "config.yaml", config_text)
    write_durably(directory / "environment.json", json.dumps(environment(), indent=1) + "\n")


class MetricsFile:
    """Listens to a run and appends each event to metrics.jsonl.

    Args:
        last_step: where a run is resumed, events after this step are dropped first: they will happen again.
    """

    def __init__(self, directory: Path, last_step: int | None = None) -> None:
        path = directory / "metrics.jsonl"
        if last_step is not None and path.exists():
            kept = [line for line in path.read_text("utf-8").splitlines() if _happened(line, last_step)]
            path.write_text("".join(line + "\n" for line in kept), "utf-8")
        self._file: TextIO = path.open("a", encoding="utf-8")

    def __call__(self, event: Event) -> None:
        self._file.write(json.dumps(event.record()) + "\n")
        if not isinstance(event, Step):
            self._file.flush()

    def close(self) -> None:
        """Writes what is left."""
        self._file.close()


def _happened(line: str, last_step: int) -> bool:
    try:
        record = json.loads(line)
    except ValueError:
        return False  # a line torn by a kill
    return isinstance(record, dict) and record.get("step", 0) <= last_step and record.get("event") != "ended"
