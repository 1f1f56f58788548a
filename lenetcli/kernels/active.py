"""Which twin runs: the NumPy reference of each kernel."""

from lenetcli.kernels.conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from lenetcli.kernels.memory import keep_freed_memory
from lenetcli.kernels.pool import max_pool2d, max_pool2d_backward

__all__ = ["conv2d", "conv2d_input_grad", "conv2d_weight_grad", "max_pool2d", "max_pool2d_backward"]

keep_freed_memory()
