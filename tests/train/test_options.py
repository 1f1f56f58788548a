"""The options under `train:`, each held against what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import config as configuration
from lenetcli import load
from lenetcli.build.parts import build_criterion, build_data, split_data
from lenetcli.nn import CrossEntropyLoss
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.train.evaluate import evaluate
from lenetcli.train.events import Changed, Ended, Evaluated, Event, Saved, Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Progress, Run
from lenetcli.train.stopping import EarlyStopping
from tests.conftest import run_of

TEXT = """
model:
  input: [1, 8, 8]
  layers:
    - {type: Flatten}
    - {type: Linear, name: fc1, out_features: 16}
    - {type: ReLU}
    - {type: Linear, name: fc2, out_features: 10}
data: {type: Digits}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 2, batch_size: 100}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(TEXT)
    return tmp_path


def trained(place: Path, *changes: str) -> tuple[Run, list[Event]]:
    run = run_of(place / "config.yaml", *changes)
    return run, list(fit(run))


def weights(run: Run) -> dict[str, Any]:
    return {name: tensor.numpy().copy() for name, tensor in run.model.state_dict().items()}


def same(a: dict[str, Any], b: dict[str, Any], tolerance: float = 0.0) -> bool:
    return all(np.allclose(a[name], b[name], rtol=0, atol=tolerance) for name in a)


def ended(events: list[Event]) -> Ended:
    assert isinstance(events[-1], Ended)
    return events[-1]


def steps(events: list[Event]) -> list[Step]:
    return [event for event in events if isinstance(event, Step)]


@pytest.mark.parametrize("loss", ["{type: CrossEntropyLoss}", "{type: CrossEntropyLoss, reduction: sum}"])
def test_accumulated_batches_are_as_one_large_batch(loss: str, place: Path) -> None:
    changes = (f"loss={loss}", "optimizer.lr=0.001") if "sum" in loss else (f"loss={loss}",)
    large, large_events = trained(place, *changes)
    small, small_events = trained(place, *changes, "train.batch_size=10", "train.accumulate=10")
    assert same(weights(large), weights(small), 1e-5)
    assert [e.samples for e in steps(small_events)] == [e.samples for e in steps(large_events)]
    assert [e.loss for e in steps(small_events)] == pytest.approx([e.loss for e in steps(large_events)], rel=1e-4)
    figures = [
        [(e.loss, e.accuracy) for e in events if isinstance(e, Evaluated)] for events in (large_events, small_events)
    ]
    assert np.allclose(figures[0], figures[1], rtol=1e-4)


def test_a_sum_is_reported_as_a_mean_over_the_samples(place: Path) -> None:
    mean, summed = run_of(place / "config.yaml"), run_of(place / "config.yaml", "loss.reduction=sum")
    found = [evaluate(run.model, run.test_loader, run.criterion).loss for run in (mean, summed)]
    assert found[0] == pytest.approx(found[1])


def test_a_long_gradient_is_cut_to_its_norm(place: Path) -> None:
    run = run_of(place / "config.yaml", "train.clip_grad_norm=0.01", "optimizer.lr=1")
    before = weights(run)
    next(fit(run))
    change = np.concatenate([(weights(run)[name] - before[name]).ravel() for name in before])
    assert np.linalg.norm(change) == pytest.approx(0.01, rel=1e-3)
    free, _ = trained(place)
    loose, _ = trained(place, "train.clip_grad_norm=1e9")
    assert same(weights(free), weights(loose))


def test_each_number_of_a_gradient_is_cut_to_its_limit(place: Path) -> None:
    run = run_of(place / "config.yaml", "train.clip_grad_value=0.001", "optimizer.lr=1")
    before = weights(run)
    next(fit(run))
    changes = [np.abs(weights(run)[name] - before[name]).max() for name in before]
    assert max(changes) == pytest.approx(0.001, rel=1e-3)


@pytest.mark.parametrize("warmup", ["train.warmup=20", "train.warmup.epochs=1.34"])
def test_warm_up_scales_what_the_schedule_says(warmup: str, place: Path) -> None:
    schedule = "scheduler={type: StepLR, step_size: 1, gamma: 0.5}"
    _, plain = trained(place, schedule)
    run, warm = trained(place, schedule, warmup)
    wanted = [event.lr * min(1, event.step / 20) for event in steps(plain)]
    assert [event.lr for event in steps(warm)] == pytest.approx(wanted)
    assert run.scheduler.get_last_lr() == [0.025]
    assert run.optimizer.param_groups[0]["lr"] == 0.025


def test_the_first_warm_step_is_as_small_as_its_rate(place: Path) -> None:
    slow, warm = run_of(place / "config.yaml", "optimizer.lr=0.01"), run_of(place / "config.yaml", "train.warmup=10")
    for run in (slow, warm):
        next(fit(run))
    assert same(weights(slow), weights(warm), 1e-7)


def test_the_average_of_the_weights_is_evaluated_and_kept_as_the_best(place: Path) -> None:
    run = run_of(place / "config.yaml", "train.ema=0.9", "train.epochs=1")
    run.checkpoints = Checkpoints(place)
    average: dict[str, Any] = {}
    last: list[Event] = []
    for event in fit(run):
        last.append(event)
        if isinstance(event, Step):
            now = weights(run)
            average = {k: 0.9 * average[k] + 0.1 * now[k] for k in now} if average else now
    best = {name: tensor.numpy() for name, tensor in load(place / "model.safetensors").items()}
    assert same(average, best, 1e-6)
    assert not same(weights(run), best, 1e-3)
    judged = next(e for e in last if isinstance(e, Evaluated) and e.split == "test")
    run.model.load_state_dict(best)
    assert evaluate(run.model, run.test_loader, run.criterion).loss == pytest.approx(judged.loss)


def test_balanced_weights_make_all_classes_count_the_same(place: Path) -> None:
    config = configuration.load(place / "config.yaml", ["train.class_weights=balanced", "train.validation=0.2"])
    source = build_data(config)
    criterion = build_criterion(config, source)
    assert isinstance(criterion, CrossEntropyLoss)
    assert criterion.weight is not None
    counts = np.bincount(source.train.targets[split_data(config, source)[0].indices])
    shares = criterion.weight.numpy() * counts
    assert np.allclose(shares, shares[0])
    assert shares.sum() == pytest.approx(counts.sum())


def test_a_list_of_weights_goes_to_the_loss(place: Path) -> None:
    listed = "[1, 2, 1, 1, 1, 1, 1, 1, 1, 0]"
    option, _ = trained(place, f"train.class_weights={listed}")
    direct, _ = trained(place, f"loss.weight={listed}")
    assert same(weights(option), weights(direct))
    assert not same(weights(option), weights(trained(place)[0]))


@pytest.mark.parametrize(
    ("values", "delta", "stale"),
    [
        ([1.0, 0.9, 0.8], 0.0, [0, 0, 0]),
        ([1.0, 1.0, 0.9], 0.0, [0, 1, 0]),
        ([1.0, 0.95, 0.94, 0.89], 0.1, [0, 1, 2, 0]),
    ],
)
def test_epochs_without_improvement_are_counted(values: list[float], delta: float, stale: list[int]) -> None:
    for metric in ("loss", "accuracy"):
        progress, found = Progress(), []
        stopping = EarlyStopping(1, metric, delta)  # type: ignore[arg-type]
        for value in values:
            figure = {"loss": value, "accuracy": 0.0} if metric == "loss" else {"loss": 0.0, "accuracy": 1 - value}
            stopping.watch(
                progress, Evaluated(1, 1, "test", count=1, lr=0.1, seconds=0, samples_per_second=0, **figure)
            )
            found.append(progress.stale)
        assert found == stale


def test_a_run_that_does_not_improve_stops_early(place: Path) -> None:
    _, events = trained(
        place, "train.epochs=50", "optimizer.lr=1e-12", "train.early_stopping={patience: 2, min_delta: 0.1}"
    )
    assert ended(events).reason == "stopped early"
    assert ended(events).epoch == 3


def test_a_run_out_of_time_is_evaluated_saved_and_can_have_more(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = trained(place)
    run = run_of(place / "config.yaml", "train.max_time=1h")
    run.checkpoints = Checkpoints(place)
    events: list[Event] = []
    for event in fit(run):
        events.append(event)
        if isinstance(event, Step) and event.step == 20:
            run.max_seconds = 0.0
    assert [type(e) for e in events[-5:]] == [Step, Evaluated, Evaluated, Saved, Ended]
    assert (ended(events).reason, ended(events).step, run.progress.batch) == ("out of time", 20, 5)
    more = run_of(place / "config.yaml")
    more.checkpoints = Checkpoints(place)
    more.checkpoints.restore(more)
    assert more.progress.seconds > 0
    more.max_seconds = more.progress.seconds / 2
    assert [type(event) for event in fit(more)] == [Changed, Ended]
    more.max_seconds = None
    assert ended(list(fit(more))).reason == "finished"
    assert same(weights(whole), weights(more))


def test_batches_can_be_limited(place: Path) -> None:
    run, events = trained(place, "train.limit_batches={train: 3, eval: 1}", "train.eval_batch_size=50")
    assert [e.step for e in steps(events)] == [1, 2, 3, 4, 5, 6]
    assert [e.count for e in events if isinstance(e, Evaluated)] == [300, 50, 300, 50]
    assert (run.batches, run.steps) == (3, 3)
    _, both = trained(place, "train.limit_batches=2", "train.accumulate=2")
    assert [e.step for e in steps(both)] == [1, 2]
    assert [e.count for e in both if isinstance(e, Evaluated)] == [200, 355, 200, 355]


def test_validation_decides_and_the_test_split_waits_for_the_end(place: Path) -> None:
    run = run_of(place / "config.yaml", "train.validation=0.25", "train.epochs=3", "optimizer.lr=2")
    run.checkpoints = Checkpoints(place)
    seen = []
    assert run.validation_loader is not None
    samples = len(run.validation_loader.dataset) + len(run.train_loader.dataset)
    assert samples == 1442
    assert len(run.validation_loader.dataset) == 360
    batches = run.test_loader.batches
    run.test_loader.batches = lambda *args: seen.append(len(events)) or batches(*args)  # type: ignore[method-assign, func-returns-value]
    events: list[Event] = []
    for event in fit(run):
        events.append(event)
    assert {e.split for e in events if isinstance(e, Evaluated)} == {"train", "validation"}
    assert seen == [len(events) - 1]
    run.model.load_state_dict(load(place / "model.safetensors"))
    found = evaluate(run.model, run.test_loader, run.criterion)
    assert (ended(events).loss, ended(events).accuracy) == (found.loss, found.accuracy)
    best = max(e.accuracy or 0 for e in events if isinstance(e, Evaluated) and e.split == "validation")
    assert run.progress.best_accuracy == best


def test_the_last_weights_stay_after_the_best_were_judged(place: Path) -> None:
    with_split = run_of(place / "config.yaml", "train.validation=0.25", "train.epochs=2")
    with_split.checkpoints = Checkpoints(place)
    before_end: dict[str, Any] = {}
    for event in fit(with_split):
        if isinstance(event, Saved):
            before_end = weights(with_split)
    assert same(before_end, weights(with_split))


def test_options_that_are_off_change_nothing(place: Path) -> None:
    off = (
        "validation=null", "accumulate=1", "clip_grad_norm=null", "clip_grad_value=null", "warmup=null", "ema=null",
        "class_weights=null", "early_stopping=null", "max_time=null", "limit_batches=null",
    )  # fmt: skip
    a, b = trained(place)[0], trained(place, *(f"train.{option}" for option in off))[0]
    assert same(weights(a), weights(b))
