"""What shows a training may fail in any way: the training is the same, and so is its exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli.cli.training import resume_run, start_run
from lenetcli.errors import DivergedError, LenetError
from lenetcli.report.training.progress import EpochTable, JsonLines
from lenetcli.report.training.tensorboard import TensorBoard
from lenetcli.runs.session import Session
from lenetcli.train.events import Ended, Evaluated, Event, Saved, Step
from tests.report.test_tensorboard import records, values
from tests.train.small import at, difference, train, write_config

FAILURES = [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("odd"), LenetError("no"),
            MemoryError(), SystemExit(1), UnicodeEncodeError("ascii", "\u2801", 0, 1, "no")]  # fmt: skip
SHOWN = {"plain": EpochTable, "json": JsonLines}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing showed."""
    place = tmp_path_factory.mktemp("plain")
    train(write_config(place), place / "run")
    return place / "run"


@pytest.mark.parametrize(
    "kind", [Step, Evaluated, Saved, Ended, None], ids=lambda kind: getattr(kind, "event", "close")
)
@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@pytest.mark.parametrize("mode", ["plain", "json", "tensorboard"])
def test_whatever_a_listener_raises_the_training_is_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, plain: Path, mode: Any,
    failure: Exception, kind: type[Event] | None,
) -> None:  # fmt: skip
    if mode == "tensorboard":
        pytest.importorskip("tensorboardX")
    path = write_config(tmp_path)
    calls = []

    def fails(self: Any, event: Event | None = None) -> None:
        calls.append(event)
        if kind is None or isinstance(event, kind):
            raise failure

    monkeypatch.setattr(SHOWN.get(mode, TensorBoard), "close" if kind is None else "__call__", fails)
    tensorboard = mode == "tensorboard"
    shown = "off" if tensorboard else mode
    assert start_run(str(path), [], tmp_path / "seen", shown, tensorboard=tensorboard) == 0
    assert difference(plain, tmp_path / "seen") is None
    err = capsys.readouterr().err
    assert err.count("the training goes on") == (not isinstance(failure, (BrokenPipeError, SystemExit)))
    assert sum(kind is None or isinstance(call, kind) for call in calls) == 1  # it is not asked again
    if failure not in FAILURES[:3]:
        return  # of Python's way in it is enough that a disk, a reader and code may fail
    lenet.Trainer(path, out=tmp_path / "python").fit(progress=shown, tensorboard=tensorboard)
    assert difference(plain, tmp_path / "python") is None


@pytest.mark.parametrize("lr", ["1e30", "1e12", "3e38"])
@pytest.mark.parametrize("shape", [[], ["optimizer.type=SGD"], ["train.ema=0.5"]])
def test_a_run_that_diverges_ends_with_its_own_exit_code(tmp_path: Path, lr: str, shape: list[str]) -> None:
    pytest.importorskip("tensorboardX")
    path = write_config(tmp_path)
    changes = [f"optimizer.lr={lr}", *shape]

    def outcome(out: str, tensorboard: bool) -> int:
        try:
            return start_run(str(path), changes, tmp_path / out, "off", tensorboard=tensorboard)
        except DivergedError as error:
            return error.exit_code

    assert outcome("plain", False) == outcome("seen", True)
    told = [(tmp_path / out / "metrics.jsonl").read_text().splitlines() for out in ("plain", "seen")]
    losses = [[event.get("loss") for event in map(json.loads, lines)] for lines in told]
    assert str(losses[0]) == str(losses[1])  # as text, NaN is NaN


WEIGHTS: dict[str, Callable[[int], Any]] = {
    "nothing finite": lambda n: np.full(n, np.nan),
    "some infinite": lambda n: np.where(np.arange(n) % 2, np.inf, 1.0),
    "beyond the bins": lambda n: np.full(n, -1e37),
    "zeros": np.zeros,
    "the smallest": lambda n: np.full(n, 1e-45),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_histogram_holds_what_is_finite(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tensorboardX")
    path, weights = write_config(tmp_path), []
    with Session.new(lenet.config.load(str(path), []), tmp_path / "run") as session:
        shown = TensorBoard(session.run, tmp_path / "run", raised)
        for parameter in session.run.model.parameters():
            parameter.array[...] = WEIGHTS[name](parameter.array.size).reshape(parameter.shape)
            weights.append(parameter.array)
        shown(Evaluated(1, 4, "train", 0.5, 0.5, 14, 0.01, 1.0, 14.0))
        shown.close()
    found = {tag: seen[-1][1].histo for tag, seen in values(tmp_path / "run").items() if tag.startswith("weights/")}
    finite = [w[np.isfinite(w)] for w in weights]
    assert len(found) == sum(bool(w.size) for w in finite)
    for histogram, numbers in zip(found.values(), (w for w in finite if w.size)):
        assert sum(histogram.bucket) == histogram.num == numbers.size
        assert (histogram.min, histogram.max) == (numbers.min(), numbers.max())


def raised(what: str, error: Exception) -> None:
    raise error


@pytest.mark.parametrize("part", ["_graph", "_pictures"])
def test_a_picture_that_cannot_be_made_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, part: str
) -> None:
    pytest.importorskip("tensorboardX")

    def fails(self: TensorBoard) -> None:
        raise RuntimeError("odd model")

    monkeypatch.setattr(TensorBoard, part, fails)
    path = write_config(tmp_path)
    assert start_run(str(path), [], tmp_path / "run", "off", tensorboard=True) == 0
    assert "TensorBoard shows nothing of the" in capsys.readouterr().err
    assert len(values(tmp_path / "run")["train/loss_of_a_step"]) == 12


def test_what_is_written_for_tensorboard_is_on_disk_after_each_epoch(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    run, steps = tmp_path / "run", []

    def look() -> None:
        steps.append(max(event.step for event in records(run)))

    start_run(str(write_config(tmp_path)), [], run, "off", also=at(5, look), tensorboard=True)
    resume_run(run, ["train.epochs=4"], "off", also=at(13, look), tensorboard=True)
    assert steps[0] >= 4
    assert steps[1] >= 12
