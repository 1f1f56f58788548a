"""Parameters that are computed from others whenever they are read (torch.nn.utils.parametrize)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lenetcli.autograd.modes import no_grad
from lenetcli.nn.container import ModuleDict, ModuleList
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors.tensor import Tensor


class ParametrizationList(ModuleList):
    """The modules that make a tensor of its originals, one after the other, and those originals.

    Args:
        modules: the first takes `original`, or `original0`, `original1` ... where its `right_inverse` gives several.
        original: the parameter or buffer as it was.
        unsafe: the result may have another shape or type.

    Raises:
        ValueError: a result of another shape or type.

    Source: torch.nn.utils.parametrize.ParametrizationList.
    """

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            new = self._undone(original, strict=False)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        learns = isinstance(original, Parameter)
        for name, tensor in zip(self._names(), [new] if self.is_tensor else new):
            kept: Any = tensor.detach().clone() if tensor is not original else original
            if learns:
                kept = kept if kept is original else Parameter(kept, requires_grad=original.requires_grad)
                self.register_parameter(name, kept)
            else:
                self.register_buffer(name, kept)
        if unsafe:
            return
        made = self()
        if not isinstance(made, Tensor):
            raise ValueError(f"A parametrization must return a tensor. Got {type(made).__name__}.")
        for what, before, after in (("dtype", original.dtype, made.dtype), ("shape", original.shape, made.shape)):
            if before != after:
                raise ValueError(
                    f"Registering a parametrization may not change the {what} of the tensor, unless `unsafe` flag is "
                    f"enabled.\nunparametrized {what}: {before}\nparametrized {what}: {after}"
                )

    def _names(self) -> list[str]:
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _undone(self, value: Any, strict: bool) -> Any:
        for module in reversed(list(self)):
            inverse = getattr(module, "right_inverse", None)
            if inverse is None:
                if strict:
                    raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
                continue
            value = inverse(value)
        return value

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals so that the tensor becomes `value`."""
        with no_grad():
            found = self._undone(value, strict=True)
            for name, tensor in zip(self._names(), [found] if self.is_tensor else found):
                getattr(self, name).copy_(tensor)

    def forward(self) -> Tensor:
        first, *rest = list(self)
        x = first(*(getattr(self, name) for name in self._names()))
        for module in rest:
            x = module(x)
        return x


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Lets a parameter or buffer be computed by a module whenever it is read.

    The module's class becomes one of its own, `Parametrized...`; its state has `parametrizations.NAME.original` in
    place of NAME. Assigning the tensor sets the originals by the parametrization's `right_inverse`.

    Args:
        module: has the tensor.
        tensor_name: its name.
        parametrization: gives a tensor of that shape and type.
        unsafe: it may be of another.

    Raises:
        ValueError: there is no such tensor, or the result has another shape or type.

    Source: torch.nn.utils.parametrize.register_parametrization.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils import parametrize
        >>> class Symmetric(lenet.nn.Module):
        ...     def forward(self, x):
        ...         return x.triu() + x.triu(1).T
        >>> layer = parametrize.register_parametrization(lenet.nn.Linear(3, 3), "weight", Symmetric())
        >>> lenet.equal(layer.weight, layer.weight.T)
        True
    """
    parametrization.train(module.training)
    owner: Any = module
    if is_parametrized(module, tensor_name):
        chain = owner.parametrizations[tensor_name]
        before = getattr(module, tensor_name)
        if not unsafe:
            after = parametrization(before)
            if not isinstance(after, Tensor) or after.dtype != before.dtype or after.shape != before.shape:
                raise ValueError(
                    "A parametrization may not change shape or dtype of the tensor, unless the `unsafe` flag is "
                    "enabled; "
                    f"{before.dtype} {list(before.shape)} became {getattr(after, 'dtype', type(after).__name__)} "
                    f"{list(getattr(after, 'shape', []))}"
                )
        chain.append(parametrization)
        return module
    if tensor_name not in module._parameters and tensor_name not in module._buffers:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    original = getattr(module, tensor_name)
    chain = ParametrizationList([parametrization], original, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        _own_class(module)
        owner.parametrizations = ModuleDict()
    setattr(type(module), tensor_name, property(lambda self: _read(self, tensor_name), _written(tensor_name)))
    owner.parametrizations[tensor_name] = chain
    return module


def _own_class(module: Module) -> None:
    kind = type(module)
    own = type(
        f"Parametrized{kind.__name__}",
        (kind,),
        {"__module__": kind.__module__, "__getstate__": _no_pickle, "_plain": kind},
    )
    module.__class__ = own


def _no_pickle(self: Any) -> Any:
    raise RuntimeError("Serialization of parametrized modules is only supported through state_dict()")


def _read(module: Any, name: str) -> Any:
    return module.parametrizations[name]()


def _written(name: str) -> Any:
    return lambda self, value: self.parametrizations[name].right_inverse(value)


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrized tensors, or this one.

    Source: torch.nn.utils.parametrize.is_parametrized.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.utils.parametrize.is_parametrized(lenet.nn.Linear(2, 2))
        False
    """
    found = module._modules.get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Makes a parametrized tensor an ordinary one again.

    Args:
        module: has the tensor.
        tensor_name: its name.
        leave_parametrized: it keeps the value it was computed to have; else it gets its original's back.

    Raises:
        ValueError: it is not parametrized, or has several originals to choose from.

    Source: torch.nn.utils.parametrize.remove_parametrizations.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils import parametrizations, parametrize
        >>> layer = parametrizations.weight_norm(lenet.nn.Linear(2, 3))
        >>> parametrize.remove_parametrizations(layer, "weight")
        Linear(in_features=2, out_features=3, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    owner: Any = module
    parametrizations = owner.parametrizations
    chain = parametrizations[tensor_name]
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    first = getattr(chain, chain._names()[0])
    value = getattr(module, tensor_name).detach() if leave_parametrized else first
    del parametrizations[tensor_name]
    delattr(type(module), tensor_name)
    if isinstance(first, Parameter):
        if leave_parametrized and chain.is_tensor and first.shape == value.shape:
            with no_grad():
                first.copy_(value)  # the same object: optimizers may have it
            value = first
        else:
            value = value if isinstance(value, Parameter) else Parameter(value.clone(), first.requires_grad)
        module.register_parameter(tensor_name, value)
    else:
        module.register_buffer(tensor_name, value)
    if not len(parametrizations):
        del owner.parametrizations
        module.__class__ = type(module)._plain  # type: ignore[attr-defined]  # of the class made for it
    return module
