"""Functions of two numbers beside the arithmetic ones, and of one that statistics need."""

import numpy as np

from tests.ops.sample import Sample, integers, normal, uniform

nan = np.float32([1.0, np.nan, -2.0, np.nan])
ends = np.float32([np.inf, -np.inf, -0.0, np.nan, 1.0])

SAMPLES = [
    *(Sample(name, (normal(2, 3), normal(3))) for name in ("fmax", "fmin", "logaddexp", "logaddexp2")),
    *(Sample(name, (nan, nan[::-1].copy()), grad=False) for name in ("fmax", "fmin")),
    *(Sample(name, (integers(-5, 5, 4), integers(-5, 5, 4)), grad=False) for name in ("fmax", "fmin", "copysign")),
    Sample("copysign", (uniform(0.2, 2, 2, 3), normal(3))),
    Sample("copysign", (uniform(-2, -0.2, 3), -1.5)),
    Sample("copysign", (ends, ends[::-1].copy()), grad=False),
    Sample("logaddexp", (np.float32([1e3, -1e3, np.inf]), np.float32([1e3, 0, 1])), grad=False),
    Sample("ldexp", (normal(2, 3), normal(3))),
    Sample("ldexp", (normal(3), integers(-3, 3, 3)), grad=False),
    Sample("heaviside", (ends, np.full((), 0.5, np.float32)), grad=False),
    Sample("heaviside", (integers(-1, 2, 5), integers(7, 9, 5)), grad=False),
    Sample("nextafter", (normal(2, 3), normal(3)), grad=False),
    Sample("gcd", (integers(-20, 20, 8), integers(-20, 20, 8)), grad=False),
    Sample("lcm", (integers(-20, 20, 8), integers(-20, 20, 8)), grad=False),
    *(Sample(name, (ends,), grad=False) for name in ("signbit", "isposinf", "isneginf")),
    *(Sample(name, (integers(-2, 2, 4),), grad=False) for name in ("signbit", "isposinf", "isneginf", "sinc")),
    Sample("sinc", (uniform(0.2, 2.5, 2, 3),)),
    Sample("erfinv", (uniform(-0.95, 0.95, 2, 3),)),
    Sample("erfinv", (np.float32([-1, 1, 1.5, 0, 1e-20, np.nan, 0.99999]),), grad=False),
    *(Sample(name, (normal(2, 3),)) for name in ("deg2rad", "rad2deg")),
    *(Sample(name, (integers(-9, 9, 3),), grad=False) for name in ("deg2rad", "rad2deg")),
]
