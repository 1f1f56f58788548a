"""Adafactor: steps scaled by squares of gradients of which only rows and columns are kept."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.update import lerp_
from lenetcli.optim.one_by_one import OneByOne
from lenetcli.optim.optimizer import filled, scalar
from lenetcli.tensors.tensor import Tensor, of_array


class Adafactor(OneByOne):
    """Adam's idea with the memory of a row and a column for a matrix.

    Formula:
        alpha = max(eps2, rms(p)) min(lr, 1 / sqrt(t)), then p <- p (1 - lr weight_decay)
        r <- r + t^beta2_decay (mean of g² along rows - r), c alike along columns, v = r c / max(mean(r), eps1)
        (of a vector: v <- v + t^beta2_decay (g² - v))
        u = g / sqrt(max(v, eps1²)), p <- p - alpha u / max(1, rms(u) / d)

    Args:
        params: tensors, or groups of them (see Optimizer).
        lr: the greatest learning rate, >= 0.
        beta2_decay: power of t by which new squares count, <= 0.
        eps: (eps1, eps2); None for eps1 is the spacing of the parameter's type at 1.
        d: an update of a greater rms than this is scaled down, >= 1.
        weight_decay: decoupled, >= 0.
        foreach: must be None or False.
        maximize: climb instead of descend.

    Raises:
        ValueError: an argument out of its range.
        NotImplementedError: `foreach` turned on.

    Source: torch.optim.Adafactor; Shazeer and Stern 2018.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([2.0], requires_grad=True)
        >>> optimizer = lenet.optim.Adafactor([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w.tolist()]
        [1.8]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if foreach:
            raise NotImplementedError("Adafactor: foreach=True is not supported; leave foreach out")
        rate = float(lr.item()) if isinstance(lr, Tensor) and lr.numel() == 1 else lr
        if isinstance(rate, Tensor):
            raise ValueError("Tensor lr must be 1-element")
        for word, value, fits in (
            ("Learning rate should be >= 0", rate, rate >= 0),
            ("beta2_decay should be <= 0", beta2_decay, beta2_decay <= 0),
            ("epsilon1 should be >= 0", eps[0], eps[0] is None or eps[0] >= 0),
            ("epsilon2 should be >= 0", eps[1], eps[1] >= 0),
            ("Clipping threshold d should be >= 1", d, d >= 1),
            ("weight_decay should be >= 0", weight_decay, weight_decay >= 0),
        ):
            if not fits:
                raise ValueError(f"{word} but is: {value}")
        defaults = {"lr": lr, "beta2_decay": beta2_decay, "eps": eps, "d": d, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"foreach": foreach, "maximize": maximize})

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        x = param.array
        if x.ndim < 2:
            return {"step": scalar(0.0), "variance": filled(param)}
        rows, columns = (*x.shape[:-1], 1), (*x.shape[:-2], 1, x.shape[-1])
        found = {"row_var": np.zeros_like(x, shape=rows), "col_var": np.zeros_like(x, shape=columns)}
        return {"step": scalar(0.0)} | {name: of_array(array) for name, array in found.items()}

    def _move(self, p: Array, gradient: Array, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        g = -gradient if group["maximize"] else gradient
        (eps1, eps2), lr, decay = group["eps"], float(group["lr"]), float(group["weight_decay"])
        eps1 = float(np.finfo(p.dtype).eps) if eps1 is None else float(eps1)
        state["step"].array += 1
        t = float(state["step"].array)
        share = t ** float(group["beta2_decay"])
        alpha = np.fmax(_rms(p), float(eps2)) * min(lr, 1 / t**0.5)
        if decay:
            p *= 1 - lr * decay
        if g.ndim > 1:
            rows, columns = state["row_var"].array, state["col_var"].array
            lerp_(rows, np.mean(g * g, axis=-1, keepdims=True), share)
            lerp_(columns, np.mean(g * g, axis=-2, keepdims=True), share)
            v = rows * columns / np.maximum(rows.mean(axis=-2, keepdims=True), p.dtype.type(eps1))
        else:
            v = state["variance"].array
            lerp_(v, g * g, share)
        update = g / np.sqrt(np.maximum(v, p.dtype.type(eps1 * eps1)))
        p -= (alpha / np.fmax(_rms(update) / float(group["d"]), 1.0)).astype(p.dtype) * update


def _rms(x: Array) -> Array:
    """The root of the mean square, float64 (), where the array is: nobody waits for a device. 0 of no numbers."""
    return np.sqrt((x * x).sum()).astype(np.float64) / max(1, x.size) ** 0.5
