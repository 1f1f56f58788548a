"""Numbers that are no numbers: the guard that ends a run, and the hunt that names where they began."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.autograd.modes import switches
from lenetcli.data import ArrayDataset, DataLoader, Digits
from lenetcli.errors import DivergedError
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.train import divergence
from lenetcli.train.divergence import detect_nan
from lenetcli.train.events import Ended, Event, Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run


class Log(nn.Module):
    """-inf or NaN for what is not above zero."""

    def forward(self, input: Any) -> Any:
        return input.log()


class Root(nn.Module):
    """The root of its distance from `at`: 0 there, with an infinite gradient."""

    def forward(self, input: Any) -> Any:
        return (input - input.detach()).abs().sqrt()


def run_of(*layers: nn.Module, place: Path | None = None, lr: float = 0.1, optimizer: Any = None) -> Run:
    lenet.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), *(layers or (nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))))
    digits = Digits()
    run = Run(
        model, nn.CrossEntropyLoss(), optimizer or optim.SGD(model.parameters(), lr=lr),
        DataLoader(digits.train, 100, shuffle=True), DataLoader(digits.test, 256), 2,
        checkpoints=None if place is None else Checkpoints(place),
    )  # fmt: skip
    run.config = {}
    return run


def until_error(run: Run) -> tuple[list[Event], str]:
    events: list[Event] = []
    with pytest.raises(DivergedError) as found:
        events.extend(fit(run))  # those before the error stay
    return events, str(found.value)


def poison(value: float, at: int) -> Any:
    """A hook that puts a value into a gradient of its `at`-th call."""
    calls = []

    def hook(grad: Any) -> Any:
        calls.append(1)
        if len(calls) != at:
            return None
        array = grad.numpy().copy()
        array.flat[3] = value
        return lenet.from_numpy(array)

    return hook


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_gradient_that_is_no_number_ends_the_run_and_is_named(value: float, tmp_path: Path) -> None:
    run = run_of(place=tmp_path)
    dict(run.model.named_parameters())["3.weight"].register_hook(poison(value, 20))
    events, message = until_error(run)
    assert message.startswith(
        "the gradient of 3.weight became NaN or infinite (1 of 160 values, first at index (0, 3)) "
        "at step 20 (epoch 2, batch 5) with lr 0.1; the last checkpoint is kept."
    )
    assert isinstance(events[-1], Ended)
    assert (events[-1].reason, events[-1].step) == ("diverged", 19)
    assert run.progress.step == 19
    assert all(np.isfinite(p.numpy()).all() for p in (q.detach() for q in run.model.parameters()))
    assert run.checkpoints is not None
    assert run.checkpoints.names() == ["000015"]


def test_very_large_gradients_are_numbers() -> None:
    run = run_of(lr=0.0)
    parameter = next(run.model.parameters())
    parameter.grad = lenet.full(tuple(parameter.shape), 3e38)
    divergence.check_gradients(run)


def test_the_guard_looks_at_any_memory_order() -> None:
    run = run_of(nn.Linear(64, 10))
    parameter = next(run.model.parameters())
    array = np.zeros((64, 10), np.float32).T
    array[3, 5] = np.nan
    parameter.grad = lenet.from_numpy(array)
    with pytest.raises(DivergedError, match=r"1\.weight .* \(1 of 640 values, first at index \(3, 5\)\)"):
        divergence.check_gradients(run)


def test_weights_that_are_no_numbers_are_never_saved(tmp_path: Path) -> None:
    run = run_of(place=tmp_path)
    run.optimizer.register_step_post_hook(
        lambda *_: run.progress.step == 29 and run.model[3].weight.detach().numpy().fill(np.inf)
    )
    _, message = until_error(run)
    assert "the loss on the test split became nan after step 30" in message
    assert run.checkpoints is not None
    assert run.checkpoints.names() == ["000015"]


def test_a_stopped_run_does_not_save_them_either(tmp_path: Path) -> None:
    run = run_of(place=tmp_path)
    events = fit(run)
    assert any(isinstance(event, Step) and event.step == 20 for event in events)
    run.model[3].bias.detach().numpy().fill(np.nan)
    run.stop = "SIGINT"
    with pytest.raises(DivergedError, match=r"3\.bias became NaN or infinite \(10 of 10 values, .* after step 20"):
        list(events)
    assert run.checkpoints is not None
    assert run.checkpoints.names() == ["000015"]


def hunted(run: Run) -> str:
    with pytest.raises(DivergedError) as found, detect_nan(run):
        list(fit(run))
    assert not switches.anomaly
    assert switches.fusion
    return str(found.value)


def test_the_hunt_names_the_first_operation_forward() -> None:
    message = hunted(run_of(nn.Linear(64, 10), nn.Sequential(nn.ReLU(), Log())))
    assert "Log returned inf or NaN in its forward pass in module '2.1': " in message
    assert "values, first at index (0, " in message
    assert message.endswith("at step 1 (epoch 1, batch 1) with lr 0.1")


def test_the_hunt_names_the_first_operation_backward() -> None:
    message = hunted(run_of(nn.Linear(64, 10), Root()))
    assert message.startswith("SqrtBackward returned inf or NaN as gradient of its input 0 in module '2': ")


def test_the_hunt_names_a_batch_that_brings_them_in() -> None:
    run = run_of()
    run.train_loader.dataset.images = run.train_loader.dataset.images.astype(np.float32)
    run.train_loader.dataset.images[5, 0, 2, 2] = np.nan
    assert hunted(run).startswith("the batch holds NaN or infinity before any operation: 1 of 6400 values, first at ")


def test_the_hunt_names_a_step_that_makes_them() -> None:
    assert hunted(run_of(lr=1e39)).startswith("the optimizer's step made 1.weight NaN or infinite: ")


def test_the_hunt_leaves_no_hook_behind() -> None:
    run = run_of()
    with detect_nan(run):
        next(fit(run))
    assert not run.model.has_hooks
    assert not run.optimizer._post_hooks


# Inputs before the learning rate


def float_run(value: float, where: str = "inputs", lr: float = 0.1) -> Run:
    """A run of floats, of which the training sample 42 is bad; shuffled."""
    rng = np.random.default_rng(0)
    images, targets = rng.random((300, 1, 8, 8)).astype(np.float32), np.zeros((300, 1), np.float32)
    (images if where == "inputs" else targets)[42].flat[0] = value
    lenet.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    train = ArrayDataset(images, targets, origin="cat/{}.png".format)
    test = ArrayDataset(images[:20].copy(), targets[:20])
    sgd = optim.SGD(model.parameters(), lr=lr)
    run = Run(model, nn.MSELoss(), sgd, DataLoader(train, 20, shuffle=True), DataLoader(test, 20), 2, accumulate=2)
    run.config = {}
    return run


@pytest.mark.parametrize("where", ["inputs", "targets"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.nan, "holds NaN"),
        (np.inf, "holds infinity"),
        (-np.inf, "holds infinity"),
        (3e38, "holds values up to 3e+38"),
    ],
)
def test_a_divergence_names_the_sample_that_brought_it_in(value: float, said: str, where: str) -> None:
    end = "" if where == "inputs" else " in its target"
    _, message = until_error(float_run(value, where))
    assert f"It came in with the data: cat/42.png (train sample 42) {said}{end}; `lenet data check" in message
    assert "optimizer.lr" not in message
    if where == "inputs" and not np.isfinite(value):
        assert f": cat/42.png (train sample 42) {said}" in hunted(float_run(value))


def test_a_sample_that_only_a_split_for_testing_has_is_named() -> None:
    run = float_run(0.5)
    run.test_loader.dataset.images[7, 0, 3, 3] = np.nan
    _, message = until_error(run)
    assert message.startswith("the loss on the test split became nan after step 8")
    assert "It came in with the data: test sample 7 holds NaN; " in message


def test_sound_inputs_leave_the_blame_to_the_learning_rate() -> None:
    _, message = until_error(float_run(0.5, lr=1e30))
    assert "Try a smaller optimizer.lr" in message
    assert "data" not in message


def test_looking_at_the_inputs_draws_nothing_that_a_run_would_miss() -> None:
    run = float_run(np.nan)
    state = lenet.get_rng_state()
    until_error(run)
    assert lenet.get_rng_state() == state
