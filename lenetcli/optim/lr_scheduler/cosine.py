"""Cosine annealing, once or with warm restarts."""

from __future__ import annotations

import math
from typing import Any

from lenetcli.optim.lr_scheduler.scheduler import LRScheduler
from lenetcli.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """Lets the learning rate fall along half a cosine (and rise again, if it goes on after `T_max`).

    Formula:
        lr_t = eta_min + (initial_lr - eta_min) (1 + cos(pi t / T_max)) / 2

    Args:
        optimizer: whose groups are changed.
        T_max: epochs from the highest to the lowest rate.
        eta_min: the lowest rate.
        last_epoch: -1 to begin.

    Source: torch.optim.lr_scheduler.CosineAnnealingLR; Loshchilov and Hutter 2017 (SGDR), equation 5.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(lr, 6) for lr in scheduler.get_last_lr()]
        [0.5]
    """

    from_training = ("T_max",)

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        t, total, low = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return self._unchanged()
        if self._step_count == 1 and t > 0:  # first step of a scheduler that goes on from an earlier run
            return self._get_closed_form_lr()
        groups = self.optimizer.param_groups
        if (t - 1 - total) % (2 * total) == 0:  # the factor below would be 0 / 0: leave the valley by its first step
            rise = (1 - math.cos(math.pi / total)) / 2
            return [group["lr"] + (lr - low) * rise for lr, group in zip(self.base_lrs, groups)]
        factor = (1 + math.cos(math.pi * t / total)) / (1 + math.cos(math.pi * (t - 1) / total))
        return [factor * (group["lr"] - low) + low for group in groups]

    def _get_closed_form_lr(self) -> list[Any]:
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Cosine annealing that starts anew after T_0 epochs, then T_0 T_mult, and so on.

    Formula:
        lr = eta_min + (initial_lr - eta_min) (1 + cos(pi T_cur / T_i)) / 2

    Args:
        optimizer: whose groups are changed.
        T_0: epochs until the first restart.
        T_mult: how much longer each period is than the one before.
        eta_min: the lowest rate.
        last_epoch: -1 to begin.

    Raises:
        ValueError: a period that is no positive integer.

    Source: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts; Loshchilov and Hutter 2017 (SGDR).

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = lenet.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2)
        >>> rates = [scheduler.get_last_lr()[0]]
        >>> for _ in range(4):
        ...     optimizer.step()
        ...     scheduler.step()
        ...     rates.append(scheduler.get_last_lr()[0])
        >>> [round(rate, 3) for rate in rates]
        [1.0, 0.5, 1.0, 0.5, 1.0]
    """

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = self.T_i = T_0
        self.T_mult, self.eta_min = T_mult, eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (lr - self.eta_min) * height / 2 for lr in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Goes on by one epoch, or to `epoch`, which may be a fraction such as `epoch + batch / batches`.

        Raises:
            ValueError: a negative epoch.
        """
        if epoch is None and self.last_epoch >= 0:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            epoch = epoch or 0
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._apply(self.get_lr)

    def _go_to(self, epoch: float) -> None:
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**restarts
