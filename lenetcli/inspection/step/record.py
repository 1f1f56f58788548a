"""One training step, told: moment by moment what happened, by which rule, to which numbers; see story.py.

The step is the one `lenet train` makes; an observer and hooks on the graph note everything on the way.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any

import numpy as np

from lenetcli.autograd.engine import reduce_to_shape
from lenetcli.autograd.modes import fusion, no_grad, switches, watch
from lenetcli.autograd.random import draws_from, get_rng_state, set_rng_state
from lenetcli.autograd.tape import AccumulateGrad, Node
from lenetcli.inspection.step.names import Names
from lenetcli.inspection.step.rules import code, mentioned, rule_of, source
from lenetcli.inspection.step.story import Array, Change, Moment, Shown, Story
from lenetcli.inspection.step.update_record import gradients, limit_moment, update_moments
from lenetcli.inspection.step.written_out import Index, Seen, backward_by_hand, forward_by_hand, largest
from lenetcli.nn.recorded import outlook
from lenetcli.tensors.tensor import Tensor
from lenetcli.train import events
from lenetcli.train.accumulate import batches_of_steps
from lenetcli.train.loop import fit
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Phase, Step

NOTHING = "no sample of the batch counts for the loss, whose mean is 0 / 0: its backward is left out"


def advance(run: Run, steps: int) -> None:
    """Trains so many steps, as `fit` does, and what comes before the next one; nothing is saved, nothing ends it."""
    run.epochs, run.early_stopping, run.max_seconds, run.checkpoints = sys.maxsize, None, None, None
    training, made = fit(run), 0
    while made < steps or run.progress.batch >= run.batches:  # at an epoch's end comes the evaluation
        made += isinstance(next(training), events.Step)
    run.begin_training()  # as the next epoch does, and with the whole model, whatever is kept of frozen layers


@draws_from(lambda run, *_, **__: run.random)
def record_step(run: Run, parameter: str | None = None, index: Index | None = None) -> Story:
    """Makes the run's next step and tells it.

    Args:
        parameter: the one whose update is worked out; default: the first.
        index: which of its elements; default: that with the largest gradient.

    Raises:
        DivergedError: the loss or a gradient is no finite number.
    """
    return _Teller(run, parameter or next(name for name, _ in run.model.named_parameters()), index).tell()


class _Teller:
    """Notes the moments of one step."""

    def __init__(self, run: Run, parameter: str, index: Index | None) -> None:
        self.run, self.parameter, self.index = run, parameter, index
        self.parameters = dict(run.model.named_parameters())
        self.followed = self.parameters[parameter]
        self.buffers: dict[str, Tensor] = dict(run.model.named_buffers())
        self.names = Names({**self.parameters, **self.buffers})
        self.tensors: dict[str, Array] = {name: p.array.copy(order="K") for name, p in self.parameters.items()}
        self.tensors |= self._buffer_values()
        self.moments: list[Moment] = []
        self.nodes: dict[Node, tuple[int, dict[str, Any], Seen]] = {}  # moment, operands by role, what it saw
        self.paths = {id(module): path for path, module in run.model.named_modules()}
        self.step = Step(run)
        self.counts = False  # whether anything in the step does, for the loss

    def tell(self) -> Story:
        """Makes the step."""
        run, p = self.run, self.run.progress
        place, lr = (p.step + 1, p.epoch + 1, p.batch + 1), run.lr
        run.begin_training()
        group = next(batches_of_steps(run))
        recorded = outlook(run.model, group[0][0])
        random, buffers = get_rng_state(), self._buffer_values()
        tellers = {"zero_grad": self._zero_grad, "forward": self._forward, "backward": self._backward}
        tellers |= {"limit": self._limit, "update": self._update}
        for phase in self.step.phases(group):
            tell = tellers.get(phase.__name__)
            if tell is None:
                phase()
            else:
                tell(phase)
        loss, after = self.step.readout.loss, self._loss_after(group, random, buffers)
        told = f"the loss on the same samples: {loss:.6g} before the step, {after:.6g} after it"
        if not self.counts:
            told = "nothing in the step counts for the loss: there is none, and the step changes nothing"
        self._add("update", "after the step", notes=(told,))
        assert self.index is not None, "it was chosen before the update"
        return Story(*place, lr, loss, after, self.parameter, self.index, self.moments, self.tensors, recorded)

    def _add(self, phase: str, title: str, **parts: Any) -> None:
        self.moments.append(Moment(len(self.moments) + 1, phase, title, **parts))

    def _zero_grad(self, phase: Phase) -> None:
        before = gradients(self.run)
        phase()
        after = gradients(self.run)
        changes = tuple(Change(f"{name}.grad", before[name], after[name]) for name in before)
        had = sum(value is not None for value in before.values())
        note = "no parameter has a gradient yet"
        if had:
            note = f"{had} gradients of the step before are forgotten; otherwise the new ones would be added to them"
        self._add("zero_grad", "optimizer.zero_grad()", rules=("p.grad ← None",), changes=changes, notes=(note,))

    # forward and loss

    def _forward(self, phase: Phase) -> None:
        many = len(self.step.group) > 1
        mark = str(1 + next(i for i, b in enumerate(self.step.group) if b is self.step.batch)) if many else ""
        for tensor, name in zip(self.step.batch, (f"input{mark}", f"target{mark}")):
            self.names.call(tensor, name)
            self.tensors[name] = tensor.array
        with fusion(False), watch(self._observe):
            phase()

    def _observe(self, node: Any, operands: tuple[Any, ...], parameters: dict[str, Any], results: list[Any]) -> None:
        number, title = len(self.moments) + 1, type(node).__name__
        roles = _roles(node, operands)
        values = {role: v.array.copy(order="K") if isinstance(v, Tensor) else v for role, v in roles.items()}
        y = results[0].array.copy(order="K")
        seen = Seen(values, parameters, y, y)
        shown = [Shown(role, self.names.of(v), values[role]) for role, v in roles.items() if isinstance(v, Tensor)]
        shown += [Shown(role, role, v.copy()) for role, v in parameters.items() if isinstance(v, np.ndarray)]
        for i, result in enumerate(results):
            name = f"y{number}" + (f".{i}" if i else "")
            self.names.call(result, name)
            self.tensors[name] = result.array.copy(order="K") if i else y
            shown.append(Shown(f"y.{i}" if i else "y", name, self.tensors[name]))
        self.nodes[node] = (number, roles, seen)
        worked = forward_by_hand(type(node), seen, largest(y)) if y.size and y.dtype.kind == "f" else None
        notes = _settings(parameters, mentioned(type(node)))
        if not node.next_functions:
            notes.append("not recorded: no operand requires a gradient, so backward has nothing to do here")
        in_loss = bool(switches.scopes) and switches.scopes[0][1] is self.run.criterion
        self._add(
            "loss" if in_loss else "forward",
            title,
            module=self._module(),
            rules=(rule_of(node, parameters, values).forward,),
            shown=tuple(shown),
            by_hand=(worked,) if worked is not None else (),
            changes=self._buffer_changes(),
            notes=tuple(notes),
            source=source(type(node)),
            code=code(type(node), "forward"),
        )

    def _module(self) -> str:
        if not switches.scopes:
            return ""
        module = switches.scopes[-1][1]
        path = self.paths.get(id(module), "")
        return f"{path}: {type(module).__name__}" if path else type(module).__name__

    def _buffer_values(self) -> dict[str, Array]:
        return {name: buffer.array.copy() for name, buffer in self.buffers.items()}

    def _buffer_changes(self) -> tuple[Change, ...]:
        changes = []
        for name, buffer in self.buffers.items():
            before = self.tensors[name]
            if not np.array_equal(before, buffer.array, equal_nan=True):
                self.tensors[name] = buffer.array.copy()
                changes.append(Change(name, before, self.tensors[name]))
        return tuple(changes)

    # backward

    def _backward(self, phase: Phase) -> None:
        handles = [node.register_hook(self._hook(node)) for node in self.nodes if node.next_functions]
        self.counts |= self.step.share != 0
        leaves = {t: None for node in self.nodes for t, _ in node.next_functions if isinstance(t, AccumulateGrad)}
        before = gradients(self.run)
        try:
            phase()
        finally:
            for handle in handles:
                handle.remove()
        changes = []
        for leaf in leaves:
            name, grad = self.names.of(leaf.variable), leaf.variable.grad
            if grad is not None:
                self.tensors[f"{name}.grad"] = grad.array.copy(order="K")
                changes.append(Change(f"{name}.grad", before.get(name), self.tensors[f"{name}.grad"]))
        self._add(
            "backward",
            f"AccumulateGrad × {len(changes)}",
            rules=("p.grad ← d_p where p.grad is None, else p.grad + d_p",),
            changes=tuple(changes),
            notes=("the gradients have arrived at the parameters" if self.step.share else NOTHING,),
        )
        self.nodes.clear()

    def _hook(self, node: Node) -> Any:
        def note(grad_inputs: Any, grad_outputs: Any) -> None:
            grad = next(g.array for g in grad_outputs if g is not None).copy(order="K")
            self._node(node, grad, [g.array if g is not None else None for g in grad_inputs])

        return note

    def _node(self, node: Node, grad: Array, d_operands: list[Array | None]) -> None:
        number, roles, seen = self.nodes[node]
        seen = Seen(seen.operands, seen.parameters, seen.y, grad)
        rule = rule_of(node, seen.parameters, seen.operands)
        name = f"d_y{number}"
        shown, worked, notes = [Shown("grad", name, grad)], [], [self._forward_of(number, roles)]
        self.tensors[name] = grad
        if self.names.arrived[name] > 1:
            notes.append(f"grad is the sum of {self.names.arrived[name]} gradients, one from each use of y{number}")
        for role, (target, nr), raw in zip(roles, node.next_functions, d_operands):
            if target is None or raw is None:
                continue
            d = self._delivered(node, raw, target.outputs[nr][0])
            if d.size != raw.size:
                notes.append(f"d_{role}, {_sizes(raw)}, was summed to {_sizes(d)}: forward had stretched {role}")
            name = f"d_{self.names.at(target, nr)}"
            self.names.arrived[name] += 1
            self.tensors[name] = d
            shown.append(Shown(f"d_{role}", name, d))
            at = self._element(target, d) if d.size else ()
            by_hand = backward_by_hand(type(node), role, seen, at, float(d[at])) if d.size else None
            worked += [by_hand] if by_hand is not None else []
        stopped = [r for r, (target, _) in zip(roles, node.next_functions) if target is None and r in rule.backward]
        if stopped:
            notes.append(f"nothing flows to {', '.join(stopped)}: no gradient is required there")
        self._add(
            "backward",
            node.name(),
            module=self.moments[number - 1].module,
            rules=tuple(text for role, text in rule.backward.items() if role not in stopped),
            shown=tuple(shown),
            by_hand=tuple(worked),
            notes=tuple(notes),
            source=source(type(node)),
            code=code(type(node), "backward"),
        )

    def _delivered(self, node: Node, raw: Array, shape: tuple[int, ...]) -> Array:
        """A gradient as it reaches its target: summed over what broadcasting had stretched."""
        return (raw if raw.shape == shape else reduce_to_shape(raw, shape, node)).copy(order="K")

    def _forward_of(self, number: int, roles: dict[str, Any]) -> str:
        operands = [f"{role} = {self.names.of(value)}" for role, value in roles.items() if isinstance(value, Tensor)]
        return f"forward was moment {number}: {', '.join([*operands, f'y = y{number}'])}"

    def _element(self, target: Node, d: Array) -> Index:
        """The element of a gradient that is worked out: the followed one, else the largest."""
        if self.index is not None:
            if isinstance(target, AccumulateGrad) and target.variable is self.followed:
                return self.index
            below = target.next_functions[0][0] if target.next_functions else None
            if type(target).__name__ == "T" and isinstance(below, AccumulateGrad) and below.variable is self.followed:
                return self.index[::-1]
        return largest(d)

    # limit and update

    def _limit(self, phase: Phase) -> None:
        self.moments += limit_moment(self.run, phase, len(self.moments) + 1)

    def _update(self, phase: Phase) -> None:
        if self.index is None:
            grad = self.followed.grad
            self.index = largest(grad.array) if grad is not None else (0,) * self.followed.ndim
        self.moments += update_moments(self.run, phase, self.parameter, self.index, len(self.moments) + 1)

    # afterwards

    def _loss_after(self, group: list[Batch], random: Any, buffers: dict[str, Array]) -> float:
        """The loss of the same batches with the new weights; random numbers and buffers are those of the first time."""
        again, now = Step(self.run, strict=False), (get_rng_state(), self._buffer_values())
        self._restore(random, buffers)
        with no_grad(), fusion(False):
            for phase in again.phases(group):
                if phase.__name__ in ("forward", "read"):
                    phase()
        self._restore(*now)
        return again.readout.loss

    def _restore(self, random: Any, buffers: dict[str, Array]) -> None:
        set_rng_state(random)
        for name, buffer in self.buffers.items():
            buffer.array[...] = buffers[name]


def _roles(node: Node, operands: tuple[Any, ...]) -> dict[str, Any]:
    """Operands under the names of forward's arguments."""
    parameters = list(inspect.signature(type(node).forward).parameters.values())[1:]  # type: ignore[attr-defined]
    arguments = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    if len(arguments) < len(operands):  # forward takes *tensors
        arguments = [f"x{i}" for i in range(len(operands))]
    return dict(zip(arguments, operands))


def _settings(parameters: dict[str, Any], mentioned: str) -> list[str]:
    """What else the operation was told, but for what its rule says, what is left out and what is an array."""
    told = {}
    for key, value in parameters.items():
        if _is_plain(value) and value is not None and value is not False and f"{{{key}" not in mentioned:
            told[key] = value
    if told.get("alpha") == 1 and told.get("beta") == 1:
        del told["alpha"], told["beta"]
    return ["with " + ", ".join(f"{key} {value}" for key, value in told.items())] if told else []


def _is_plain(value: Any) -> bool:
    """Numbers and words, or a sequence of such: what a note can say."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, (bool, int, float, str, np.number, np.dtype))


def _sizes(array: Array) -> str:
    return "[" + ",".join(map(str, array.shape)) + "]"
