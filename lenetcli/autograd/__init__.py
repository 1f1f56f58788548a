"""The tape: variables, operations, the graph and its backward pass (torch.autograd)."""

from lenetcli.autograd.differentiate import backward, grad
from lenetcli.autograd.function import Function
from lenetcli.autograd.gradcheck import gradcheck, gradgradcheck
from lenetcli.autograd.modes import (
    detect_anomaly,
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_detect_anomaly,
    set_grad_enabled,
    watch,
)
from lenetcli.autograd.tape import Variable
from lenetcli.lazy import offered

__all__ = [
    "Function",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "is_grad_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
    "watch",
]

__getattr__ = offered(__name__, {}, "functional")[0]
