"""LBFGS: Newton's method with an inverse Hessian of the last few steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lenetcli.autograd.modes import enable_grad
from lenetcli.kernels.layout import Array
from lenetcli.optim.line_search import Point, strong_wolfe
from lenetcli.optim.optimizer import Optimizer
from lenetcli.tensors.tensor import Tensor, of_array


class LBFGS(Optimizer):
    """Limited-memory BFGS: each `step(closure)` makes several iterations, and calls the closure in each.

    Formula:
        d = -H g, where H is the inverse Hessian that the last `history_size` steps s and changes of the gradient y say
        (the recursion of two loops); p <- p + t d, t = lr, or what the line search finds

    Args:
        params: tensors, one group of them.
        lr: length of a step, >= 0; the first one is shorter where gradients are large.
        max_iter: iterations in a step.
        max_eval: calls of the closure in a step; None is 1.25 max_iter.
        tolerance_grad: a largest gradient of this size ends a step.
        tolerance_change: changes of this size of parameters or loss end a step.
        history_size: steps that are kept.
        line_search_fn: "strong_wolfe" or None.

    Raises:
        ValueError: several groups, or a negative rate.
        RuntimeError: another line search.
        TypeError: a step without a closure.

    Source: torch.optim.LBFGS; Nocedal and Wright, Numerical Optimization, algorithm 7.4.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0, -1.0], requires_grad=True)
        >>> optimizer = lenet.optim.LBFGS([w], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = ((w - lenet.tensor([1.0, 3.0])) ** 2).sum()
        ...     loss.backward()
        ...     return loss
        >>> _ = optimizer.step(closure)
        >>> [round(x, 4) for x in w.tolist()]
        [1.0, 3.0]
    """

    needs_closure = True

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not float(lr) >= 0:
            raise ValueError(f"Invalid learning rate: {lr}")
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Makes up to `max_iter` iterations.

        Args:
            closure: clears gradients, computes the loss, calls backward and returns the loss.

        Returns:
            The loss before the step.
        """
        if closure is None:
            raise TypeError(
                "LBFGS.step() needs a closure, which it calls several times: a function that clears gradients, "
                "computes the loss, calls backward() and returns the loss"
            )
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError(f"only 'strong_wolfe' is supported, got {group['line_search_fn']!r}")
        params: list[Tensor] = group["params"]
        state = self.state[params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first, grad = _evaluated(closure, params)
        loss, calls = float(first), 1
        state["func_evals"] += 1
        if _largest(grad) <= group["tolerance_grad"]:
            return first
        memory = _Memory(state, group["history_size"])
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            begins = state["n_iter"] == 1
            memory.learn(grad, begins)
            direction = memory.direction(grad)
            before, memory.loss, memory.grad = loss, loss, grad.copy()
            t = float(group["lr"])
            if begins:
                t *= min(1.0, 1.0 / float(np.abs(grad).sum()))
            memory.t = t
            slope = float(grad @ direction)
            if slope > -group["tolerance_change"]:
                break
            used = 0
            if group["line_search_fn"] is not None:
                found, used = self._search(closure, params, t, direction, Point(0.0, loss, grad, slope), group, calls)
                loss, grad, t = found.value, found.grad, found.t
                memory.t = t
                _add(params, t, direction)
            else:
                _add(params, t, direction)
                if iteration < group["max_iter"]:  # else nothing would be done with it
                    value, grad = _evaluated(closure, params)
                    loss, used = float(value), 1
            calls += used
            state["func_evals"] += used
            if (
                iteration == group["max_iter"]
                or calls >= group["max_eval"]
                or _largest(grad) <= group["tolerance_grad"]
                or _largest(direction * t) <= group["tolerance_change"]
                or abs(loss - before) < group["tolerance_change"]
            ):
                break
        memory.keep(state)
        return first

    def _search(
        self,
        closure: Callable[[], Any],
        params: list[Tensor],
        t: float,
        direction: Array,
        start: Point,
        group: dict[str, Any],
        calls: int,
    ) -> tuple[Point, int]:
        """A step that the strong Wolfe conditions accept, and how often the closure was called."""
        kept = [p.array.copy() for p in params]

        def at(t: float) -> Point:
            _add(params, t, direction)
            value, grad = _evaluated(closure, params)
            for p, array in zip(params, kept):
                _write(p, array)
            return Point(t, float(value), grad, float(grad @ direction))

        return strong_wolfe(at, t, start, _largest(direction), group["max_eval"] - calls)


class _Memory:
    """The steps and changes of the gradient that the inverse Hessian is made of, from one step to the next."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        def array(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.array
            return np.asarray(value) if hasattr(value, "__array__") else value

        self.size = size
        self.d, self.t, self.grad = array(state.get("d")), state.get("t"), array(state.get("prev_flat_grad"))
        self.t = float(array(self.t)) if self.t is not None else None
        self.loss = state.get("prev_loss")
        self.changes: list[Array] = [array(y) for y in state.get("old_dirs") or ()]
        self.steps: list[Array] = [array(s) for s in state.get("old_stps") or ()]
        self.scales: list[float] = [float(array(r)) for r in state.get("ro") or ()]
        self.scale = float(array(state.get("H_diag", 1.0)))

    def learn(self, grad: Array, begins: bool) -> None:
        """Takes in the step that was made, unless the function bends the other way."""
        if begins:
            self.changes, self.steps, self.scales, self.scale = [], [], [], 1.0
            return
        y, s = grad - self.grad, self.d * grad.dtype.type(self.t)
        bend = float(y @ s)
        if bend > 1e-10:
            if len(self.changes) == self.size:
                del self.changes[0], self.steps[0], self.scales[0]
            self.changes.append(y)
            self.steps.append(s)
            self.scales.append(1.0 / bend)
            self.scale = bend / float(y @ y)

    def direction(self, grad: Array) -> Array:
        """-H grad."""
        q, shares = -grad, []
        for y, s, scale in zip(self.changes[::-1], self.steps[::-1], self.scales[::-1]):
            shares.append(float(s @ q) * scale)
            q -= grad.dtype.type(shares[-1]) * y
        q *= grad.dtype.type(self.scale)
        for y, s, scale, share in zip(self.changes, self.steps, self.scales, shares[::-1]):
            q += grad.dtype.type(share - float(y @ q) * scale) * s
        self.d = q
        return q

    def keep(self, state: dict[str, Any]) -> None:
        """Puts all into the optimizer's state, under torch's names."""
        state.update(
            d=None if self.d is None else of_array(self.d),
            t=self.t,
            old_dirs=[of_array(y) for y in self.changes],
            old_stps=[of_array(s) for s in self.steps],
            ro=self.scales,
            H_diag=self.scale,
            prev_flat_grad=None if self.grad is None else of_array(self.grad),
            prev_loss=self.loss,
        )


def _evaluated(closure: Callable[[], Any], params: list[Tensor]) -> tuple[Any, Array]:
    """The loss, and all gradients in one row."""
    with enable_grad():
        loss = closure()
    parts = [(np.zeros_like(p.array) if p.grad is None else p.grad.array).reshape(-1) for p in params]
    return loss, np.concatenate(parts)


def _largest(x: Array) -> float:
    return float(np.abs(x).max(initial=0.0))


def _add(params: list[Tensor], t: float, direction: Array) -> None:
    """p <- p + t d"""
    at = 0
    for p in params:
        part = direction[at : at + p.array.size].reshape(p.array.shape)
        _write(p, p.array + part.dtype.type(t) * part)
        at += p.array.size


def _write(p: Tensor, array: Array) -> None:
    p.array[...] = array
    (p._counter or p.counter)[0] += 1
