"""The training loop: its events, its figures, stopping, and going on from a checkpoint."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.data import DataLoader, Digits
from lenetcli.errors import ConfigError, DataError, DivergedError
from lenetcli.optim.lr_scheduler import CosineAnnealingLR
from lenetcli.runs import directory
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.train.evaluate import evaluate
from lenetcli.train.events import Ended, Evaluated, Saved, Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run


def digits_run(epochs: int = 2, lr: float = 0.1, place: Path | None = None, seed: int = 0) -> Run:
    """A small net on the digits, with momentum and schedule so that a checkpoint has something to keep."""
    lenet.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    digits = Digits()
    return Run(
        model,
        nn.CrossEntropyLoss(),
        optimizer,
        DataLoader(digits.train, 100, shuffle=True, seed=seed),
        DataLoader(digits.test, 256),
        epochs,
        CosineAnnealingLR(optimizer, T_max=10),
        digits.classes,
        Checkpoints(place) if place is not None else None,
    )


def weights(run: Run) -> list[Any]:
    return [p.detach().numpy().copy() for p in run.model.parameters()]


def run_until(run: Run, enough: Callable[[Any], bool]) -> None:
    """Runs, asking to stop at the first event that is enough."""
    for event in fit(run):
        if enough(event):
            run.stop = "SIGINT"


def test_events_come_in_order_with_true_figures() -> None:
    run = digits_run()
    events = list(fit(run))
    assert [type(e) for e in events if not isinstance(e, Step)] == [Evaluated, Evaluated, Evaluated, Evaluated, Ended]
    steps = [e for e in events if isinstance(e, Step)]
    assert [e.step for e in steps] == list(range(1, 31))
    assert [e.samples for e in steps[:15]] == [100] * 14 + [42]
    train = next(e for e in events if isinstance(e, Evaluated) and e.split == "train")
    weighted = sum(e.loss * e.samples for e in steps[:15]) / 1442
    assert train.loss == pytest.approx(weighted)
    last = [e for e in events if isinstance(e, Evaluated)][-1]
    again = evaluate(run.model, run.test_loader, run.criterion, 10)
    assert (last.loss, last.accuracy) == (again.loss, again.accuracy)
    assert again.confusion is not None
    assert again.confusion.sum() == 355
    assert np.trace(again.confusion) == round(again.accuracy * 355)  # type: ignore[operator]
    assert last.accuracy > 0.7  # type: ignore[operator]


def test_the_same_seed_gives_the_same_run() -> None:
    a, b, c = digits_run(), digits_run(), digits_run(seed=1)
    for run in (a, b, c):
        list(fit(run))
    assert all((x == y).all() for x, y in zip(weights(a), weights(b)))
    assert not all((x == y).all() for x, y in zip(weights(a), weights(c)))


def test_evaluation_restores_the_mode_and_uses_no_gradients() -> None:
    run = digits_run()
    run.model.train()
    evaluate(run.model, run.test_loader, run.criterion)
    assert run.model.training
    assert all(p.grad is None for p in run.model.parameters())


def test_a_diverging_loss_ends_the_run_and_names_the_step() -> None:
    run = digits_run(lr=1e30)
    with pytest.raises(
        DivergedError, match=r"the loss became (nan|inf) at step \d+ \(epoch 1, batch \d+\) with lr 1e\+30"
    ):
        list(fit(run))


def test_a_stopped_run_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = digits_run(3)
    list(fit(whole))
    for stop_at in (1, 7, 15, 16, 29, 45):
        place = tmp_path / str(stop_at)
        place.mkdir()
        first = digits_run(3, place=place)
        run_until(first, lambda e, at=stop_at: isinstance(e, Step) and e.step == at)
        second = digits_run(3, place=place, seed=5)  # other weights, replaced by the checkpoint's
        second.train_loader.seed = 0
        assert second.checkpoints is not None
        assert second.checkpoints.restore(second) == f"{stop_at:06d}"
        events = list(fit(second))
        assert all((x == y).all() for x, y in zip(weights(whole), weights(second))), stop_at
        assert isinstance(events[-1], Ended)
        assert second.progress.best_epoch == whole.progress.best_epoch
        assert second.progress.best_loss == whole.progress.best_loss


def test_checkpoints_keep_the_newest_and_the_best(tmp_path: Path) -> None:
    run = digits_run(4, place=tmp_path)
    assert run.checkpoints is not None
    run.checkpoints.keep = 1
    saved = [e for e in fit(run) if isinstance(e, Saved)]
    best = next(Path(e.path).name for e in reversed(saved) if e.best)
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {best, "000060", "latest"}
    assert (tmp_path / "checkpoints" / "latest").read_text() == "000060"
    assert saved[0].best
    kept = lenet.load(tmp_path / "model.safetensors")
    assert set(kept) == set(run.model.state_dict())


@pytest.mark.parametrize("file", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_passed_over(file: str, tmp_path: Path) -> None:
    run = digits_run(2, place=tmp_path)
    list(fit(run))
    damaged = tmp_path / "checkpoints" / "000030" / file
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(bytes(content))
    again = digits_run(2, place=tmp_path)
    assert again.checkpoints is not None
    note = again.checkpoints.restore(again)
    assert note.startswith("000015; skipped: ")
    assert again.progress.epoch == 1


def test_nothing_to_resume_from_is_said(tmp_path: Path) -> None:
    run = digits_run(place=tmp_path)
    assert run.checkpoints is not None
    with pytest.raises(DataError, match="no whole checkpoint"):
        run.checkpoints.restore(run)


def test_run_directories_are_numbered_and_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert directory.create("a") == Path("runs/a/001")
    assert directory.create("a") == Path("runs/a/002")
    out = tmp_path / "mine"
    assert directory.create("a", out) == out
    (out / "file").write_text("x")
    with pytest.raises(ConfigError, match="exists and is not an empty directory"):
        directory.create("a", out)
    assert (out / "file").read_text() == "x"


def test_metrics_after_the_checkpoint_are_dropped_when_a_run_goes_on(tmp_path: Path) -> None:
    lines = [
        json.dumps({"event": event, "step": step})
        for event, step in (("step", 1), ("step", 2), ("saved", 2), ("step", 3))
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(line + "\n" for line in lines) + '{"event": "st')
    metrics = directory.MetricsFile(tmp_path, keep=sum(len(line) + 1 for line in lines[:2]))
    metrics(Step(1, 3, 0.5, 0.1, 64, 1000.0))
    metrics.close()
    kept = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(k["event"], k["step"]) for k in kept] == [("step", 1), ("step", 2), ("saved", 2), ("step", 3)]
    assert kept[-1]["loss"] == 0.5


def test_the_environment_is_written_down(tmp_path: Path) -> None:
    directory.write_config(tmp_path, "version: 1\n")
    directory.write_environment(tmp_path)
    found = json.loads((tmp_path / "environment.json").read_text())
    assert found["lenet"] == lenet.__version__
    assert found["numpy"] == np.__version__
    assert (tmp_path / "config.yaml").read_text() == "version: 1\n"
