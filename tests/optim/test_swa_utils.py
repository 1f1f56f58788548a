"""Averaged weights against torch's: plain means, moving averages, batch norm's statistics, the SWA schedule."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.optim import swa_utils
from tests.nn.parity import assert_close, pair
from tests.ops.sample import normal

STEPS = 5


def net(n: Any) -> Any:
    return n.Sequential(n.Linear(3, 4, bias=False), n.BatchNorm1d(4), n.ReLU(), n.Linear(4, 2))


def add_half(averages: list[Any], values: list[Any], count: Any) -> None:
    for average, value in zip(averages, values):
        average.add_(value, alpha=0.5)


def functions(module: Any) -> dict[str, dict[str, Any]]:
    """Arguments of AveragedModel, with the averaging functions of one of the two packages."""
    return {
        "mean": {},
        "mean by name": {"avg_fn": module.get_swa_avg_fn()},
        "mean of lists": {"multi_avg_fn": module.get_swa_multi_avg_fn()},
        "moving": {"avg_fn": module.get_ema_avg_fn(0.7)},
        "moving lists": {"multi_avg_fn": module.get_ema_multi_avg_fn(0.7)},
        "moving, default": {"multi_avg_fn": module.get_ema_multi_avg_fn()},
        "own": {"avg_fn": lambda average, value, count: average * 0.5 + value * 0.25 + count},
        "own lists": {"multi_avg_fn": add_half},
    }


# torch's functions over lists refuse integer buffers
WITH_BUFFERS = [kind for kind, options in functions(swa_utils).items() if "multi_avg_fn" not in options]


@pytest.mark.parametrize(
    ("kind", "use_buffers"),
    [(kind, False) for kind in functions(swa_utils)] + [(kind, True) for kind in WITH_BUFFERS],
)
def test_averages_equal_torch(torch: Any, kind: str, use_buffers: bool) -> None:
    ours, theirs = pair(torch, net)
    averaged = swa_utils.AveragedModel(ours, use_buffers=use_buffers, **functions(swa_utils)[kind])
    expected = torch.optim.swa_utils.AveragedModel(
        theirs, use_buffers=use_buffers, **functions(torch.optim.swa_utils)[kind]
    )
    optimizer, other = optim.SGD(ours.parameters(), lr=0.01), torch.optim.SGD(theirs.parameters(), lr=0.01)
    for _ in range(STEPS):
        x = normal(6, 3)
        for model, o, tensor in ((ours, optimizer, lenet.tensor), (theirs, other, torch.tensor)):
            o.zero_grad()
            (model(tensor(x)) ** 2).sum().backward()
            o.step()
        averaged.update_parameters(ours)
        expected.update_parameters(theirs)
        state, wanted = averaged.state_dict(), expected.state_dict()
        assert list(state) == list(wanted)
        for key, value in state.items():
            assert_close(value, wanted[key], 1e-4, key)
    x = normal(4, 3)
    assert_close(averaged.eval()(lenet.tensor(x)), expected.eval()(torch.tensor(x)), 1e-4)


def test_the_copy_is_its_own() -> None:
    model = net(nn)
    averaged = swa_utils.AveragedModel(model)
    averaged.update_parameters(model)
    before = averaged.module[0].weight.tolist()
    model[0].weight.data += 1
    assert averaged.module[0].weight.tolist() == before
    averaged.update_parameters(model)
    assert averaged.module[0].weight.requires_grad
    assert averaged.module[0].weight.grad_fn is None
    assert int(averaged.n_averaged) == 2


def test_batch_norm_statistics_are_computed_anew_as_in_torch(torch: Any) -> None:
    ours, theirs = pair(torch, net)
    batches = [normal(6, 3) for _ in range(3)]
    for model, tensor in ((ours, lenet.tensor), (theirs, torch.tensor)):
        model(tensor(normal(6, 3) * 100))
        model.eval()
    assert ours[1].momentum == 0.1
    swa_utils.update_bn([lenet.tensor(x) for x in batches], ours)
    torch.optim.swa_utils.update_bn([torch.tensor(x) for x in batches], theirs)
    for (name, b), c in zip(ours.named_buffers(), theirs.buffers()):
        assert_close(b, c, 1e-5, name)
    assert ours[1].momentum == 0.1
    assert not ours.training
    swa_utils.update_bn([(lenet.tensor(x), None) for x in batches], ours)
    assert int(ours[1].num_batches_tracked) == 3
    assert all(p.grad is None for p in ours.parameters())


def test_models_without_batch_norm_are_not_run() -> None:
    def loader() -> Any:
        raise AssertionError("nothing to compute")
        yield

    swa_utils.update_bn(loader(), nn.Linear(2, 2))


SCHEDULES: list[dict[str, Any]] = [
    {"swa_lr": 0.05},
    {"swa_lr": [0.05, 0.2], "anneal_epochs": 4},
    {"swa_lr": 0.05, "anneal_epochs": 5, "anneal_strategy": "linear"},
    {"swa_lr": 0.05, "anneal_epochs": 0},
    {"swa_lr": 0.5, "anneal_epochs": 1},
]


def rates(package: Any, swa: Any, zeros: Any, options: dict[str, Any], epochs: int = 14) -> list[list[float]]:
    optimizer = package.SGD([{"params": [zeros(1)]}, {"params": [zeros(1)], "lr": 0.7}], lr=0.1)
    first = package.lr_scheduler.ExponentialLR(optimizer, 0.9)
    scheduler, found = None, []
    for epoch in range(epochs):
        optimizer.step()
        if epoch == 3:
            scheduler = swa.SWALR(optimizer, **options)
        (scheduler or first).step()
        found.append([group["lr"] for group in optimizer.param_groups])
    return found


@pytest.mark.parametrize("options", SCHEDULES, ids=str)
def test_the_schedule_equals_torch(torch: Any, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ours = rates(optim, swa_utils, lambda n: lenet.zeros(n, requires_grad=True), options)
        theirs = rates(torch.optim, torch.optim.swa_utils, lambda n: torch.zeros(n, requires_grad=True), options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_schedule_can_be_resumed() -> None:
    def begun() -> tuple[Any, Any]:
        optimizer = optim.SGD([lenet.zeros(1, requires_grad=True)], lr=1.0)
        return optimizer, swa_utils.SWALR(optimizer, 0.1, anneal_epochs=6)

    optimizer, scheduler = begun()
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    later, resumed = begun()
    later.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    for o, s in ((optimizer, scheduler), (later, resumed)):
        for _ in range(3):
            o.step()
            s.step()
    assert later.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"] == pytest.approx(0.1)


def test_arguments_that_do_not_fit_are_refused() -> None:
    model = nn.Linear(1, 1)
    for decay in (-0.1, 1.1):
        with pytest.raises(ValueError, match="decay"):
            swa_utils.get_ema_avg_fn(decay)
        with pytest.raises(ValueError, match="decay"):
            swa_utils.get_ema_multi_avg_fn(decay)
    with pytest.raises(AssertionError, match="Only one"):
        swa_utils.AveragedModel(model, avg_fn=swa_utils.get_ema_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn())
    with pytest.raises(RuntimeError, match="disk"):
        swa_utils.AveragedModel(model, device="disk")
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match="anneal_strategy"):
        swa_utils.SWALR(optimizer, 0.1, anneal_strategy="square")  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="anneal_epochs"):
        swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="swa_lr"):
        swa_utils.SWALR(optimizer, [0.1, 0.2])
    with pytest.raises(TypeError, match="Optimizer"):
        swa_utils.SWALR(3, 0.1)  # type: ignore[arg-type]  # the point
