"""Schedules that multiply the learning rate by a factor: of the user's own, in steps, or along a line or power."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from lenetcli.optim.lr_scheduler.scheduler import LRScheduler, functions_state, load_functions
from lenetcli.optim.optimizer import Optimizer


class _WithFunctions(LRScheduler):
    """A scheduler that asks a function of the epoch, one for all groups or one for each."""

    _outside_state: ClassVar[tuple[str, ...]] = ("optimizer", "lr_lambdas")

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | list[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        count = len(optimizer.param_groups) if isinstance(optimizer, Optimizer) else 0
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if count and len(self.lr_lambdas) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"lr_lambdas": functions_state(self.lr_lambdas)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "lr_lambdas"})
        load_functions(self.lr_lambdas, state_dict["lr_lambdas"])


class LambdaLR(_WithFunctions):
    """The initial learning rate times a function of the epoch.

    Formula:
        lr_t = initial_lr f(t)

    Args:
        optimizer: whose groups are changed.
        lr_lambda: the function, or a list with one for each group. Not saved in `state_dict` unless it is an object
            with attributes.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.LambdaLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=lambda epoch: 0.5**epoch)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 0.25, 0.125]
    """

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        return [lr * function(self.last_epoch) for function, lr in zip(self.lr_lambdas, self.base_lrs)]


class MultiplicativeLR(_WithFunctions):
    """The current learning rate times a function of the epoch.

    Formula:
        lr_t = lr_{t-1} f(t)

    Args:
        optimizer: whose groups are changed.
        lr_lambda: the function, or a list with one for each group.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.MultiplicativeLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.MultiplicativeLR(optimizer, lr_lambda=lambda epoch: 0.5)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 0.25, 0.125]
    """

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        if self._is_initial:
            return self._unchanged()
        groups = self.optimizer.param_groups
        return [group["lr"] * function(self.last_epoch) for function, group in zip(self.lr_lambdas, groups)]


class StepLR(LRScheduler):
    """Multiplies the learning rate by `gamma` every `step_size` epochs.

    Formula:
        lr_t = initial_lr gamma^floor(t / step_size)

    Args:
        optimizer: whose groups are changed.
        step_size: epochs between two changes.
        gamma: factor.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.StepLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        if self.last_epoch == 0 or self.last_epoch % self.step_size != 0:
            return self._unchanged()
        return self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma ** (self.last_epoch // self.step_size) for lr in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Multiplies the learning rate by `gamma` at each milestone.

    Formula:
        lr_t = initial_lr gamma^(number of milestones <= t)

    Args:
        optimizer: whose groups are changed.
        milestones: epochs; one that is there twice counts twice.
        gamma: factor.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.MultiStepLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        self.milestones, self.gamma = Counter(milestones), gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        if self.last_epoch not in self.milestones:
            return self._unchanged()
        return self._scaled(self.gamma ** self.milestones[self.last_epoch])

    def _get_closed_form_lr(self) -> list[Any]:
        passed = bisect_right(sorted(self.milestones.elements()), self.last_epoch)
        return [lr * self.gamma**passed for lr in self.base_lrs]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(epoch): n for epoch, n in self.milestones.items()})  # JSON made the keys text


class ConstantLR(LRScheduler):
    """Multiplies the learning rate by `factor` for the first epochs.

    Formula:
        lr_t = initial_lr factor for t < total_iters, then initial_lr

    Args:
        optimizer: whose groups are changed.
        factor: in [0, 1].
        total_iters: epochs until the full rate.
        last_epoch: -1 to begin.

    Raises:
        ValueError: a factor out of its range.

    Source: torch.optim.lr_scheduler.ConstantLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [0.5, 0.5, 1.0, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        if not 0 <= factor <= 1:
            raise ValueError(f"Constant multiplicative factor expected to be between 0 and 1, got {factor}.")
        self.factor, self.total_iters = factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        if self.last_epoch != self.total_iters:
            return self._unchanged()
        return self._scaled(1.0 / self.factor)

    def _get_closed_form_lr(self) -> list[Any]:
        factor = self.factor + (self.last_epoch >= self.total_iters) * (1 - self.factor)
        return [lr * factor for lr in self.base_lrs]


class LinearLR(LRScheduler):
    """Moves the factor of the learning rate along a line, such as a warm-up.

    Formula:
        lr_t = initial_lr (start_factor + (end_factor - start_factor) min(t, total_iters) / total_iters)

    Args:
        optimizer: whose groups are changed.
        start_factor: in (0, 1].
        end_factor: in [0, 1].
        total_iters: epochs from start to end.
        last_epoch: -1 to begin.

    Raises:
        ValueError: a factor out of its range.

    Source: torch.optim.lr_scheduler.LinearLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=3)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [0.25, 0.5, 0.75, 1.0, 1.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0 < start_factor <= 1:
            raise ValueError(
                "Starting multiplicative factor expected to be greater than 0 and less or equal to 1, "
                f"got {start_factor}."
            )
        if not 0 <= end_factor <= 1:
            raise ValueError(f"Ending multiplicative factor expected to be between 0 and 1, got {end_factor}.")
        self.start_factor, self.end_factor, self.total_iters = start_factor, end_factor, total_iters
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._unchanged()
        rise = self.end_factor - self.start_factor
        return self._scaled(1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _get_closed_form_lr(self) -> list[Any]:
        rise = self.end_factor - self.start_factor
        factor = self.start_factor + rise * min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * factor for lr in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Multiplies the learning rate by `gamma` every epoch.

    Formula:
        lr_t = initial_lr gamma^t

    Args:
        optimizer: whose groups are changed.
        gamma: factor.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.ExponentialLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 0.25, 0.125]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        return self._unchanged() if self._is_initial else self._scaled(self.gamma)

    def _get_closed_form_lr(self) -> list[Any]:
        return [lr * self.gamma**self.last_epoch for lr in self.base_lrs]


class PolynomialLR(LRScheduler):
    """Lets the learning rate fall to zero along a power.

    Formula:
        lr_t = initial_lr (1 - min(t, total_iters) / total_iters)^power

    Args:
        optimizer: whose groups are changed.
        total_iters: epochs until zero.
        power: of the polynomial; 1 is a line.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.PolynomialLR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.PolynomialLR(optimizer, total_iters=4, power=1.0)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(3):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.75, 0.5, 0.25]
    """

    from_training = ("total_iters",)

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1) -> None:
        self.total_iters, self.power = total_iters, power
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        t, total = self.last_epoch, self.total_iters
        if self._is_initial or t > total:
            return self._unchanged()
        return self._scaled(((1.0 - t / total) / (1.0 - (t - 1) / total)) ** self.power)

    def _get_closed_form_lr(self) -> list[Any]:
        left = 1.0 - min(self.total_iters, self.last_epoch) / self.total_iters
        return [lr * left**self.power for lr in self.base_lrs]
