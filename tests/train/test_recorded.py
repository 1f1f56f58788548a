"""Training with recorded steps: the presets, and every option that a step has, end in the bits of the tape."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config, nn, optim
from lenetcli.autograd.composite import use
from lenetcli.build.model import build_model
from lenetcli.config.catalogue import ROLES
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.errors import DivergedError
from lenetcli.inspection.step.profile import time_step
from lenetcli.kernels import dispatch, native
from lenetcli.nn import recorded
from lenetcli.nn.passes import Passes
from lenetcli.optim.swa_utils import AveragedModel, get_ema_avg_fn
from lenetcli.train.events import Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from lenetcli.train.step import Step as TrainingStep
from tests.conftest import ROOT
from tests.nn.interference import INTERFERENCE
from tests.nn.recording import Act, dropped, graph, lenet_, normed, nothing, residual, state

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

PRESETS = ["lenet", "lenet5", "lenet-mnist", "cnn", "mlp", "tutorial", "papers/cnn-mnist", "papers/mlp-2003"]
OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulate": {"accumulate": 3},
    "clipped": {"clip_norm": 0.05, "clip_value": 0.01},
    "warm-up": {"warmup": 5},
    "gradients logged": {"log_gradients": 2},
}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(recorded, "AFTER", 1)
    with dispatch.force("native"):
        yield


def run_of(preset: str, average: bool = False, samples: int = 26, **options: Any) -> Run:
    """A run of a preset's model on random samples, the last batch of which is a short one."""
    found = config.load(str(ROOT / "configs" / f"{preset}.yaml"), ())
    lenet.manual_seed(1)
    model, _ = build_model(found)
    random = np.random.default_rng(0)
    images = random.standard_normal((samples, *found.model.input), np.float32)
    with lenet.no_grad():
        outputs = model(lenet.from_numpy(images[:1])).shape[1]
    data = TensorDataset(lenet.from_numpy(images), lenet.from_numpy(random.integers(0, outputs, samples)))
    loader = DataLoader(data, 4, shuffle=True)
    sgd = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    run = Run(model, nn.CrossEntropyLoss(), sgd, loader, loader, epochs=2, random=lenet.Generator(), **options)
    run.average = AveragedModel(model, avg_fn=get_ema_avg_fn(0.9)) if average else None
    return run


def bits(run: Run) -> list[Any]:
    """Everything that a training comes to, its events without their times."""
    told = [
        [getattr(event, name, None) for name in ("step", "loss", "accuracy", "lr", "samples", "gradients")]
        for event in fit(run)
    ]
    tensors = [*run.model.state_dict().values(), *run.shown_model.state_dict().values()]
    return [told, [t.array.tobytes() for t in tensors]]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_recorded_and_ends_in_the_same_bits(preset: str) -> None:
    run = run_of(preset)
    found = bits(run)
    with use.off():
        assert found == bits(run_of(preset))
    assert recorded.status(run.model).startswith("recorded: ")


@pytest.mark.parametrize("average", [False, True], ids=["", "average"])
@pytest.mark.parametrize("options", list(OPTIONS.values()), ids=list(OPTIONS))
def test_every_option_ends_in_the_same_bits(options: dict[str, Any], average: bool) -> None:
    found = bits(run_of("lenet", average, **options))
    with use.off():
        assert found == bits(run_of("lenet", average, **options))


def played(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every batch whose passes are one call."""
    call, found = Passes.call, list[int]()

    def counted(*args: Any) -> Any:
        result = call(*args)
        found.extend([1] if result is not None and result.loss is not None else [])
        return result

    monkeypatch.setattr(Passes, "call", counted)
    return found


def small_run(make: Callable[[], nn.Module] = lenet_, optimizer: str = "SGD", size: int = 4, **options: Any) -> Run:
    """A run of a small net on random images of four classes, its last batch a short one."""
    lenet.manual_seed(1)
    model, random = make(), np.random.default_rng(0)
    images, classes = random.standard_normal((30, 1, 14, 14), np.float32), random.integers(0, 4, 30)
    loader = DataLoader(TensorDataset(lenet.from_numpy(images), lenet.from_numpy(classes)), size, shuffle=True)
    chosen = getattr(optim, optimizer)(
        model.parameters(), **{"lr": 0.01, **({"momentum": 0.9} if optimizer == "SGD" else {})}
    )
    return Run(model, nn.CrossEntropyLoss(), chosen, loader, loader, epochs=2, random=lenet.Generator(), **options)


def steps(run: Run, act: Act = nothing) -> list[Any]:
    """What every step comes to, with a change before each."""
    kept, found = list[Any](), list[Any]()
    for event in fit(run):
        optimizer: Any = run.optimizer
        found += [getattr(event, "loss", None), state(run.model, optimizer), [np.asarray(k).tobytes() for k in kept]]
        if isinstance(event, Step):
            act(event.step, run.model, optimizer, kept)
    return found


@pytest.mark.parametrize("act", list(INTERFERENCE.values()), ids=list(INTERFERENCE))
def test_interference_between_steps_changes_nothing(act: Act, monkeypatch: pytest.MonkeyPatch) -> None:
    count = played(monkeypatch)
    found = steps(small_run(), act)
    assert count
    with use.off():
        assert found == steps(small_run(), act)


@pytest.mark.parametrize("name", sorted(set(ROLES["optimizer"].classes) - {"Muon"}))  # which takes matrices alone
def test_every_optimizer_takes_the_gradients_of_recorded_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    count = played(monkeypatch)
    found = steps(small_run(optimizer=name))
    assert len(count) >= 10
    with use.off():
        assert found == steps(small_run(optimizer=name))


@pytest.mark.parametrize("make", [normed, dropped, residual, graph])
@pytest.mark.parametrize("options", list(OPTIONS.values()), ids=list(OPTIONS))
def test_running_statistics_and_noise_are_those_of_the_tape(
    options: dict[str, Any], make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = played(monkeypatch)
    found = steps(small_run(make, size=5, **options))
    assert len(count) >= 8
    with use.off():
        assert found == steps(small_run(make, size=5, **options))


def _huge(run: Run) -> None:
    run.train_loader.dataset.tensors[0].array[::7] = 1e30


def _no_class(run: Run) -> None:
    run.train_loader.dataset.tensors[1].array[12] = 9


def _ignored(run: Run) -> None:
    run.train_loader.dataset.tensors[1].array[::2] = -100


@pytest.mark.parametrize("make", [lenet_, normed, dropped])
@pytest.mark.parametrize("spoil", [_huge, _no_class, _ignored])
def test_a_batch_that_goes_wrong_ends_as_on_the_tape(spoil: Any, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def outcome() -> tuple[Any, ...]:
        run, words = small_run(make, size=5), ""
        spoil(run)
        try:
            found = steps(run)
        except (DivergedError, IndexError) as error:
            found, words = [], str(error)
        return found, words, run.progress.step, state(run.model, run.optimizer), run.random.get_state()

    monkeypatch.setattr(recorded, "AFTER", 0)
    count = played(monkeypatch)
    found = outcome()
    assert count or spoil is _huge
    with use.off():
        assert found == outcome()


def test_time_says_that_a_step_is_recorded_or_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.inspection.step.profile.SECONDS", 0.001)
    assert time_step(run_of("mlp")).record()["recorded"].startswith("recorded: ")
    run = run_of("mlp")
    run.model.append(nn.Softsign())
    assert time_step(run).record()["recorded"] == "not recorded: Softsign is computed by NumPy"
    with use.off():
        assert time_step(run).record()["recorded"] == "not recorded: LENET_RECORD=0"
    with dispatch.force("numpy"):
        assert time_step(run).record()["recorded"] == "not recorded: the native kernels do not run"


def test_the_switch_is_read_from_outside(tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    asked = "from lenetcli.autograd.composite import use; print(use.on)"
    for value, wanted in (("0", "False"), ("1", "True")):
        done = subprocess.run(
            [sys.executable, "-c", asked], env={**os.environ, "LENET_RECORD": value}, capture_output=True, text=True
        )
        assert done.stdout.strip() == wanted


def test_a_recorded_step_finds_its_memory_made() -> None:
    run = run_of("lenet", samples=16)
    run.begin_training()
    step, group = TrainingStep(run, recorded=True), list(run.train_loader.batches(0))[:1]
    for _ in range(5):
        step.make(group)
    assert step.played is not None
    tracemalloc.start()
    try:
        step.make(group)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(3):
            step.make(group)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    gradients = sum(p.array.nbytes for p in run.model.parameters())
    assert peak - before < 16384 < gradients / 10, "neither gradients nor what lies between layers is made anew"
