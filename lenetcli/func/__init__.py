"""Functions of functions: their gradients, Jacobians and Hessians, and one sample's function for many (torch.func)."""

from lenetcli.func.gradients import grad, grad_and_value, hessian, jacfwd, jacrev, jvp, vjp
from lenetcli.func.modules import functional_call
from lenetcli.func.samples import vmap

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp", "vjp", "vmap"]
