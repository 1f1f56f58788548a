"""The layers of a model as one sample passes them: shapes, parameters, multiply-adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.modes import fusion, no_grad, watch
from lenetcli.autograd.op import Op
from lenetcli.autograd.tape import Variable
from lenetcli.inspection.record import Record
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, from_numpy


@dataclass
class LayerSummary(Record):
    """One call of a module.

    Args:
        path: of the module; "" for the model itself.
        kind: its class.
        depth: how many modules it is in.
        input, output: shapes of one sample; None where it is no tensor.
        parameters: of its own, without those of the modules inside and without those that were counted before.
        reused: some of its parameters were counted before: at another place, or at its first call.
        multiply_adds: of its own operations, for one sample.
        leaf: there are no modules inside.
    """

    KEYS: ClassVar = {"kind": "type", "leaf": None}

    path: str
    kind: str
    depth: int
    input: list[int] | None
    output: list[int] | None = None
    parameters: int = 0
    reused: bool = False
    multiply_adds: int = 0
    leaf: bool = True


@dataclass
class Summary(Record):
    """A model's layers with their totals.

    Args:
        layers: in the order of their calls, a module before those inside it.
        parameters, trainable: numbers, each tensor counted once.
        bytes: of the parameters.
        multiply_adds: for one sample.
        activations: numbers that the layers without others inside give, for one sample.
    """

    KEYS: ClassVar = {"parameters": "total"}

    layers: list[LayerSummary] = field(default_factory=list)
    parameters: int = 0
    trainable: int = 0
    bytes: int = 0
    multiply_adds: int = 0
    activations: int = 0


def summary(model: Module, sample: tuple[int, ...]) -> Summary:
    """Passes one sample of zeros through the model, in evaluation mode, and notes every call.

    Args:
        sample: the shape of one sample, without N.

    Example:
        >>> from lenetcli import nn
        >>> found = summary(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), (1, 8, 8))
        >>> found.parameters, found.multiply_adds
        (650, 640)
    """
    return _Watcher(model).run(sample)


def multiply_adds(node: Any, operands: tuple[Any, ...], results: list[Any]) -> int:
    """Those of an operation's forward; a Function of one's own has none that are known."""
    if not isinstance(node, Op):
        return 0
    made: int = node.multiply_adds(results[0].array, *(o.array if isinstance(o, Variable) else o for o in operands))
    return made


class _Watcher:
    """Notes calls and operations."""

    def __init__(self, model: Module) -> None:
        self.model, self.found = model, Summary()
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.open: list[LayerSummary] = []
        self.counted: set[int] = set()

    def run(self, sample: tuple[int, ...]) -> Summary:
        handles = []
        for module in self.model.modules():
            handles += [module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave)]
        training = self.model.training
        self.model.eval()
        try:
            with no_grad(), fusion(False), watch(self._observe):
                self.model(from_numpy(np.zeros((1, *sample), np.float32)))
        finally:
            self.model.train(training)
            for handle in handles:
                handle.remove()
        found = self.found
        for parameter in self.model.parameters():
            found.parameters += parameter.numel()
            found.trainable += parameter.numel() if parameter.requires_grad else 0
            found.bytes += parameter.array.nbytes
        return found

    def _enter(self, module: Module, args: tuple[Any, ...]) -> None:
        layer = LayerSummary(
            self.paths.get(id(module), ""), type(module).__name__, len(self.open), _shape(args[0]) if args else None
        )
        for _, parameter in module.named_parameters(recurse=False):
            if id(parameter) in self.counted:
                layer.reused = True
            else:
                self.counted.add(id(parameter))
                layer.parameters += parameter.numel()
        if self.open:
            self.open[-1].leaf = False
        self.open.append(layer)
        self.found.layers.append(layer)

    def _leave(self, module: Module, args: tuple[Any, ...], output: Any) -> None:
        layer = self.open.pop()
        layer.output = _shape(output)
        if layer.leaf and layer.output is not None:
            self.found.activations += int(np.prod(layer.output))

    def _observe(self, node: Any, operands: tuple[Any, ...], parameters: dict[str, Any], results: list[Any]) -> None:
        made = multiply_adds(node, operands, results)
        self.found.multiply_adds += made
        if self.open:
            self.open[-1].multiply_adds += made


def _shape(value: Any) -> list[int] | None:
    """Of one sample; None for what is no tensor with a batch."""
    return list(value.array.shape[1:]) if isinstance(value, Tensor) and value.array.ndim else None
