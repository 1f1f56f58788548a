"""Modules that hold modules."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from operator import index as whole_number
from typing import Any, ClassVar, TypeVar, overload

from lenetcli.nn import fusion, recorded
from lenetcli.nn.module import Module
from lenetcli.nn.tables import Table

N = TypeVar("N", bound="Numbered")


class Numbered(Module):
    """What Sequential and ModuleList share: modules in a row, reached by position."""

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def _name_at(self, index: int) -> str:
        return list(self._modules)[position(index, len(self))]

    def __setitem__(self, index: int, module: Module) -> None:
        setattr(self, self._name_at(index), module)

    def __delitem__(self, index: int | slice) -> None:
        names = list(self._modules)[index] if isinstance(index, slice) else [self._name_at(index)]
        for name in names:
            del self._modules[name]
        self._number(self)

    def _number(self, modules: Iterable[Any]) -> None:
        self._modules = Table({str(i): module for i, module in enumerate(list(modules))})

    def append(self: N, module: Module) -> N:
        """Adds a module at the end."""
        self.add_module(str(len(self)), module)
        return self

    def extend(self: N, modules: Iterable[Module]) -> N:
        """Adds modules at the end."""
        if not isinstance(modules, Iterable):
            raise TypeError(f"{type(self).__name__}.extend: wanted modules, got {type(modules).__name__}")
        for module in list(modules):
            self.append(module)
        return self

    def insert(self: N, index: int, module: Module) -> N:
        """Adds a module before position `index`; all are numbered anew."""
        if not isinstance(module, Module):
            raise TypeError(f"{type(module).__name__} is not a Module subclass")
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        modules = list(self)
        modules.insert(index, module)
        self._number(modules)
        return self

    def pop(self, key: int | slice) -> Any:
        """Takes a module out."""
        taken = self[key]  # type: ignore[index]  # every subclass has __getitem__
        del self[key]
        return taken

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if not name.isdigit()]


def position(index: int, size: int) -> int:
    """An index counted from the front, 0 <= position < size.

    Raises:
        IndexError: out of range.
    """
    index = whole_number(index)
    if not -size <= index < size:
        raise IndexError(f"index {index} is out of range")
    return index % size


class Sequential(Numbered):
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

    native_calls: ClassVar[bool] = True

    def __init__(self, *args: Any) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], Mapping):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            self.extend(args)

    def _at_once(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return recorded.find(self, args[0]) if len(args) == 1 and not kwargs and fusion.allowed() else None

    def forward(self, input: Any) -> Any:
        return recorded.run(self, input) if fusion.allowed() else self._layer_by_layer(input)

    def _layer_by_layer(self, input: Any) -> Any:
        return fusion.chain(list(self._modules.values()), input)

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return self._modules[self._name_at(index)]

    def __add__(self, other: Sequential) -> Sequential:
        return Sequential(*self, *_of_sequential(other))

    def __iadd__(self, other: Sequential) -> Sequential:
        return self.extend(_of_sequential(other))

    def __mul__(self, other: int) -> Sequential:
        return Sequential(*self).__imul__(other)

    __rmul__ = __mul__

    def __imul__(self, other: int) -> Sequential:
        if not isinstance(other, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(other)}")
        if other <= 0:
            raise ValueError(f"Non-positive multiplication factor {other} for {type(self)}")
        return self.extend(list(self) * (other - 1))


def _of_sequential(other: Any) -> Sequential:
    if not isinstance(other, Sequential):
        raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
    return other


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

    native_calls: ClassVar[bool] = True

    def _layer_by_layer(self, input: Any) -> Any:
        return input + super()._layer_by_layer(input)


class ModuleList(Numbered):
    """A list of modules that are part of the tree. Source: torch.nn.ModuleList.

    Example:
        >>> from lenetcli import nn
        >>> nn.ModuleList([nn.ReLU(), nn.ReLU()])
        ModuleList(
          (0-1): 2 x ReLU()
        )
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        self.extend(modules if modules is not None else ())

    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return self._modules[self._name_at(index)]

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        return self.extend(modules)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self) -> str:
        """Equal modules in a row are printed once."""
        lines = []
        for text, run in itertools.groupby(enumerate(map(repr, self)), key=lambda pair: pair[1]):
            first, *others = [number for number, _ in run]
            body = text.replace("\n", "\n  ")
            lines.append(f"  ({first}-{others[-1]}): {len(others) + 1} x {body}" if others else f"  ({first}): {body}")
        return "\n".join([f"{type(self).__name__}(", *lines, ")"]) if lines else f"{type(self).__name__}()"


class ModuleDict(Module):
    """Named modules that are part of the tree. Source: torch.nn.ModuleDict.

    Example:
        >>> from lenetcli import nn
        >>> list(nn.ModuleDict({"a": nn.ReLU()}).keys())
        ['a']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] | None = None) -> None:
        super().__init__()
        self.update(modules if modules is not None else {})

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

    def clear(self) -> None:
        """Takes all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Any:
        """Takes a module out."""
        return self._modules.pop(key)

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Adds or replaces modules, given as a mapping or as pairs."""
        for name, module in pairs(self, modules):
            self.add_module(name, module)


def pairs(owner: Module, entries: Any) -> list[tuple[str, Any]]:
    """Names and values of a mapping (or a container that has `items`) or of pairs.

    Raises:
        TypeError: something else.
        ValueError: an element that is no pair.
    """
    name = type(owner).__name__
    if not isinstance(entries, Iterable):
        raise TypeError(f"{name}.update: wanted an iterable of key/value pairs, but got {type(entries).__name__}")
    found = [tuple(entry) for entry in (entries.items() if hasattr(entries, "items") else entries)]
    for number, entry in enumerate(found):
        if len(entry) != 2:
            raise ValueError(f"{name} update sequence element #{number} has length {len(entry)}; 2 is required")
    return found
