"""Limits on gradients, in place, between `backward()` and `optimizer.step()`."""

from __future__ import annotations

import types
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from lenetcli.kernels.device import on_device
from lenetcli.ops.operands import quiet
from lenetcli.ops.reduction.norm import vector_norm
from lenetcli.tensors.tensor import Tensor, of_array


def _refuse_foreach(foreach: bool | None) -> None:
    if foreach:
        raise NotImplementedError("foreach=True is not supported; leave it out")


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors together, as of one long vector.

    Args:
        tensors: one or more.
        norm_type: order of the norm; may be `float("inf")`.
        error_if_nonfinite: raise where the norm is NaN or infinite.
        foreach: must not be True.

    Raises:
        RuntimeError: a norm that is not finite, with `error_if_nonfinite`.

    Source: torch.nn.utils.get_total_norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.utils.get_total_norm([lenet.tensor([3.0]), lenet.tensor([0.0, 4.0])])
        tensor(5.)
    """
    _refuse_foreach(foreach)
    norm_type = float(norm_type)
    norms = [vector_norm(t.detach(), norm_type).array for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not norms:
        return of_array(np.zeros((), np.float32))
    total = vector_norm(of_array(np.stack(norms)), norm_type)
    if error_if_nonfinite and not np.isfinite(total.array):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


@quiet
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Scales all gradients by the same factor, so that their norm, which is given, becomes at most `max_norm`.

    Formula:
        grad <- grad min(1, max_norm / (total_norm + 1e-6))

    Source: torch.nn.utils.clip_grads_with_norm_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.Parameter(lenet.ones(2))
        >>> (w * lenet.tensor([3.0, 4.0])).sum().backward()
        >>> lenet.nn.utils.clip_grads_with_norm_([w], max_norm=1.0, total_norm=lenet.tensor(5.0))
        >>> w.grad
        tensor([0.6000, 0.8000])
    """
    _refuse_foreach(foreach)
    factor: Any = np.minimum(float(max_norm) / (total_norm.array + total_norm.array.dtype.type(1e-6)), 1)
    if not on_device(factor) and factor == 1:  # there, looking at it would wait for the device
        return
    for grad in _grads(parameters):
        grad.array *= factor.astype(grad.array.dtype)
        grad.counter[0] += 1


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients by the same factor, so that their norm together is at most `max_norm`.

    Args:
        parameters: whose `.grad` is changed; those without are left out.
        max_norm: greatest norm.
        norm_type: order of the norm; may be `float("inf")`.
        error_if_nonfinite: raise where the norm is NaN or infinite, and change nothing.
        foreach: must not be True.

    Returns:
        The norm before the change.

    Raises:
        RuntimeError: a norm that is not finite, with `error_if_nonfinite`.

    Source: Pascanu, Mikolov and Bengio, 2013; torch.nn.utils.clip_grad_norm_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.Parameter(lenet.ones(2))
        >>> (w * lenet.tensor([3.0, 4.0])).sum().backward()
        >>> lenet.nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad
        (tensor(5.), tensor([0.6000, 0.8000]))
    """
    if isinstance(parameters, types.GeneratorType):
        parameters = list(parameters)
        if not parameters:
            warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    grads = _grads(parameters := [parameters] if isinstance(parameters, Tensor) else list(parameters))
    total_norm = get_total_norm(grads, norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total_norm, foreach)
    return total_norm


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limits each element of all gradients to [-clip_value, clip_value].

    Args:
        parameters: whose `.grad` is changed; those without are left out.
        clip_value: greatest absolute value.
        foreach: must not be True.

    Source: torch.nn.utils.clip_grad_value_.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.Parameter(lenet.ones(2))
        >>> (w * lenet.tensor([3.0, -0.5])).sum().backward()
        >>> lenet.nn.utils.clip_grad_value_([w], 1.0)
        >>> w.grad
        tensor([ 1.0000, -0.5000])
    """
    _refuse_foreach(foreach)
    limit = float(clip_value)
    for grad in _grads(parameters):
        np.clip(grad.array, -limit, limit, out=grad.array)
        grad.counter[0] += 1
