"""Which twin runs: the NumPy reference of each kernel."""

from lenetcli.kernels.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.memory import keep_freed_memory
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward
from lenetcli.kernels.step import (
    adadelta_step,
    adagrad_step,
    adam_step,
    adamax_step,
    nadam_step,
    radam_step,
    rmsprop_step,
    rprop_step,
    sgd_step,
)

__all__ = [
    "adadelta_step",
    "adagrad_step",
    "adam_step",
    "adamax_step",
    "conv2d",
    "conv2d_input_grad",
    "conv2d_weight_grad",
    "max_pool2d",
    "max_pool2d_backward",
    "nadam_step",
    "radam_step",
    "rmsprop_step",
    "rprop_step",
    "sgd_step",
]

keep_freed_memory()
