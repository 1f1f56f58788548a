"""Optimizers and learning-rate schedules (torch.optim). The optimizers in `__all__` are what a config may name."""

from lenetcli.optim import lr_scheduler, swa_utils
from lenetcli.optim.adadelta import Adadelta
from lenetcli.optim.adagrad import Adagrad
from lenetcli.optim.adam import Adam
from lenetcli.optim.adamax import Adamax
from lenetcli.optim.adamw import AdamW
from lenetcli.optim.nadam import NAdam
from lenetcli.optim.optimizer import Optimizer
from lenetcli.optim.radam import RAdam
from lenetcli.optim.rmsprop import RMSprop
from lenetcli.optim.rprop import Rprop
from lenetcli.optim.sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "NAdam",
    "RAdam",
    "RMSprop",
    "Adagrad",
    "Adadelta",
    "Rprop",
    "Optimizer",
    "lr_scheduler",
    "swa_utils",
]
