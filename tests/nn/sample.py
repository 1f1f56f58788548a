"""One use of a layer, written once and checked in many ways by test_module_sweep.py."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import lenetcli as lenet


@dataclass(frozen=True)
class LayerSample:
    """A layer and its inputs, such as `LayerSample("Conv2d", (3, 6, 5), {"padding": 1}, [(2, 3, 8, 8)])`.

    name: the class below `lenetcli.nn` and `torch.nn`.
    args, kwargs: of the constructor; NumPy arrays become tensors, samples layers.
    inputs: shapes, which stand for normal numbers, or arrays (targets, indices).
    call: arguments of the call by name; NumPy arrays become tensors.
    differentiable: how many of the inputs require gradients, from the first (of those that are floating-point).
    random: outputs in training are drawn, so that only their shape and type can be compared.
    tolerance: relative and absolute.
    """

    name: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    inputs: Sequence[tuple[int, ...] | np.ndarray] = ((3, 4),)
    differentiable: int = 9
    random: bool = False
    tolerance: float = 1e-5
    call: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        def show(value: Any) -> str:
            if isinstance(value, LayerSample):
                return str(value)
            return "x".join(map(str, value.shape)) or "0d" if isinstance(value, np.ndarray) else repr(value)

        def named(arguments: dict[str, Any]) -> list[str]:
            return [f"{k}={show(v)}" for k, v in arguments.items()]

        words = [show(a) for a in self.args] + named(self.kwargs)
        shapes = ["x".join(map(str, x.shape if isinstance(x, np.ndarray) else x)) or "0d" for x in self.inputs]
        return f"{self.name}({', '.join(words)}) of {', '.join(shapes + named(self.call))}"

    def make(self, nn: Any, tensor: Any) -> Any:
        """The layer of one of the two packages."""

        def take(value: Any) -> Any:
            if isinstance(value, LayerSample):
                return value.make(nn, tensor)
            return tensor(value.copy()) if isinstance(value, np.ndarray) else value

        return getattr(nn, self.name)(*map(take, self.args), **{k: take(v) for k, v in self.kwargs.items()})

    def named(self, tensor: Any) -> dict[str, Any]:
        """The arguments of the call by name, as one of the two packages takes them."""
        return {k: tensor(v.copy()) if isinstance(v, np.ndarray) else v for k, v in self.call.items()}

    def arrays(self) -> list[np.ndarray]:
        """The inputs' values."""
        random = np.random.default_rng(0)
        return [x if isinstance(x, np.ndarray) else random.standard_normal(x).astype(np.float32) for x in self.inputs]


def leaves(sample: LayerSample, tensor: Any, order: str = "C") -> list[Any]:
    """The inputs as tensors, the differentiable ones with requires_grad, in one of the memory orders."""
    found = []
    for number, x in enumerate(sample.arrays()):
        if order == "batch-last" and x.ndim:
            x = np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 0, -1)), -1, 0)
        leaf = tensor(x.copy(order="K"))
        if x.dtype.kind == "f" and number < sample.differentiable:
            leaf.requires_grad_()
        found.append(leaf)
    return found


def outputs(result: Any) -> list[Any]:
    """The tensors in a result, such as an output beside a state that is a pair."""
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in outputs(part)]
    return [] if result is None else [result]


def collected(name: str) -> list[LayerSample]:
    """The samples of every file in tests/nn/samples: those in its list of that name."""
    package = importlib.import_module("tests.nn.samples")
    found: list[LayerSample] = []
    for module in pkgutil.iter_modules(package.__path__):
        found += getattr(importlib.import_module(f"tests.nn.samples.{module.name}"), name, [])
    return found


def layers() -> list[str]:
    """The names of the layers that `lenetcli.nn` exports."""
    classes = {name: getattr(lenet.nn, name) for name in lenet.nn.__all__}
    return [n for n, c in classes.items() if isinstance(c, type) and issubclass(c, lenet.nn.Module)]
