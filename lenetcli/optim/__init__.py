"""Optimizers and learning-rate schedules (torch.optim). The optimizers in `__all__` are what a config may name."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.optim.adadelta import *
    from lenetcli.optim.adafactor import *
    from lenetcli.optim.adagrad import *
    from lenetcli.optim.adam import *
    from lenetcli.optim.adamax import *
    from lenetcli.optim.adamw import *
    from lenetcli.optim.asgd import *
    from lenetcli.optim.lbfgs import *
    from lenetcli.optim.muon import *
    from lenetcli.optim.nadam import *
    from lenetcli.optim.optimizer import *
    from lenetcli.optim.radam import *
    from lenetcli.optim.rmsprop import *
    from lenetcli.optim.rprop import *
    from lenetcli.optim.sgd import *
    from lenetcli.optim.swapping import *

_MODULES = {
    "lenetcli.optim.sgd": "SGD",
    "lenetcli.optim.adam": "Adam",
    "lenetcli.optim.adamw": "AdamW",
    "lenetcli.optim.adamax": "Adamax",
    "lenetcli.optim.nadam": "NAdam",
    "lenetcli.optim.radam": "RAdam",
    "lenetcli.optim.rmsprop": "RMSprop",
    "lenetcli.optim.adagrad": "Adagrad",
    "lenetcli.optim.adadelta": "Adadelta",
    "lenetcli.optim.rprop": "Rprop",
    "lenetcli.optim.asgd": "ASGD",
    "lenetcli.optim.adafactor": "Adafactor",
    "lenetcli.optim.lbfgs": "LBFGS",
    "lenetcli.optim.muon": "Muon",
    "lenetcli.optim.optimizer": "Optimizer",
    "lenetcli.optim.swapping": "swap_in_optimizer_params_and_state",
}
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES, "lr_scheduler swa_utils")
