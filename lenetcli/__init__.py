"""lenet: train small image models from YAML, and see every step.

The names below are torch's. They are imported on first use: `import lenetcli` alone does not even import numpy.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# where each public name lives
_MODULES = {
    "lenetcli._tensor": "Tensor Size device from_numpy",
    "lenetcli.creation": "tensor full zeros ones arange rand randn",
    "lenetcli.autograd.dtypes": "dtype uint8 int8 int16 int32 int64 float16 float32 float64 get_default_dtype set_default_dtype promote_types",
    "lenetcli.autograd.modes": "no_grad enable_grad set_grad_enabled is_grad_enabled",
    "lenetcli.autograd.random": "Generator manual_seed initial_seed get_rng_state set_rng_state",
    "lenetcli.ops.arithmetic": "add sub subtract mul multiply neg negative",
    "lenetcli.ops.shape": "reshape flatten permute transpose t unsqueeze squeeze",
    "lenetcli.ops.reduction": "sum mean",
    "lenetcli.ops.linalg": "mm addmm",
    "lenetcli.ops.activation": "relu",
    "lenetcli.ops.conv": "conv2d",
}  # fmt: skip
_RENAMED = {"bool": ("lenetcli.autograd.dtypes", "bool_"), "float": ("lenetcli.autograd.dtypes", "float32")}
_SUBMODULES = ("autograd", "nn", "optim", "data")

_HOME = {name: (module, name) for module, names in _MODULES.items() for name in names.split()} | _RENAMED
__all__ = [*sorted(_HOME), *_SUBMODULES]  # noqa: PLE0604 - built from the tables above


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module, attribute = _HOME[name]
        value = getattr(importlib.import_module(module), attribute)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"lenetcli.{name}")
    raise AttributeError(f"module 'lenetcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
