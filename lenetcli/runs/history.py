"""A run's metrics.jsonl as plain data: its steps, its evaluations, its end.

The file is untrusted, and a kill may have torn its last line: what is no event of a run is left out and counted.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
import numpy.typing as npt

from lenetcli.disk import check_inside, check_regular, unreadable
from lenetcli.errors import DataError
from lenetcli.train.events import CONFUSED, FIGURES, LONGEST_LINE, Changed, Ended, Evaluated, Event, Step

LARGEST = 1 << 32  # bytes of the file: some 25 million steps
LARGEST_COUNT = 2**53
KEPT = 256  # bytes before the place where reading goes on, by which a file is known again
LONGEST = 1e10  # seconds: no run took three centuries

Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """The steps in columns, in the order they were made; `time` is in seconds since the run began."""

    step: Values
    epoch: Values
    loss: Values
    lr: Values
    time: Values


@dataclass(frozen=True)
class Timed:
    """An evaluation, and when it was over, in seconds since the run began."""

    event: Evaluated
    time: float


@dataclass(frozen=True)
class History:
    """What a run has written down.

    Args:
        evaluations: of the training data (split "train") and of the data to judge by, in the order they were made.
        gradients: the steps with figures of gradients, which `train.log_gradients` chose.
        ended: how the run ended; None where it has not (it is running, or was killed).
        skipped: lines that are no events.
        changes: of its configuration, while it was stopped or by a key.
        speed: samples per second of the last step.
    """

    steps: Steps
    evaluations: list[Timed]
    gradients: list[Step]
    ended: Ended | None
    skipped: int
    changes: tuple[Changed, ...] = ()
    speed: float | None = None

    @property
    def splits(self) -> list[str]:
        """The splits that were evaluated, the training data first."""
        return sorted({e.event.split for e in self.evaluations}, key=lambda split: (split != "train", split))

    @property
    def judged(self) -> list[Evaluated]:
        """The evaluations that decide which epoch is best: on the validation split or, without one, the test split."""
        return [e.event for e in self.evaluations if e.event.split != "train"]

    @property
    def best(self) -> Evaluated | None:
        """The best of them: by accuracy, and by loss where that is the same or there is none."""
        return min(self.judged, key=lambda e: (-(e.accuracy or 0.0), e.loss), default=None)

    @property
    def last(self) -> Evaluated | None:
        """The last of them."""
        return max(self.judged, key=lambda e: e.epoch, default=None)

    @property
    def seconds(self) -> float:
        """How long the run took, as far as is known."""
        last = max([*self.steps.time[-1:].tolist(), *(e.time for e in self.evaluations[-1:])], default=0.0)
        return last if self.ended is None else self.ended.seconds


def read_history(run: Path, steps: bool = True) -> History:
    """The history of a run directory.

    Args:
        steps: read steps, too; without them it takes a tenth of the time.

    Raises:
        DataError: metrics.jsonl is missing, not an ordinary file, or holds no event at all.
    """
    path = check_inside(run, run / "metrics.jsonl")
    check_regular(path, LARGEST)
    gathered = Gathered()
    try:
        with path.open("rb") as file:
            for line in _lines(file):
                if not steps and line.startswith(_STEP):
                    gathered.pass_step()
                else:
                    gathered.add(_event(line))
    except OSError as error:
        raise unreadable(path, error) from None
    gathered.check(path)
    return gathered.history()


def history_of(events: Iterable[Event]) -> History:
    """The history of a run whose events are in memory."""
    gathered = Gathered()
    for event in events:
        gathered.add(event)
    return gathered.history()


class Growing:
    """A run's metrics.jsonl, read on as it grows, by this process or any other, on this machine or a shared disk.

    It is read from its beginning again where another file has its name, or what was read is not there any more: a run
    that is resumed cuts off what will happen again.

    Raises:
        DataError: metrics.jsonl is missing, or not an ordinary file.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.gathered, self._read, self._end = Gathered(), 0, b""
        self.read_on()

    def read_on(self) -> bool:
        """Takes the whole lines that have come; True where there were any. A line that is being written waits.

        Raises:
            DataError: as above.
        """
        path = check_inside(self.run, self.run / "metrics.jsonl")
        size = check_regular(path, LARGEST)
        try:
            with path.open("rb") as file:
                file.seek(max(0, self._read - len(self._end)))
                same = size >= self._read and file.read(len(self._end)) == self._end
                if same and size == self._read:
                    return False
                if not same:
                    self.gathered, self._read, self._end = Gathered(), 0, b""
                    file.seek(0)
                found = not same
                for line in _lines(file):
                    if line and not line.endswith(b"\n"):
                        break
                    self.gathered.add(_event(line))
                    self._read, self._end, found = file.tell(), line[-KEPT:], True
                return found
        except OSError as error:
            raise unreadable(path, error) from None

    @property
    def history(self) -> History:
        """What has been read so far."""
        return self.gathered.history(copied=True)


class Gathered:
    """Events, taken one by one in the order of the file."""

    def __init__(self) -> None:
        self.columns = {name: array("d") for name in ("step", "epoch", "loss", "lr", "time")}
        self.evaluations: list[Timed] = []
        self.gradients: list[Step] = []
        self.changes: list[Changed] = []
        self.ended: Ended | None = None
        self.skipped = self.count = 0
        self.clock = self.epoch_began = 0.0
        self.speed: float | None = None

    def add(self, event: Event | str | None) -> None:
        match event:
            case None:
                self.skipped += 1
                return
            case Step():
                self.clock += event.samples / event.samples_per_second if event.samples_per_second > 0 else 0.0
                values = (event.step, event.epoch, event.loss, event.lr, self.clock)
                for column, value in zip(self.columns.values(), values):
                    column.append(value)
                self.ended = None  # the run was continued
                self.speed = event.samples_per_second
                if event.gradients:
                    self.gradients.append(event)
            case Evaluated(split="train"):
                self.clock = max(self.clock, self.epoch_began + event.seconds)  # waiting for data counts as well
                self.evaluations.append(Timed(event, self.clock))
            case Evaluated():
                self.clock += event.seconds
                self.epoch_began = self.clock
                self.evaluations.append(Timed(event, self.clock))
            case Changed():
                self.changes.append(event)
            case Ended():
                self.ended = event
        self.count += 1

    def pass_step(self) -> None:
        """A step that nobody asks for."""
        self.ended = None  # the run was continued
        self.count += 1

    def check(self, path: Path) -> None:
        """Refuses a file in which there was no event."""
        if self.count == 0:
            empty = "is empty: the run has not made a step"
            raise DataError(f"{path}: {empty if self.skipped == 0 else 'no line in it is an event of a run'}")

    def history(self, copied: bool = False) -> History:
        """What has been taken.

        Args:
            copied: more will be taken.
        """
        columns = {
            name: np.array(column) if copied else np.frombuffer(column, np.float64)
            for name, column in self.columns.items()
        }
        if np.any(np.diff(columns["step"]) <= 0):  # no run of ours writes that: the last of each step counts
            order = len(columns["step"]) - 1 - np.unique(columns["step"][::-1], return_index=True)[1]
            columns = {name: column[order] for name, column in columns.items()}
            columns["time"] = np.maximum.accumulate(columns["time"])
        steps, changes = Steps(**columns), tuple(self.changes)
        evaluations, gradients = self.evaluations, self.gradients
        if copied:
            evaluations, gradients = list(evaluations), list(gradients)
        return History(steps, evaluations, gradients, self.ended, self.skipped, changes, self.speed)


def _lines(file: Any) -> Iterator[bytes]:
    """Whole lines; one that is too long comes in one piece that is no event."""
    while line := file.readline(LONGEST_LINE):
        if not line.endswith(b"\n"):
            while (more := file.readline(LONGEST_LINE)) and not more.endswith(b"\n"):
                pass
            yield b"" if more else line  # without `more` it is the last line
        else:
            yield line


_KINDS: dict[str, tuple[type[Event], dict[str, Any]]] = {
    kind.event: (kind, {f.name: get_type_hints(kind)[f.name] for f in fields(kind)})
    for kind in (Changed, Step, Evaluated, Ended)
}
_STEP = b'{"event": "step"'  # how the lines of most events begin
_SPLITS = ("train", "validation", "test")


def _event(line: bytes) -> Event | str | None:
    """The event of a line; the name of one that nobody here asks for; None where it is no event."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    name = record.get("event") if isinstance(record, dict) else None
    if not isinstance(name, str):
        return None
    if name not in _KINDS:
        return name
    kind, hints = _KINDS[name]
    values = {field: record.get(field) for field in hints}
    if not all(_fits(field, values[field], hint) for field, hint in hints.items()):
        return None
    return kind(**values)


def _are_figures(value: Any) -> bool:
    """Whether it is what a step tells of one parameter's gradient."""
    return isinstance(value, dict) and all(_fits("", value.get(key), float | None) for key in FIGURES)


def _is_change(value: Any) -> bool:
    """Whether it is the value before and the one after a change."""
    plain = (str, int, float, type(None))
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, plain) for v in value)


def _is_matrix(value: Any) -> bool:
    """Whether it is as many rows of counts as each of them has."""
    rows = isinstance(value, list) and 0 < len(value) <= CONFUSED and all(isinstance(row, list) for row in value)
    return rows and all(
        len(row) == len(value) and all(type(n) is int and 0 <= n <= LARGEST_COUNT for n in row) for row in value
    )


def _are_numbers(value: dict[str, Any]) -> bool:
    """Whether it is what is told of one of several outputs."""
    return all(_fits("", value.get(key), float | None) for key in ("loss", "accuracy"))


def _fits(field: str, value: Any, hint: Any) -> bool:
    """Whether a value may stand in a field of this type, and is not absurd."""
    if value is None:
        return hint in (float | None, int | None) or field in ("gradients", "outputs", "confusion", "metrics")
    if field == "changes":
        return isinstance(value, dict) and all(map(_is_change, value.values()))
    if field == "confusion":
        return _is_matrix(value)
    if field == "gradients":
        return isinstance(value, dict) and all(map(_are_figures, value.values()))
    if field == "metrics":
        return isinstance(value, dict) and all(_fits("", number, float) for number in value.values())
    if field == "outputs":
        return isinstance(value, dict) and all(isinstance(v, dict) and _are_numbers(v) for v in value.values())
    if hint in (int, int | None):
        return type(value) is int and 0 <= value <= LARGEST_COUNT
    if hint in (float, float | None):
        if type(value) is int and abs(value) <= LARGEST_COUNT:
            value = float(value)
        return type(value) is float and (field != "seconds" or 0 <= value <= LONGEST) and (
            field != "samples_per_second" or value == 0 or value >= 1e-6  # 0: nothing was left to train of the epoch
        )  # fmt: skip
    return isinstance(value, str) and (field != "split" or value in _SPLITS)
