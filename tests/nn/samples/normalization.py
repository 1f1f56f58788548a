"""Normalization layers: every option, with and without a batch, as images and as sequences."""

from typing import Any

from tests.nn.sample import LayerSample

BATCH: list[dict[str, Any]] = [
    {}, {"eps": 1e-3, "momentum": 0.3}, {"momentum": None}, {"affine": False}, {"bias": False},
    {"track_running_stats": False}, {"affine": False, "track_running_stats": False},
]  # fmt: skip
INSTANCE: list[dict[str, Any]] = [
    {}, {"affine": True, "eps": 1e-3}, {"affine": True, "bias": False}, {"track_running_stats": True, "momentum": 0.3},
    {"affine": True, "track_running_stats": True}, {"track_running_stats": True, "momentum": None},
]  # fmt: skip

SAMPLES = [
    *[LayerSample("BatchNorm1d", (3,), options, [(6, 3)], tolerance=2e-5) for options in BATCH],
    *[LayerSample("BatchNorm1d", (3,), options, [(4, 3, 5)], tolerance=2e-5) for options in BATCH[:2]],
    *[LayerSample("BatchNorm2d", (3,), options, [(4, 3, 5, 2)], tolerance=2e-5) for options in BATCH],
    *[LayerSample("SyncBatchNorm", (3,), options, [(4, 3, 5, 2)], tolerance=2e-5) for options in BATCH],
    LayerSample("SyncBatchNorm", (3,), {}, [(6, 3)], tolerance=2e-5),
    *[LayerSample("InstanceNorm1d", (3,), options, [(4, 3, 5)], tolerance=2e-5) for options in INSTANCE],
    *[LayerSample("InstanceNorm1d", (3,), options, [(3, 5)], tolerance=2e-5) for options in INSTANCE[:2]],
    *[LayerSample("InstanceNorm2d", (3,), options, [(4, 3, 5, 2)], tolerance=2e-5) for options in INSTANCE],
    *[LayerSample("InstanceNorm2d", (3,), options, [(3, 5, 2)], tolerance=2e-5) for options in INSTANCE[:2]],
    LayerSample("LayerNorm", (5,), {}, [(4, 5)], tolerance=2e-5),
    LayerSample("LayerNorm", ((3, 5),), {"eps": 1e-3}, [(2, 3, 5)], tolerance=2e-5),
    LayerSample("LayerNorm", ([3, 4, 2],), {"bias": False}, [(6, 3, 4, 2)], tolerance=2e-5),
    LayerSample("LayerNorm", (5,), {"elementwise_affine": False}, [(4, 5)], tolerance=2e-5),
    LayerSample("RMSNorm", (5,), {}, [(4, 5)], tolerance=2e-5),
    LayerSample("RMSNorm", ((3, 5),), {"eps": 1e-3}, [(2, 3, 5)], tolerance=2e-5),
    LayerSample("RMSNorm", (5,), {"elementwise_affine": False}, [(4, 5)], tolerance=2e-5),
    LayerSample("GroupNorm", (2, 4), {}, [(3, 4, 5, 2)], tolerance=2e-5),
    LayerSample("GroupNorm", (4, 4), {"eps": 1e-3, "bias": False}, [(3, 4, 5)], tolerance=2e-5),
    LayerSample("GroupNorm", (1, 4), {"affine": False}, [(3, 4)], tolerance=2e-5),
    LayerSample("LocalResponseNorm", (3,), {}, [(2, 5, 3, 3)]),
    LayerSample("LocalResponseNorm", (2,), {"alpha": 0.5, "beta": 0.6, "k": 2.0}, [(2, 5, 3)]),
]

REFUSED = [
    LayerSample("BatchNorm1d", (4,), {}, [(5, 3)]),
    LayerSample("BatchNorm1d", (4,), {}, [(5, 4, 3, 2)]),
    LayerSample("BatchNorm1d", (4,), {}, [(1, 4)]),
    LayerSample("BatchNorm2d", (3,), {}, [(4, 3, 5)]),
    LayerSample("SyncBatchNorm", (3,), {}, [(3,)]),
    LayerSample("SyncBatchNorm", (3,), {}, [(1, 3)]),
    LayerSample("InstanceNorm2d", (3,), {}, [(2, 3)]),
    LayerSample("InstanceNorm1d", (3,), {}, [(3,)]),
    LayerSample("InstanceNorm1d", (3,), {"affine": True}, [(2, 4, 5)]),
    LayerSample("InstanceNorm1d", (3,), {}, [(2, 3, 1)]),
    LayerSample("LayerNorm", (4,), {}, [(2, 3)]),
    LayerSample("LayerNorm", ((2, 4),), {}, [(4,)]),
    LayerSample("RMSNorm", (4,), {}, [(2, 3)]),
    LayerSample("GroupNorm", (3, 4), {}, [(2, 4)]),
    LayerSample("GroupNorm", (2, 4), {}, [(2, 6)]),
    LayerSample("GroupNorm", (2, 4), {}, [(2, 3)]),
    LayerSample("GroupNorm", (1, 1), {}, [(1, 1)]),
    LayerSample("LocalResponseNorm", (2,), {}, [(2, 3)]),
]
