"""Losses of sequences, and pools whose windows lie at random. The gradient of ctc_loss is a log_softmax's in front."""

from typing import Any

import numpy as np

from tests.ops.sample import Sample, normal, uniform
from tests.ops.samples.pool import distinct

F = "nn.functional."


def logarithms(*shape: int) -> np.ndarray:
    x = normal(*shape)
    found: Any = x - np.log(np.exp(x).sum(-1, keepdims=True))
    return found.astype(np.float32)


repeats = np.array([[1, 1, 2], [2, 3, 3]])
joined = np.array([1, 2, 3, 3])
POOL = F + "fractional_max_pool"

SAMPLES = [
    Sample(F + "ctc_loss", (logarithms(6, 2, 4), repeats, (6, 5), (3, 3)), grad=False),
    Sample(F + "ctc_loss", (logarithms(6, 2, 4), joined, [5, 6], [1, 3]), {"reduction": "none"}, grad=False),
    Sample(
        F + "ctc_loss", (logarithms(6, 2, 4), joined % 3, (6, 6), (0, 4)), {"blank": 3, "reduction": "sum"}, grad=False
    ),
    Sample(F + "ctc_loss", (logarithms(5, 4), np.array([1, 2]), np.array(5), np.array(2)), grad=False),
    Sample(F + "ctc_loss", (logarithms(3, 2, 4), repeats, (3, 3), (3, 3)), {"reduction": "none"}, grad=False),
    Sample(F + "ctc_loss", (logarithms(3, 2, 4), repeats, (3, 3), (3, 2)), {"zero_infinity": True}, grad=False),
    Sample(F + "ctc_loss", (50 * logarithms(6, 2, 4), repeats, (6, 0), (3, 3)), {"reduction": "none"}, grad=False),
    Sample(POOL + "2d", (distinct(2, 3, 7, 8), 2, (3, 5)), {"_random_samples": uniform(0, 1, 2, 3, 2)}, grad=False),
    Sample(
        POOL + "2d",
        (distinct(3, 7, 8), (2, 3)),
        {"output_ratio": (0.5, 0.6), "_random_samples": uniform(0, 1, 1, 3, 2)},
        grad=False,
    ),
    Sample(POOL + "2d", (distinct(2, 1, 5, 5), 3, 1, None, True, uniform(0, 1, 2, 1, 2)), grad=False),
    Sample(
        POOL + "3d", (distinct(1, 2, 6, 5, 7), 2, (3, 2, 4)), {"_random_samples": uniform(0, 1, 1, 2, 3)}, grad=False
    ),
]
