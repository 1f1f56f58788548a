"""Proves that a run can be killed and resumed: trains twice, once in peace and once killed on the way, and compares."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lenetcli import config as configuration
from lenetcli.build.parts import build_run
from lenetcli.cli.training import resume_run, start_run
from lenetcli.config import consent
from lenetcli.errors import ConfigError, DataError, DivergedError, LenetError, printable
from lenetcli.inspection.compare.tensors import bit_differences, flat
from lenetcli.runs.checkpoint import LATEST, MODEL, STATE, Checkpoints
from lenetcli.runs.lock import go_without
from lenetcli.runs.resume_rules import differences
from lenetcli.tensors.serialization import load
from lenetcli.train.events import Event, Step

# The working directory, which -c puts first, is no place to import from: it may be a stranger's.
_CHILD = (
    "import sys; sys.path[:] = filter(None, sys.path); "
    "from lenetcli.cli.resume_check import train_to_death; train_to_death()"
)


@dataclass(frozen=True)
class Kill:
    """One death of the run."""

    step: int  # the last one it finished
    resumed_from: int  # step of the checkpoint from which it went on; 0 is the beginning


@dataclass(frozen=True)
class Difference:
    """The first place where the two ends differ."""

    file: str
    tensor: str  # or the path of a value in state.json
    index: list[int] | None
    uninterrupted: Any
    resumed: Any
    count: int  # of differing elements in the tensor


@dataclass(frozen=True)
class Verdict:
    """What a check found."""

    steps: int  # of the whole run
    kills: list[Kill]
    tensors: int  # compared
    first_difference: Difference | None

    @property
    def identical(self) -> bool:
        """Whether the ends are the same to the last bit."""
        return self.first_difference is None

    def record(self) -> dict[str, Any]:
        """The verdict as plain data."""
        return {"identical": self.identical, **asdict(self)}


def check_resume(path: str, changes: list[str], kills: int, seed: int | None = None) -> Verdict:
    """Trains in a temporary directory, each time in a process of its own.

    The second run is asked by SIGUSR1 to save at one random step and killed by SIGKILL at a later one, as often as
    `kills` says, so that it goes on from the middle of epochs, too.

    Args:
        path: the configuration.
        changes: to it.
        kills: how often to kill.
        seed: decides when; None draws one.

    Raises:
        ConfigError: the configuration does not work.
        LenetError: a training failed by itself; of the kind that the training ended with.
    """
    build_run(configuration.load(path, changes))  # says what is wrong with it, before anything is started
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="lenet-verify-resume-") as place:
        whole, torn = Path(place, "whole"), Path(place, "torn")
        _child({"config": path, "changes": changes, "out": str(whole)})
        steps = _newest(whole)
        deaths: list[Kill] = []
        for number, wanted in enumerate(sorted(draw.randint(1, steps) for _ in range(kills))):
            begun = _newest(torn)
            death = min(max(wanted, begun + 1), steps)
            wish = draw.randint(begun + 1, max(begun + 1, death - 1))
            way = {"config": path, "changes": changes, "out": str(torn)} if number == 0 else {"resume": str(torn)}
            _child({**way, "save_at": wish, "kill_at": death})
            deaths.append(Kill(death, _newest(torn)))
        _child({"resume": str(torn)})
        tensors = sum(len(_tensors(whole, file)) for file in _files(whole))
        return Verdict(steps, deaths, tensors, next(_differences(whole, torn), None))


def _child(way: dict[str, Any]) -> None:
    """Trains in another process, which must end well, or by the kill that it was told to die of.

    Raises:
        LenetError: it did not.
    """
    command = [sys.executable, "-c", _CHILD, json.dumps({**way, "agreed": consent.agreed()})]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, errors="replace")
    killed = done.returncode == -signal.SIGKILL if hasattr(signal, "SIGKILL") else done.returncode != 0
    if done.returncode != 0 and not (killed and "kill_at" in way):
        kinds = {kind.exit_code: kind for kind in (ConfigError, DataError, DivergedError)}
        reason = done.stderr.strip()[-2000:] or f"a training ended with exit code {done.returncode} and said nothing"
        raise kinds.get(done.returncode, LenetError)(reason)


def train_to_death() -> None:
    """What the other process does; the way to train is JSON on its command line."""
    go_without()  # the place is this command's own
    way = json.loads(sys.argv[1])
    consent.agree(way["agreed"])

    def listen(event: Event) -> None:
        if not isinstance(event, Step):
            return
        if event.step == way.get("kill_at"):
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        if event.step == way.get("save_at") and hasattr(signal, "SIGUSR1"):
            os.kill(os.getpid(), signal.SIGUSR1)

    try:
        if "resume" in way:
            code = resume_run(Path(way["resume"]), [], "off", also=listen)
        else:
            code = start_run(way["config"], way["changes"], Path(way["out"]), "off", also=listen)
    except LenetError as error:
        print(printable(error), file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


# Comparing


def _newest(run: Path) -> int:
    """Step of the newest checkpoint; 0 where there is none."""
    path = run / "checkpoints" / LATEST
    return int(path.read_text()) if path.exists() else 0


def _last(run: Path) -> Path:
    return run / "checkpoints" / (run / "checkpoints" / LATEST).read_text()


def _files(run: Path) -> list[str]:
    """The files with tensors: the best weights, and those of the last checkpoint."""
    return [MODEL, *sorted(f"{_last(run).relative_to(run)}/{file.name}" for file in _last(run).glob("*.safetensors"))]


def _tensors(run: Path, file: str) -> dict[str, Any]:
    """The arrays in a file by their names."""
    return flat(load(run / file)) if (run / file).exists() else {}


def _differences(whole: Path, torn: Path) -> Iterator[Difference]:
    if _newest(whole) != _newest(torn):
        yield Difference("checkpoints", LATEST, None, _newest(whole), _newest(torn), 1)
        return
    for file in _files(whole):
        for found in bit_differences(_tensors(whole, file), _tensors(torn, file)):
            yield Difference(file, found.tensor, found.index, found.a, found.b, found.count)
    one, other = (Checkpoints(run).read_state(_last(run)) for run in (whole, torn))
    for key in ("progress", "scheduler", "random", "averaged"):
        for path, x, y in differences(one[key], other[key], key):
            if path != "progress.seconds":
                yield Difference(STATE, path, None, x, y, 1)
