"""Batch normalisation layers."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor, of_array

Norm = TypeVar("Norm", bound="ChannelNorm")


class ChannelNorm(Module):
    """Parameters and running statistics of batch norm and instance norm: one number per channel each."""

    from_input: ClassVar[dict[str, int | slice]] = {"num_features": 0}

    _version: ClassVar[int] = 2

    dims: ClassVar[tuple[int, ...]]  # how many dimensions an input may have
    frozen: bool = False  # it stays in evaluation mode, also where the modules around it train

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        for name, wanted in (("weight", affine), ("bias", affine and bias)):
            room = creation.empty(num_features, device=device, dtype=dtype) if wanted else None
            self.register_parameter(name, None if room is None else Parameter(room))
        for name in ("running_mean", "running_var"):
            room = creation.empty(num_features, device=device, dtype=dtype) if track_running_stats else None
            self.register_buffer(name, room)
        self.register_buffer("num_batches_tracked", of_array(np.array(0, np.int64)) if track_running_stats else None)
        self.reset_parameters()

    def train(self: Norm, mode: bool = True) -> Norm:
        """Switches to training mode, unless it is frozen."""
        return super().train(False if self.frozen else mode)

    def reset_running_stats(self) -> None:
        """Forgets the batches seen: mean 0, variance 1."""
        for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
            if buffer is not None:
                with no_grad():
                    buffer.fill_(value)

    def reset_parameters(self) -> None:
        """Starts again: weight 1, bias 0, no batches seen."""
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        # files from before version 2 have no count of batches
        if (local_metadata.get("version") or 0) < 2 and self.num_batches_tracked is not None:
            state_dict.setdefault(prefix + "num_batches_tracked", self.num_batches_tracked)
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def _check_dims(self, input: Tensor) -> None:
        if input.ndim not in self.dims:
            wanted = " or ".join(f"{d}D" for d in self.dims)
            raise ValueError(f"{type(self).__name__}: expected {wanted} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm(ChannelNorm):
    """What the batch norm layers share.

    Args:
        num_features: features or channels C.
        eps: added to the variance.
        momentum: of the running statistics; None means the mean of all batches.
        affine: learn weight (starts at 1) and bias (starts at 0).
        track_running_stats: False uses the batch's statistics in evaluation, too.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of parameters and statistics.
        bias: False learns the weight only.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        momentum = self._count_batch()
        use_batch = self.training or (self.running_mean is None and self.running_var is None)
        tracked = not self.training or self.track_running_stats
        return F.batch_norm(
            input,
            self.running_mean if tracked else None,
            self.running_var if tracked else None,
            self.weight,
            self.bias,
            use_batch,
            momentum,
            self.eps,
        )

    def _count_batch(self) -> float:
        """Counts a batch of training; gives how far the running statistics move."""
        seen = self.num_batches_tracked
        if self.training and self.track_running_stats and seen is not None:
            seen.array[...] += 1
            seen.counter[0] += 1
            if self.momentum is None:  # the mean of all batches
                return 1.0 / int(seen.array)
        return 0.0 if self.momentum is None else self.momentum


class BatchNorm1d(BatchNorm):
    """Brings each feature to mean 0 and variance 1 over the batch, then scales and shifts it.

    In training it uses the batch's statistics and tracks them; in evaluation it uses what it has tracked.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias
        running <- (1 - momentum) running + momentum batch

    Shape:
        (N, C) or (N, C, L) -> the same

    Raises:
        ValueError: another number of dimensions, or one value per channel in training.
        ShapeError: another number of channels.

    Source: torch.nn.BatchNorm1d.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.BatchNorm1d(2)
        >>> layer(lenet.tensor([[1.0, 5.0], [3.0, 5.0]])).tolist()[1][1], layer.num_batches_tracked
        (0.0, tensor(1))
    """

    native_calls: ClassVar[bool] = True

    dims = (2, 3)


class BatchNorm2d(BatchNorm):
    """Brings each channel of images to mean 0 and variance 1 over the batch, then scales and shifts it.

    Shape:
        (N, C, H, W) -> the same

    Raises:
        ValueError: another number of dimensions, or one value per channel in training.
        ShapeError: another number of channels.

    Source: torch.nn.BatchNorm2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.BatchNorm2d(3)
        BatchNorm2d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    native_calls: ClassVar[bool] = True

    dims = (4,)


class BatchNorm3d(BatchNorm):
    """Brings each channel of volumes to mean 0 and variance 1 over a batch; see BatchNorm2d.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Shape:
        (N, C, D, H, W) -> the same

    Raises:
        ValueError: another number of dimensions, or another number of channels.

    Source: torch.nn.BatchNorm3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.BatchNorm3d(3)(lenet.randn(2, 3, 2, 4, 4)).shape
        torch.Size([2, 3, 2, 4, 4])
    """

    dims = (5,)
