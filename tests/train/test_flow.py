"""What a run writes down of its gradients: the right numbers, at the right steps, once each, at no cost to the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from lenetcli import config as configuration
from lenetcli.build import build_run
from lenetcli.errors import DivergedError
from lenetcli.train.events import Event, Gradient
from lenetcli.train.loop import fit
from lenetcli.train.state import decode, encode
from tests.train.small import at, difference, figures, resume, train, write_config

SGD = "optimizer={type: SGD, lr: 0.5, momentum: 0}"


def gradients(place: Path, *changes: str) -> list[Gradient]:
    run = build_run(configuration.load(str(write_config(place)), list(changes)))
    return [event for event in fit(run) if isinstance(event, Gradient)]


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
    assert [e.step for e in found if e.parameter == "fc1.weight"] == steps
    names = ["fc1.weight", "fc1.bias", "2.weight", "2.bias", "fc2.weight", "fc2.bias"]
    assert [e.parameter for e in found] == names * len(steps)


def test_the_figures_are_those_of_the_gradient_and_the_step(tmp_path: Path) -> None:
    changes = (SGD, "train.log_gradients=1", "train.epochs=1", "train.clip_grad_norm=0.01")
    found = gradients(tmp_path, *changes)
    run = build_run(configuration.load(str(tmp_path / "small.yaml"), list(changes)))
    parameters = dict(run.model.named_parameters())
    weights = {name: p.detach().numpy().astype(float) for name, p in parameters.items()}
    batch = next(run.train_loader.batches(0))
    run.criterion(run.model(batch[0]), batch[1]).backward()
    raw = {name: p.grad.numpy().astype(float) for name, p in parameters.items()}
    total = np.sqrt(sum(float(np.square(g).sum()) for g in raw.values()))
    assert total > 0.01  # or nothing was limited
    for event in found[: len(parameters)]:
        g, w = raw[event.parameter], weights[event.parameter]
        assert event.norm == pytest.approx(np.linalg.norm(g), rel=1e-5)
        assert (event.mean, event.max) == (pytest.approx(np.abs(g).mean(), rel=1e-5), pytest.approx(np.abs(g).max()))
        size = np.linalg.norm(w)
        expected = 0.5 * (0.01 / total) * np.linalg.norm(g) / size if size else None
        assert event.update == (None if expected is None else pytest.approx(expected, rel=1e-3, abs=1e-7))


def test_a_run_is_the_same_with_it_and_without(tmp_path: Path) -> None:
    config = write_config(tmp_path)
    train(config, tmp_path / "a", "train.log_gradients=1")
    train(config, tmp_path / "b", "train.log_gradients=null")
    weights = [(tmp_path / name / "checkpoints" / "000012" / "model.safetensors").read_bytes() for name in "ab"]
    assert weights[0] == weights[1]
    assert not [event for event in figures(tmp_path / "b") if event["event"] == "gradient"]


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
    looks = [(e["step"], e["parameter"]) for e in figures(tmp_path / "run") if e["event"] == "gradient"]
    assert len(looks) == len(set(looks)) == 7 * 6


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
    looks = [event for event in seen if isinstance(event, Gradient)]
    assert [e.step for e in looks][:6] == [1] * 6
    assert any(e.update is not None and e.update > 1e20 for e in looks)  # its square is beyond a float32
    assert not any(word in json.dumps(e.record()) for word in ("NaN", "Infinity") for e in looks)


def test_frozen_parameters_are_left_out(tmp_path: Path) -> None:
    run = build_run(configuration.load(str(write_config(tmp_path)), ["train.epochs=1"]))
    run.model.get_submodule("fc1").requires_grad_(False)
    found = [event for event in fit(run) if isinstance(event, Gradient)]
    assert {e.parameter for e in found} == {"2.weight", "2.bias", "fc2.weight", "fc2.bias"}
    assert json.dumps(found[0].record())
