"""Normal numbers between two bounds: drawn again, or uniform ones thinned out, until all lie there."""

from __future__ import annotations

import math

import numpy as np

from lenetcli.autograd.random import Generator, numpy_generator
from lenetcli.autograd.torch_random import torch_numbers
from lenetcli.kernels.layout import Array


def normal(count: int, mean: float, std: float, a: float, b: float, generator: Generator | None = None) -> Array:
    """So many numbers of the normal distribution cut at a and b."""
    random = numpy_generator(generator)
    share = (math.erf((b - mean) / std / math.sqrt(2)) - math.erf((a - mean) / std / math.sqrt(2))) / 2
    draw = _normal_inside if share > 0.3 else _uniform_thinned  # whichever seldom draws in vain
    values = np.empty(count)
    missing = np.arange(count)
    while missing.size:
        if torch_numbers(generator) is None:
            values[missing], accepted = draw(random, missing.size, mean, std, a, b)
        else:  # which draws for all, each time
            drawn, inside = draw(random, values.size, mean, std, a, b)
            values[missing], accepted = drawn[missing], inside[missing]
        missing = missing[~accepted]
    return values


def _normal_inside(
    random: np.random.Generator, count: int, mean: float, std: float, a: float, b: float
) -> tuple[Array, Array]:
    values = random.normal(mean, std, count)
    return values, (values >= a) & (values <= b)


def _uniform_thinned(
    random: np.random.Generator, count: int, mean: float, std: float, a: float, b: float
) -> tuple[Array, Array]:
    """Uniform numbers, each kept as often as the density there compares with the greatest in [a, b]."""
    values = random.uniform(a, b, count)
    peak = ((min(max(mean, a), b) - mean) / std) ** 2
    return values, random.random(count) < np.exp((peak - ((values - mean) / std) ** 2) / 2)
