"""Samples of grids and of reading at their places: inside, outside and far outside, never on a kink."""

import numpy as np

from tests.ops.sample import Sample, normal, uniform

F = "nn.functional."

SAMPLES = [
    *[
        Sample(
            F + "grid_sample",
            (normal(2, 3, 4, 5), uniform(-reach, reach, 2, 3, 2, 2), mode, padding),
            {"align_corners": aligned},
        )
        for mode in ("bilinear", "nearest")
        for padding in ("zeros", "border", "reflection")
        for aligned, reach in ((True, 1.3), (False, 4.0))
    ],
    Sample(F + "grid_sample", (normal(1, 1, 1, 1), uniform(-2, 2, 1, 4, 1, 2)), {"align_corners": False}),
    Sample(F + "grid_sample", (normal(1, 2, 3, 3), np.zeros((1, 0, 2, 2), np.float32)), {"align_corners": True}),
    *[
        Sample(F + "affine_grid", (normal(2, dims, dims + 1), (2, 3, *sizes)), {"align_corners": aligned})
        for dims, sizes, aligned in (
            (2, (4, 3), True),
            (2, (4, 3), False),
            (2, (1, 2), False),  # of one pixel, with corners aligned, torch warns
            (3, (2, 3, 4), True),
            (3, (2, 3, 4), False),
        )
    ],
]
