"""Learning-rate schedules (torch.optim.lr_scheduler). What stands in `__all__` is what a config may name."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.optim.lr_scheduler.compose import *
    from lenetcli.optim.lr_scheduler.cosine import *
    from lenetcli.optim.lr_scheduler.cyclic import *
    from lenetcli.optim.lr_scheduler.decay import *
    from lenetcli.optim.lr_scheduler.plateau import *
    from lenetcli.optim.lr_scheduler.scheduler import *

_MODULES = {
    "lenetcli.optim.lr_scheduler.decay": """LambdaLR MultiplicativeLR StepLR MultiStepLR ConstantLR LinearLR
        ExponentialLR PolynomialLR""",
    "lenetcli.optim.lr_scheduler.cosine": "CosineAnnealingLR CosineAnnealingWarmRestarts",
    "lenetcli.optim.lr_scheduler.cyclic": "CyclicLR OneCycleLR",
    "lenetcli.optim.lr_scheduler.plateau": "ReduceLROnPlateau",
    "lenetcli.optim.lr_scheduler.compose": "SequentialLR ChainedScheduler",
    "lenetcli.optim.lr_scheduler.scheduler": "LRScheduler",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES)
