import numpy as np

from tests.ops.sample import Sample, integers, normal

MAX1D, MAX2D = "nn.functional.max_pool1d", "nn.functional.max_pool2d"
AVG1D, AVG2D = "nn.functional.avg_pool1d", "nn.functional.avg_pool2d"
ADAPTIVE = "nn.functional.adaptive_"


def distinct(*shape: int) -> np.ndarray:
    """Values without ties, so that differences know a maximum."""
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape).astype(np.float32)


TIES = integers(0, 2, 2, 2, 6, 6).astype(np.float32)
NOTHING = np.full((1, 1, 5, 5), -np.inf, np.float32)
HOLES = normal(2, 2, 6, 6)
HOLES[np.random.default_rng(0).random(HOLES.shape) < 0.3] = np.nan

SAMPLES = [
    Sample(MAX2D, (distinct(3, 2, 6, 8), 2)),
    Sample(MAX2D, (distinct(2, 2, 7, 5), 3, 2, 1), {"return_indices": True}),
    Sample(MAX2D, (distinct(1, 2, 8, 9), (2, 3), (3, 2)), {"dilation": (2, 1), "ceil_mode": True}),
    Sample(MAX2D, (TIES, 3, 1), {"return_indices": True}, grad=False),
    Sample(MAX2D, (HOLES, (2, 3), 1), {"return_indices": True}, grad=False),
    Sample(MAX2D, (NOTHING, 3, 2, 1), {"return_indices": True}, grad=False),
    Sample(MAX2D, (distinct(2, 5, 5), 2), {"ceil_mode": True, "return_indices": True}),
    Sample(MAX2D, (integers(-9, 9, 2, 3, 4, 4), 2), {"padding": 1}, grad=False),
    Sample(MAX2D, (normal(0, 2, 4, 4), 2)),
    Sample(MAX1D, (distinct(2, 3, 9), 3, 2, 1), {"return_indices": True}),
    Sample(MAX1D, (distinct(2, 8), 2), {"dilation": 2, "ceil_mode": True}),
    Sample(
        "nn.functional.max_unpool2d", (normal(1, 2, 2, 2), np.array([[[[0, 3], [9, 15]]] * 2]).reshape(1, 2, 2, 2), 2)
    ),
    Sample("nn.functional.max_unpool2d", (normal(1, 2, 2), np.array([[[0, 3], [9, 20]]]), 2), {"output_size": (5, 5)}),
    Sample("nn.functional.max_unpool1d", (normal(2, 1, 3), np.array([[[1, 2, 5]], [[0, 3, 4]]]), 2)),
    Sample(AVG2D, (normal(3, 2, 6, 8), 2)),
    Sample(AVG2D, (normal(2, 2, 7, 6), (3, 2), 2, 1), {"ceil_mode": True}),
    Sample(AVG2D, (normal(2, 2, 7, 6), 3, 2, 1), {"ceil_mode": True, "count_include_pad": False}),
    Sample(AVG2D, (normal(2, 5, 5), 2, 1), {"divisor_override": 3}),
    Sample(AVG2D, (normal(0, 2, 4, 4), 2)),
    Sample(AVG1D, (normal(2, 3, 9), 4, 3, 2), {"ceil_mode": True}),
    Sample(AVG1D, (normal(3, 7), 2), {"count_include_pad": False, "padding": 1}),
    Sample("nn.functional.lp_pool2d", (np.abs(normal(2, 2, 5, 4)) + 0.1, 3, 2), {"ceil_mode": True}, tolerance=1e-4),
    Sample("nn.functional.lp_pool1d", (np.abs(normal(2, 2, 6)) + 0.1, 2, 3, 1), tolerance=1e-4),
    Sample(ADAPTIVE + "avg_pool2d", (normal(2, 3, 7, 5), (3, 2))),
    Sample(ADAPTIVE + "avg_pool2d", (normal(2, 4, 4), (None, 7))),
    Sample(ADAPTIVE + "avg_pool2d", (normal(2, 3, 4, 4), 1)),
    Sample(ADAPTIVE + "avg_pool2d", (normal(0, 3, 4, 4), 2)),
    Sample(ADAPTIVE + "avg_pool1d", (normal(2, 3, 8), 5)),
    Sample(ADAPTIVE + "avg_pool1d", (normal(3, 8), 1)),
    Sample(ADAPTIVE + "max_pool2d", (distinct(2, 3, 7, 5), (3, 2)), {"return_indices": True}),
    Sample(ADAPTIVE + "max_pool2d", (distinct(1, 1, 2, 3), (5, 4)), {"return_indices": True}),
    Sample(ADAPTIVE + "max_pool2d", (HOLES, (4, 1)), {"return_indices": True}, grad=False),
    Sample(ADAPTIVE + "max_pool2d", (distinct(2, 18, 18), 1)),
    Sample(ADAPTIVE + "max_pool1d", (distinct(2, 3, 8), 5), {"return_indices": True}),
    Sample(ADAPTIVE + "max_pool1d", (distinct(3, 8), 3)),
]
