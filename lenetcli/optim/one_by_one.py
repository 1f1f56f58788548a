"""Optimizers whose rule is of one parameter alone, in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lenetcli.autograd.modes import enable_grad
from lenetcli.autograd.pending import settle
from lenetcli.kernels.layout import Array
from lenetcli.optim.optimizer import Optimizer
from lenetcli.tensors.tensor import Tensor


class OneByOne(Optimizer):
    """Base of optimizers that change each parameter by itself: a subclass has `_begin` and `_move`."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Changes every parameter that has a gradient; see `Optimizer.step`."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        settle()
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                state = self.state[param]
                if not state:
                    state.update(self._begin(param, group))
                with np.errstate(all="ignore"):  # overflow and NaN are the result, as in torch
                    self._move(param.array, param.grad.array, state, group)
                (param._counter or param.counter)[0] += 1
        return loss

    def _move(self, p: Array, gradient: Array, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        """Changes a parameter and its state in place."""
        raise NotImplementedError
