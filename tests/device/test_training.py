"""Training on the device: the same figures as on the CPU, and nothing waits for it step by step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.parts import build_run, device_of
from lenetcli.errors import DeviceError
from lenetcli.train import out_of_memory
from lenetcli.train.loop import fit
from tests.conftest import ROOT
from tests.device import standin
from tests.optim.sample import OPTIMIZERS, OptimizerSample, lenet_params, train


def run_of(device: str, *changes: str, path: str = "configs/lenet.yaml") -> Any:
    """A short training of a configuration."""
    config = configuration.load(str(ROOT / path), [*changes, f"device={device}", "train.epochs=1"])
    return build_run(config, device_of(config))


@pytest.mark.parametrize(
    "changes",
    [
        ("train.limit_batches=3",),
        ("train.limit_batches=4", "train.accumulate=2", "train.clip_grad_norm=1", "train.ema=0.9"),
    ],
    ids=str,
)
def test_a_run_has_the_figures_of_the_cpu(changes: tuple[str, ...], cuda: str) -> None:
    expected, found = ([e.record() for e in fit(run_of(device, *changes))] for device in ("cpu", cuda))
    assert [e["event"] for e in found] == [e["event"] for e in expected]
    for ours, theirs in zip(found, expected):
        for key in {"epoch", "step", "loss", "accuracy", "lr", "count"} & set(theirs):
            assert ours[key] == pytest.approx(theirs[key], rel=1e-4), (key, ours)
        looks, other = ours.get("gradients", {}), theirs.get("gradients", {})
        assert list(looks) == list(other)
        for name, look in looks.items():
            assert look == pytest.approx(other[name], rel=1e-3), name


def test_a_run_that_was_stopped_goes_on_to_the_same_bits(cuda: str, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    shorter = ("device=cuda", "train.limit_batches=4", "train.ema=0.9", "scheduler.T_max=30")
    lenet.Trainer(ROOT / "configs/lenet.yaml", *shorter, "train.epochs=2", out=whole).fit(progress="off")
    lenet.Trainer(ROOT / "configs/lenet.yaml", *shorter, "train.epochs=1", out=parts).fit(progress="off")
    lenet.Trainer.open(parts).fit("train.epochs=2", progress="off")
    assert "gpu" in json.loads((whole / "environment.json").read_text("utf-8"))
    for first in whole.glob("checkpoints/*/*.safetensors"):
        assert first.read_bytes() == (parts / first.relative_to(whole)).read_bytes(), first
    evaluated = lenet.Trainer.open(whole).evaluate()  # on the CPU
    assert evaluated.loss == pytest.approx(lenet.Trainer.open(parts).evaluate().loss)


def test_steps_do_not_wait_for_the_device(cuda: str) -> None:
    run = run_of(cuda, "train.limit_batches=12")
    events = fit(run)
    before = dict(standin.counts)
    next(events)  # the first steps come together
    if not isinstance(run.model[0].weight.array, standin.ndarray):
        pytest.skip("only the stand-in counts")
    assert {k: standin.counts[k] - before[k] for k in before} == {"get": 2, "item": 0}  # losses, gradients


def test_a_batch_that_does_not_fit_names_one_that_would(cuda: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of(cuda, "train.batch_size=640")
    monkeypatch.setattr(lenet.cuda, "get_device_name", lambda: "the GPU")
    monkeypatch.setattr(out_of_memory, "peak", lambda run, samples: 2**30 + samples * 2**20)  # 1 GiB and 1 MiB a sample
    monkeypatch.setattr(lenet.cuda, "mem_get_info", lambda: (0, int(1.25 * 2**30)))

    def fails(*_: Any) -> Any:
        raise MemoryError

    run.model.register_forward_pre_hook(fails)
    with pytest.raises(DeviceError, match=r"too small for train.batch_size=640; about 128 .*1 MiB each") as caught:
        list(fit(run))
    assert "train.batch_size=128 with train.accumulate=5" in str(caught.value)


@pytest.mark.parametrize("sample", OPTIMIZERS, ids=str)
def test_optimizers_equal_those_on_the_cpu(sample: OptimizerSample, cuda: str) -> None:
    results = []
    for where in ("cpu", cuda):
        params = [p.detach().to(where).requires_grad_() for p in lenet_params(np.float64)]
        optimizer = sample.build(lenet.optim, params)
        before = dict(standin.counts)
        train(optimizer, params, lambda g, where=where: lenet.from_numpy(np.asarray(g)).to(where), range(8))
        assert standin.counts == before
        assert all(p.device == params[0].device for p in params)
        state = {i: {k: v.cpu() for k, v in s.items()} for i, s in optimizer.state_dict()["state"].items()}
        found = {f"param.{i}": p.detach().cpu().numpy() for i, p in enumerate(params)}
        results.append(found | {f"state.{i}.{k}": v.numpy() for i, s in state.items() for k, v in s.items()})
    for name, expected in results[0].items():
        np.testing.assert_allclose(results[1][name], expected, rtol=1e-10, atol=1e-12, err_msg=name)
