"""Storey 3: modules and layers (torch.nn). What stands in `__all__` is what a config may name."""

from lenetcli.nn import functional, init
from lenetcli.nn.activation import ReLU
from lenetcli.nn.container import ModuleDict, ModuleList, ParameterList, Residual, Sequential
from lenetcli.nn.conv import Conv2d
from lenetcli.nn.flatten import Flatten
from lenetcli.nn.linear import Linear
from lenetcli.nn.loss import CrossEntropyLoss, MSELoss
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.pooling import MaxPool2d

__all__ = [
    "Conv2d",
    "CrossEntropyLoss",
    "Flatten",
    "Linear",
    "MSELoss",
    "MaxPool2d",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ParameterList",
    "ReLU",
    "Residual",
    "Sequential",
    "functional",
    "init",
]
