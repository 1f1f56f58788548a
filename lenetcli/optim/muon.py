"""Muon: momentum whose singular values are all brought near 1."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.kernels.layout import Array
from lenetcli.kernels.update import lerp_
from lenetcli.optim.one_by_one import OneByOne
from lenetcli.optim.optimizer import filled
from lenetcli.tensors.tensor import Tensor


class Muon(OneByOne):
    """Steps along the orthogonal matrix that is nearest to the momentum, for the matrices of hidden layers.

    Formula:
        m <- momentum m + (1 - momentum) g, u = momentum m + (1 - momentum) g with `nesterov`, else m
        x <- u / max(norm(u), eps), then ns_steps times x <- a x + (b x xᵀ + c (x xᵀ)²) x, in bfloat16
        p <- p (1 - lr weight_decay) - lr s x
        s = sqrt(max(1, rows / columns)); with adjust_lr_fn="match_rms_adamw" 0.2 sqrt(max(rows, columns))

    Args:
        params: matrices, or groups of them (see Optimizer). Biases, embeddings and what else is no matrix want another
            optimizer.
        lr: learning rate, >= 0.
        weight_decay: decoupled, >= 0.
        momentum: share of the earlier gradients, >= 0.
        nesterov: look ahead by the gradient.
        ns_coefficients: a, b and c.
        eps: least divisor.
        ns_steps: fewer than 100.
        adjust_lr_fn: 'original' (as None) or 'match_rms_adamw', which suits rates that AdamW likes.

    Raises:
        ValueError: an argument out of its range, or a parameter that is no matrix.

    Source: torch.optim.Muon; Jordan 2024, Liu et al. 2025. Products are summed in float32 and rounded, as torch's are;
        of large matrices the sums' order, and so the last of bfloat16's eight bits, may differ.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.tensor([[2.0]], requires_grad=True)
        >>> optimizer = lenet.optim.Muon([w], lr=0.1)
        >>> (w * w).sum().backward()
        >>> optimizer.step()
        >>> [round(x, 4) for x in w[0].tolist()]
        [1.9112]
    """

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        for word, value in (("Learning rate", lr), ("momentum", momentum), ("weight decay", weight_decay)):
            if not float(value) >= 0.0:
                raise ValueError(f"{word} should be >= 0 but is: {value}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(
                f"Adjust learning rate function {adjust_lr_fn} is not supported; use 'original' or 'match_rms_adamw'"
            )
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        if not 0 <= ns_steps < 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        options = {"momentum": momentum, "nesterov": nesterov, "ns_coefficients": ns_coefficients, "eps": eps}
        defaults = {"lr": lr, "weight_decay": weight_decay, **options, "ns_steps": ns_steps}
        super().__init__(params, defaults | {"adjust_lr_fn": adjust_lr_fn})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds matrices with options of their own; see `Optimizer.add_param_group`."""
        super().add_param_group(param_group)
        for p in self.param_groups[-1]["params"]:
            if p.array.ndim != 2:
                self.param_groups.pop()
                raise ValueError(
                    f"Muon only supports 2D parameters whereas we found a parameter with size: {p.shape}; "
                    "give it the matrices alone, and another optimizer the rest"
                )

    def _begin(self, param: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return {"momentum_buffer": filled(param)}

    def _move(self, p: Array, g: Array, state: dict[str, Tensor], group: dict[str, Any]) -> None:
        m, lr, momentum = state["momentum_buffer"].array, group["lr"], float(group["momentum"])
        lr = lr.array.reshape(()) if isinstance(lr, Tensor) else float(lr)  # a tensor computes in its own type
        lerp_(m, g, 1 - momentum)
        update = m
        if group["nesterov"]:
            update = g.copy()
            lerp_(update, m, momentum)
        x = orthogonalized(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        rows, columns = p.shape
        matched = group["adjust_lr_fn"] == "match_rms_adamw"
        scale = 0.2 * math.sqrt(max(rows, columns)) if matched else math.sqrt(max(1, rows / max(1, columns)))
        p *= float(1 - lr * float(group["weight_decay"]))
        p -= p.dtype.type(lr * scale) * x.astype(p.dtype)


def orthogonalized(matrix: Array, coefficients: tuple[float, float, float], steps: int, eps: float) -> Array:
    """U Vᵀ of a matrix U S Vᵀ, roughly: Newton-Schulz steps of the fifth degree bring singular values near 1.

    Source: Bernstein and Newhouse 2024.
    """
    a, b, c = (np.float32(v) for v in coefficients)
    tall = matrix.shape[0] > matrix.shape[1]
    x = _rounded(matrix.T if tall else matrix)
    least = float(_rounded(np.float32(eps)))
    x = _rounded(x / np.maximum(_rounded(np.sqrt(np.square(x).sum())), least))
    for _ in range(steps):
        gram = _rounded(x @ x.T)
        update = _rounded(b * gram + c * (gram @ gram))
        x = _rounded(a * x + update @ x)
    return x.T if tall else x


def _rounded(x: Any) -> Array:
    """To the nearest numbers that bfloat16 has, in float32; to even where two are as near."""
    x = x.astype(np.float32)
    bits = x.view(np.uint32)
    near: Array = ((bits + (0x7FFF + ((bits >> 16) & 1))) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.isnan(x), x, near)
