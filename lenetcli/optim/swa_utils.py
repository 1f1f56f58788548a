"""Averages of weights over training: exponential moving averages (EMA) and stochastic weight averaging (SWA)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, Literal

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.kernels.device import on_device
from lenetcli.nn.batchnorm import BatchNorm
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, for_each_group
from lenetcli.optim.optimizer import Optimizer
from lenetcli.tensors.tensor import Tensor, of_array

__all__ = [
    "AveragedModel",
    "SWALR",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """An averaging function for AveragedModel: the exponential moving average.

    Formula:
        average <- decay average + (1 - decay) value

    Raises:
        ValueError: a decay outside [0, 1].
    """
    _check_decay(decay)

    def ema_update(average: Tensor, value: Tensor, n_averaged: Any) -> Tensor:
        return of_array(average.array * decay + value.array * (1 - decay))

    return ema_update


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """An averaging function for AveragedModel: the plain mean.

    Formula:
        average <- average + (value - average) / (n + 1)
    """

    def swa_update(average: Tensor, value: Tensor, n_averaged: Any) -> Tensor:
        return of_array(average.array + (value.array - average.array) / (int(n_averaged) + 1))

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[list[Tensor], list[Tensor], Any], None]:
    """As `get_ema_avg_fn`, for lists of tensors, in place."""
    return _on_lists(get_ema_avg_fn(decay))


def get_swa_multi_avg_fn() -> Callable[[list[Tensor], list[Tensor], Any], None]:
    """As `get_swa_avg_fn`, for lists of tensors, in place."""
    return _on_lists(get_swa_avg_fn())


def _on_lists(average: Callable[[Tensor, Tensor, Any], Tensor]) -> Callable[[list[Tensor], list[Tensor], Any], None]:
    def update(averages: list[Tensor], values: list[Tensor], n_averaged: Any) -> None:
        for old, value in zip(averages, values):
            _overwrite(old, average(old, value, n_averaged))

    return update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _is_frozen(tensor: Tensor) -> bool:
    return isinstance(tensor, Parameter) and not tensor.requires_grad


def _equal(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors are equal: the mean of a frozen parameter is itself, and not what is left after rounding."""
    return not on_device(a.array) and np.array_equal(a.array, b.array)


def _overwrite(target: Tensor, source: Tensor) -> None:
    np.copyto(target.array, source.array, casting="unsafe")  # integer buffers take the rounded-down mean, as in torch
    target.counter[0] += 1


class AveragedModel(Module):
    """A copy of a model whose weights are the average of the model's weights so far.

    Call `update_parameters(model)` after each `optimizer.step()`; the first call copies. Buffers are copied each time,
    or averaged too with `use_buffers`.

    Args:
        model: copied.
        device: where it is to be, such as "cuda"; None leaves it.
        avg_fn: (average, value, n) -> new average, of one tensor; see `get_ema_avg_fn`. The plain mean if left out.
        multi_avg_fn: the same for lists of tensors, in place.
        use_buffers: average the buffers, too.

    Raises:
        AssertionError: both functions given.

    Source: torch.optim.swa_utils.AveragedModel; Izmailov et al. 2018.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> from lenetcli.optim.swa_utils import AveragedModel, get_ema_avg_fn
        >>> model = nn.ParameterList([nn.Parameter(lenet.zeros(1))])
        >>> ema = AveragedModel(model, avg_fn=get_ema_avg_fn(0.75))
        >>> ema.update_parameters(model)
        >>> model[0].data += 1
        >>> ema.update_parameters(model)
        >>> ema.module[0].tolist()
        [0.25]
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[list[Tensor], list[Tensor], Any], None] | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", of_array(np.array(0, np.int64)))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Takes the model's present weights into the average."""
        own: list[Any] = [*self.module.parameters(), *(self.module.buffers() if self.use_buffers else ())]
        new: list[Any] = [*model.parameters(), *(model.buffers() if self.use_buffers else ())]
        averages, values = [p.detach() for p in own], [p.detach() for p in new]
        if int(self.n_averaged) == 0:
            for average, value in zip(averages, values):
                _overwrite(average, value)
        else:
            update = self.multi_avg_fn or _on_lists(self.avg_fn or get_swa_avg_fn())
            moved = [i for i, p in enumerate(new) if not _is_frozen(p) or not _equal(averages[i], values[i])]
            with no_grad():
                update([averages[i] for i in moved], [values[i] for i in moved], self.n_averaged)
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers()):
                _overwrite(mine.detach(), theirs.detach())
        self.n_averaged.array[...] += 1
        self.n_averaged.counter[0] += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of batch normalisation anew, such as for an AveragedModel.

    Args:
        loader: batches; of a tuple or list, the first tensor is the input.
        model: run in training mode over all batches.
        device: where it is to be, such as "cuda"; None leaves it.

    Source: torch.optim.swa_utils.update_bn.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.BatchNorm1d(1)
        >>> update_bn([lenet.tensor([[1.0], [3.0]]), lenet.tensor([[5.0], [7.0]])], layer)
        >>> layer.running_mean.tolist()
        [4.0]
    """
    layers = [module for module in model.modules() if isinstance(module, BatchNorm)]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # None means the mean of all batches
    was_training = model.training
    model.train()
    for batch in loader:
        inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Leads each group's learning rate to a constant one, for averaging weights late in training.

    Formula:
        lr_t = swa_lr a(t) + lr (1 - a(t)), a rising from 0 to 1 over `anneal_epochs` along a line or half a cosine

    Args:
        optimizer: whose groups are changed.
        swa_lr: the final rate, one for all groups or a list.
        anneal_epochs: epochs until it is reached, >= 0.
        anneal_strategy: "cos" or "linear".
        last_epoch: -1 to begin.

    Raises:
        ValueError: an unknown strategy, or a negative number of epochs.

    Source: torch.optim.swa_utils.SWALR.

    Example:
        >>> import lenetcli as lenet
        >>> optimizer = lenet.optim.SGD([lenet.ones(1, requires_grad=True)], lr=1.0)
        >>> scheduler = SWALR(optimizer, swa_lr=0.2, anneal_epochs=2, anneal_strategy="linear")
        >>> for _ in range(2):
        ...     optimizer.step()
        ...     scheduler.step()
        >>> [round(lr, 4) for lr in scheduler.get_last_lr()]
        [0.2]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: Literal["cos", "linear"] = "cos",
        last_epoch: int = -1,
    ) -> None:
        check_optimizer(optimizer)
        for lr, group in zip(for_each_group("swa_lr", optimizer, swa_lr), optimizer.param_groups):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy, self.anneal_epochs = anneal_strategy, anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, step: int) -> float:
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[Any]:
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, share = self._share(step - 1), self._share(step)
        lrs = []
        for group in self.optimizer.param_groups:
            goal = group["swa_lr"]
            start = goal if before == 1 else (group["lr"] - before * goal) / (1 - before)
            lrs.append(goal * share + start * (1 - share))
        return lrs
