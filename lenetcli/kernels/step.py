"""One optimizer step on one parameter: the update rules of lenetcli/optim over arrays, in place.

Every function changes `param` and its state arrays and leaves `grad` as it is. Arrays share a shape; their memory
orders may differ. Scalars are Python floats, so that results keep the arrays' type. Products are taken in torch's order
(`value * a * b` from the left), so that both overflow and underflow in the same places.
"""

from __future__ import annotations

import numpy as np

from lenetcli.kernels.layout import Array


def sgd_step(
    param: Array,
    grad: Array,
    momentum_buffer: Array | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """b <- momentum b + (1 - dampening) g; p <- p - lr b, or p - lr (g + momentum b) with `nesterov`."""
    scratch = np.empty_like(param)
    grad = _objective(param, grad, weight_decay, maximize, scratch)
    direction = grad
    if momentum_buffer is not None:
        momentum_buffer *= momentum
        if dampening:
            momentum_buffer += grad * (1 - dampening)
        else:
            momentum_buffer += grad
        direction = momentum_buffer
        if nesterov:
            direction = np.add(grad, momentum_buffer * momentum, out=scratch)
    param -= np.multiply(direction, lr, out=scratch)


def sgd_steps(
    params: list[Array],
    grads: list[Array],
    buffers: list[Array] | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
) -> None:
    """`sgd_step` for each parameter."""
    for i, (param, grad) in enumerate(zip(params, grads)):
        buffer = None if buffers is None else buffers[i]
        sgd_step(param, grad, buffer, lr, momentum, dampening, weight_decay, nesterov, maximize)


def adam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    max_exp_avg_sq: Array | None,
    step: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """m, v <- averages of g and g²; p <- p - lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + eps)."""
    scratch, denominator = np.empty_like(param), np.empty_like(param)
    grad = _decay(param, grad, lr, weight_decay, decoupled, maximize, scratch)
    _average(exp_avg, grad, 1 - beta1, denominator)
    _average_square(exp_avg_sq, grad, beta2, denominator)
    second = exp_avg_sq
    if max_exp_avg_sq is not None:
        second = np.maximum(max_exp_avg_sq, exp_avg_sq, out=max_exp_avg_sq)
    np.sqrt(second, out=denominator)
    denominator /= (1 - beta2**step) ** 0.5
    denominator += eps
    _move(param, exp_avg, denominator, lr / (1 - beta1**step), scratch)


def adam_steps(
    params: list[Array],
    grads: list[Array],
    exp_avgs: list[Array],
    exp_avg_sqs: list[Array],
    steps: list[float],
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """`adam_step` for each parameter, without AMSGrad."""
    for param, grad, exp_avg, exp_avg_sq, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps):
        adam_step(
            param, grad, exp_avg, exp_avg_sq, None, step, lr, beta1, beta2, eps, weight_decay, decoupled, maximize
        )


def adamax_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_inf: Array,
    step: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """m <- average of g; u <- max(beta2 u, |g| + eps); p <- p - lr / (1 - beta1^t) m / u."""
    scratch, other = np.empty_like(param), np.empty_like(param)
    grad = _objective(param, grad, weight_decay, maximize, scratch)
    _average(exp_avg, grad, 1 - beta1, other)
    np.absolute(grad, out=other)
    other += eps
    exp_inf *= beta2
    np.maximum(exp_inf, other, out=exp_inf)
    _move(param, exp_avg, exp_inf, lr / (1 - beta1**step), scratch)


def nadam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    step: float,
    grad_lr: float,
    average_lr: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """m, v <- averages of g and g²; p <- p - (grad_lr g + average_lr m) / (sqrt(v / (1 - beta2^t)) + eps)."""
    scratch, denominator = np.empty_like(param), np.empty_like(param)
    grad = _decay(param, grad, lr, weight_decay, decoupled, maximize, scratch)
    _average(exp_avg, grad, 1 - beta1, denominator)
    _average_square(exp_avg_sq, grad, beta2, denominator)
    np.divide(exp_avg_sq, 1 - beta2**step, out=denominator)
    np.sqrt(denominator, out=denominator)
    denominator += eps
    _move(param, grad, denominator, grad_lr, scratch)
    _move(param, exp_avg, denominator, average_lr, scratch)


def radam_step(
    param: Array,
    grad: Array,
    exp_avg: Array,
    exp_avg_sq: Array,
    rectified: bool,
    average_lr: float,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    maximize: bool,
) -> None:
    """m, v <- averages of g and g²; p <- p - average_lr m / (sqrt(v) + eps), without the divisor unless `rectified`."""
    scratch, denominator = np.empty_like(param), np.empty_like(param)
    grad = _decay(param, grad, lr, weight_decay, decoupled, maximize, scratch)
    _average(exp_avg, grad, 1 - beta1, denominator)
    _average_square(exp_avg_sq, grad, beta2, denominator)
    if not rectified:
        param -= np.multiply(exp_avg, average_lr, out=scratch)
        return
    np.sqrt(exp_avg_sq, out=denominator)
    denominator += eps
    _move(param, exp_avg, denominator, average_lr, scratch)


def rmsprop_step(
    param: Array,
    grad: Array,
    square_avg: Array,
    grad_avg: Array | None,
    momentum_buffer: Array | None,
    lr: float,
    alpha: float,
    eps: float,
    momentum: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """v <- alpha v + (1 - alpha) g²; p <- p - lr g / (sqrt(v) + eps), v less the squared mean where there is one."""
    scratch, denominator = np.empty_like(param), np.empty_like(param)
    grad = _objective(param, grad, weight_decay, maximize, scratch)
    _average_square(square_avg, grad, alpha, denominator)
    if grad_avg is None:
        np.sqrt(square_avg, out=denominator)
    else:
        _average(grad_avg, grad, 1 - alpha, denominator)
        np.multiply(grad_avg, grad_avg, out=denominator)
        np.subtract(square_avg, denominator, out=denominator)
        np.sqrt(denominator, out=denominator)
    denominator += eps
    if momentum_buffer is None:
        _move(param, grad, denominator, lr, scratch)
        return
    momentum_buffer *= momentum
    momentum_buffer += np.divide(grad, denominator, out=denominator)
    param -= np.multiply(momentum_buffer, lr, out=scratch)


def adagrad_step(
    param: Array, grad: Array, total: Array, lr: float, eps: float, weight_decay: float, maximize: bool
) -> None:
    """s <- s + g²; p <- p - lr g / (sqrt(s) + eps)."""
    scratch, denominator = np.empty_like(param), np.empty_like(param)
    grad = _objective(param, grad, weight_decay, maximize, scratch)
    total += np.multiply(grad, grad, out=denominator)
    np.sqrt(total, out=denominator)
    denominator += eps
    _move(param, grad, denominator, lr, scratch)


def adadelta_step(
    param: Array,
    grad: Array,
    square_avg: Array,
    acc_delta: Array,
    lr: float,
    rho: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """v <- average of g²; d = sqrt(u + eps) / sqrt(v + eps) g; u <- average of d²; p <- p - lr d."""
    scratch, delta, deviation = np.empty_like(param), np.empty_like(param), np.empty_like(param)
    grad = _objective(param, grad, weight_decay, maximize, scratch)
    _average_square(square_avg, grad, rho, delta)
    np.add(acc_delta, eps, out=delta)
    np.sqrt(delta, out=delta)
    np.add(square_avg, eps, out=deviation)
    delta /= np.sqrt(deviation, out=deviation)
    delta *= grad
    _average_square(acc_delta, delta, rho, scratch)
    param -= np.multiply(delta, lr, out=scratch)


def rprop_step(
    param: Array,
    grad: Array,
    previous: Array,
    step_size: Array,
    eta_minus: float,
    eta_plus: float,
    smallest: float,
    largest: float,
    maximize: bool,
) -> None:
    """s <- s eta+ where g kept its sign, s eta- (and g <- 0) where it turned; p <- p - sign(g) s."""
    scratch, agreement = np.empty_like(param), np.empty_like(param)
    if maximize:
        np.negative(grad, out=scratch)
    else:
        np.copyto(scratch, grad)
    np.multiply(previous, scratch, out=agreement)
    turned = agreement < 0
    kind = step_size.dtype.type
    step_size *= np.where(agreement > 0, kind(eta_plus), np.where(turned, kind(eta_minus), kind(1)))
    np.maximum(step_size, smallest, out=step_size)
    np.minimum(step_size, largest, out=step_size)
    np.copyto(scratch, 0, where=turned)
    np.copyto(previous, scratch)
    sign = np.sign(scratch, out=agreement)
    np.copyto(sign, 0, where=np.isnan(scratch))  # torch's sign(NaN) is 0: the parameter stays
    sign *= step_size
    param -= sign


def _objective(param: Array, grad: Array, weight_decay: float, maximize: bool, scratch: Array) -> Array:
    """The gradient of what is minimised: ±g + weight_decay p. In `scratch` unless it is `grad` itself."""
    if weight_decay == 0:
        return np.negative(grad, out=scratch) if maximize else grad
    np.multiply(param, weight_decay, out=scratch)
    return np.subtract(scratch, grad, out=scratch) if maximize else np.add(scratch, grad, out=scratch)


def _decay(
    param: Array, grad: Array, lr: float, weight_decay: float, decoupled: bool, maximize: bool, scratch: Array
) -> Array:
    """As `_objective`; decoupled decay shrinks the parameter itself instead."""
    if decoupled and weight_decay:
        param *= 1 - lr * weight_decay
        weight_decay = 0
    return _objective(param, grad, weight_decay, maximize, scratch)


def _average(average: Array, value: Array, weight: float, scratch: Array) -> None:
    """average <- average + weight (value - average), from the nearer end as torch.lerp does."""
    if weight < 0.5:
        np.subtract(value, average, out=scratch)
        scratch *= weight
        average += scratch
    else:
        np.subtract(value, average, out=scratch)
        scratch *= 1 - weight
        np.subtract(value, scratch, out=average)


def _average_square(average: Array, value: Array, keep: float, scratch: Array) -> None:
    """average <- keep average + (1 - keep) value²."""
    average *= keep
    np.multiply(value, 1 - keep, out=scratch)
    scratch *= value
    average += scratch


def _move(param: Array, numerator: Array, denominator: Array, lr: float, scratch: Array) -> None:
    """param <- param - lr numerator / denominator. `scratch` may be the numerator, which is then lost."""
    np.multiply(numerator, lr, out=scratch)
    scratch /= denominator
    param -= scratch
