"""What a run writes down of its gradients: the right numbers, at the right steps, once each, at no cost to the run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import config as configuration
from lenetcli.autograd.random import drawing_from
from lenetcli.build.parts import build_run
from lenetcli.errors import DivergedError
from lenetcli.runs.state_json import decode, encode
from lenetcli.train.events import Event, Step
from lenetcli.train.loop import fit
from tests.conftest import ROOT
from tests.train.small import at, difference, figures, resume, train, write_config

SGD = "optimizer={type: SGD, lr: 0.5, momentum: 0}"


Looks = dict[int, dict[str, dict[str, float | None]]]  # by step, by parameter


def looks_of(events: Iterable[Event]) -> Looks:
    return {e.step: e.gradients for e in events if isinstance(e, Step) and e.gradients is not None}


def gradients(place: Path, *changes: str) -> Looks:
    return looks_of(fit(build_run(configuration.load(str(write_config(place)), list(changes)))))


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ((), [1, 4, 8, 12]),
        (("train.log_gradients=3",), [1, 3, 6, 9, 12]),
        (("train.log_gradients=1", "train.epochs=1"), [1, 2, 3, 4]),
        (("train.accumulate=3",), [1, 2, 4, 6]),
        (("train.limit_batches=2",), [1, 2, 4, 6]),
        (("train.log_gradients=null",), []),
    ],
    ids=str,
)
def test_the_option_chooses_the_steps(changes: tuple[str, ...], steps: list[int], tmp_path: Path) -> None:
    found = gradients(tmp_path, *changes)
    assert list(found) == steps
    names = ["fc1.weight", "fc1.bias", "2.weight", "2.bias", "fc2.weight", "fc2.bias"]
    assert all(list(look) == names for look in found.values())


def test_the_figures_are_those_of_the_gradient_and_the_step(tmp_path: Path) -> None:
    changes = (SGD, "train.log_gradients=1", "train.epochs=1", "train.clip_grad_norm=0.01")
    found = gradients(tmp_path, *changes)
    run = build_run(configuration.load(str(tmp_path / "small.yaml"), list(changes)))
    parameters = dict(run.model.named_parameters())
    weights = {name: p.detach().numpy().astype(float) for name, p in parameters.items()}
    batch = next(run.train_loader.batches(0))
    with drawing_from(run.random):  # what dropout drops in the first step
        run.criterion(run.model(batch[0]), batch[1]).backward()
    raw = {name: p.grad.numpy().astype(float) for name, p in parameters.items()}
    total = np.sqrt(sum(float(np.square(g).sum()) for g in raw.values()))
    assert total > 0.01  # or nothing was limited
    assert list(found[1]) == list(parameters)
    for name, look in found[1].items():
        g, w = raw[name], weights[name]
        assert look["norm"] == pytest.approx(np.linalg.norm(g), rel=1e-5)
        assert look["mean"] == pytest.approx(np.abs(g).mean(), rel=1e-5)
        assert look["max"] == pytest.approx(np.abs(g).max(), rel=1e-5)
        size = np.linalg.norm(w)
        expected = 0.5 * (0.01 / total) * np.linalg.norm(g) / size if size else None
        assert look["update"] == (None if expected is None else pytest.approx(expected, rel=1e-3, abs=1e-7))


def test_a_run_is_the_same_with_it_and_without(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    train(config, tmp_path / "a", "train.log_gradients=1")
    train(config, tmp_path / "b", "train.log_gradients=null")
    weights = [(tmp_path / name / "checkpoints" / "000012" / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    assert any("gradients" in event for event in figures(tmp_path / "a"))
    assert not any("gradients" in event for event in figures(tmp_path / "b"))


@pytest.mark.parametrize("killed", [2, 5, 6, 9])
def test_a_killed_run_that_goes_on_has_each_look_once(killed: int, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    options = ("train.log_gradients=2",)
    train(config, tmp_path / "whole", *options)

    class Death(BaseException):
        pass

    def die() -> None:
        raise Death

    with pytest.raises(Death):
        train(config, tmp_path / "run", *options, also=at(killed, die))
    assert resume(tmp_path / "run") == 0
    assert difference(tmp_path / "whole", tmp_path / "run") is None
    assert [e["step"] for e in figures(tmp_path / "run") if "gradients" in e] == [1, 2, 4, 6, 8, 10, 12]


def test_a_run_from_before_there_was_such_an_option_goes_on(tmp_path: Path) -> None:
    train(write_config(tmp_path), tmp_path / "run")
    state = tmp_path / "run" / "checkpoints" / "000012" / "state.json"
    content = decode(state.read_bytes())
    del content["config"]["train"]["log_gradients"], content["format"]
    state.write_bytes(encode(content))
    assert resume(tmp_path / "run", "train.epochs=4") == 0


def test_what_was_seen_before_a_run_diverged_is_there(tmp_path: Path) -> None:
    run = build_run(
        configuration.load(str(write_config(tmp_path)), [SGD, "optimizer.lr=1e25", "train.log_gradients=1"])
    )
    seen: list[Event] = []
    with pytest.raises(DivergedError, match="became"):
        seen.extend(fit(run))
    looks = looks_of(seen)
    assert min(looks) == 1
    updates = [figures["update"] for look in looks.values() for figures in look.values()]
    assert any(update is not None and update > 1e20 for update in updates)  # its square is beyond a float32
    assert not any(word in json.dumps(e.record()) for word in ("NaN", "Infinity") for e in seen)


def test_frozen_parameters_are_left_out(tmp_path: Path) -> None:
    run = build_run(configuration.load(str(write_config(tmp_path)), ["train.epochs=1"]))
    run.model.get_submodule("fc1").requires_grad_(False)
    found = looks_of(fit(run))
    assert set(found[1]) == {"2.weight", "2.bias", "fc2.weight", "fc2.bias"}


def test_the_figures_are_torchs(torch: Any) -> None:
    changes = ["optimizer={type: Adam, lr: 0.01}", "train.log_gradients=1", "train.limit_batches=2", "train.epochs=1"]
    made = configuration.load(str(ROOT / "configs" / "mlp.yaml"), changes)
    found = looks_of(fit(build_run(made)))
    run = build_run(made)
    layers = (torch.nn.Flatten(), *(torch.nn.Linear(*shape) for shape in ((64, 128), (128, 64), (64, 10))))
    net = torch.nn.Sequential(layers[0], layers[1], torch.nn.ReLU(), layers[2], torch.nn.ReLU(), layers[3])
    with torch.no_grad():
        for theirs, ours in zip(net.parameters(), run.model.parameters(), strict=True):
            theirs.copy_(torch.tensor(ours.detach().numpy()))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    expected = []
    for inputs, targets in list(run.train_loader.batches(0))[:2]:
        optimizer.zero_grad()
        output = net(torch.tensor(np.ascontiguousarray(inputs.numpy())))
        torch.nn.functional.cross_entropy(output, torch.tensor(targets.numpy().copy())).backward()
        before = [p.detach().clone() for p in net.parameters()]
        optimizer.step()
        for p, w in zip(net.parameters(), before, strict=True):
            size = p.grad.abs()
            update = (p.detach() - w).norm() / w.norm()
            dead = (size.reshape(len(size), -1).amax(1) == 0).sum()
            expected.append([f.item() for f in (p.grad.norm(), size.mean(), size.max(), update, dead)])
    told = [list(figures.values()) for look in found.values() for figures in look.values()]
    assert told == [pytest.approx(row, rel=1e-3) for row in expected]
