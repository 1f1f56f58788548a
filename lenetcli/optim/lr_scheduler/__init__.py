"""Learning-rate schedules (torch.optim.lr_scheduler). What stands in `__all__` is what a config may name."""

from lenetcli.optim.lr_scheduler.compose import ChainedScheduler, SequentialLR
from lenetcli.optim.lr_scheduler.cosine import CosineAnnealingLR, CosineAnnealingWarmRestarts
from lenetcli.optim.lr_scheduler.cyclic import CyclicLR, OneCycleLR
from lenetcli.optim.lr_scheduler.decay import (
    ConstantLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from lenetcli.optim.lr_scheduler.plateau import ReduceLROnPlateau
from lenetcli.optim.lr_scheduler.scheduler import LRScheduler

__all__ = [
    "LambdaLR",
    "MultiplicativeLR",
    "StepLR",
    "MultiStepLR",
    "ConstantLR",
    "LinearLR",
    "ExponentialLR",
    "PolynomialLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "OneCycleLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "ChainedScheduler",
    "LRScheduler",
]
