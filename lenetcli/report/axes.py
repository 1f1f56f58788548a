"""Numbers for the axes of a plot: round ones, few, and written short."""

from __future__ import annotations

import math

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two limits, evenly spaced: as many as there can be, at most `most`.

    Example:
        >>> ticks(0.03, 2.31, 6)
        [0.5, 1.0, 1.5, 2.0]
        >>> ticks(1, 30, 8)
        [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    """
    span = high - low
    if not (math.isfinite(span) and span / most > 0):
        return [low]
    scale = 10.0 ** math.floor(math.log10(span / most))
    for factor in (*ROUND, *(10 * r for r in ROUND[1:])):
        step = scale * factor
        if step == 0 or not math.isfinite(step):  # at the limits of what numbers can say
            break
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < most:
            return [round(i * step, 12 - math.floor(math.log10(step))) for i in range(first, last + 1)] or [low]
    return [low, high]


def short(value: float) -> str:
    """A number as an axis shows it.

    Example:
        >>> short(2.5), short(45000.0), short(1.2e6), short(1e-5), short(0.30000000000000004)
        ('2.5', '45,000', '1.2e6', '1e-5', '0.3')
    """
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e6:
        text = f"{value:,.6g}"
        return f"{value:,.0f}" if "e" in text else text
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else mantissa


def limits(values: list[tuple[float, float]], floor: float | None = None) -> tuple[float, float]:
    """Where an axis begins and ends, that all values (lowest, highest of each curve) have room; never the same place.

    Args:
        floor: a number near enough to the lowest value to begin there, such as 0.
    """
    low, high = min(v[0] for v in values), max(v[1] for v in values)
    if floor is not None and floor <= low <= floor + 0.35 * (high - floor):
        low = floor
    if high - low <= 1e-12 * max(abs(low), abs(high), 1e-280):
        margin = abs(low) * 0.1 or 1.0
        return (low - margin if floor is None or low <= floor else floor), high + margin
    return low, high
