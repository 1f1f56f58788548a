"""The parameters of a model as a tree of its modules, with counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from lenetcli.inspection.record import Record
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor


@dataclass
class Leaf:
    """A tensor in the tree.

    Args:
        shared: where the same tensor stands already; it is counted there.
    """

    name: str
    shape: list[int]
    count: int
    trainable: bool
    shared: str | None = None

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        found = {"name": self.name, "shape": self.shape, "count": self.count, "trainable": self.trainable}
        return found | ({"shared": self.shared} if self.shared is not None else {})


@dataclass
class Branch(Record):
    """A module, or a part of a tensor's name where no model is at hand.

    Args:
        name: in the module around it.
        kind: its class; "" where that is not known.
    """

    SHOWN: ClassVar = ("name", "kind", "count", "trainable", "leaves", "branches")
    KEYS: ClassVar = {"kind": "type", "leaves": "parameters", "branches": "modules"}

    name: str
    kind: str = ""
    leaves: list[Leaf] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Numbers in all tensors below, each counted once."""
        return sum(leaf.count for leaf in self.leaves) + sum(branch.count for branch in self.branches)

    @property
    def trainable(self) -> int:
        """Those of them that are trained."""
        own = sum(leaf.count for leaf in self.leaves if leaf.trainable)
        return own + sum(branch.trainable for branch in self.branches)


def tree_of_model(model: Module) -> Branch:
    """Every module, also those without parameters; a parameter used twice is counted where it comes first."""
    seen: dict[int, str] = {}
    root = Branch("", type(model).__name__)
    stack = [(root, model, "")]
    while stack:
        branch, module, path = stack.pop()
        for name, parameter in module.named_parameters(recurse=False):
            full = f"{path}{name}"
            first = seen.setdefault(id(parameter), full)
            shared = first if first != full else None
            count = 0 if shared else parameter.numel()
            branch.leaves.append(Leaf(name, list(parameter.shape), count, parameter.requires_grad, shared))
        inside = [
            (Branch(name, type(child).__name__), child, f"{path}{name}.") for name, child in module.named_children()
        ]
        branch.branches = [below for below, _, _ in inside]
        stack += reversed(inside)
    return root


def tree_of_names(tensors: Mapping[str, Tensor]) -> Branch:
    """The tree that the names of tensors make: "block1.conv.weight" stands in block1, and there in conv."""
    root = Branch("")
    for full, tensor in tensors.items():
        *path, name = full.split(".")
        branch = root
        for part in path:
            below = next((b for b in branch.branches if b.name == part), None)
            if below is None:
                below = Branch(part)
                branch.branches.append(below)
            branch = below
        branch.leaves.append(Leaf(name, list(tensor.shape), tensor.numel(), tensor.requires_grad))
    return root
