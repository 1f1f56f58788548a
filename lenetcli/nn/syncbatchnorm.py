"""Batch norm over the parts of a batch that lie in several processes."""

from __future__ import annotations

from typing import Any

from lenetcli.nn.batchnorm import BatchNorm
from lenetcli.nn.module import Module
from lenetcli.ops.nn.sync_batch_norm import sync_batch_norm
from lenetcli.tensors.tensor import Tensor


class SyncBatchNorm(BatchNorm):
    """Batch norm whose statistics in training are those of the whole batch, of which each process holds a part.

    Without `process_group`, and in evaluation, it is BatchNorm1d or BatchNorm2d.

    Formula:
        y = (x - mean) / sqrt(var + eps) * weight + bias, mean and variance over the parts of all processes

    Args:
        process_group: adds up a float64 array over the processes; None where one process has the whole batch.

    Shape:
        (N, C, *) -> the same; N may be 0 in some of the processes

    Raises:
        ValueError: fewer than two dimensions, or one value per channel in all processes together.

    Source: torch.nn.SyncBatchNorm.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> net = nn.SyncBatchNorm.convert_sync_batchnorm(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
        >>> net[1]
        SyncBatchNorm(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)
        self.process_group = process_group

    def _check_dims(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")

    def forward(self, input: Tensor) -> Tensor:
        if self.process_group is None or not self.training:
            return super().forward(input)
        self._check_dims(input)
        running = (self.running_mean, self.running_var) if self.track_running_stats else (None, None)
        momentum = self._count_batch()
        return sync_batch_norm(input, *running, self.weight, self.bias, momentum, self.eps, self.process_group)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: Any = None) -> Module:
        """The module with a SyncBatchNorm, of the same parameters and buffers, in place of each batch norm in it."""
        made = module
        if isinstance(module, BatchNorm):
            made = cls(
                module.num_features, module.eps, module.momentum, module.affine, module.track_running_stats,
                process_group, bias=module.bias is not None,
            )  # fmt: skip
            made._parameters, made._buffers = module._parameters, module._buffers
            made.frozen = module.frozen
            made.train(module.training)
        for name, child in module.named_children():
            made.add_module(name, cls.convert_sync_batchnorm(child, process_group))
        return made
