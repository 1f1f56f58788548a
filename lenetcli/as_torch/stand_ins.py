"""What a script asks of torch that means something else here, or nothing: each with a word on what differs."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.autograd.torch_random import TorchGenerator
from lenetcli.disk import write_file
from lenetcli.nn.module import Module
from lenetcli.tensors.device import device
from lenetcli.tensors.serialization import as_torch_file, load, save
from lenetcli.tensors.tensor import Tensor


class Namespace:
    """A module that has stand-ins only."""


@dataclass(frozen=True)
class StandIn:
    """The answer to a name.

    Args:
        value: what the script gets.
        differs: what it does less or otherwise than torch's; empty where it is the same.
    """

    value: Any
    differs: str = ""


class _Variables(type):
    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)

    def __call__(cls, data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
        return data.detach().requires_grad_(requires_grad)


class Variable(metaclass=_Variables):
    """torch.autograd.Variable: a tensor. Called, it is the tensor outside of its graph."""


class DataParallel(Module):
    """torch.nn.DataParallel on one device: the module itself, under the name `module`."""

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None, dim: int = 0) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)


class GradScaler:
    """torch.amp.GradScaler with a scale of 1."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        return None

    def scale(self, outputs: Any) -> Any:
        """The loss itself."""
        return outputs

    def unscale_(self, optimizer: Any) -> None:
        """Nothing is scaled."""

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """A step of the optimizer."""
        return optimizer.step(*args, **kwargs)

    def update(self, new_scale: Any = None) -> None:
        """The scale stays 1."""

    def get_scale(self) -> float:
        """1."""
        return 1.0

    def is_enabled(self) -> bool:
        """False: nothing is scaled."""
        return False

    def state_dict(self) -> dict[str, Any]:
        """Empty, as of torch's with enabled=False."""
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes nothing."""


class _Flags(Namespace):
    """Settings that may be set, and are never looked at."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    @staticmethod
    def is_available() -> bool:
        """False."""
        return False


def _compiled(model: Any = None, **options: Any) -> Any:
    return model if model is not None else lambda function: function


def _autocast(*args: Any, **kwargs: Any) -> Any:
    return _Context()


class _Context(nullcontext[None]):
    """Does nothing, as a `with` block and as a decorator."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function


def _never(*args: Any, **kwargs: Any) -> bool:
    return False


def _ignored(*args: Any, **kwargs: Any) -> None:
    return None


def _precision() -> str:
    return "highest"


def _saved(obj: Any, f: Any, *args: Any, **kwargs: Any) -> None:
    """torch.save: torch's format whatever the file is called."""
    if isinstance(f, (str, os.PathLike)):
        write_file(Path(f), as_torch_file(obj))
    else:
        save(obj, f)


def _loaded(f: Any, map_location: Any = None, *args: Any, weights_only: bool = True, mmap: Any = None) -> Any:
    return load(f, map_location, weights_only=weights_only)


SAME_TYPE = "numbers keep their type: float32 is not made smaller"
STAND_INS: dict[str, StandIn] = {
    "torch.__version__": StandIn("2.13.0"),
    "torchvision.__version__": StandIn("0.28.0"),
    "torch.Generator": StandIn(TorchGenerator),
    "torch.autograd.Variable": StandIn(Variable),
    "torch.save": StandIn(_saved),
    "torch.load": StandIn(_loaded),
    "torch.newaxis": StandIn(None),
    "torch.get_default_device": StandIn(lambda: device("cpu")),
    "torch.set_default_device": StandIn(_ignored, "tensors go to the CPU unless a device is given"),
    "torch.compile": StandIn(_compiled, "the module or function as it is"),
    "torch.autocast": StandIn(_autocast, SAME_TYPE),
    "torch.amp": StandIn(Namespace()),
    "torch.amp.autocast": StandIn(_autocast, SAME_TYPE),
    "torch.amp.GradScaler": StandIn(GradScaler, "the scale is 1"),
    "torch.cuda.amp": StandIn(Namespace()),
    "torch.cuda.amp.autocast": StandIn(_autocast, SAME_TYPE),
    "torch.cuda.amp.GradScaler": StandIn(GradScaler, "the scale is 1"),
    "torch.cuda.manual_seed": StandIn(_ignored),
    "torch.cuda.manual_seed_all": StandIn(_ignored),
    "torch.backends": StandIn(Namespace()),
    "torch.backends.cudnn": StandIn(_Flags(benchmark=False, deterministic=False, enabled=True)),
    "torch.backends.mps": StandIn(_Flags()),
    "torch.backends.mkldnn": StandIn(_Flags(enabled=False)),
    "torch.mps": StandIn(_Flags()),
    "torch.xpu": StandIn(_Flags()),
    "torch.nn.DataParallel": StandIn(DataParallel, "the module on one device"),
    "torch.nn.parallel": StandIn(Namespace()),
    "torch.nn.parallel.DataParallel": StandIn(DataParallel, "the module on one device"),
    "torch.set_float32_matmul_precision": StandIn(_ignored),
    "torch.get_float32_matmul_precision": StandIn(_precision),
    "torch.use_deterministic_algorithms": StandIn(_ignored),
    "torch.are_deterministic_algorithms_enabled": StandIn(lambda: True),
    "torch.set_num_interop_threads": StandIn(_ignored),
    "torch.distributed": StandIn(Namespace()),
    "torch.distributed.is_available": StandIn(_never),
    "torch.distributed.is_initialized": StandIn(_never),
}
