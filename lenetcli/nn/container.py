"""Modules that hold modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, overload

from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter


class Sequential(Module):
    """Calls its modules one after the other.

    Args:
        args: modules, or one OrderedDict of named modules.

    Source: torch.nn.Sequential.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
        >>> net(lenet.ones(1, 2)).shape
        torch.Size([1, 3])
    """

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for i, module in enumerate(args):
                self.add_module(str(i), module)

    def forward(self, input: Any) -> Any:
        for module in self._modules.values():
            assert module is not None
            input = module(input)
        return input

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return Sequential(OrderedDict(list(self._modules.items())[index]))
        return self._modules[_name_at(self._modules, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(_name_at(self._modules, index), module)

    def __delitem__(self, index: int) -> None:
        del self._modules[_name_at(self._modules, index)]
        self._modules = {str(i): m for i, m in enumerate(self._modules.values())}

    def append(self, module: Module) -> Sequential:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Sequential:
        """Adds modules at the end."""
        for module in modules:
            self.append(module)
        return self


class Residual(Sequential):
    """A Sequential whose input is added to its output: y = x + layers(x).

    Raises:
        RuntimeError: the output has another shape than the input.

    Source: He et al., Deep Residual Learning for Image Recognition, 2015, equation 1.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> nn.Residual(nn.ReLU())(lenet.tensor([1.0, -1.0]))
        tensor([ 2., -1.])
    """

    def forward(self, input: Any) -> Any:
        return input + super().forward(input)


def _name_at(modules: dict[str, Any], index: int) -> str:
    if not -len(modules) <= index < len(modules):
        raise IndexError(f"index {index} is out of range for {len(modules)} modules")
    return list(modules)[index]


class ModuleList(Module):
    """A list of modules that are part of the tree. Source: torch.nn.ModuleList.

    Example:
        >>> from lenetcli import nn
        >>> len(nn.ModuleList([nn.ReLU(), nn.ReLU()]))
        2
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self.extend(modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return ModuleList(list(self)[index])
        return self._modules[_name_at(self._modules, index)]

    def __setitem__(self, index: int, module: Module) -> None:
        self.add_module(_name_at(self._modules, index), module)

    def append(self, module: Module) -> ModuleList:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> ModuleList:
        """Adds modules at the end."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, index: int, module: Module) -> None:
        """Adds a module before position `index`."""
        modules = list(self)
        modules.insert(index, module)
        self._modules = {str(i): m for i, m in enumerate(modules)}


class ModuleDict(Module):
    """Named modules that are part of the tree. Source: torch.nn.ModuleDict.

    Example:
        >>> from lenetcli import nn
        >>> list(nn.ModuleDict({"a": nn.ReLU()}).keys())
        ['a']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        super().__init__()
        self.update(modules or {})

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, key: str) -> bool:
        return key in self._modules

    def __getitem__(self, key: str) -> Any:
        return self._modules[key]

    def __setitem__(self, key: str, module: Module) -> None:
        self.add_module(key, module)

    def __delitem__(self, key: str) -> None:
        del self._modules[key]

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def update(self, modules: Mapping[str, Module]) -> None:
        """Adds or replaces modules."""
        for name, module in modules.items():
            self.add_module(name, module)


class ParameterList(Module):
    """A list of parameters that are part of the tree. Source: torch.nn.ParameterList.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> len(nn.ParameterList([nn.Parameter(lenet.zeros(2))]))
        1
    """

    def __init__(self, values: Iterable[Any] = ()) -> None:
        super().__init__()
        for value in values:
            self.append(value)

    def __len__(self) -> int:
        return len(self._parameters)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parameters.values())

    def __getitem__(self, index: int) -> Any:
        return self._parameters[_name_at(self._parameters, index)]

    def append(self, value: Any) -> ParameterList:
        """Adds a parameter (a plain tensor becomes one) at the end."""
        parameter = value if isinstance(value, Parameter) else Parameter(value)
        self.register_parameter(str(len(self)), parameter)
        return self
