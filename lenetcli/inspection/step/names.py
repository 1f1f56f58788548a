"""What a story calls each tensor, from one moment to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lenetcli.autograd.tape import AccumulateGrad, Node


class Names:
    """Names of tensors: results by the node that made them, so that a change in place gives a new name; others as such.

    Args:
        named: parameters and buffers by name.
    """

    def __init__(self, named: Mapping[str, Any]) -> None:
        self.arrived: Counter[str] = Counter()  # how many gradients went to each name
        self._results: dict[tuple[int, int], str] = {}
        self._others: dict[int, str] = {}
        self._kept: list[Any] = []  # what is known by its identity must live as long
        for name, tensor in named.items():
            self.call(tensor, name)

    def call(self, tensor: Any, name: str) -> None:
        """Gives a tensor its name."""
        if tensor.grad_fn is not None:
            self._results[id(tensor.grad_fn), tensor.output_nr] = name
        self._others[id(tensor)] = name
        self._kept.append((tensor, tensor.grad_fn))

    def of(self, tensor: Any) -> str:
        """A tensor's name."""
        if tensor.grad_fn is not None:
            found = self._results.get((id(tensor.grad_fn), tensor.output_nr))
            if found is not None:
                return found
        return self._others.get(id(tensor), "a constant")

    def at(self, target: Node, number: int) -> str:
        """The name of what a node's output is, to which a gradient goes."""
        if isinstance(target, AccumulateGrad):
            return self.of(target.variable)
        return self._results.get((id(target), number), target.name())
