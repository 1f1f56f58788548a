"""Gradients by central differences, to check the ones backward computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.differentiate import grad
from lenetcli.autograd.modes import enable_grad, no_grad
from lenetcli.autograd.tape import Array, Variable, wrap


def gradcheck(
    func: Callable[..., Any],
    inputs: Variable | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compares backward's gradients of `func` with numeric ones, entry by entry of the Jacobian.

    Formula:
        df_i/dx_j ~ (f_i(x + eps e_j) - f_i(x - eps e_j)) / (2 eps)

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: tensors; those of type float64 that require gradients are checked.
        eps: step of the difference.
        atol, rtol: absolute and relative tolerance.
        raise_exception: raise on a difference instead of returning False.

    Raises:
        ValueError: no input is float64 and requires gradients.
        RuntimeError: a gradient differs; the message names input, output and the worst entry.

    Source: torch.autograd.gradcheck.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([0.3, -1.2], dtype=lenet.float64, requires_grad=True)
        >>> lenet.autograd.gradcheck(lenet.exp, x)
        True
    """
    args = (inputs,) if isinstance(inputs, Variable) else tuple(inputs)
    checked = [
        i for i, a in enumerate(args) if isinstance(a, Variable) and a.requires_grad and a.array.dtype == np.float64
    ]
    if not checked:
        raise ValueError("gradcheck: at least one input must be float64 with requires_grad=True")
    for number in range(len(_outputs(func, args))):
        for i in checked:
            analytic = _analytic(func, args, i, number)
            numeric = _numeric(func, args, i, number, eps)
            wrong = np.abs(analytic - numeric) > atol + rtol * np.abs(numeric)
            if wrong.any():
                if not raise_exception:
                    return False
                row, column = np.argwhere(wrong)[0]
                raise RuntimeError(
                    f"Jacobian mismatch for output {number} with respect to input {i}: "
                    f"d output[{row}] / d input[{column}] is {analytic[row, column]:.6g} by backward, "
                    f"{numeric[row, column]:.6g} by differences"
                )
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Variable | Sequence[Any],
    grad_outputs: Variable | Sequence[Variable] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
) -> bool:
    """Compares the gradients of `func`'s gradients with numeric ones: `gradcheck` of what `create_graph=True` gives.

    Args:
        func: takes the inputs, returns a tensor or a tuple of tensors.
        inputs: tensors; those of type float64 that require gradients are checked.
        grad_outputs: gradients of the outputs, at which the second derivatives are taken; random ones unless given.
        eps, atol, rtol, raise_exception: as for `gradcheck`.

    Raises:
        ValueError: no input is float64 and requires gradients.
        RuntimeError: a second derivative differs; the message names input, output and the worst entry.
        NotImplementedError: an op in it has no second derivative.

    Source: torch.autograd.gradgradcheck.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([0.3, -1.2], dtype=lenet.float64, requires_grad=True)
        >>> lenet.autograd.gradgradcheck(lenet.exp, x)
        True
    """
    args = (inputs,) if isinstance(inputs, Variable) else tuple(inputs)
    at = [i for i, a in enumerate(args) if isinstance(a, Variable) and a.requires_grad]
    outs = [o for o in _outputs(func, args) if o.requires_grad]
    if grad_outputs is None:
        random = np.random.default_rng(0)
        grad_outputs = [wrap(o.result_class, np.asarray(random.standard_normal(o.array.shape))) for o in outs]
    given = [grad_outputs] if isinstance(grad_outputs, Variable) else list(grad_outputs)
    seeds = [wrap(g.result_class, g.array) for g in given]
    for seed in seeds:
        seed.requires_grad = True

    def gradients(*values: Any) -> tuple[Any, ...]:
        own, given = values[: len(args)], values[len(args) :]
        with enable_grad():
            outs = [o for o in _outputs(func, own) if o.requires_grad]
            found = grad(outs, [own[i] for i in at], list(given), create_graph=True, allow_unused=True)
        return tuple(g for g in found if g is not None)

    return gradcheck(gradients, (*args, *seeds), eps, atol, rtol, raise_exception)


def _outputs(func: Callable[..., Any], args: Sequence[Any]) -> list[Variable]:
    """The floating-point outputs of one call."""
    out = func(*args)
    outs = [out] if isinstance(out, Variable) else list(out)
    return [o for o in outs if o.array.dtype.kind == "f"]


def _analytic(func: Callable[..., Any], args: Sequence[Any], i: int, number: int) -> Array:
    """(output size, input size), one backward per row."""
    out = _outputs(func, args)[number]
    rows = np.zeros((out.array.size, args[i].array.size))
    if not out.requires_grad:
        return rows
    for row in range(out.array.size):
        seed = np.zeros(out.array.shape)
        seed.flat[row] = 1.0
        (d_input,) = grad(out, args[i], wrap(out.result_class, seed), retain_graph=True, allow_unused=True)
        if d_input is not None:
            rows[row] = d_input.array.reshape(-1)
    return rows


def _numeric(func: Callable[..., Any], args: Sequence[Any], i: int, number: int, eps: float) -> Array:
    """(output size, input size), two calls per column."""
    x = args[i].array

    def value() -> Array:
        return _outputs(func, args)[number].array.astype(np.float64).reshape(-1)

    with no_grad():
        if not x.size:
            return np.zeros((value().size, 0))
        entries = (x[(*(slice(at, at + 1) for at in index), ...)] for index in np.ndindex(x.shape))  # views
        return np.stack([central_difference(value, [entry], [1.0], eps) for entry in entries], axis=1)


def central_difference(value: Callable[[], Any], arrays: Sequence[Array], directions: Sequence[Any], eps: float) -> Any:
    """The derivative of a value along a direction; the arrays that it depends on are moved in place and put back.

    Formula:
        (f(x + eps v) - f(x - eps v)) / (2 eps)

    Args:
        value: f, of the arrays as they are.
        arrays: x.
        directions: v, for each array.

    Example:
        >>> x = np.array([1.0, 3.0])
        >>> round(central_difference(lambda: float(x @ x), [x], [np.array([0.0, 1.0])], 1e-6), 6), x.tolist()
        (6.0, [1.0, 3.0])
    """
    starts = [array.copy() for array in arrays]
    ends = []
    try:
        for step in (eps, -eps):
            for array, start, direction in zip(arrays, starts, directions):
                array[...] = start + step * direction
            ends.append(value())
    finally:
        for array, start in zip(arrays, starts):
            array[...] = start
    return (ends[0] - ends[1]) / (2 * eps)
