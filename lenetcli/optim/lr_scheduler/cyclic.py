"""Schedules that lead learning rate and momentum up and down in opposite directions, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from lenetcli.optim.lr_scheduler.scheduler import (
    LRScheduler,
    check_optimizer,
    for_each_group,
    functions_state,
    load_functions,
    put,
)
from lenetcli.optim.optimizer import Optimizer


class _WithMomentum(LRScheduler):
    """A scheduler that sets momentum, or the first of `betas`, beside the learning rate."""

    cycle_momentum: bool
    use_beta1: bool

    def _begin_momentum(self, optimizer: Optimizer, wanted: bool, low: Any, high: Any, fresh: bool) -> None:
        self.cycle_momentum = wanted
        if not wanted:
            return
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled; "
                f"{type(optimizer).__name__} has neither: set cycle_momentum=False"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lows = for_each_group("base_momentum", optimizer, low)
        highs = for_each_group("max_momentum", optimizer, high)
        if fresh:
            for low, high, group in zip(lows, highs, optimizer.param_groups):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        self._keep_momenta(lows, highs)

    def _keep_momenta(self, lows: list[Any], highs: list[Any]) -> None:
        """Takes note of the bounds where the groups' own are not enough."""

    def _set_momentum(self, group: dict[str, Any], momentum: float) -> None:
        if self.use_beta1:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """Moves the learning rate between two bounds in triangles; step it after every batch.

    Formula:
        cycle = floor(1 + t / (up + down)), x = 1 + t / (up + down) - cycle
        h  = x (up + down) / up on the way up, falling back to 0 on the way down
        lr = base_lr + (max_lr - base_lr) h scale,  momentum = max_momentum - (max_momentum - base_momentum) h scale
        scale = 1 (triangular), 1 / 2^(cycle - 1) (triangular2), gamma^t (exp_range), or `scale_fn`

    Args:
        optimizer: whose groups are changed.
        base_lr: lower bound, one for all groups or a list.
        max_lr: upper bound, one for all groups or a list.
        step_size_up: batches on the way up.
        step_size_down: batches on the way down; None takes `step_size_up`.
        mode: how the height changes from cycle to cycle.
        gamma: of exp_range.
        scale_fn: a scale of your own; `mode` is ignored then.
        scale_mode: whether `scale_fn` gets the cycle or the batch number.
        cycle_momentum: lead momentum the other way.
        base_momentum: lower bound of momentum.
        max_momentum: upper bound of momentum.
        last_epoch: -1 to begin; the number of batches seen to go on.

    Raises:
        ValueError: an unknown mode, or an optimizer without momentum.

    Source: torch.optim.lr_scheduler.CyclicLR; Smith 2017, arXiv 1506.01186.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> options = {"base_lr": 0.1, "max_lr": 0.5, "step_size_up": 2, "cycle_momentum": False}
        >>> scheduler = lenet.optim.lr_scheduler.CyclicLR(optimizer, **options)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [0.1, 0.3, 0.5, 0.3, 0.1]
    """

    _outside_state: ClassVar[tuple[str, ...]] = ("optimizer", "_scale_fn_custom")

    unit = "batch"

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: Literal["cycle", "iterations"] = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        base_lrs = for_each_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for lr, group in zip(base_lrs, optimizer.param_groups):
                put(group, "lr", lr)
        self.max_lrs = for_each_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError(
                f"mode is invalid and scale_fn is None: got mode {mode!r}, wanted triangular, triangular2 or exp_range"
            )
        self.mode, self.gamma = mode, gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self._begin_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def _keep_momenta(self, lows: list[Any], highs: list[Any]) -> None:
        self.base_momentums, self.max_momentums = lows, highs

    def scale_fn(self, x: float) -> float:
        """How high the cycle is at cycle or batch number `x`: 1 is full height."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return float(1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        height = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            for low, high, group in zip(self.base_momentums, self.max_momentums, self.optimizer.param_groups):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [low + (high - low) * height * scale for low, high in zip(self.base_lrs, self.max_lrs)]

    def state_dict(self) -> dict[str, Any]:
        own = self._scale_fn_custom
        return super().state_dict() | {"_scale_fn_custom": None if own is None else functions_state([own])[0]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_scale_fn_custom"})
        load_functions([self._scale_fn_custom], [state_dict["_scale_fn_custom"]])


class OneCycleLR(_WithMomentum):
    """One climb to a high learning rate and one long fall below the first; step it after every batch.

    Formula:
        initial = max_lr / div_factor, lowest = initial / final_div_factor
        initial -> max_lr over pct_start of the steps, then max_lr -> lowest
        (with `three_phase`: initial -> max_lr -> initial -> lowest); momentum the other way round

    Args:
        optimizer: whose groups are changed.
        max_lr: the highest rate, one for all groups or a list.
        total_steps: batches in all; or give `epochs` and `steps_per_epoch`.
        epochs: of training.
        steps_per_epoch: batches in an epoch.
        pct_start: share of the steps on the way up, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: lead momentum the other way.
        base_momentum: lower bound of momentum.
        max_momentum: upper bound of momentum.
        div_factor: how far below `max_lr` to begin.
        final_div_factor: how far below the beginning to end.
        three_phase: come down as fast as up, then go on falling.
        last_epoch: -1 to begin; the number of batches seen to go on.

    Raises:
        ValueError: steps that are no positive integers, an unknown strategy, an optimizer without momentum, or more
            steps than `total_steps`.

    Source: torch.optim.lr_scheduler.OneCycleLR; Smith and Topin 2018, arXiv 1708.07120.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=4, cycle_momentum=False)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [0.04, 0.812, 0.283, 0.0]
    """

    unit = "batch"
    from_training = ("total_steps",)

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        self.total_steps = _total(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        up = pct_start * self.total_steps
        last = self.total_steps - 1
        if three_phase:
            self._schedule_phases = [
                _phase(up - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                _phase(2 * pct_start * self.total_steps - 2, "max_lr", "initial_lr", "base_momentum", "max_momentum"),
                _phase(last, "initial_lr", "min_lr", "max_momentum", "max_momentum"),
            ]
        else:
            self._schedule_phases = [
                _phase(up - 1, "initial_lr", "max_lr", "max_momentum", "base_momentum"),
                _phase(last, "max_lr", "min_lr", "base_momentum", "max_momentum"),
            ]
        self._anneal_func_type = anneal_strategy
        highest = for_each_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for high, group in zip(highest, optimizer.param_groups):
                group["initial_lr"] = high / div_factor
                group["max_lr"] = high
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self._begin_momentum(optimizer, cycle_momentum, base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(f"Tried to step {t} times. The specified number of total steps is {self.total_steps}")
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if t <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        share = (t - start) / (phase["end_step"] - start)
        lrs = []
        for group in self.optimizer.param_groups:
            lrs.append(self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share))
            if self.cycle_momentum:
                momentum = self._anneal(group[phase["start_momentum"]], group[phase["end_momentum"]], share)
                self._set_momentum(group, momentum)
        return lrs

    def _anneal(self, start: float, end: float, share: float) -> float:
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)


def _total(total_steps: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total_steps is None and (epochs is None or steps_per_epoch is None):
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    factors = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if total_steps is not None:
        factors = {"total_steps": total_steps}
    total = 1
    for name, value in factors.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
        total *= value
    return total


def _phase(end_step: float, start_lr: str, end_lr: str, start_momentum: str, end_momentum: str) -> dict[str, Any]:
    return {
        "end_step": end_step,
        "start_lr": start_lr,
        "end_lr": end_lr,
        "start_momentum": start_momentum,
        "end_momentum": end_momentum,
    }
