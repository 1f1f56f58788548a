"""One step for all: training makes it, and whoever shows or clocks a step makes the same, whatever the options say."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.autograd.random import drawing_from, draws_from
from lenetcli.errors import DivergedError
from lenetcli.inspection.graph.step_traces import traces
from lenetcli.inspection.lab.bench import plain_step
from lenetcli.inspection.step import profile
from lenetcli.inspection.step.profile import time_step
from lenetcli.inspection.step.record import record_step
from lenetcli.inspection.training.checkpoint_history import checkpoint_flow, updates
from lenetcli.inspection.training.lr_finder import lr_range
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.events import Step as Stepped
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from lenetcli.train.step import Step
from tests.conftest import ROOT, run_of
from tests.train.small import CONFIG, train

OPTIONS = {
    "plain": (),
    "accumulate": ("train.accumulate=4",),  # batches of 4, 4, 4 and 2 samples
    "limited batches": ("train.accumulate=4", "train.limit_batches=3"),
    "summed loss": ("train.accumulate=4", "loss.reduction=sum"),
    "class weights": ("train.accumulate=4", "train.class_weights=[1, 5, 20]"),
    "clip norm": ("train.clip_grad_norm=0.05",),
    "clip value": ("train.clip_grad_value=0.002",),
    "warm-up": ("train.warmup=10",),
    "average": ("train.ema=0.9",),
    "all": (
        "train.accumulate=4", "train.class_weights=[1, 5, 20]", "train.clip_grad_norm=0.05",
        "train.clip_grad_value=0.02", "train.warmup=10", "train.ema=0.9",
    ),
}  # fmt: skip

Made = dict[str, Any]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profile, "SECONDS", 0.001)
    monkeypatch.setattr(profile, "SIDE", 32)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of the configuration without options, with one checkpoint."""
    place = tmp_path_factory.mktemp("step")
    (place / "small.yaml").write_text(CONFIG)
    assert train(place / "small.yaml", place / "run", "train.epochs=1") == 0
    return place / "run"


def built(place: Path, *changes: str) -> Run:
    return run_of(place.parent / "small.yaml", *changes)


def gradients(run: Run) -> dict[str, Any]:
    return {name: p.grad.numpy().copy() for name, p in run.model.named_parameters() if p.grad is not None}


def weights(run: Run) -> dict[str, Any]:
    return {name: p.detach().numpy().copy() for name, p in run.model.named_parameters()}


@draws_from(lambda run: run.random)
def by_hand(run: Run) -> Made:
    """A run's first step from the meaning of its options alone: as one batch of all samples would make it."""
    run.model.train()
    batches = list(islice(run.train_loader.batches(0), min(run.accumulate, run.batches)))
    if getattr(run.criterion, "reduction", "") == "sum":
        shares = [1.0] * len(batches)
    else:
        weight: Any = getattr(run.criterion, "weight", None)
        sizes = [len(y) if weight is None else float(weight.numpy()[y.numpy()].sum()) for _, y in batches]
        shares = [size / sum(sizes) for size in sizes]
    loss = 0.0
    for (x, y), share in zip(batches, shares):
        value = run.criterion(run.model(x), y)
        (value * share).backward()
        loss += share * value.item()
    found: Made = {"loss": loss, "gradients": gradients(run)}
    parameters = list(run.model.parameters())
    for p in parameters:
        assert p.grad is not None
        if run.clip_value is not None:
            p.grad.array[...] = np.clip(p.grad.array, -run.clip_value, run.clip_value)
    norm = np.sqrt(sum(float(np.square(p.grad.array, dtype=float).sum()) for p in parameters))  # type: ignore[union-attr]
    if run.clip_norm is not None:
        for p in parameters:
            p.grad.array[...] *= min(1.0, run.clip_norm / (norm + 1e-6))  # type: ignore[union-attr]
    rate = 0.01 / 10 if run.warmup else 0.01
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    found |= {"limited": gradients(run), "rate": rate}
    run.optimizer.step()
    return found | {"weights": weights(run)}


def watched(run: Run) -> Made:
    """What the first call of a run's optimizer is made with, and what comes of it; filled when that happens."""
    found: Made = {}

    def before(optimizer: Any, *_: Any) -> None:
        if "rate" not in found:
            found.update(limited=gradients(run), rate=optimizer.param_groups[0]["lr"])

    def after(*_: Any) -> None:
        if "weights" not in found:
            found["weights"] = weights(run)

    run.optimizer.register_step_pre_hook(before)
    run.optimizer.register_step_post_hook(after)
    return found


def averaged(run: Run, steps: int) -> None:
    """Asserts that the moving average, where there is one, has taken as many steps."""
    if run.average is not None:
        assert run.average.n_averaged.item() == steps


def of_training(run: Run, _: Path) -> Made:
    found = watched(run)
    event = next(e for e in fit(run) if isinstance(e, Stepped))
    averaged(run, 1)
    return found | {"loss": event.loss}


def of_step(run: Run, _: Path) -> Made:
    found = watched(run)
    story = record_step(run)
    averaged(run, 1)
    told = {name: story.tensors[f"{name}.grad"] for name in found["weights"]}
    assert story.lr == found["rate"]
    return found | {"loss": story.loss, "gradients": told}


def of_trace(run: Run, _: Path) -> Made:
    (found,) = traces(run, [name for name, _ in run.model.named_parameters()])
    return {"loss": found.loss, "gradients": {p.name: np.array(p.after) for p in found.parameters}}


def of_time(run: Run, _: Path) -> Made:
    found, steps = watched(run), []
    run.optimizer.register_step_post_hook(lambda *_: steps.append(1))
    timed = time_step(run)
    averaged(run, len(steps))
    assert run.progress.step == len(steps) > timed.steps
    assert timed.samples == sum(len(x) for x, _ in next(batches_of_steps(built(_, *changes_of(run)))))
    return found


def changes_of(run: Run) -> tuple[str, ...]:
    return (
        f"train.accumulate={run.accumulate}",
        *([f"train.limit_batches={run.max_batches}"] if run.max_batches else []),
    )


def of_updates(run: Run, trained: Path) -> Made:
    found = watched(run)
    before = weights(run)
    shown = updates(trained, run).tensors
    means = {moves.name: moves.gradient_mean[0] for moves in shown}
    moved = {moves.name: moves.updates[0] for moves in shown}
    for name, w in before.items():
        if np.any(w):
            step = found["weights"][name].astype(float) - w
            assert moved[name] == pytest.approx(np.linalg.norm(step) / np.linalg.norm(w.astype(float)))
    return found | {"gradient means": means}


def of_report(run: Run, trained: Path) -> Made:
    flow = checkpoint_flow(trained, run.model, run, next(batches_of_steps(run)))
    assert flow is not None
    return {"layer norms": {layer.layer: layer.gradients[0] for layer in flow.layers}}


def of_find_lr(run: Run, _: Path) -> Made:
    found = watched(run)
    point = lr_range(run, 0.01, 0.02, 2).points[0]
    averaged(run, 0)
    return found | {"loss": point.loss}


def of_lab(run: Run, _: Path) -> Made:
    found = watched(run)
    run.model.train()
    with drawing_from(run.random):  # in a lesson, from the lesson's own
        loss = plain_step(run, *next(run.train_loader.batches(0)))
    averaged(run, 1)
    return found | {"loss": loss.item()}


CALLERS: dict[str, Callable[[Run, Path], Made]] = {
    "train": of_training, "step": of_step, "trace-grad": of_trace, "time": of_time, "updates": of_updates,
    "report": of_report, "find-lr": of_find_lr, "lab": of_lab,
}  # fmt: skip
RESTING = {"find-lr": "train.warmup", "lab": "train.accumulate"}  # what a caller leaves out, as it says


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("caller", CALLERS)
def test_whoever_makes_a_step_makes_the_step_of_training(caller: str, option: str, trained: Path) -> None:
    found = CALLERS[caller](built(trained, *OPTIONS[option]), trained)
    resting = RESTING.get(caller)
    wanted = by_hand(built(trained, *(c for c in OPTIONS[option] if resting is None or not c.startswith(resting))))
    by_name = wanted["gradients"]
    wanted["gradient means"] = {name: np.abs(g).mean() for name, g in by_name.items()}
    layers = {name.rpartition(".")[0] for name in by_name}
    wanted["layer norms"] = {
        layer: np.sqrt(sum(np.square(g, dtype=float).sum() for name, g in by_name.items() if name.startswith(layer)))
        for layer in layers
    }
    assert found
    for key, value in found.items():
        if isinstance(value, dict):
            assert value.keys() == wanted[key].keys()
            for name, array in value.items():
                np.testing.assert_allclose(array, wanted[key][name], rtol=2e-5, atol=1e-7, err_msg=f"{key} of {name}")
        else:
            assert value == pytest.approx(wanted[key], rel=1e-6), key


def test_each_option_makes_another_step(trained: Path) -> None:
    plain = by_hand(built(trained))
    for option, changes in OPTIONS.items():
        made = by_hand(built(trained, *changes))
        other = [key for key in ("rate", "gradients", "limited") if str(made[key]) != str(plain[key])]
        assert other or option in ("plain", "average"), option


def test_phases_come_in_order_and_a_step_can_end_before_any(trained: Path) -> None:
    run = built(trained, "train.accumulate=2")
    group = next(batches_of_steps(run))
    names = [phase.__name__ for phase in Step(run).phases(group)]
    passes = ["forward", "read", "backward"]
    assert names == ["zero_grad", *passes, *passes, "check", "limit", "update"]
    before = weights(run)
    step = Step(run)
    step.make(group, before="update")
    assert all((before[name] == w).all() for name, w in weights(run).items())
    assert gradients(run)
    assert (run.progress.step, run.progress.batch, step.samples) == (0, 0, 8)
    step.make(group)
    assert not all((before[name] == w).all() for name, w in weights(run).items())
    assert (run.progress.step, run.progress.batch) == (1, 2)


def test_a_step_that_diverged_raises_unless_it_is_only_looked_at(trained: Path) -> None:
    run = built(trained)
    inputs, targets = next(run.train_loader.batches(0))
    inputs.array[0] = np.inf
    with pytest.raises(DivergedError, match="the loss became nan at step 1"):
        Step(run).make([(inputs, targets)])
    step = Step(run, strict=False)
    step.make([(inputs, targets)])
    assert np.isnan(step.readout.loss)
    run = built(trained)
    next(iter(run.model.parameters())).register_hook(lambda grad: grad * float("inf"))
    with pytest.raises(DivergedError, match=r"the gradient of fc1\.weight became NaN or infinite"):
        Step(run).make([next(run.train_loader.batches(0))])


def test_warm_up_leaves_the_scheduled_rate_even_after_an_error(trained: Path) -> None:
    run = built(trained, "train.warmup=4")
    rates = []

    def fail(optimizer: Any, *_: Any) -> None:
        rates.append(optimizer.param_groups[0]["lr"])
        raise RuntimeError("no")

    run.optimizer.register_step_pre_hook(fail)
    with pytest.raises(RuntimeError, match="no"):
        Step(run).make([next(run.train_loader.batches(0))])
    assert rates == [0.01 / 4]
    assert run.optimizer.param_groups[0]["lr"] == 0.01


OWN = {  # files that may call backward, zero_grad or an optimizer's step themselves
    "train/step.py": "the step",
    "runs/restore.py": "tries a copy of the optimizer with zeros",
    "train/out_of_memory.py": "drops the gradients of a trial",
    "report/training/tensorboard.py": "drops the gradients of a trace",
    "inspection/training/without.py": "a copy of the optimizer steps by gradients without some samples",
    "inspection/training/lr_finder.py": "drops the gradients of the test",
    "inspection/model/explanation.py": "differentiates a score by the picture; there is no step",
    "inspection/model/gradient_check.py": "differentiates the loss in float64; there is no step",
}
LESSONS = ("backward_twice", "cut_graph", "forget_zero_grad", "wrong_loss_targets")  # their code is what they show


def test_nobody_writes_a_step_of_their_own() -> None:
    package = ROOT / "lenetcli"
    found = set()
    for room in ("train", "runs", "inspection", "report", "cli", "trainer", "sweep", "parallel", "export"):
        for path in (package / room).rglob("*.py"):
            if any(_is_part_of_step(call) for call in _calls(path)):
                found.add(path.relative_to(package).as_posix())
    assert found == {*OWN, *(f"inspection/lab/{lesson}.py" for lesson in LESSONS)}


def _calls(path: Path) -> Iterator[ast.Attribute]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node.func


def _is_part_of_step(call: ast.Attribute) -> bool:
    if call.attr == "step":
        return ast.unparse(call.value).endswith(("optimizer", "trial"))
    return call.attr == "backward" or (call.attr == "zero_grad" and ast.unparse(call.value) != "self")
