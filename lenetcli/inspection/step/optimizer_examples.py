"""An optimizer's rule worked out for one number of a parameter, line by line, as the formulas in lenetcli/optim say it.

Everything is computed in float64 from what the optimizer holds before its step; the last line is the new value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import copysign, sqrt
from typing import Any

from lenetcli.inspection.statistics import Array
from lenetcli.inspection.step.written_out import ByHand, bare, n
from lenetcli.optim import ASGD, SGD, Adadelta, Adagrad, Adam, Adamax, NAdam, Optimizer, RAdam, RMSprop, Rprop

FINE = 8  # digits of a parameter


class _Lines:
    """The lines so far, and the numbers that they begin with.

    Args:
        p: the parameter's number before the step.
        gradient: its gradient.
        state: the numbers of its state, under their names in the optimizer; empty before the first step.
        group: options of its parameter group.
    """

    def __init__(self, p: float, gradient: float, state: Mapping[str, float], group: Mapping[str, Any]) -> None:
        self.p, self.gradient, self.state, self.group = p, gradient, state, group
        self.lr = float(group["lr"])
        self.found: list[ByHand] = []

    def add(self, formula: str, numbers: str, value: float) -> float:
        """One line; gives its value."""
        self.found.append(ByHand(formula, bare(numbers), value))
        return value

    def move(self, formula: str, amount: str, value: float) -> None:
        """The line that changes p by subtracting an amount; in more digits, as steps are small."""
        self.found.append(ByHand(formula, bare(f"{n(self.p, FINE)} − {amount}"), value, digits=FINE))
        self.p = value

    def had(self, name: str, start: float = 0.0) -> float:
        """A number of the state."""
        return float(self.state.get(name, start))

    @property
    def t(self) -> int:
        """Number of the step."""
        return int(self.had("step")) + 1

    def decayed(self) -> float:
        """g: the gradient, with the penalty on weights; decoupled decay changes p instead."""
        decay, decoupled = float(self.group["weight_decay"]), self.group.get("decoupled_weight_decay", False)
        g, sign = self.gradient, "gradient"
        if self.group["maximize"]:
            g, sign = -g, "−gradient"
        if decay and not decoupled:
            self.add(f"g ← {sign} + weight_decay·p", f"{n(g)} + {n(decay)}·{n(self.p)}", g + decay * self.p)
            return g + decay * self.p
        self.add(f"g ← {sign}", n(g), g)
        if decay:
            amount = f"{n(self.lr)}·{n(decay)}·{n(self.p)}"
            self.move("p ← p − lr·weight_decay·p", amount, self.p - self.lr * decay * self.p)
        return g

    def averaged(self, symbol: str, name: str, beta: tuple[str, float], g: float, square: bool = False) -> float:
        """A running average of g, or of its square."""
        (word, share), before, power = beta, self.had(name), "²" if square else ""
        value = share * before + (1 - share) * (g * g if square else g)
        numbers = f"{n(share)}·{n(before)} + {n(1 - share)}·{n(g)}{power}"
        return self.add(f"{symbol} ← {word}·{symbol} + (1 − {word})·g{power}", numbers, value)


def _sgd(lines: _Lines) -> None:
    group, g = lines.group, lines.decayed()
    momentum, step, name = float(group["momentum"]), g, "g"
    if momentum:
        name, fresh = "b", 1 - float(group["dampening"])
        if "momentum_buffer" not in lines.state:
            step = lines.add("b ← g, in the first step", n(g), g)
        elif fresh == 1:
            before = lines.had("momentum_buffer")
            step = lines.add("b ← momentum·b + g", f"{n(momentum)}·{n(before)} + {n(g)}", momentum * before + g)
        else:
            before, value = lines.had("momentum_buffer"), momentum * lines.had("momentum_buffer") + fresh * g
            numbers = f"{n(momentum)}·{n(before)} + {n(fresh)}·{n(g)}"
            step = lines.add("b ← momentum·b + (1 − dampening)·g", numbers, value)
        if group["nesterov"]:
            name = "d"
            step = lines.add("d = g + momentum·b", f"{n(g)} + {n(momentum)}·{n(step)}", g + momentum * step)
    lines.move(f"p ← p − lr·{name}", f"{n(lines.lr)}·{n(step)}", lines.p - lines.lr * step)


def _adam(lines: _Lines) -> None:
    g, t, group = lines.decayed(), lines.t, lines.group
    beta1, beta2 = map(float, group["betas"])
    m = lines.averaged("m", "exp_avg", ("β₁", beta1), g)
    v, symbol = lines.averaged("v", "exp_avg_sq", ("β₂", beta2), g, square=True), "v"
    if group["amsgrad"]:
        before, symbol = lines.had("max_exp_avg_sq"), "w"
        v = lines.add("w ← max(w, v)", f"max({n(before)}, {n(v)})", max(before, v))
    m_hat = lines.add(f"m̂ = m / (1 − β₁^{t})", f"{n(m)} / {n(1 - beta1**t)}", m / (1 - beta1**t))
    v_hat = lines.add(f"v̂ = {symbol} / (1 − β₂^{t})", f"{n(v)} / {n(1 - beta2**t)}", v / (1 - beta2**t))
    _divided(lines, "m̂", m_hat, "v̂", v_hat)


def _divided(lines: _Lines, above: str, direction: float, below: str, square: float, lr: float | None = None) -> None:
    """p <- p - lr direction / (sqrt(square) + eps)."""
    eps, lr = float(lines.group["eps"]), lines.lr if lr is None else lr
    amount = f"{n(lr)}·{n(direction)} / (√{n(square)} + {n(eps)})"
    lines.move(f"p ← p − lr·{above} / (√{below} + eps)", amount, lines.p - lr * direction / (sqrt(square) + eps))


def _adamax(lines: _Lines) -> None:
    g, t = lines.decayed(), lines.t
    beta1, beta2 = map(float, lines.group["betas"])
    eps, before = float(lines.group["eps"]), lines.had("exp_inf")
    m = lines.averaged("m", "exp_avg", ("β₁", beta1), g)
    numbers = f"max({n(beta2)}·{n(before)}, {n(abs(g))} + {n(eps)})"
    u = lines.add("u ← max(β₂·u, |g| + eps)", numbers, max(beta2 * before, abs(g) + eps))
    amount = f"{n(lines.lr)} / {n(1 - beta1**t)}·{n(m)} / {n(u)}"
    lines.move(f"p ← p − lr / (1 − β₁^{t})·m / u", amount, lines.p - lines.lr / (1 - beta1**t) * m / u)


def _nadam(lines: _Lines) -> None:
    g, t = lines.decayed(), lines.t
    beta1, beta2 = map(float, lines.group["betas"])
    decay = float(lines.group["momentum_decay"])
    mu, mu_next = (beta1 * (1 - 0.5 * 0.96 ** (step * decay)) for step in (t, t + 1))
    before = lines.had("mu_product", 1.0)
    for step, value in ((t, mu), (t + 1, mu_next)):
        lines.add(f"μ_{step} = β₁ (1 − 0.96^({step}·momentum_decay) / 2)", f"{n(beta1)}·{n(value / beta1)}", value)
    product = lines.add("Π ← Π·μ", f"{n(before)}·{n(mu)}", before * mu)
    m = lines.averaged("m", "exp_avg", ("β₁", beta1), g)
    v = lines.averaged("v", "exp_avg_sq", ("β₂", beta2), g, square=True)
    d = (1 - mu) * g / (1 - product) + mu_next * m / (1 - product * mu_next)
    numbers = f"{n(1 - mu)}·{n(g)} / {n(1 - product)} + {n(mu_next)}·{n(m)} / {n(1 - product * mu_next)}"
    lines.add(f"d = (1 − μ_{t})·g / (1 − Π) + μ_{t + 1}·m / (1 − Π·μ_{t + 1})", numbers, d)
    v_hat = lines.add(f"v̂ = v / (1 − β₂^{t})", f"{n(v)} / {n(1 - beta2**t)}", v / (1 - beta2**t))
    _divided(lines, "d", d, "v̂", v_hat)


def _radam(lines: _Lines) -> None:
    g, t = lines.decayed(), lines.t
    beta1, beta2 = map(float, lines.group["betas"])
    m = lines.averaged("m", "exp_avg", ("β₁", beta1), g)
    v = lines.averaged("v", "exp_avg_sq", ("β₂", beta2), g, square=True)
    m_hat = lines.add(f"m̂ = m / (1 − β₁^{t})", f"{n(m)} / {n(1 - beta1**t)}", m / (1 - beta1**t))
    limit, left = 2 / (1 - beta2) - 1, 1 - beta2**t
    rho = limit - 2 * t * beta2**t / left
    lines.add(f"ρ = ρ∞ − 2·{t}·β₂^{t} / (1 − β₂^{t})", f"{n(limit)} − {n(2 * t * beta2**t)} / {n(left)}", rho)
    if rho <= 5:
        lines.move("p ← p − lr·m̂, as ρ ≤ 5", f"{n(lines.lr)}·{n(m_hat)}", lines.p - lines.lr * m_hat)
        return
    r = sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
    lines.add("r = √((ρ−4) (ρ−2) ρ∞ / ((ρ∞−4) (ρ∞−2) ρ))", f"for ρ = {n(rho)}, ρ∞ = {n(limit)}", r)
    eps = float(lines.group["eps"])
    amount = f"{n(lines.lr)}·{n(m_hat)}·{n(r)}·√{n(left)} / (√{n(v)} + {n(eps)})"
    value = lines.p - lines.lr * m_hat * r * sqrt(left) / (sqrt(v) + eps)
    lines.move(f"p ← p − lr·m̂·r·√(1 − β₂^{t}) / (√v + eps)", amount, value)


def _rmsprop(lines: _Lines) -> None:
    g, group = lines.decayed(), lines.group
    alpha, eps, momentum = float(group["alpha"]), float(group["eps"]), float(group["momentum"])
    v, symbol = lines.averaged("v", "square_avg", ("α", alpha), g, square=True), "v"
    if group["centered"]:
        a, symbol = lines.averaged("a", "grad_avg", ("α", alpha), g), "w"
        v = lines.add("w = v − a²", f"{n(v)} − {n(a)}²", v - a * a)
    if not momentum:
        _divided(lines, "g", g, symbol, v)
        return
    before, value = lines.had("momentum_buffer"), g / (sqrt(v) + eps)
    numbers = f"{n(momentum)}·{n(before)} + {n(g)} / (√{n(v)} + {n(eps)})"
    b = lines.add(f"b ← momentum·b + g / (√{symbol} + eps)", numbers, momentum * before + value)
    lines.move("p ← p − lr·b", f"{n(lines.lr)}·{n(b)}", lines.p - lines.lr * b)


def _adagrad(lines: _Lines) -> None:
    g, t, group = lines.decayed(), lines.t, lines.group
    before = lines.had("sum", float(group["initial_accumulator_value"]))
    s = lines.add("s ← s + g²", f"{n(before)} + {n(g)}²", before + g * g)
    lr, decay = lines.lr, float(group["lr_decay"])
    if decay:
        numbers = f"{n(lr)} / (1 + {t - 1}·{n(decay)})"
        lr = lines.add(f"lr = lr / (1 + {t - 1}·lr_decay)", numbers, lr / (1 + (t - 1) * decay))
    _divided(lines, "g", g, "s", s, lr)


def _adadelta(lines: _Lines) -> None:
    g, group = lines.decayed(), lines.group
    rho, eps, before = float(group["rho"]), float(group["eps"]), lines.had("acc_delta")
    v = lines.averaged("v", "square_avg", ("ρ", rho), g, square=True)
    numbers = f"√({n(before)} + {n(eps)}) / √({n(v)} + {n(eps)})·{n(g)}"
    d = lines.add("d = √(u + eps) / √(v + eps)·g", numbers, sqrt(before + eps) / sqrt(v + eps) * g)
    numbers = f"{n(rho)}·{n(before)} + {n(1 - rho)}·{n(d)}²"
    lines.add("u ← ρ·u + (1 − ρ)·d²", numbers, rho * before + (1 - rho) * d * d)
    lines.move("p ← p − lr·d", f"{n(lines.lr)}·{n(d)}", lines.p - lines.lr * d)


def _rprop(lines: _Lines) -> None:
    (eta_minus, eta_plus), (least, most) = lines.group["etas"], lines.group["step_sizes"]
    g = -lines.gradient if lines.group["maximize"] else lines.gradient
    lines.add("g ← −gradient" if lines.group["maximize"] else "g ← gradient", n(g), g)
    s, before = lines.had("step_size", lines.lr), lines.had("prev")
    if g * before > 0:
        s = lines.add("s ← min(s·η₊, largest), same sign as before", f"{n(s)}·{n(eta_plus)}", min(s * eta_plus, most))
    elif g * before < 0:
        s = lines.add("s ← max(s·η₋, smallest), sign changed", f"{n(s)}·{n(eta_minus)}", max(s * eta_minus, least))
        g = lines.add("g ← 0, this time no step", "0", 0.0)
    else:
        lines.add("s, as there is no sign to compare with", n(s), s)
    sign = copysign(1.0, g) if g else 0.0
    lines.move("p ← p − sign(g)·s", f"{n(sign)}·{n(s)}", lines.p - sign * s)


def _asgd(lines: _Lines) -> None:
    g, group = lines.decayed(), lines.group
    eta, decay = lines.had("eta", lines.lr), float(group["lambd"])
    lines.move("p ← p − λ·η·p", f"{n(decay)}·{n(eta)}·{n(lines.p)}", lines.p - decay * eta * lines.p)
    lines.move("p ← p − η·g", f"{n(eta)}·{n(g)}", lines.p - eta * g)


RULES: dict[type[Optimizer], Callable[[_Lines], None]] = {
    SGD: _sgd,
    Adam: _adam,  # and AdamW
    Adamax: _adamax,
    NAdam: _nadam,
    RAdam: _radam,
    RMSprop: _rmsprop,
    Adagrad: _adagrad,
    Adadelta: _adadelta,
    Rprop: _rprop,
    ASGD: _asgd,  # not Adafactor, LBFGS and Muon, whose steps take more than one number
}


def numbers_at(state: Mapping[str, Array], shape: tuple[int, ...], index: tuple[int, ...]) -> dict[str, float]:
    """What of an optimizer's state belongs to one number of a parameter; a row's or column's sums belong to none.

    Args:
        state: arrays by name.
        shape: the parameter's.
        index: of the number.
    """
    own = {key: value[index] for key, value in state.items() if value.shape == shape}
    common = {key: value for key, value in state.items() if not value.ndim}
    return {key: float(value) for key, value in (common | own).items()}


def update_by_hand(
    optimizer: Optimizer, group: Mapping[str, Any], p: float, gradient: float, state: Mapping[str, float]
) -> list[ByHand]:
    """The coming step for one number of a parameter; empty for optimizers without an entry, as one whose rule asks for
    the other numbers, too (Adafactor, Muon).

    Args:
        group: the options its step is made with.
        p, gradient: the number and its gradient before the step.
        state: its numbers in the optimizer's state, by name.
    """
    for kind, work_out in RULES.items():
        if isinstance(optimizer, kind):
            lines = _Lines(p, gradient, state, group)
            work_out(lines)
            return lines.found
    return []
