"""Layers that take their input's size from their first input. In a config, every layer does that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from lenetcli.nn.batchnorm import BatchNorm1d, BatchNorm2d, BatchNorm3d
from lenetcli.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from lenetcli.nn.conv3d import Conv3d, ConvTranspose3d
from lenetcli.nn.instancenorm import InstanceNorm1d, InstanceNorm2d, InstanceNorm3d
from lenetcli.nn.linear import Linear
from lenetcli.nn.uninitialized import Lazy

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class LazyLinear(Lazy, Linear):
    """A `Linear` whose `in_features` is the last size of its first input.

    Source: torch.nn.LazyLinear.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.LazyLinear(30)
        >>> layer
        LazyLinear(in_features=0, out_features=30, bias=True)
        >>> y = layer(lenet.ones(2, 20))
        >>> layer
        Linear(in_features=20, out_features=30, bias=True)
    """

    cls_to_become = Linear

    def size_of(self, input: Tensor) -> int:
        return input.shape[-1]


class LazyConv(Lazy):
    """What the lazy convolutions share: `in_channels` is the number of channels of the first input."""

    dims: ClassVar[int]

    def size_of(self, input: Tensor) -> int:
        if input.ndim not in (self.dims + 1, self.dims + 2):
            raise RuntimeError(
                f"Expected {self.dims + 1}D (unbatched) or {self.dims + 2}D (batched) input to {type(self).__name__}, "
                f"but got input of size: {input.shape}"
            )
        return input.shape[-self.dims - 1]


class LazyNorm(Lazy):
    """What the lazy norms share: `num_features` is the number of channels of the first input."""

    _check_dims: Any

    def size_of(self, input: Tensor) -> int:
        self._check_dims(input)
        return input.shape[1]


class LazyInstanceNorm(LazyNorm):
    """What the lazy instance norms share; unless said otherwise they have weights and track statistics, as torch's."""

    dims: Any
    other_defaults: ClassVar[dict[str, Any]] = {"affine": True, "track_running_stats": True}

    def size_of(self, input: Tensor) -> int:
        self._check_dims(input)
        return input.shape[input.ndim - min(self.dims)]


class LazyConv1d(LazyConv, Conv1d):
    """A `Conv1d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConv1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConv1d(6, 3)(lenet.ones(1, 2, 8)).shape
        torch.Size([1, 6, 6])
    """

    cls_to_become = Conv1d


class LazyConv2d(LazyConv, Conv2d):
    """A `Conv2d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConv2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConv2d(6, 3)(lenet.ones(1, 2, 8, 8)).shape
        torch.Size([1, 6, 6, 6])
    """

    cls_to_become = Conv2d


class LazyConv3d(LazyConv, Conv3d):
    """A `Conv3d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConv3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConv3d(6, 3)(lenet.ones(1, 2, 8, 8, 8)).shape
        torch.Size([1, 6, 6, 6, 6])
    """

    cls_to_become = Conv3d


class LazyConvTranspose1d(LazyConv, ConvTranspose1d):
    """A `ConvTranspose1d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConvTranspose1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConvTranspose1d(6, 3)(lenet.ones(1, 2, 4)).shape
        torch.Size([1, 6, 6])
    """

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(LazyConv, ConvTranspose2d):
    """A `ConvTranspose2d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConvTranspose2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConvTranspose2d(6, 3)(lenet.ones(1, 2, 4, 4)).shape
        torch.Size([1, 6, 6, 6])
    """

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(LazyConv, ConvTranspose3d):
    """A `ConvTranspose3d` whose `in_channels` is the number of channels of its first input.

    Source: torch.nn.LazyConvTranspose3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyConvTranspose3d(6, 3)(lenet.ones(1, 2, 4, 4, 4)).shape
        torch.Size([1, 6, 6, 6, 6])
    """

    cls_to_become = ConvTranspose3d


class LazyBatchNorm1d(LazyNorm, BatchNorm1d):
    """A `BatchNorm1d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyBatchNorm1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyBatchNorm1d()(lenet.ones(2, 3, 4)).shape
        torch.Size([2, 3, 4])
    """

    cls_to_become = BatchNorm1d


class LazyBatchNorm2d(LazyNorm, BatchNorm2d):
    """A `BatchNorm2d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyBatchNorm2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyBatchNorm2d()(lenet.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    cls_to_become = BatchNorm2d


class LazyBatchNorm3d(LazyNorm, BatchNorm3d):
    """A `BatchNorm3d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyBatchNorm3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyBatchNorm3d()(lenet.ones(2, 3, 4, 4, 4)).shape
        torch.Size([2, 3, 4, 4, 4])
    """

    cls_to_become = BatchNorm3d


class LazyInstanceNorm1d(LazyInstanceNorm, InstanceNorm1d):
    """An `InstanceNorm1d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyInstanceNorm1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyInstanceNorm1d()(lenet.ones(2, 3, 4)).shape
        torch.Size([2, 3, 4])
    """

    cls_to_become = InstanceNorm1d


class LazyInstanceNorm2d(LazyInstanceNorm, InstanceNorm2d):
    """An `InstanceNorm2d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyInstanceNorm2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyInstanceNorm2d()(lenet.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3, 4, 4])
    """

    cls_to_become = InstanceNorm2d


class LazyInstanceNorm3d(LazyInstanceNorm, InstanceNorm3d):
    """An `InstanceNorm3d` whose `num_features` is the number of channels of its first input.

    Source: torch.nn.LazyInstanceNorm3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.LazyInstanceNorm3d()(lenet.ones(2, 3, 4, 4, 4)).shape
        torch.Size([2, 3, 4, 4, 4])
    """

    cls_to_become = InstanceNorm3d
