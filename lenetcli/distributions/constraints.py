"""What parameters and values of distributions have to satisfy (torch.distributions.constraints)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Constraint:
    """A condition with its text.

    Args:
        text: how it prints.
        check: gives where values satisfy it, without the dimensions of an event.
        is_discrete: its values are countable.
        event_dim: dimensions of an event.
    """

    text: str
    check: Callable[[Any], Any]
    is_discrete: bool = False
    event_dim: int = 0

    def __repr__(self) -> str:
        return self.text


real = Constraint("Real()", lambda x: x == x)  # NaN alone does not equal itself
boolean = Constraint("Boolean()", lambda x: (x == 0) | (x == 1), is_discrete=True)
positive = Constraint("GreaterThan(lower_bound=0.0)", lambda x: x > 0)
nonnegative = Constraint("GreaterThanEq(lower_bound=0.0)", lambda x: x >= 0)
unit_interval = Constraint("Interval(lower_bound=0.0, upper_bound=1.0)", lambda x: (x >= 0) & (x <= 1))
real_vector = Constraint("IndependentConstraint(Real(), 1)", lambda x: (x == x).all(-1), event_dim=1)
simplex = Constraint("Simplex()", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), event_dim=1)
one_hot = Constraint(
    "OneHot()", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), is_discrete=True, event_dim=1
)


def interval(low: Any, high: Any) -> Constraint:
    """From low to high, both included."""
    return Constraint(f"Interval(lower_bound={low}, upper_bound={high})", lambda x: (low <= x) & (x <= high))


def integer_interval(low: int, high: int) -> Constraint:
    """Whole numbers from low to high, both included."""
    return Constraint(
        f"IntegerInterval(lower_bound={low}, upper_bound={high})",
        lambda x: (x % 1 == 0) & (low <= x) & (x <= high),
        is_discrete=True,
    )


def greater_than(low: Any) -> Constraint:
    """Above low."""
    return Constraint(f"GreaterThan(lower_bound={low})", lambda x: x > low)


def less_than(high: Any) -> Constraint:
    """Below high."""
    return Constraint(f"LessThan(upper_bound={high})", lambda x: x < high)


def independent(base: Constraint, dims: int) -> Constraint:
    """A condition that all of an event's elements satisfy."""

    def check(x: Any) -> Any:
        held = base.check(x)
        for _ in range(dims):
            held = held.all(-1)
        return held

    return Constraint(f"IndependentConstraint({base!r}, {dims})", check, base.is_discrete, base.event_dim + dims)
