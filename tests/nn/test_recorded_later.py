"""Recorded chains: what somebody changes between a call and its backward counts no more than on the tape."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.autograd.composite import use
from lenetcli.autograd.modes import detect_anomaly
from lenetcli.kernels import dispatch, native
from lenetcli.nn import recorded, recording

pytestmark = pytest.mark.skipif(native.absent is not None, reason=str(native.absent))

Change = Callable[[Any, Any, Any], Any]  # of the model, its input and its output


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(recorded, "AFTER", 1)
    with dispatch.force("native"):
        yield


def net() -> Any:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 8, 3), nn.ReLU(),
        nn.Flatten(), nn.Dropout(0.3), nn.Linear(32, 5),
    )  # fmt: skip


CHANGES: dict[str, Change] = {
    "nothing": lambda model, x, y: None,
    "evaluation": lambda model, x, y: model.eval(),
    "another p": lambda model, x, y: setattr(model[7], "p", 0.9),
    "another layer": lambda model, x, y: model.__setitem__(7, nn.Identity()),
    "a layer less": lambda model, x, y: model.pop(7),
    "a hook": lambda model, x, y: model[4].register_forward_hook(lambda module, args, output: output * 2),
    "frozen": lambda model, x, y: model[0].requires_grad_(False),
    "thawed": lambda model, x, y: model.requires_grad_(True),
    "another call": lambda model, x, y: model(x),
    "a call of another size": lambda model, x, y: model(x[:2]),
    "input's memory replaced": lambda model, x, y: setattr(x, "data", lenet.ones(4, 1, 8, 8)),
    "input replaced by a smaller one": lambda model, x, y: setattr(x, "data", lenet.ones(1, 1, 8, 8)),
    "a weight's memory replaced": lambda model, x, y: setattr(model[8].weight, "data", model[8].weight.data * 2),
    "running mean": lambda model, x, y: model[1].running_mean.add_(1),
    "input in place": lambda model, x, y: x.add_(1),
    "a weight in place": lambda model, x, y: model[8].weight.mul_(2),
    "output in place": lambda model, x, y: y.add_(1),
    "a convolution's bias in place": lambda model, x, y: model[0].bias.add_(1),
    "the last bias in place": lambda model, x, y: model[8].bias.add_(1),
}
LOOKS: dict[str, Change] = {
    "no look": lambda model, x, y: None,
    "a tensor hook": lambda model, x, y: y.register_hook(lambda grad: grad * 2),
    "a node's hook": lambda model, x, y: y.grad_fn.register_hook(lambda d_in, d_out: None),
    "next functions": lambda model, x, y: y.grad_fn.next_functions[0][0].next_functions,
    "another memory order": lambda model, x, y: None,
    "the graph kept": lambda model, x, y: y.backward(lenet.ones(4, 5), retain_graph=True),
}
UNSAVED = {"a convolution's bias in place", "the last bias in place", "running mean"}  # the tape does not need them


def play(on: bool, change: Change, look: str, mode: str, learns: bool, early: bool) -> list[list[Any]]:
    """What some rounds come to: the gradients, the state, the names in the graph after backward, an error's words."""
    rounds = []
    with use.off() if not on else dispatch.force("native"):
        lenet.manual_seed(0)
        for seed in range(1):
            model = net()
            if mode == "frozen":
                model[0].requires_grad_(False)
                model[1].eval()
            model.train(mode != "evaluation") if mode != "frozen" else None
            x = lenet.from_numpy(np.random.default_rng(seed).standard_normal((4, 1, 8, 8), np.float32))
            x.requires_grad_(learns)
            for _ in range(2):
                model(x).backward(lenet.ones(4, 5))
            if on and mode == "training":
                assert recorded.status(model).startswith("recorded: ")
            model.zero_grad()
            x.grad = None
            y = model(x)
            if early:
                LOOKS[look](model, x, y)
            with lenet.no_grad():
                change(model, x, y)
            if not early:
                LOOKS[look](model, x, y)
            found: list[Any] = []
            try:
                y.backward(lenet.ones(5, 4).t() if look == "another memory order" else lenet.ones(4, 5))
            except RuntimeError as error:
                found.append(str(error))
            found += [None if t.grad is None else t.grad.array.tobytes() for t in (x, *model.parameters())]
            found += [t.array.tobytes() for t in (*model.parameters(), *model.buffers())]
            found += [node and node.name() for node, _ in y.grad_fn.next_functions] + [y.grad_fn.metadata]
            rounds.append(found)
    return rounds


def outcome(*args: Any) -> tuple[list[list[Any]], str]:
    """What `play` comes to, or the words with which a backward before that has raised."""
    try:
        return play(*args), ""
    except RuntimeError as error:
        return [], str(error)


@pytest.mark.parametrize("early", [False, True], ids=["look after", "look before"])
@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize("name", list(CHANGES))
def test_a_change_between_a_call_and_its_backward_counts_as_on_the_tape(name: str, look: str, early: bool) -> None:
    for mode in ("training", "evaluation", "frozen"):
        for learns in (False, True):
            if learns and look == "the graph kept" and not early and "input" in name:
                continue  # its gradient has the shape of what it was
            found, words = outcome(True, CHANGES[name], look, mode, learns, early)
            wanted, theirs = outcome(False, CHANGES[name], look, mode, learns, early)
            refused = "modified by an in-place operation" in words + (str(found[0][0]) if found else "")
            assert (found, words) == (wanted, theirs) or (refused and name in UNSAVED), (mode, learns)


def test_an_input_whose_memory_is_gone_is_still_there_for_backward() -> None:
    def gradients() -> list[bytes]:
        lenet.manual_seed(0)
        model, found = nn.Sequential(nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 2)), []
        for _ in range(6):
            x = lenet.randn(20000, 64)  # so large that the system gets its memory back
            model.zero_grad()
            y = model(x)
            x.data = lenet.zeros(1, 64)
            taken = [np.full((20000, 64), np.nan, np.float32) for _ in range(3)]
            y.sum().backward()
            found.append(model[0].weight.grad.array.tobytes())
            del taken
        return found

    found = gradients()
    with use.off():
        assert found == gradients()


def test_a_module_that_is_gone_leaves_its_graph() -> None:
    def call() -> tuple[Any, Any]:
        lenet.manual_seed(0)
        model, x = net(), lenet.randn(4, 1, 8, 8).requires_grad_()
        for _ in range(4):
            model(x).backward(lenet.ones(4, 5))
        x.grad = None
        return x, model(x)

    def gradient() -> Any:
        x, y = call()
        gc.collect()
        y.backward(lenet.ones(5, 4).t())
        return x.grad.array

    found = gradient()
    with use.off():
        assert np.array_equal(found, gradient())


def test_a_graph_that_is_made_in_anomaly_mode_is_that_of_the_call() -> None:
    def gradient() -> Any:
        lenet.manual_seed(0)
        model, x = net(), lenet.randn(4, 1, 8, 8)
        for _ in range(4):
            model(x).backward(lenet.ones(4, 5))
        model.zero_grad()
        y = model(x)
        with detect_anomaly():
            names = [node and node.name() for node, _ in y.grad_fn.next_functions]
            y.backward(lenet.ones(4, 5))
        return names, model[0].weight.grad.array.tobytes()

    found = gradient()
    with use.off():
        assert found == gradient()


def test_a_net_whose_gradients_get_graphs_is_left_to_the_tape_most_of_the_time() -> None:
    lenet.manual_seed(0)
    model, x = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 5)), lenet.rand(4, 1, 8, 8)
    parameters = list(model.parameters())

    def at_once(create_graph: bool) -> list[bool]:
        found = []
        for _ in range(30):
            y = model(x)
            found.append(y.grad_fn.at_once)
            lenet.autograd.grad((y * y).sum(), parameters, create_graph=create_graph)
        return found

    assert all(at_once(False)[3:])
    looked_at = at_once(True)
    assert looked_at[0]
    assert 3 <= sum(looked_at) <= 7
    assert all(at_once(False)[recording.PATIENCE :])
