"""Weights as length times direction, and of a limited spectral norm, by hooks: torch's older forms of both."""

from __future__ import annotations

import warnings
from typing import Any

from lenetcli.autograd.modes import no_grad
from lenetcli.nn import functional as F
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.utils.parametrizations import _rows, as_matrix, length
from lenetcli.ops.linalg.dot import dot, mv
from lenetcli.ops.pointwise.fill_ import normal_
from lenetcli.tensors.tensor import Tensor


class WeightNorm:
    """Computes a weight before each call; see `weight_norm`."""

    def __init__(self, name: str, dim: int | None) -> None:
        self.name, self.dim = name, -1 if dim is None else dim

    def compute_weight(self, module: Any) -> Tensor:
        """g v / norm(v)."""
        v = getattr(module, self.name + "_v")
        computed: Tensor = v * (getattr(module, self.name + "_g") / length(v, self.dim))
        return computed

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))

    def remove(self, module: Any) -> None:
        """Makes the weight a parameter again."""
        weight = self.compute_weight(module).detach()
        for name in (self.name, self.name + "_g", self.name + "_v"):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(weight))


class SpectralNorm:
    """Computes a weight before each call; see `spectral_norm`."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                f"Expected n_power_iterations to be positive, but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def compute_weight(self, module: Any, iterate: bool) -> Tensor:
        """The weight divided by the largest singular value that is known so far."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = as_matrix(weight, self.dim)
        if iterate:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(F.normalize(mv(matrix.T, u), dim=0, eps=self.eps))
                    u.copy_(F.normalize(mv(matrix, v), dim=0, eps=self.eps))
            u, v = u.clone(), v.clone()
        computed: Tensor = weight / dot(u, mv(matrix, v))
        return computed

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, module.training))

    def remove(self, module: Any) -> None:
        """Makes the weight a parameter again."""
        with no_grad():
            weight = self.compute_weight(module, iterate=False).detach()
        for name in ("", "_u", "_v", "_orig"):
            delattr(module, self.name + name)
        module.register_parameter(self.name, Parameter(weight))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """The older form of `parametrizations.weight_norm`: a hook computes the weight of `NAME_g` and `NAME_v`.

    Raises:
        RuntimeError: it has one already.
        FutureWarning: as torch says, `parametrizations.weight_norm` is the newer one.

    Source: torch.nn.utils.weight_norm; Salimans and Kingma 2016.

    Example:
        >>> import lenetcli as lenet
        >>> import warnings
        >>> warnings.simplefilter("ignore")
        >>> layer = lenet.nn.utils.weight_norm(lenet.nn.Linear(20, 40))
        >>> [name for name, _ in layer.named_parameters()]
        ['bias', 'weight_g', 'weight_v']
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of `torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    _once(module, WeightNorm, "weight_norm", name)
    hook = WeightNorm(name, dim)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(name + "_g", Parameter(length(weight.detach(), hook.dim)))
    module.register_parameter(name + "_v", Parameter(weight.detach()))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def spectral_norm(
    module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12, dim: int | None = None
) -> Module:
    """The older form of `parametrizations.spectral_norm`: a hook computes the weight of `NAME_orig`.

    Raises:
        RuntimeError: it has one already.
        ValueError: no such weight, or no iterations.

    Source: torch.nn.utils.spectral_norm; Miyato et al. 2018.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.utils.spectral_norm(lenet.nn.Linear(20, 40))
        >>> layer.weight_u.shape
        torch.Size([40])
    """
    _once(module, SpectralNorm, "spectral_norm", name)
    hook = SpectralNorm(name, n_power_iterations, _rows(module, dim), eps)
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with no_grad():
        rows, columns = as_matrix(weight, hook.dim).shape
        u = F.normalize(normal_(weight.new_empty(rows), 0, 1), dim=0, eps=eps)
        v = F.normalize(normal_(weight.new_empty(columns), 0, 1), dim=0, eps=eps)
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.detach())
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def _hooks(module: Any, kind: type) -> list[tuple[int, Any]]:
    return [
        (key, found.function) for key, found in module._forward_pre_hooks.items() if isinstance(found.function, kind)
    ]


def _once(module: Module, kind: type, word: str, name: str) -> None:
    if any(hook.name == name for _, hook in _hooks(module, kind)):
        raise RuntimeError(f"Cannot register two {word} hooks on the same parameter {name}")


def _removed(module: Any, kind: type, word: str, name: str) -> Any:
    for key, hook in _hooks(module, kind):
        if hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"{word} of '{name}' not found in {module}")


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Takes `weight_norm` away; the weight is a parameter again, with its value.

    Raises:
        ValueError: it has none.

    Source: torch.nn.utils.remove_weight_norm.

    Example:
        >>> import lenetcli as lenet
        >>> import warnings
        >>> warnings.simplefilter("ignore")
        >>> lenet.nn.utils.remove_weight_norm(lenet.nn.utils.weight_norm(lenet.nn.Linear(2, 3)))
        Linear(in_features=2, out_features=3, bias=True)
    """
    return _removed(module, WeightNorm, "weight_norm", name)


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Takes `spectral_norm` away; the weight is a parameter again, with its value.

    Raises:
        ValueError: it has none.

    Source: torch.nn.utils.remove_spectral_norm.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.utils.remove_spectral_norm(lenet.nn.utils.spectral_norm(lenet.nn.Linear(2, 3)))
        Linear(in_features=2, out_features=3, bias=True)
    """
    return _removed(module, SpectralNorm, "spectral_norm", name)
