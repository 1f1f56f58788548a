"""A graph of ONNX's operators as the passes of the import see it: all sizes known, constants worked out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.errors import DataError, printable

Array = npt.NDArray[Any]
Sizes = tuple[int, ...]

OWN = "lenet:"  # begins the operators that patterns put in the place of several


class NotImportable(DataError):
    """What no layer here stands for; the message names the operator and the node."""


@dataclass
class Node:
    """One operator.

    Args:
        label: its name in the file or, without one, that of its output; for messages.
        path: the module that it stands for, as far as names tell; empty where they do not.
    """

    op: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any] = field(default_factory=dict)
    label: str = ""
    path: str = ""

    def refusal(self, reason: str) -> NotImportable:
        """The error that names the node and says why it cannot be read."""
        return NotImportable(printable(f"{self.op} ({self.label}): {reason}"))

    @property
    def output(self) -> str:
        """The first one."""
        return self.outputs[0]


def made(node: Node, kind: str, source: str, args: dict[str, Any]) -> Node:
    """A layer in the place of a node and those before it."""
    return Node(OWN + kind, [source], node.outputs[:1], args, node.label, node.path)


@dataclass
class Net:
    """Operators in the order they run.

    Args:
        batch: the number of samples that sizes are worked out for; the first size of all that flows.
    """

    input: str
    outputs: list[str]
    batch: int
    opset: int = 1
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Sizes] = field(default_factory=dict)

    def producers(self) -> dict[str, Node]:
        """By the names of what they make."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    def users(self) -> dict[str, int]:
        """How often each value is used; what leaves the net is used once more."""
        found: dict[str, int] = dict.fromkeys(self.outputs, 1)
        for node in self.nodes:
            for name in node.inputs:
                found[name] = found.get(name, 0) + 1
        return found

    def without_dead(self) -> None:
        """Leaves out nodes whose results nobody uses."""
        wanted, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.inputs)
                kept.append(node)
        self.nodes = kept[::-1]

    def scalar(self, name: str) -> float | None:
        """The number that a constant of one element is; None for all else."""
        array = self.constants.get(name)
        return None if array is None or array.size != 1 else float(array.reshape(()))


def ordered(nodes: Iterable[Node], known: set[str]) -> list[Node]:
    """Nodes so that each comes after those whose results it takes, else in their own order.

    Args:
        known: values that are there from the beginning.

    Raises:
        NotImportable: there is a circle, or a value that nobody makes.
    """
    nodes = list(nodes)
    if _is_ordered(nodes, known):
        return nodes
    makers = {name: i for i, node in enumerate(nodes) for name in node.outputs}
    missing = [0] * len(nodes)
    waiting: dict[str, list[int]] = {}
    for i, node in enumerate(nodes):
        for name in {name for name in node.inputs if name and name not in known}:
            if name not in makers:
                raise node.refusal(f"takes {name!r}, which nothing in the file makes")
            waiting.setdefault(name, []).append(i)
            missing[i] += 1
    ready, found = [i for i, count in enumerate(missing) if not count], []
    while ready:
        i = ready.pop()
        found.append(nodes[i])
        for name in nodes[i].outputs:
            for j in waiting.pop(name, ()):
                missing[j] -= 1
                if not missing[j]:
                    ready.append(j)
    if len(found) < len(nodes):
        stuck = next(node for node, count in zip(nodes, missing) if count)
        raise stuck.refusal("takes what is made from its own result: the graph has a circle")
    return found


def _is_ordered(nodes: list[Node], known: set[str]) -> bool:
    seen = {"", *known}
    for node in nodes:
        if not seen.issuperset(node.inputs):
            return False
        seen.update(node.outputs)
    return True


def as_tuple(value: Any) -> Sizes:
    """Integers of an attribute or a constant."""
    return tuple(int(v) for v in np.asarray(value).reshape(-1))
