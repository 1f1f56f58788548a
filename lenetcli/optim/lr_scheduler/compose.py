"""Schedulers made of schedulers: one after another, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, ClassVar

from lenetcli.optim.lr_scheduler.plateau import ReduceLROnPlateau
from lenetcli.optim.lr_scheduler.scheduler import LRScheduler, current, put
from lenetcli.optim.optimizer import Optimizer


class _WithSchedulers(LRScheduler):
    """A scheduler that saves and loads the state of those it is made of."""

    _outside_state: ClassVar[tuple[str, ...]] = ("optimizer", "_schedulers")
    _schedulers: Sequence[LRScheduler]

    def _check(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer) -> None:
        name = type(self).__name__
        for i, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name} at index {i} should have `optimizer` as its attribute.")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(
                    f"{name} does not support `ReduceLROnPlateau` scheduler as it requires additional kwargs to be "
                    f"specified when calling `step`, but got one at index {i} in the given schedulers sequence."
                )
            if scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"{name} expects all schedulers to belong to the same optimizer, but got scheduler "
                    f"{type(scheduler).__name__} at index {i} with another one."
                )

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: value for name, value in state_dict.items() if name != "_schedulers"})
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"]):
            scheduler.load_state_dict(state)


class SequentialLR(_WithSchedulers):
    """One scheduler after another, changing at milestones.

    Args:
        optimizer: whose groups are changed.
        schedulers: in their order.
        milestones: the epochs where the next one takes over; one fewer than schedulers.
        last_epoch: -1 to begin.

    Raises:
        ValueError: a wrong number of milestones, or schedulers of several optimizers.

    Source: torch.optim.lr_scheduler.SequentialLR.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.optim import lr_scheduler
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> warm_up = lr_scheduler.ConstantLR(optimizer, factor=0.1, total_iters=2)
        >>> decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> scheduler = lr_scheduler.SequentialLR(optimizer, [warm_up, decay], milestones=[2])
        >>> rates = []
        >>> for _ in range(4):
        ...     rates += scheduler.get_last_lr()
        ...     optimizer.step()
        ...     scheduler.step()
        >>> rates
        [0.1, 0.1, 1.0, 0.5]
    """

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        if len(schedulers) < 1:
            raise ValueError("SequentialLR expects at least one scheduler, but got no scheduler.")
        self._check(schedulers, optimizer)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError(
                "Sequential Schedulers expects number of schedulers provided to be one more than the number of "
                f"milestone points, but got number of schedulers {len(schedulers)} and the number of milestones to be "
                f"equal to {len(milestones)}"
            )
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch = last_epoch + 1
        self.optimizer = optimizer
        for group in optimizer.param_groups:
            put(group, "lr", group["initial_lr"])
        _undo(self)  # each made its first step when it was constructed; only the first may
        first = schedulers[bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def step(self) -> None:  # type: ignore[override]  # as in torch: no epoch
        """Goes on by one epoch."""
        self.last_epoch += 1
        at = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[at]
        if at > 0 and self._milestones[at - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


def _undo(scheduler: LRScheduler) -> None:
    if isinstance(scheduler, _WithSchedulers):
        for inner in scheduler._schedulers:
            _undo(inner)
    else:
        scheduler.last_epoch -= 1


class ChainedScheduler(_WithSchedulers):
    """Several schedulers that all change the learning rate at every step.

    Args:
        schedulers: of one optimizer.
        optimizer: None takes the first scheduler's.

    Raises:
        ValueError: no schedulers, or schedulers of several optimizers.

    Source: torch.optim.lr_scheduler.ChainedScheduler.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.optim import lr_scheduler
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> halving = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> stepping = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
        >>> scheduler = lr_scheduler.ChainedScheduler([halving, stepping], optimizer)
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(rate, 3) for rate in scheduler.get_last_lr()]
        [0.025]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None) -> None:
        if len(schedulers) < 1:
            raise ValueError("ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.")
        if optimizer is None:
            optimizer = schedulers[0].optimizer
        self._check(schedulers, optimizer)
        self._schedulers, self.optimizer = schedulers, optimizer
        self._last_lr = current(optimizer, "lr")

    def step(self) -> None:  # type: ignore[override]  # as in torch: no epoch
        """Goes on by one epoch."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = current(self.optimizer, "lr")
