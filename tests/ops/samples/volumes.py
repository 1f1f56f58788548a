"""Samples of convolutions and pools of volumes."""

import numpy as np

from tests.ops.sample import Sample, integers, normal
from tests.ops.samples.pool import distinct

name = "nn.functional."
ties = integers(0, 2, 2, 2, 4, 4, 4).astype(np.float32)
nothing = np.full((1, 1, 4, 4, 4), -np.inf, np.float32)
holes = normal(1, 2, 4, 5, 4)
holes[np.random.default_rng(0).random(holes.shape) < 0.3] = np.nan

SAMPLES = [
    Sample(name + "conv3d", (normal(2, 2, 3, 4, 4), normal(3, 2, 2, 3, 2), normal(3)), tolerance=1e-4),
    Sample(
        name + "conv3d", (normal(1, 4, 4, 3, 4), normal(4, 2, 2, 2, 2)),
        {"groups": 2, "stride": (2, 1, 1), "padding": (1, 0, 1), "dilation": (2, 1, 1)}, tolerance=1e-4,
    ),
    Sample(name + "conv3d", (normal(0, 2, 3, 3, 3), normal(3, 2, 2, 2, 2), normal(3))),
    Sample(name + "conv_transpose3d", (normal(2, 3, 2, 3, 2), normal(3, 2, 2, 2, 3), normal(2)), tolerance=1e-4),
    Sample(
        name + "conv_transpose3d", (normal(1, 4, 2, 2, 3), normal(4, 1, 3, 2, 1)),
        {"groups": 2, "stride": (3, 2, 1), "padding": (2, 0, 0), "output_padding": (1, 1, 0), "dilation": (2, 1, 1)},
        tolerance=1e-4,
    ),
    Sample(name + "max_pool3d", (distinct(2, 2, 4, 4, 5), 2), {"return_indices": True}),
    Sample(name + "max_pool3d", (distinct(2, 2, 4, 5, 4), (3, 2, 2), 2, 1, (1, 2, 1)), {"ceil_mode": True}),
    Sample(name + "max_pool3d", (ties, 2, 1), {"return_indices": True}, grad=False),
    Sample(name + "max_pool3d", (holes, (2, 2, 3), 1, 1), {"return_indices": True}, grad=False),
    Sample(name + "max_pool3d", (nothing, 3, 2, 1), {"return_indices": True}, grad=False),
    Sample(name + "max_pool3d", (normal(0, 2, 4, 4, 4), 2)),
    Sample(name + "adaptive_max_pool3d", (distinct(2, 2, 4, 5, 3), (3, 2, 2)), {"return_indices": True}),
    Sample(name + "adaptive_max_pool3d", (holes, (3, 2, 2)), {"return_indices": True}, grad=False),
    Sample(name + "adaptive_max_pool3d", (distinct(2, 4, 5, 3), 2)),
    Sample(name + "adaptive_avg_pool3d", (normal(2, 2, 4, 5, 3), (3, 2, None))),
    Sample(name + "adaptive_avg_pool3d", (normal(2, 4, 5, 3), 1)),
    Sample(name + "avg_pool3d", (normal(2, 2, 4, 5, 4), (2, 3, 2), None, 1), {"count_include_pad": False}),
    Sample(name + "avg_pool3d", (normal(2, 4, 5, 4), 2, 3), {"ceil_mode": True, "divisor_override": 5}),
    Sample(name + "lp_pool3d", (np.abs(normal(2, 2, 4, 5, 4)) + 0.1, 2, 2)),
    Sample(
        name + "max_unpool3d", (normal(1, 1, 2, 1, 2), np.array([[[[[0, 3]], [[9, 15]]]]]), 2),
        {"output_size": (4, 2, 4)},
    ),
    Sample(name + "interpolate", (normal(2, 2, 2, 3, 2),), {"size": (3, 4, 5), "mode": "trilinear"}),
    Sample(name + "interpolate", (normal(2, 2, 2, 3, 2),), {"scale_factor": 1.7, "mode": "nearest-exact"}),
    Sample(name + "interpolate", (normal(2, 2, 2, 3, 4),), {"size": (3, 2, 2), "mode": "area"}),
]  # fmt: skip
