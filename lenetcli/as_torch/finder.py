"""Modules called `torch` and `torchvision`, whose names are this package's: what `import torch` finds."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from lenetcli.as_torch.stand_ins import STAND_INS, Namespace, StandIn

ROOTS = {"torch": "lenetcli", "torchvision": "lenetcli.vision"}
DEEPER = {  # modules in which torch keeps what it offers in others
    "torch.nn.modules": "torch.nn",
    "torchvision.datasets.cifar": "torchvision.datasets",
    "torchvision.datasets.folder": "torchvision.datasets",
    "torchvision.datasets.mnist": "torchvision.datasets",
    "torchvision.transforms.transforms": "torchvision.transforms",
    "torchvision.transforms.v2.functional": "torchvision.transforms.functional",
}
_OWN = {"__version__", "__path__", "__spec__", "__file__", "__all__", "__loader__", "__name__", "__package__"}


class MissingName(AttributeError):
    """A name of torch's that is not here.

    Args:
        path: the name in full, such as torch.fft.fft.
    """

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not in lenetcli", name=path.rpartition(".")[2])
        self.path = path


class MissingModule(ModuleNotFoundError):
    """A module of torch's that is not here."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is not in lenetcli", name=path)
        self.path = path


class Used:
    """What the script was answered with that is not torch's to the bit: name -> what differs."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def note(self, path: str, stand_in: StandIn) -> Any:
        """The stand-in's value; its name is kept where it differs from torch's."""
        if stand_in.differs:
            self.names[path] = stand_in.differs
        return stand_in.value


class Answered(ModuleType):
    """A module of torch's names, answered by a module of this package, and by stand-ins."""

    def __init__(self, name: str, target: Any, used: Used) -> None:
        super().__init__(name, getattr(target, "__doc__", None))
        self.__path__: list[str] = []
        self._target, self._used = target, used

    def __getattr__(self, name: str) -> Any:
        if name in _OWN and f"{self.__name__}.{name}" not in STAND_INS:
            raise AttributeError(name)
        path = f"{self.__name__}.{name}"
        if path in STAND_INS:
            found = self._used.note(path, STAND_INS[path])
            if isinstance(found, Namespace):
                return importlib.import_module(path)
        elif hasattr(self._target, name) and not name.startswith("_"):
            found = getattr(self._target, name)
            if isinstance(found, ModuleType) and found.__name__.startswith("lenetcli."):
                return importlib.import_module(path)
        else:
            try:
                return importlib.import_module(path)
            except MissingModule:
                raise MissingName(path) from None
        setattr(self, name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(self._target)})


class Finder(MetaPathFinder, Loader):
    """Finds the modules of torch's names before Python looks for them in its folders.

    Example:
        >>> import sys
        >>> from lenetcli.as_torch.finder import Finder
        >>> finder = Finder()
        >>> finder.find_spec("torch.nn.functional").name, finder.find_spec("numpy")
        ('torch.nn.functional', None)
    """

    def __init__(self) -> None:
        self.used = Used()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in ROOTS:
            return None
        if self._target(fullname) is None:
            raise MissingModule(fullname)
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return Answered(spec.name, self._target(spec.name), self.used)

    def exec_module(self, module: ModuleType) -> None:
        return None

    def _target(self, fullname: str) -> Any:
        """What answers a module: a namespace of stand-ins, or a module of this package; None where neither does."""
        if fullname in STAND_INS:
            found = self.used.note(fullname, STAND_INS[fullname])
            return found if isinstance(found, (Namespace, ModuleType)) else None
        fullname = DEEPER.get(fullname, fullname)
        if fullname.startswith("torch.nn.modules."):
            fullname = "torch.nn"
        root, _, rest = fullname.partition(".")
        name = f"{ROOTS[root]}.{rest}" if rest else ROOTS[root]
        try:
            if importlib.util.find_spec(name) is None:
                return None
        except ModuleNotFoundError:  # what should hold it is no package
            return None
        return importlib.import_module(name)


def install() -> Finder:
    """From now on `import torch` and `import torchvision` find this package; modules of those names are forgotten."""
    finder = Finder()
    for name in [name for name in sys.modules if name.partition(".")[0] in ROOTS]:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    return finder
