"""One call of an op, written once and checked in many ways by test_sweep.py."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np


def assert_arrays(*tensors: Any) -> None:
    """No tensor holds a NumPy scalar, which could not be changed in place."""
    for tensor in tensors:
        assert tensor is None or type(tensor.array) is np.ndarray, tensor


@dataclass(frozen=True)
class Sample:
    """A call such as `Sample("add", (normal(2, 3), normal(3)), {"alpha": 2})`.

    name: the function below `lenetcli` and `torch`: "add", "nn.functional.conv2d", "linalg.vector_norm".
    args, kwargs: NumPy arrays become tensors (floating ones require gradients), the rest is passed on.
    grad: whether gradients are checked.
    twin: torch's name where it differs, or a function over the torch tensors.
    tolerance: relative and absolute, in float32.
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    grad: bool = True
    twin: str | Callable[..., Any] | None = None
    tolerance: float = 1e-5

    def __str__(self) -> str:
        def show(value: Any) -> str:
            return "x".join(map(str, value.shape)) or "0d" if isinstance(value, np.ndarray) else repr(value)

        words = [show(a) for a in self.args] + [f"{k}={show(v)}" for k, v in self.kwargs.items()]
        return f"{self.name}({', '.join(words)})"

    def without_dimensions(self) -> Sample:
        """The same call with the first element of every array, as an array of no dimension."""

        def first(value: Any) -> Any:
            if isinstance(value, (list, tuple)):
                return type(value)(first(v) for v in value)
            if not isinstance(value, np.ndarray):
                return value
            return value.reshape(-1)[:1].reshape(()) if value.size else np.ones((), value.dtype)

        return replace(self, args=tuple(map(first, self.args)), kwargs={k: first(v) for k, v in self.kwargs.items()})


def resolve(root: ModuleType, name: str) -> Callable[..., Any]:
    """The function behind a dotted name."""
    found: Any = root
    for part in name.split("."):
        found = getattr(found, part)
    return found  # type: ignore[no-any-return]


def all_samples() -> list[Sample]:
    """Samples of every file in tests/ops/samples (each has a list SAMPLES)."""
    package = importlib.import_module("tests.ops.samples")
    found: list[Sample] = []
    for module in pkgutil.iter_modules(package.__path__):
        found += importlib.import_module(f"tests.ops.samples.{module.name}").SAMPLES
    return found


_random = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    """Normal numbers, float32 (cast to float64 where a check needs it)."""
    return _random.standard_normal(shape).astype(np.float32)


def uniform(low: float, high: float, *shape: int) -> np.ndarray:
    """Numbers from an interval, to stay away from kinks and poles."""
    return _random.uniform(low, high, shape).astype(np.float32)


def integers(low: int, high: int, *shape: int) -> np.ndarray:
    """int64 numbers from low up to but without high."""
    return _random.integers(low, high, shape)


def booleans(*shape: int) -> np.ndarray:
    """True and False."""
    return _random.random(shape) < 0.5
