"""LRScheduler: the base, which counts epochs and writes learning rates into an optimizer's groups."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from lenetcli.optim.optimizer import Optimizer
from lenetcli.tensors.tensor import Tensor, of_array

_ORDER = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call `optimizer.step()` first: otherwise the "
    "first value of the learning rate schedule is skipped."
)
_OVERRIDDEN = (
    "Seems like `optimizer.step()` has been overridden after learning rate scheduler initialization. Please make sure "
    "to call `optimizer.step()` before `lr_scheduler.step()`."
)
_EPOCH = (
    "The epoch parameter in `scheduler.step()` is deprecated: call `scheduler.step()` without it. With an epoch, the "
    "closed form is used where there is one."
)


class LRScheduler:
    """Base of all schedulers: a subclass says in `get_lr` what comes next.

    Most schedulers change the current learning rate by a factor ("chainable": several may work on one optimizer); the
    closed form, where there is one, computes it from the initial one.

    Args:
        optimizer: whose groups are changed.
        last_epoch: -1 to begin; the last epoch seen to go on, which wants "initial_lr" in every group.

    Raises:
        TypeError: not an optimizer.
        KeyError: "initial_lr" is missing where `last_epoch` goes on.

    Source: torch.optim.lr_scheduler.LRScheduler.

    Example:
        >>> import lenetcli as lenet
        >>> class Halving(lenet.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [lr * 0.5**self.last_epoch for lr in self.base_lrs]
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = Halving(optimizer)
        >>> optimizer.step()
        >>> scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    unit: ClassVar[Literal["epoch", "batch"]] = "epoch"  # what it is meant to be stepped after
    from_training: ClassVar[tuple[str, ...]] = ()  # arguments that a training's length gives: so many of its units

    _get_lr_called_within_step: bool = False
    _is_initial: bool = False
    # attributes that `state_dict` leaves out
    _outside_state: ClassVar[tuple[str, ...]] = ("optimizer",)

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming a scheduler with "
                    "last_epoch >= 0; load the optimizer's state first, or leave last_epoch out"
                )
        self.base_lrs: list[Any] = current(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if optimizer._opt_called is None:
            optimizer._opt_called = False
        self._initial_step()

    def _initial_step(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The next learning rate of each group; meant for `step`. Ask `get_last_lr` for the current ones."""
        raise NotImplementedError

    def get_last_lr(self) -> list[Any]:
        """The learning rate of each group, as this scheduler set it last."""
        return self._last_lr

    def step(self, epoch: int | None = None) -> None:
        """Goes on by one epoch (or batch). Call it after `optimizer.step()`.

        Args:
            epoch: go to this epoch instead; deprecated in torch.
        """
        if self._step_count == 1:
            if "step" in vars(self.optimizer):
                warnings.warn(_OVERRIDDEN, UserWarning, stacklevel=2)
            elif not self.optimizer._opt_called:
                warnings.warn(_ORDER, UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(_EPOCH, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        rates = self.get_lr
        if epoch is None:
            self.last_epoch += 1
        else:
            self.last_epoch = epoch
            rates = getattr(self, "_get_closed_form_lr", self.get_lr)
        self._apply(rates)

    def _apply(self, rates: Callable[[], list[Any]]) -> None:
        self._get_lr_called_within_step = True
        try:
            values = rates()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values):
            put(group, "lr", lr)
        self._last_lr = current(self.optimizer, "lr")

    def _warn_outside_step(self) -> None:
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.",
                UserWarning,
                stacklevel=3,
            )

    def _scaled(self, factor: float) -> list[Any]:
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def _unchanged(self) -> list[Any]:
        return current(self.optimizer, "lr")

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer and functions, as plain data that JSON can hold."""
        return {name: value for name, value in vars(self).items() if name not in self._outside_state}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over what `state_dict` gave; load the optimizer's state as well."""
        vars(self).update(state_dict)


# Learning rates (and momenta) are numbers, or 0-d tensors that keep their identity


def check_optimizer(optimizer: Any) -> None:
    """Refuses what is no optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def copied(value: Any) -> Any:
    """The value, not shared where it is a tensor."""
    return of_array(value.array.copy()) if isinstance(value, Tensor) else value


def current(optimizer: Optimizer, option: str) -> list[Any]:
    """The option's value in each group."""
    return [copied(group[option]) for group in optimizer.param_groups]


def put(group: dict[str, Any], option: str, value: Any) -> None:
    """Sets an option; a tensor is changed in place."""
    if isinstance(group[option], Tensor):
        group[option].array[...] = float(value)
        group[option].counter[0] += 1
    else:
        group[option] = value


def for_each_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """An argument that is one value for all groups, or a list with one for each."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. "
            f"{name} has {len(value)} values, param_groups has {count}."
        )
    return [copied(v) for v in value]


def functions_state(functions: Sequence[Any]) -> list[dict[str, Any] | None]:
    """What can be saved of functions: the attributes of callable objects, None for plain functions."""
    return [None if isinstance(f, types.FunctionType) else dict(getattr(f, "__dict__", {})) for f in functions]


def load_functions(functions: Sequence[Any], saved: Sequence[dict[str, Any] | None]) -> None:
    """Puts saved attributes back into callable objects."""
    for function, attributes in zip(functions, saved):
        if attributes is not None:
            vars(function).update(attributes)
