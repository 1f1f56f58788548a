"""Pooling layers."""

import numpy as np

from tests.nn.sample import LayerSample

indices1d = np.array([[[0, 3, 5], [1, 2, 4]]])
indices2d = np.array([[[[0, 2], [9, 15]], [[1, 3], [8, 14]]]])

chances = np.random.default_rng(0).random((2, 3, 3)).astype(np.float32)

SAMPLES = [
    LayerSample("MaxPool1d", (2,), {}, [(2, 3, 9)]),
    LayerSample("MaxPool1d", (3, 2, 1, 2), {"ceil_mode": True, "return_indices": True}, [(2, 3, 9)]),
    LayerSample("MaxPool2d", (2,), {}, [(2, 3, 6, 7)]),
    LayerSample("MaxPool2d", ((3, 2), (2, 1), 1, (1, 2)), {"ceil_mode": True}, [(2, 3, 6, 7)]),
    LayerSample("MaxPool2d", (2,), {"return_indices": True}, [(3, 6, 7)]),
    LayerSample("AvgPool1d", (2,), {}, [(2, 3, 9)]),
    LayerSample("AvgPool1d", (3, 2, 1), {"ceil_mode": True, "count_include_pad": False}, [(2, 3, 8)]),
    LayerSample("AvgPool2d", (2,), {}, [(2, 3, 6, 7)]),
    LayerSample("AvgPool2d", ((3, 2), (2, 1), 1), {"ceil_mode": True, "count_include_pad": False}, [(2, 3, 6, 7)]),
    LayerSample("AvgPool2d", (2,), {"divisor_override": 3}, [(3, 6, 7)]),
    LayerSample("LPPool1d", (2, 3), {"stride": 2}, [(2, 3, 9)]),
    LayerSample("LPPool2d", (3, 2), {"ceil_mode": True}, [(2, 3, 7, 7)]),
    LayerSample("AdaptiveAvgPool1d", (4,), {}, [(2, 3, 9)]),
    LayerSample("AdaptiveAvgPool2d", ((3, None),), {}, [(2, 3, 7, 5)]),
    LayerSample("AdaptiveAvgPool2d", (1,), {}, [(2, 3, 7, 5)]),
    LayerSample("AdaptiveMaxPool1d", (4,), {}, [(2, 3, 9)]),
    LayerSample("AdaptiveMaxPool2d", ((3, 2),), {"return_indices": True}, [(2, 3, 7, 5)]),
    LayerSample("FractionalMaxPool2d", (2, 3), {"_random_samples": chances[..., :2]}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool2d", ((2, 3), None, (0.5, 0.6), True, chances[:1, :, :2]), {}, [(3, 7, 8)]),
    LayerSample("FractionalMaxPool3d", (2, (2, 3, 4)), {"_random_samples": chances}, [(2, 3, 6, 5, 7)]),
    LayerSample("FractionalMaxPool3d", (2, None, 0.5), {"_random_samples": chances}, [(2, 3, 6, 6, 7)]),
    LayerSample("MaxUnpool1d", (2,), {}, [(1, 2, 3), indices1d]),
    LayerSample("MaxUnpool2d", (2,), {}, [(1, 2, 2, 2), indices2d]),
]

REFUSED = [
    LayerSample("MaxPool2d", (2,), {"padding": 2}, [(2, 3, 6, 7)]),
    LayerSample("MaxPool2d", (9,), {}, [(2, 3, 6, 7)]),
    LayerSample("MaxPool2d", (2,), {}, [(6, 7)]),
    LayerSample("AvgPool2d", (9,), {}, [(2, 3, 6, 7)]),
    LayerSample("AvgPool2d", (2,), {"divisor_override": 0}, [(2, 3, 6, 7)]),
    LayerSample("AdaptiveAvgPool2d", ((3, 2, 1),), {}, [(2, 3, 7, 5)]),
    LayerSample("FractionalMaxPool2d", (2,), {}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool2d", (2, 3, 0.5), {}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool2d", (2,), {"output_ratio": 1.5}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool2d", (2, 7), {}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool2d", (2, 3), {"_random_samples": chances}, [(2, 3, 7, 8)]),
    LayerSample("FractionalMaxPool3d", (2, 3), {"_random_samples": chances[..., :2]}, [(2, 3, 7, 8, 7)]),
]
