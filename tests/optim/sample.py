"""Optimizers and schedulers with their options, written once; run here and, under the same names, in torch."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet

REFERENCES = Path(__file__).with_name("references.npz")
STEPS, EPOCHS = 25, 60
SHAPES: tuple[tuple[int, ...], ...] = ((3, 4), (2, 3, 2, 2), (5,), (), (0, 3))

_random = np.random.default_rng(0)
VALUES = [_random.standard_normal(shape) for shape in SHAPES]
GRADIENTS = [[_random.standard_normal(shape) for shape in SHAPES] for _ in range(STEPS)]
for _step, _gradients in enumerate(GRADIENTS):
    if _step % 5 == 4:
        _gradients[0][0] = 0.0  # exact zeros, as dead units have


@dataclass(frozen=True)
class OptimizerSample:
    """`SGD(params, lr=0.1)`; in a config of two groups, `second` holds the options of the second one."""

    name: str
    kwargs: dict[str, Any]
    second: dict[str, Any] | None = None

    def __str__(self) -> str:
        words = [f"{k}={v}" for k, v in self.kwargs.items()]
        words += [f"second={self.second}"] if self.second is not None else []
        return f"{self.name}({', '.join(words)})"

    def build(self, optim: Any, params: list[Any]) -> Any:
        if self.name == "Adafactor":  # torch's divides by the number of elements
            params = [p for p in params if math.prod(p.shape)]
        if self.name == "Muon":  # matrices alone
            params = [p for p in params if len(p.shape) == 2 and math.prod(p.shape)]
        groups: Any = params
        if self.second is not None:
            groups = [{"params": params[:2]}, {"params": params[2:], **self.second}]
        return getattr(optim, self.name)(groups, **self.kwargs)


def _all(name: str, **options: tuple[Any, ...]) -> Iterator[OptimizerSample]:
    """Every combination of the options."""
    for values in itertools.product(*options.values()):
        yield OptimizerSample(name, dict(zip(options, values)))


def _nesterov_has_momentum(sample: OptimizerSample) -> bool:
    kwargs = sample.kwargs
    return not kwargs["nesterov"] or (kwargs["momentum"] > 0 and kwargs["dampening"] == 0)


BOTH = (False, True)
OPTIMIZERS: list[OptimizerSample] = [
    *filter(
        _nesterov_has_momentum,
        _all(
            "SGD", lr=(0.1,), momentum=(0, 0.9), dampening=(0, 0.3), weight_decay=(0, 0.1), nesterov=BOTH, maximize=BOTH
        ),
    ),
    *_all("Adam", lr=(0.05,), weight_decay=(0, 0.1), amsgrad=BOTH, maximize=BOTH, decoupled_weight_decay=BOTH),
    *_all("Adam", lr=(0.05,), betas=((0.0, 0.0), (0.4, 0.5), (0.95, 0.999)), eps=(1e-8, 1e-3)),
    *_all("AdamW", lr=(0.05,), weight_decay=(0, 0.1), amsgrad=BOTH, maximize=BOTH),
    *_all("Adamax", lr=(0.05,), weight_decay=(0, 0.1), maximize=BOTH, betas=((0.9, 0.999), (0.3, 0.5))),
    *_all("NAdam", weight_decay=(0, 0.1), momentum_decay=(4e-3, 0.1), decoupled_weight_decay=BOTH, maximize=BOTH),
    *_all("RAdam", weight_decay=(0, 0.1), decoupled_weight_decay=BOTH, maximize=BOTH, betas=((0.9, 0.999), (0.5, 0.9))),
    *_all("RMSprop", weight_decay=(0, 0.1), momentum=(0, 0.9), centered=BOTH, maximize=BOTH, alpha=(0.99, 0.5)),
    *_all(
        "Adagrad",
        lr=(0.1,),
        lr_decay=(0, 0.1),
        weight_decay=(0, 0.1),
        initial_accumulator_value=(0, 0.5),
        maximize=BOTH,
    ),
    *_all("Adadelta", lr=(1.0, 0.1), rho=(0.9, 0.5), weight_decay=(0, 0.1), maximize=BOTH),
    *_all("Rprop", lr=(0.01, 0.3), etas=((0.5, 1.2), (0.3, 3.0)), step_sizes=((1e-6, 50), (0.1, 0.5)), maximize=BOTH),
    *_all("ASGD", lr=(0.1,), lambd=(1e-4, 0.1), weight_decay=(0, 0.1), t0=(1e6, 5), maximize=BOTH),
    *_all("Adafactor", lr=(0.1,), weight_decay=(0, 0.1), maximize=BOTH, d=(1.0, 2.0)),
    OptimizerSample("Adafactor", {"eps": (1e-3, 0.1), "beta2_decay": -0.3}),
    *_all("Muon", lr=(0.1,), weight_decay=(0, 0.1), nesterov=BOTH, adjust_lr_fn=(None, "match_rms_adamw")),
    OptimizerSample("Muon", {"momentum": 0.5, "ns_steps": 3, "ns_coefficients": (3.0, -4.0, 2.0), "eps": 1.0}),
    *(
        OptimizerSample(name, {"lr": 0.1}, {"lr": 0.01, **extra})
        for name, extra in {
            "SGD": {"momentum": 0.5, "nesterov": True},
            "Adam": {"amsgrad": True, "betas": (0.5, 0.9)},
            "AdamW": {"weight_decay": 0.3},
            "Adamax": {"eps": 1e-3},
            "NAdam": {"momentum_decay": 0.2},
            "RAdam": {"eps": 1e-3},
            "RMSprop": {"momentum": 0.5, "centered": True},
            "Adagrad": {"lr_decay": 0.5},
            "Adadelta": {"rho": 0.3},
            "Rprop": {"etas": (0.2, 1.5)},
            "ASGD": {"alpha": 0.5, "t0": 3},
            "Adafactor": {"d": 1.5},
        }.items()
    ),
]


def lenet_params(kind: type, order: str = "C") -> list[Any]:
    """Fresh parameters."""
    return [lenet.from_numpy(np.array(v, kind, order=order)).requires_grad_() for v in VALUES]


def train(optimizer: Any, params: list[Any], make: Callable[[np.ndarray], Any], steps: range) -> None:
    """Steps with the fixed gradients; the third parameter has none in every fourth step."""
    for step in steps:
        for i, (param, gradient) in enumerate(zip(params, GRADIENTS[step])):
            param.grad = None if i == 2 and step % 4 == 3 else make(gradient)
        optimizer.step()


def numbers(params: list[Any], optimizer: Any) -> dict[str, np.ndarray]:
    """Parameters and state as arrays by name."""
    found = {f"param.{i}": np.asarray(p.detach()) for i, p in enumerate(params)}
    for i, state in optimizer.state_dict()["state"].items():
        found |= {f"state.{i}.{key}": np.asarray(value) for key, value in state.items()}
    return found


@dataclass(frozen=True)
class SchedulerSample:
    """A schedule over an optimizer with two groups.

    make: (lr_scheduler module, optimizer) -> scheduler.
    metrics: what `step` is given, for ReduceLROnPlateau.
    """

    name: str
    make: Callable[[Any, Any], Any]
    text: str
    optimizer: tuple[str, dict[str, Any]] = ("SGD", {"momentum": 0.9})
    metrics: tuple[float, ...] = ()
    epochs: tuple[Any, ...] = field(default=(None,) * EPOCHS)  # arguments of step()

    def __str__(self) -> str:
        return f"{self.name}({self.text})"


def _plain(name: str, *options: dict[str, Any], **more: Any) -> list[SchedulerSample]:
    def sample(kwargs: dict[str, Any]) -> SchedulerSample:
        text = ", ".join(f"{k}={v}" for k, v in kwargs.items())
        return SchedulerSample(name, lambda module, optimizer: getattr(module, name)(optimizer, **kwargs), text, **more)

    return [sample(kwargs) for kwargs in options]


def _lambdas(name: str, text: str, value: Any) -> SchedulerSample:
    return SchedulerSample(name, lambda module, optimizer: getattr(module, name)(optimizer, value), text)


def _pair(module: Any, optimizer: Any) -> list[Any]:
    return [module.LinearLR(optimizer, 0.1, total_iters=5), module.ExponentialLR(optimizer, 0.9)]


ADAM = ("Adam", {})
METRICS = (5.0, 4.0, 4.0, 3.99999, 4.1, 4.2, 4.3, 4.0, 4.0, 1.0, *[1.0 + 0.01 * i for i in range(50)])
SCHEDULERS: list[SchedulerSample] = [
    _lambdas("LambdaLR", "0.95^t", lambda t: 0.95**t),
    _lambdas("LambdaLR", "one for each group", [lambda t: 1 / (1 + t), lambda t: 1.0 + (t % 3)]),
    _lambdas("MultiplicativeLR", "0.95", lambda t: 0.95),
    _lambdas("MultiplicativeLR", "one for each group", [lambda t: 0.99, lambda t: 1.0 - 0.01 * (t % 4)]),
    *_plain("StepLR", {"step_size": 10}, {"step_size": 7, "gamma": 0.5}, {"step_size": 1, "gamma": 0.9}),
    *_plain("MultiStepLR", {"milestones": [5, 20]}, {"milestones": [3, 3, 9, 30], "gamma": 0.5}, {"milestones": []}),
    *_plain("ConstantLR", {}, {"factor": 0.5, "total_iters": 20}, {"factor": 1.0}),
    *_plain(
        "LinearLR",
        {},
        {"start_factor": 0.05, "total_iters": 30},
        {"start_factor": 1.0, "end_factor": 0.0, "total_iters": 25},
    ),
    *_plain("ExponentialLR", {"gamma": 0.9}, {"gamma": 1.01}),
    *_plain("PolynomialLR", {}, {"total_iters": 40, "power": 2.0}, {"total_iters": 30, "power": 0.5}),
    *_plain("CosineAnnealingLR", {"T_max": 60}, {"T_max": 10, "eta_min": 0.001}, {"T_max": 7}, {"T_max": 1}),
    *_plain("CosineAnnealingWarmRestarts", {"T_0": 10}, {"T_0": 4, "T_mult": 2, "eta_min": 0.01}, {"T_0": 1}),
    *_plain(
        "CosineAnnealingWarmRestarts",
        {"T_0": 4, "T_mult": 2},
        {"T_0": 5},
        epochs=tuple(0.25 * i for i in range(EPOCHS)),
    ),
    *_plain(
        "CyclicLR",
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 10},
        {"base_lr": [0.01, 0.02], "max_lr": [0.1, 0.3], "step_size_up": 7, "step_size_down": 3, "mode": "triangular2"},
        {
            "base_lr": 0.01,
            "max_lr": 0.1,
            "step_size_up": 8,
            "mode": "exp_range",
            "gamma": 0.97,
            "cycle_momentum": False,
        },
        {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 9, "base_momentum": [0.5, 0.6], "max_momentum": [0.8, 0.95]},
    ),
    *_plain("CyclicLR", {"base_lr": 0.01, "max_lr": 0.1, "step_size_up": 6}, optimizer=ADAM),
    SchedulerSample(
        "CyclicLR",
        lambda m, o: m.CyclicLR(o, 0.01, 0.1, 5, scale_fn=lambda x: 0.9**x, scale_mode="iterations"),
        "scale_fn by iterations",
    ),
    SchedulerSample(
        "CyclicLR", lambda m, o: m.CyclicLR(o, 0.01, 0.1, 5, scale_fn=lambda x: 1 / x), "scale_fn by cycle"
    ),
    *_plain(
        "OneCycleLR",
        {"max_lr": 0.1, "total_steps": 61},
        {"max_lr": [0.1, 0.3], "epochs": 7, "steps_per_epoch": 9, "anneal_strategy": "linear", "pct_start": 0.4},
        {"max_lr": 0.1, "total_steps": 80, "three_phase": True, "div_factor": 10.0, "final_div_factor": 100.0},
        {"max_lr": 0.1, "total_steps": 80, "cycle_momentum": False},
        {"max_lr": 0.1, "total_steps": 70, "base_momentum": [0.5, 0.6], "max_momentum": 0.9},
    ),
    *_plain("OneCycleLR", {"max_lr": 0.1, "total_steps": 61}, optimizer=ADAM),
    *_plain(
        "ReduceLROnPlateau",
        {"patience": 2},
        {"patience": 0, "factor": 0.5, "cooldown": 3, "min_lr": [0.01, 0.2]},
        {"patience": 3, "threshold": 0.1, "threshold_mode": "abs", "min_lr": 1e-4},
        {"mode": "max", "patience": 2, "factor": 0.9, "eps": 1e-3},
        {"mode": "max", "patience": 1, "threshold": 0.5, "threshold_mode": "abs", "cooldown": 1},
        metrics=METRICS,
    ),
    SchedulerSample("SequentialLR", lambda m, o: m.SequentialLR(o, _pair(m, o), [10]), "linear, then exponential"),
    SchedulerSample(
        "SequentialLR",
        lambda m, o: m.SequentialLR(
            o,
            [m.ConstantLR(o, 0.1, 3), m.CosineAnnealingLR(o, 20), m.StepLR(o, 5, 0.5)],
            [5, 30],
        ),
        "constant, cosine, steps",
    ),
    SchedulerSample(
        "SequentialLR",
        lambda m, o: m.SequentialLR(o, [m.ChainedScheduler(_pair(m, o)), m.PolynomialLR(o, 20)], [12]),
        "chained, then polynomial",
    ),
    SchedulerSample(
        "SequentialLR",
        lambda m, o: m.SequentialLR(o, [m.LinearLR(o, 0.1), m.CosineAnnealingWarmRestarts(o, 6, 2)], [6]),
        "warm-up, then restarts",
    ),
    SchedulerSample("ChainedScheduler", lambda m, o: m.ChainedScheduler(_pair(m, o)), "linear and exponential"),
    SchedulerSample(
        "ChainedScheduler", lambda m, o: m.ChainedScheduler([*_pair(m, o), m.MultiStepLR(o, [4, 8])], o), "three"
    ),
    SchedulerSample("LRScheduler", lambda m, o: _Halving(m)(o), "a class of the user's"),
]


def _Halving(module: Any) -> type:
    class Halving(module.LRScheduler):  # type: ignore[misc]  # the base is torch's or ours
        def get_lr(self) -> list[Any]:
            return [group["lr"] * (0.5 if self.last_epoch % 10 == 9 else 1) for group in self.optimizer.param_groups]

    return Halving


def start(sample: SchedulerSample, optim: Any, params: list[Any]) -> tuple[Any, Any]:
    """An optimizer with two groups, and its scheduler."""
    name, kwargs = sample.optimizer
    optimizer = getattr(optim, name)([{"params": params[:1]}, {"params": params[1:], "lr": 0.5}], lr=0.1, **kwargs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return optimizer, sample.make(optim.lr_scheduler, optimizer)


def rates(sample: SchedulerSample, optimizer: Any, scheduler: Any, steps: range) -> np.ndarray:
    """Learning rate and momentum of both groups, before and after each step."""
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for t in steps:
            optimizer.step()
            if sample.metrics:
                scheduler.step(sample.metrics[t])
            elif sample.epochs[t] is None:
                scheduler.step()
            else:
                scheduler.step(sample.epochs[t])
            groups = optimizer.param_groups
            momenta = [g.get("momentum", g.get("betas", (0.0,))) for g in groups]
            row = [g["lr"] for g in groups] + [m[0] if isinstance(m, tuple) else m for m in momenta]
            assert list(scheduler.get_last_lr()) == row[:2]
            rows.append(row)
    return np.array(rows)
