"""The nodes of a gradient graph as plain data: what each is, which module call made it, and its figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lenetcli.autograd.modes import switches, watch
from lenetcli.autograd.tape import AccumulateGrad, Node
from lenetcli.inspection.graph.node_check import Check
from lenetcli.inspection.statistics import Figures, dead_units, figures


@dataclass
class ModuleCall:
    """One call of a module during the forward pass; a module that is used twice has two.

    Args:
        path: of the module in the model; "" for the model itself and for the loss.
        kind: its class.
        outer: number of the call that it was made in; None for the outermost.
        turn: 1 for the module's first call, 2 for its second.
        turns: how often the module was called.
    """

    path: str
    kind: str
    outer: int | None
    turn: int = 1
    turns: int = 1

    def record(self) -> dict[str, Any]:
        """The call as JSON holds it."""
        return {"module": self.path, "kind": self.kind, "outer": self.outer, "turn": self.turn, "turns": self.turns}


@dataclass
class TracedNode:
    """One node of the grad_fn graph.

    Args:
        module: path of the module that made it; "" outside any.
        shapes: of its outputs.
        next: ids of the nodes its gradients go to; None where none flows.
        call: number of the innermost module call it was made in.
        parameter: name, where gradients arrive at a parameter.
        grad: figures of the gradient that reached it; None where none did.
        value: figures of its outputs in the forward pass, or of the parameter.
        dead: of an activation, how many of its units are zero for the whole batch.
        units: how many units it has.
    """

    id: int
    name: str
    module: str
    shapes: list[list[int]]
    next: list[int | None]
    call: int | None = None
    parameter: str | None = None
    grad: Figures | None = None
    value: Figures | None = None
    dead: int | None = None
    units: int | None = None
    check: Check | None = None

    @property
    def shape(self) -> list[int]:
        """Of its first output."""
        return self.shapes[0]

    @property
    def grad_norm(self) -> float | None:
        """Euclidean norm of the gradient that reached it."""
        return None if self.grad is None else self.grad.norm

    def record(self) -> dict[str, Any]:
        """The node as JSON holds it."""
        g, v = self.grad, self.value
        found: dict[str, Any] = {
            "id": self.id, "name": self.name, "module": self.module, "shape": self.shape, "next": self.next,
            "grad_norm": self.grad_norm,
        }  # fmt: skip
        if g is not None:
            found |= {"grad_mean": g.mean_abs, "grad_max": g.max_abs, "grad_zeros": g.zeros}
        if v is not None:
            found["value"] = {"mean": v.mean, "std": v.std, "min": v.min, "max": v.max, "zeros": v.zeros}
        if (g is not None and g.nonfinite) or (v is not None and v.nonfinite):
            found["nonfinite"] = {"grad": g.nonfinite if g else 0, "value": v.nonfinite if v else 0}
        if self.dead is not None:
            found |= {"dead": self.dead, "units": self.units}
        if len(self.shapes) > 1:
            found["shapes"] = self.shapes
        if self.call is not None:
            found["call"] = self.call
        if self.parameter is not None:
            found["parameter"] = self.parameter
        if self.check is not None:
            found["check"] = self.check.record()
        return found


@dataclass
class Notes:
    """What the forward pass showed of each recorded op."""

    values: dict[Node, Figures] = field(default_factory=dict)
    dead: dict[Node, tuple[int, int]] = field(default_factory=dict)
    scopes: dict[Node, tuple[tuple[Any, Any], ...]] = field(default_factory=dict)  # module calls, outermost first


@contextmanager
def forward_noted(notes: Notes, histogram: bool) -> Iterator[None]:
    """Notes every op that is recorded inside the block."""

    def note(node: Any, operands: tuple[Any, ...], parameters: dict[str, Any], results: list[Any]) -> None:
        if not node.next_functions:
            return
        notes.scopes[node] = tuple(switches.scopes)
        arrays = [r.array for r in results if r.array.dtype.kind == "f"]
        if arrays:
            notes.values[node] = figures(arrays, histogram)
            if getattr(node, "can_die", False) and (units := dead_units(arrays[0])) is not None:
                notes.dead[node] = units

    with watch(note):
        yield


@contextmanager
def gradients_noted(order: list[Node], nodes: list[TracedNode], histogram: bool) -> Iterator[None]:
    """Notes the gradient that reaches each node inside the block."""

    def noter(traced: TracedNode) -> Callable[[Any], None]:
        def note(grads: Any) -> None:
            arrays = [g.array for g in grads if g is not None]
            if arrays:
                traced.grad = figures(arrays, histogram)

        return note

    handles = [node.register_prehook(noter(traced)) for node, traced in zip(order, nodes)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def described(
    order: list[Node], notes: Notes, names: dict[int, str], histogram: bool
) -> tuple[list[TracedNode], list[ModuleCall]]:
    """The nodes and the module calls that made them.

    Args:
        names: of the parameters, by identity.
    """
    numbers = {node: i for i, node in enumerate(order)}
    calls = _Calls()
    nodes = []
    for i, node in enumerate(order):
        shapes = [list(shape) for shape, _ in node.outputs]
        below = [None if target is None else numbers[target] for target, _ in node.next_functions]
        if isinstance(node, AccumulateGrad):
            name = names.get(id(node.variable))
            module = (name or "").rpartition(".")[0]
            value = figures([node.variable.array], histogram)
            nodes.append(TracedNode(i, node.name(), module, shapes, below, parameter=name, value=value))
            continue
        call = calls.number(notes.scopes.get(node, (node.scope,) if node.scope is not None else ()))
        module = "" if call is None else calls.found[call].path
        dead, units = notes.dead.get(node, (None, None))
        nodes.append(
            TracedNode(i, node.name(), module, shapes, below, call, None, None, notes.values.get(node), dead, units)
        )
    calls.count_turns()
    return nodes, calls.found


class _Calls:
    """Numbers module calls; each call has its own (root, module) tuple, which tells one from the other."""

    def __init__(self) -> None:
        self.found: list[ModuleCall] = []
        self._numbers: dict[int, int] = {}  # by identity of the scope
        self._modules: list[int] = []  # identity of each call's module
        self._paths: dict[int, dict[int, str]] = {}  # of a root: path of each module

    def number(self, scopes: tuple[tuple[Any, Any], ...]) -> int | None:
        """The innermost call's number."""
        outer: int | None = None
        for scope in scopes:
            if id(scope) not in self._numbers:
                root, module = scope
                if id(root) not in self._paths:
                    self._paths[id(root)] = {id(m): path for path, m in root.named_modules()}
                self._numbers[id(scope)] = len(self.found)
                self._modules.append(id(module))
                self.found.append(ModuleCall(self._paths[id(root)].get(id(module), ""), type(module).__name__, outer))
            outer = self._numbers[id(scope)]
        return outer

    def count_turns(self) -> None:
        """Numbers the calls of each module, in the order of the forward pass (calls are found newest first)."""
        seen: dict[int, list[ModuleCall]] = {}
        for call, module in zip(reversed(self.found), reversed(self._modules)):
            seen.setdefault(module, []).append(call)
        for same in seen.values():
            for turn, call in enumerate(same, 1):
                call.turn, call.turns = turn, len(same)
