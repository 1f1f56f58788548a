"""Max pools whose windows lie at random, as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.ops.nn.geometry import per_dimension
from lenetcli.tensors.tensor import Tensor


class _FractionalMaxPool(Module):
    dims: int
    _random_samples: Tensor | None

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        if (output_size is None) == (output_ratio is None):
            if output_size is None:
                raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
            raise ValueError("only one of output_size and output_ratio may be specified")
        self.kernel_size = per_dimension("kernel_size", kernel_size, self.dims, 1)
        self.return_indices, self.output_size, self.output_ratio = return_indices, None, None
        self.register_buffer("_random_samples", _random_samples)
        if output_size is not None:
            self.output_size = per_dimension("output_size", output_size, self.dims, 1)
            return
        ratios = tuple(output_ratio) if isinstance(output_ratio, Sequence) else (output_ratio,) * self.dims
        if len(ratios) != self.dims or not all(0 < float(r) < 1 for r in ratios):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")
        self.output_ratio = ratios


class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest value in each of windows that lie at random; see `lenetcli.nn.functional.fractional_max_pool2d`.

    Args:
        kernel_size: of the windows.
        output_size: rows and columns of the result, or one number for both.
        output_ratio: of result and image, between 0 and 1; one of the two is wanted.
        return_indices: also return where each maximum lies in its flattened image.

    Shape:
        (N, C, H, W) or (C, H, W) -> (N, C, *output_size)

    Raises:
        ValueError: neither or both of size and ratio, or a ratio out of its range.
        ShapeError: the windows do not fit.

    Source: torch.nn.FractionalMaxPool2d; Graham 2014.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.FractionalMaxPool2d(2, output_ratio=0.5)(lenet.zeros(1, 6, 9, 9)).shape
        torch.Size([1, 6, 4, 4])
    """

    dims = 2

    def __init__(
        self,
        kernel_size: int | tuple[int, int],
        output_size: int | tuple[int, int] | None = None,
        output_ratio: float | tuple[float, float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool2d(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest value in each of windows that lie at random in a volume; see FractionalMaxPool2d.

    Args:
        kernel_size: of the windows.
        output_size: depths, rows and columns of the result, or one number for all.
        output_ratio: of result and volume, between 0 and 1; one of the two is wanted.
        return_indices: also return where each maximum lies in its flattened volume.

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> (N, C, *output_size)

    Raises:
        ValueError: neither or both of size and ratio, or a ratio out of its range.

    Source: torch.nn.FractionalMaxPool3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.FractionalMaxPool3d(2, output_size=3)(lenet.zeros(1, 6, 9, 9, 9)).shape
        torch.Size([1, 6, 3, 3, 3])
    """

    dims = 3

    def __init__(
        self,
        kernel_size: int | tuple[int, int, int],
        output_size: int | tuple[int, int, int] | None = None,
        output_ratio: float | tuple[float, float, float] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__(kernel_size, output_size, output_ratio, return_indices, _random_samples)

    def forward(self, input: Tensor) -> Any:
        return F.fractional_max_pool3d(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )
