"""Which classes each section of a config may name, and finding them by name.

    section     classes
    layers      what lenetcli.nn exports: Modules that are no losses, and take one input of floats
    loss        what lenetcli.nn exports: Losses that compare an output with a target
    optimizer   what lenetcli.optim exports
    scheduler   what lenetcli.optim.lr_scheduler exports
    data        what lenetcli.data exports: Sources

Besides, any section may name a class of the user's own: `my_nets.py:Net`. Modules are imported on the first look-up.
"""

from __future__ import annotations

import importlib
import inspect
import re
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from lenetcli.config import consent, parameter_groups, scheduling, user_code
from lenetcli.config.problems import did_you_mean, quoted
from lenetcli.config.signature import Argument, NotFromConfig, arguments
from lenetcli.config.user_code import NoSuchClass, NotImported


@dataclass(frozen=True)
class Role:
    """What a section's components are.

    Args:
        kind: what messages call one.
        module: where the classes are exported.
        base_name: the class in `module` that all are subclasses of.
        section: the section's key.
        nested: these are components within a component.
    """

    kind: str
    module: str
    base_name: str
    section: str
    nested: bool = False

    @cached_property
    def within(self) -> Role:
        """The role of components within one of this role."""
        return replace(self, nested=True)

    def keys(self, cls: Any) -> tuple[Argument, ...]:
        """What a config may say of a class beside its constructor's arguments."""
        if self.kind == "optimizer" and not is_stand_in(cls):
            return parameter_groups.keys_of(cls, self.base)
        return scheduling.keys_of(cls) if self.kind == "scheduler" and not self.nested else ()

    @cached_property
    def base(self) -> type:
        """The class that all are subclasses of."""
        base: type = getattr(importlib.import_module(self.module), self.base_name)
        return base

    @cached_property
    def classes(self) -> dict[str, type]:
        """Every class that a config may name, by name; imports them all."""
        exported = importlib.import_module(self.module).__all__
        return {name: cls for name in exported if (cls := self.offered(name)) is not None}

    def offered(self, name: str) -> type | None:
        """The class of a name; None where there is none that a config may name."""
        module = importlib.import_module(self.module)
        cls = getattr(module, name) if name in module.__all__ else None
        return cls if inspect.isclass(cls) and self._offers(cls) else None

    def _offers(self, cls: Any) -> bool:
        if not issubclass(cls, self.base) or cls is self.base:
            return False
        if self.base_name == "Module" and (_is_loss(cls) is not (self.kind == "loss") or for_python(cls)):
            return False
        if getattr(cls, "needs_closure", False):
            return False
        try:
            arguments(cls, self.base)
        except NotFromConfig:
            return False
        return True

    def find(self, name: str, directory: Path) -> Any:
        """The class that a `type` names.

        Args:
            name: a class's name, or `file.py:Class`.
            directory: where the path of a user's file starts.

        Raises:
            NoSuchClass: there is no such class, or it is of another kind.
            NotFromConfig: a config cannot construct it.
            NotImported: the file has not been agreed to.
        """
        if user_code.is_own(name):
            try:
                cls: Any = user_code.load(name, directory)
            except NotImported:
                if not consent.rules().look:
                    raise
                return stand_in(name, self.base)
            if not issubclass(cls, self.base):
                what = f"{self.module}.{self.base_name}"
                raise NoSuchClass(f"{cls.__name__} is no subclass of {what}, so it cannot be a {self.kind}")
            arguments(cls, self.base)
            return cls
        offered = self.offered(name)
        if offered is not None:
            return offered
        exported: Any = getattr(importlib.import_module(self.module), name, None) if name.isidentifier() else None
        if inspect.isclass(exported) and issubclass(exported, self.base) and exported is not self.base:
            why = for_python(exported) if self.base_name == "Module" else None
            if getattr(exported, "needs_closure", False):
                why = "its step calls a function that computes the loss again, and a training gives it none"
            if why is not None:
                raise NotFromConfig(f"{name} is for Python only: {why}")
            arguments(exported, self.base)  # type: ignore[arg-type]  # a class is hashable
        for other in ROLES.values():
            if other is not self and name in other.classes:
                raise NoSuchClass(f"{name} is a {other.kind}, not a {self.kind}", f"it belongs under {other.section}")
        raise NoSuchClass(f"unknown {self.kind} {quoted(name)}", *self._hints(name))

    def _hints(self, name: str) -> tuple[str, ...]:
        if re.search(r"\.py\b", name):
            return ("a class of your own is written my_nets.py:Net",)
        hints = did_you_mean(name, self.classes)
        if hints or len(self.classes) > 20:
            return hints or ("`lenet layers` lists what there is",)
        return (f"there are {', '.join(self.classes)}",)


@cache
def stand_in(name: str, base: type) -> type:
    """A class in the place of one that is only looked at, and not imported: it takes any arguments, and is never made.

    Example:
        >>> from lenetcli.nn import Module
        >>> stand_in("net.py:Net", Module)
        <class 'net.py:Net.Net'>
    """
    return type(name.rpartition(":")[2], (base,), {"__init__": _take, "__module__": name, "not_imported": True})


def _take(self: Any, **arguments: Any) -> None:
    raise AssertionError("a stand-in is never made")


def is_stand_in(cls: Any) -> bool:
    """Whether a class stands for one that was not imported."""
    return bool(getattr(cls, "not_imported", False))


def takes_layers(cls: type) -> bool:
    """The class is a block: its config has the key `layers`, and its constructor takes modules one by one."""
    names = {base.__name__ for base in cls.__mro__}
    parameters = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]  # of this very class
    return "Sequential" in names and any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)


def for_python(cls: Any) -> str | None:
    """Why a config has no use for a module; None where it has."""
    from lenetcli.nn.module import ForPython, Module
    from lenetcli.nn.uninitialized import Lazy

    if cls.forward is Module.forward:
        return "it holds other things and computes nothing; the blocks of a config are Sequential and Residual"
    if not issubclass(cls, ForPython):
        return None
    if issubclass(cls, Lazy):
        (size,) = cls.cls_to_become.from_input
        return f"it takes {cls.takes}; a config does so with {cls.cls_to_become.__name__}, where {size} may be left out"
    given = "a chain of layers gives one input of floats"
    if _is_loss(cls):
        given = "a training gives a loss the model's output and a target"
    return f"it takes {cls.takes}, and {given}"


def _is_loss(cls: Any) -> bool:
    from lenetcli.nn.loss import Loss

    return issubclass(cls, Loss)


ROLES = {
    "layers": Role("layer", "lenetcli.nn", "Module", "model.layers"),
    "loss": Role("loss", "lenetcli.nn", "Module", "loss"),
    "optimizer": Role("optimizer", "lenetcli.optim", "Optimizer", "optimizer"),
    "scheduler": Role("scheduler", "lenetcli.optim.lr_scheduler", "LRScheduler", "scheduler"),
    "data": Role("data source", "lenetcli.data", "Source", "data"),
}
