"""Layers of volumes (N, C, D, H, W)."""

import numpy as np

from tests.nn.sample import LayerSample

volume = (2, 3, 4, 5, 6)
indices = np.array([[[[[0, 2], [9, 15]], [[17, 31], [22, 30]]]]])
sides = (1, 2, 2, 0, 1, 0)

SAMPLES = [
    LayerSample("Conv3d", (3, 4, 3), {}, [volume], tolerance=3e-5),
    LayerSample("Conv3d", (4, 6, (3, 2, 1), (2, 1, 1), (1, 2, 0), (1, 2, 1), 2), {"bias": False}, [(2, 4, 5, 5, 4)]),
    LayerSample("Conv3d", (3, 4, (2, 3, 2)), {"padding": "same", "padding_mode": "circular"}, [volume], tolerance=3e-5),
    LayerSample("Conv3d", (3, 4, 2), {"dilation": 2}, [(3, 4, 5, 6)]),
    LayerSample("ConvTranspose3d", (3, 4, 3), {}, [(2, 3, 3, 4, 2)], tolerance=3e-5),
    LayerSample("ConvTranspose3d", (4, 6, (3, 2, 2), (2, 3, 1), 1, (1, 2, 0), 2), {"bias": False}, [(2, 4, 3, 4, 3)]),
    LayerSample("ConvTranspose3d", (3, 4, 2), {"dilation": 2, "padding": 2}, [(3, 4, 3, 3)]),
    LayerSample("MaxPool3d", (2,), {}, [volume]),
    LayerSample("MaxPool3d", ((3, 2, 2), (2, 1, 2), 1, (1, 2, 1)), {"ceil_mode": True}, [volume]),
    LayerSample("MaxPool3d", (2,), {"return_indices": True}, [(3, 4, 5, 6)]),
    LayerSample("MaxUnpool3d", (2,), {}, [(1, 1, 2, 2, 2), indices]),
    LayerSample("AvgPool3d", (2,), {}, [volume]),
    LayerSample("AvgPool3d", ((3, 2, 2), (2, 1, 2), 1), {"ceil_mode": True, "count_include_pad": False}, [volume]),
    LayerSample("AvgPool3d", ((2, 2, 3), 2, (1, 0, 1)), {"ceil_mode": True}, [volume]),
    LayerSample("AvgPool3d", (2,), {"divisor_override": 3}, [(3, 4, 5, 6)]),
    LayerSample("LPPool3d", (2, 2), {"ceil_mode": True}, [volume]),
    LayerSample("AdaptiveAvgPool3d", ((3, None, 2),), {}, [volume]),
    LayerSample("AdaptiveAvgPool3d", (1,), {}, [volume]),
    LayerSample("AdaptiveMaxPool3d", ((3, 2, None),), {}, [volume]),
    LayerSample("AdaptiveMaxPool3d", (2,), {"return_indices": True}, [(3, 4, 5, 6)]),
    LayerSample("BatchNorm3d", (3,), {}, [volume], tolerance=2e-5),
    LayerSample("BatchNorm3d", (3,), {"affine": False, "momentum": None}, [volume], tolerance=2e-5),
    LayerSample("InstanceNorm3d", (3,), {"affine": True}, [volume], tolerance=2e-5),
    LayerSample("InstanceNorm3d", (3,), {"track_running_stats": True}, [(3, 4, 5, 6)], tolerance=2e-5),
    LayerSample("Dropout3d", (), {}, [volume], random=True),
    LayerSample("Dropout3d", (1.0,), {"inplace": True}, [(3, 4, 5, 6)]),
    LayerSample("ZeroPad3d", (1,), {}, [volume]),
    LayerSample("ConstantPad3d", ((1, -1, 0, 2, 1, 1), 3.5), {}, [volume]),
    LayerSample("ReflectionPad3d", (sides,), {}, [volume]),
    LayerSample("ReplicationPad3d", (sides,), {}, [volume]),
    LayerSample("CircularPad3d", (sides,), {}, [volume]),
    LayerSample("Upsample", (), {"scale_factor": 2}, [volume]),
    LayerSample("Upsample", ((5, 3, 9),), {"mode": "trilinear"}, [volume]),
    LayerSample("Upsample", (), {"scale_factor": 1.5, "mode": "trilinear", "align_corners": True}, [volume]),
]

REFUSED = [
    LayerSample("Conv3d", (3, 4, 3), {}, [(2, 4, 4, 5, 6)]),
    LayerSample("Conv3d", (3, 4, 5), {}, [volume]),
    LayerSample("Conv3d", (3, 4, 3), {}, [(4, 5, 6)]),
    LayerSample("ConvTranspose3d", (3, 4, 3), {"output_padding": 1}, [volume]),
    LayerSample("MaxPool3d", (2,), {"padding": 2}, [volume]),
    LayerSample("MaxPool3d", (5,), {}, [volume]),
    LayerSample("AvgPool3d", (2,), {"divisor_override": 0}, [volume]),
    LayerSample("AdaptiveAvgPool3d", ((3, 2),), {}, [volume]),
    LayerSample("BatchNorm3d", (3,), {}, [(2, 3, 4, 5)]),
    LayerSample("InstanceNorm3d", (3,), {}, [(3, 4, 5)]),
    LayerSample("ReflectionPad3d", (4,), {}, [volume]),
    LayerSample("Upsample", (), {"scale_factor": 2, "mode": "bilinear"}, [volume]),
]
