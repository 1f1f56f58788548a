import warnings
from typing import Any

from tests.ops.sample import Sample, normal

CONV1D, CONV2D = "nn.functional.conv1d", "nn.functional.conv2d"
TRANSPOSED1D, TRANSPOSED2D = "nn.functional.conv_transpose1d", "nn.functional.conv_transpose2d"


def without_warning(*args: Any, **kwargs: Any) -> Any:
    """torch's convolution of images or sequences, without its warning about borders of odd width."""
    from torch.nn import functional as F

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return (F.conv2d if args[1].ndim == 4 else F.conv1d)(*args, **kwargs)


SAMPLES = [
    Sample(CONV2D, (normal(3, 2, 7, 5), normal(4, 2, 3, 3), normal(4)), tolerance=1e-4),
    Sample(CONV2D, (normal(1, 1, 5, 5), normal(2, 1, 3, 2)), {"stride": 2, "padding": (2, 1)}, tolerance=1e-4),
    Sample(
        CONV2D, (normal(2, 4, 7, 6), normal(6, 2, 2, 3), normal(6)), {"groups": 2, "dilation": (2, 1)}, tolerance=1e-4
    ),
    Sample(CONV2D, (normal(2, 3, 5, 5), normal(3, 1, 3, 3)), {"groups": 3, "padding": "same"}, tolerance=1e-4),
    Sample(
        CONV2D,
        (normal(2, 1, 4, 5), normal(2, 1, 2, 4)),
        {"padding": "same", "dilation": (3, 1)},
        twin=without_warning,
        tolerance=1e-4,
    ),
    Sample(CONV2D, (normal(2, 3, 4, 4), normal(5, 3, 1, 1), normal(5)), tolerance=1e-4),
    Sample(CONV2D, (normal(2, 5, 6), normal(3, 2, 3, 3), normal(3)), {"padding": "valid"}, tolerance=1e-4),
    Sample(CONV2D, (normal(0, 2, 5, 5), normal(3, 2, 3, 3), normal(3))),
    Sample(CONV1D, (normal(3, 2, 9), normal(4, 2, 3), normal(4)), {"stride": 2, "padding": 1}, tolerance=1e-4),
    Sample(CONV1D, (normal(2, 4, 8), normal(4, 2, 2)), {"groups": 2, "dilation": 3}, tolerance=1e-4),
    Sample(
        CONV1D, (normal(2, 8), normal(3, 2, 4), normal(3)), {"padding": "same"}, twin=without_warning, tolerance=1e-4
    ),
    Sample(TRANSPOSED2D, (normal(2, 3, 4, 5), normal(3, 2, 3, 3), normal(2)), tolerance=1e-4),
    Sample(
        TRANSPOSED2D,
        (normal(2, 4, 3, 4), normal(4, 2, 3, 2), normal(4)),
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "groups": 2},
        tolerance=1e-4,
    ),
    # more output padding than stride: the result has rows that the convolution back would not reach
    Sample(
        TRANSPOSED2D, (normal(1, 2, 3, 3), normal(2, 1, 2, 2)), {"dilation": 3, "output_padding": 2}, tolerance=1e-4
    ),
    Sample(TRANSPOSED2D, (normal(2, 3, 3), normal(2, 2, 2, 2)), {"padding": 1}, tolerance=1e-4),
    Sample(TRANSPOSED2D, (normal(0, 2, 3, 3), normal(2, 3, 2, 2), normal(3))),
    Sample(TRANSPOSED1D, (normal(2, 3, 5), normal(3, 2, 4), normal(2)), {"stride": 3, "padding": 1}, tolerance=1e-4),
    Sample(TRANSPOSED1D, (normal(4, 5), normal(4, 1, 2)), {"groups": 2, "dilation": 2}, tolerance=1e-4),
]
