"""Every scheduler: against torch, against stored references, resumed half-way, and refusing what torch refuses."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import optim
from lenetcli.optim import lr_scheduler
from tests.cases import each_by_name
from tests.optim.sample import EPOCHS, REFERENCES, SCHEDULERS, SchedulerSample, rates, start

HANDLE_TENSORS = ("StepLR", "CosineAnnealingLR", "LinearLR", "ReduceLROnPlateau", "CyclicLR")  # each through other code
each_sample = each_by_name(SCHEDULERS)


def params() -> list[Any]:
    return [lenet.zeros(1, requires_grad=True) for _ in range(2)]


def begun(sample: SchedulerSample) -> tuple[Any, Any]:
    return start(sample, optim, params())


def test_every_scheduler_has_samples() -> None:
    assert set(lr_scheduler.__all__) == {sample.name for sample in SCHEDULERS}


@each_sample
def test_rates_and_momenta_equal_torch(torch: Any, sample: SchedulerSample) -> None:
    optimizer, scheduler = begun(sample)
    theirs, expected = start(sample, torch.optim, [torch.zeros(1, requires_grad=True) for _ in range(2)])
    assert scheduler.get_last_lr() == pytest.approx(expected.get_last_lr(), rel=1e-12)
    ours = rates(sample, optimizer, scheduler, range(EPOCHS))
    np.testing.assert_allclose(ours, rates(sample, theirs, expected, range(EPOCHS)), rtol=1e-10, atol=1e-14)
    assert getattr(scheduler, "last_epoch", None) == getattr(expected, "last_epoch", None)


@each_sample
def test_rates_and_momenta_equal_stored_references(sample: SchedulerSample) -> None:
    stored = np.load(REFERENCES)
    at = list(stored["names"]).index(str(sample) + str(sample.optimizer))
    begin = int(stored["sizes"][:at].sum())
    expected = stored["values"][begin : begin + int(stored["sizes"][at])]
    ours = rates(sample, *begun(sample), range(EPOCHS))
    np.testing.assert_allclose(ours.ravel(), expected, rtol=1e-10, atol=1e-14)


@each_sample
def test_resuming_from_state_continues_identically(sample: SchedulerSample) -> None:
    optimizer, scheduler = begun(sample)
    rates(sample, optimizer, scheduler, range(23))
    saved = json.loads(json.dumps([optimizer.state_dict()["param_groups"], scheduler.state_dict()]))
    later, resumed = begun(sample)
    later.load_state_dict({"state": {}, "param_groups": saved[0]})
    resumed.load_state_dict(saved[1])
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    rest = range(23, EPOCHS)
    expected = rates(sample, optimizer, scheduler, rest)
    np.testing.assert_array_equal(rates(sample, later, resumed, rest), expected)


@each_sample
def test_a_state_of_torch_can_be_loaded(torch: Any, sample: SchedulerSample) -> None:
    theirs, expected = start(sample, torch.optim, [torch.zeros(1, requires_grad=True) for _ in range(2)])
    rates(sample, theirs, expected, range(23))
    optimizer, scheduler = begun(sample)
    optimizer.load_state_dict({"state": {}, "param_groups": theirs.state_dict()["param_groups"]})
    scheduler.load_state_dict(expected.state_dict())
    rest = range(23, EPOCHS)
    found, wanted = rates(sample, optimizer, scheduler, rest), rates(sample, theirs, expected, rest)
    np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("sample", [s for s in SCHEDULERS if s.name in HANDLE_TENSORS], ids=str)
def test_a_tensor_as_learning_rate_keeps_its_identity(sample: SchedulerSample) -> None:
    name, kwargs = sample.optimizer
    rate = lenet.tensor(0.1, dtype=lenet.float64)
    optimizer = getattr(optim, name)([{"params": p} for p in params()], lr=0.1, **kwargs)
    twin = getattr(optim, name)([{"params": p} for p in params()], lr=0.1, **kwargs)
    optimizer.param_groups[0]["lr"] = rate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ours, expected = sample.make(lr_scheduler, optimizer), sample.make(lr_scheduler, twin)
        for t in range(12):
            for o, s in ((optimizer, ours), (twin, expected)):
                o.step()
                s.step(sample.metrics[t]) if sample.metrics else s.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert float(rate) == pytest.approx(twin.param_groups[0]["lr"], rel=1e-12)


def sgd(**options: Any) -> Any:
    return optim.SGD(params(), lr=0.1, **options)


def test_stepping_in_the_wrong_order_warns() -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.StepLR(optimizer, 1)
    with pytest.warns(UserWarning, match=r"before `optimizer.step\(\)`"):
        scheduler.step()
    optimizer.step()
    scheduler.step()


def test_asking_get_lr_warns_and_an_epoch_is_deprecated() -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(3)
    assert scheduler.get_last_lr() == pytest.approx([0.1 * 0.5**3])


def test_going_on_wants_the_initial_rates() -> None:
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(sgd(), 3, last_epoch=5)
    optimizer = sgd()
    optimizer.param_groups[0]["initial_lr"] = 0.8
    scheduler = lr_scheduler.StepLR(optimizer, 3, gamma=0.5, last_epoch=5)
    assert scheduler.last_epoch == 6
    assert scheduler.base_lrs == [0.8]


def test_the_plateau_takes_tensors_and_counts_nan_as_no_improvement() -> None:
    scheduler = lr_scheduler.ReduceLROnPlateau(sgd(), patience=1)
    for metric in (lenet.tensor(1.0), float("nan"), lenet.tensor([float("nan")])):
        scheduler.step(metric)
    assert scheduler.get_last_lr() == pytest.approx([0.01])


def test_functions_are_no_part_of_the_state_but_the_attributes_of_objects_are() -> None:
    class Decay:
        def __init__(self) -> None:
            self.base = 0.5

        def __call__(self, epoch: int) -> float:
            return self.base**epoch

    decay = Decay()
    scheduler = lr_scheduler.LambdaLR(sgd(), decay)
    decay.base = 0.25
    state = json.loads(json.dumps(scheduler.state_dict()))
    other = Decay()
    lr_scheduler.LambdaLR(sgd(), other).load_state_dict(state)
    assert other.base == 0.25


@pytest.mark.parametrize(
    "make",
    [
        lambda m, o: m.StepLR(3, 1),
        lambda m, o: m.LambdaLR(o, [lambda t: 1.0] * 2),
        lambda m, o: m.MultiplicativeLR(o, [lambda t: 1.0] * 2),
        lambda m, o: m.ConstantLR(o, factor=1.5),
        lambda m, o: m.ConstantLR(o, factor=-0.1),
        lambda m, o: m.LinearLR(o, start_factor=0.0),
        lambda m, o: m.LinearLR(o, start_factor=1.5),
        lambda m, o: m.LinearLR(o, end_factor=1.5),
        lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=0),
        lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=0),
        lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=1.5),
        lambda m, o: m.CyclicLR(o, 0.1, 0.2, mode="square", cycle_momentum=False),
        lambda m, o: m.CyclicLR(o, [0.1, 0.2], 0.2, cycle_momentum=False),
        lambda m, o: m.OneCycleLR(o, 0.1),
        lambda m, o: m.OneCycleLR(o, 0.1, total_steps=-1),
        lambda m, o: m.OneCycleLR(o, 0.1, epochs=3),
        lambda m, o: m.OneCycleLR(o, 0.1, total_steps=9, pct_start=1.5, cycle_momentum=False),
        lambda m, o: m.OneCycleLR(o, 0.1, total_steps=9, anneal_strategy="square", cycle_momentum=False),
        lambda m, o: m.ReduceLROnPlateau(o, factor=1.0),
        lambda m, o: m.ReduceLROnPlateau(o, mode="least"),
        lambda m, o: m.ReduceLROnPlateau(o, threshold_mode="square"),
        lambda m, o: m.ReduceLROnPlateau(o, min_lr=[0.1, 0.2]),
        lambda m, o: m.ReduceLROnPlateau(3),
        lambda m, o: m.SequentialLR(o, [], []),
        lambda m, o: m.SequentialLR(o, [m.StepLR(o, 1)], [3]),
        lambda m, o: m.SequentialLR(o, [m.ReduceLROnPlateau(o)], []),
        lambda m, o: m.SequentialLR(o, [3], []),
        lambda m, o: m.ChainedScheduler([]),
        lambda m, o: m.ChainedScheduler([m.ReduceLROnPlateau(o)]),
        lambda m, o: m.LRScheduler(o),
    ],
)
def test_arguments_that_torch_refuses_are_refused_with_the_same_kind_of_error(
    torch: Any, make: Callable[..., Any]
) -> None:
    with pytest.raises((ValueError, TypeError, KeyError, NotImplementedError, AttributeError)) as theirs:
        make(torch.optim.lr_scheduler, torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1))
    with pytest.raises(theirs.type):
        make(lr_scheduler, optim.SGD([lenet.zeros(1, requires_grad=True)], lr=0.1))


@pytest.mark.parametrize(
    "make", [lambda m, o: m.CyclicLR(o, 0.1, 0.2), lambda m, o: m.OneCycleLR(o, 0.1, total_steps=9)]
)
def test_momentum_can_only_be_led_where_the_optimizer_has_it(make: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="cycle_momentum=False"):
        make(lr_scheduler, optim.Adagrad(params(), lr=0.1))


def test_schedulers_of_several_optimizers_do_not_go_together() -> None:
    first, second = sgd(), sgd()
    schedulers = [lr_scheduler.StepLR(first, 1), lr_scheduler.StepLR(second, 1)]
    with pytest.raises(ValueError, match="same optimizer"):
        lr_scheduler.SequentialLR(first, schedulers, [3])
    with pytest.raises(ValueError, match="same optimizer"):
        lr_scheduler.ChainedScheduler(schedulers)


def test_one_cycle_ends() -> None:
    optimizer = sgd()
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=3, cycle_momentum=False)
    for _ in range(3):
        optimizer.step()
        scheduler.step()
    optimizer.step()
    with pytest.raises(ValueError, match="total"):
        scheduler.step()
