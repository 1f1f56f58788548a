"""Instance normalisation layers."""

from __future__ import annotations

import warnings
from typing import Any

from lenetcli.nn import functional as F
from lenetcli.nn.batchnorm import ChannelNorm
from lenetcli.tensors.tensor import Tensor


class InstanceNorm(ChannelNorm):
    """What the instance norm layers share.

    Args:
        num_features: channels C.
        eps: added to the variance.
        momentum: of the running statistics; None leaves them as they are.
        affine: learn weight (starts at 1) and bias (starts at 0).
        track_running_stats: track statistics in training and use them in evaluation.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of parameters and statistics.
        bias: False learns the weight only.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, local_metadata: dict[str, Any], *rest: Any
    ) -> None:
        if local_metadata.get("version") is None and not self.track_running_stats:
            old = [prefix + name for name in ("running_mean", "running_var") if prefix + name in state_dict]
            if old:
                names, kind = " and ".join(f'"{key}"' for key in old), type(self).__name__
                problems: list[str] = rest[-1]
                problems.append(
                    f"Unexpected running stats buffer(s) {names} for {kind} with track_running_stats=False. Remove "
                    f"these keys from the state_dict, or make the {kind} with track_running_stats=True."
                )
            for key in old:
                del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        without_batch = min(self.dims)
        channels = input.array.shape[input.ndim - without_batch]
        if channels != self.num_features:
            if self.affine:
                raise ValueError(
                    f"{type(self).__name__}: expected input's size at dim={input.ndim - without_batch} to match "
                    f"num_features ({self.num_features}), but got: {channels}."
                )
            warnings.warn(
                f"{type(self).__name__}: the input has {channels} channels and num_features is {self.num_features}, "
                "which affine=False does not use",
                stacklevel=2,
            )
        if input.ndim == without_batch:
            return self._normalised(input.unsqueeze(0)).squeeze(0)
        return self._normalised(input)

    def _normalised(self, input: Tensor) -> Tensor:
        return F.instance_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )


class InstanceNorm1d(InstanceNorm):
    """Brings each channel of each sequence to mean 0 and variance 1.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Shape:
        (N, C, L) or (C, L) -> the same

    Raises:
        ValueError: another number of dimensions, another number of channels (with `affine`), or L = 1.

    Source: torch.nn.InstanceNorm1d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.InstanceNorm1d(1)(lenet.tensor([[[1.0, 3.0]]]))
        tensor([[[-1.0000,  1.0000]]])
    """

    dims = (2, 3)


class InstanceNorm2d(InstanceNorm):
    """Brings each channel of each image to mean 0 and variance 1.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Shape:
        (N, C, H, W) or (C, H, W) -> the same

    Raises:
        ValueError: another number of dimensions, another number of channels (with `affine`), or one pixel.

    Source: Ulyanov, Vedaldi and Lempitsky, Instance normalization, 2016; torch.nn.InstanceNorm2d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.InstanceNorm2d(3)
        InstanceNorm2d(3, eps=1e-05, momentum=0.1, affine=False, bias=False, track_running_stats=False)
    """

    dims = (3, 4)


class InstanceNorm3d(InstanceNorm):
    """Brings each channel of each volume to mean 0 and variance 1; see InstanceNorm2d.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias

    Shape:
        (N, C, D, H, W) or (C, D, H, W) -> the same

    Raises:
        ValueError: another number of dimensions, or another number of channels.

    Source: torch.nn.InstanceNorm3d.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.InstanceNorm3d(3)(lenet.randn(2, 3, 2, 4, 4)).shape
        torch.Size([2, 3, 2, 4, 4])
    """

    dims = (4, 5)
