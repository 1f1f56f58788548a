"""One training step, told: moment by moment what happened, by which rule, to which numbers; see story.py.

The step is made with the training's own parts, so that it is the step `lenet train` makes; an observer and hooks on the
graph note everything on the way.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli._tensor import Tensor
from lenetcli.autograd.engine import reduce_to_shape
from lenetcli.autograd.modes import fusion, no_grad, watch
from lenetcli.autograd.node import AccumulateGrad, Node, module_scopes
from lenetcli.autograd.random import get_rng_state, set_rng_state
from lenetcli.inspect.by_hand import ByHand, Index, Seen, backward_by_hand, forward_by_hand, largest
from lenetcli.inspect.rules import mentioned, rule_of, source
from lenetcli.inspect.story import Change, Moment, Shown, Story
from lenetcli.inspect.update import update_by_hand
from lenetcli.train import guard
from lenetcli.train.events import Step
from lenetcli.train.gradients import backward, batches_of_steps, clip, share, warming_up
from lenetcli.train.loop import fit
from lenetcli.train.run import Run

Array = npt.NDArray[Any]


def advance(run: Run, steps: int) -> None:
    """Trains so many steps, as `fit` does, with everything that comes before the next one; nothing is saved or ends it."""
    run.epochs, run.early_stopping, run.max_seconds, run.checkpoints = sys.maxsize, None, None, None
    events, made = fit(run), 0
    while made < steps or run.progress.batch >= run.batches:  # at an epoch's end comes the evaluation
        made += isinstance(next(events), Step)


def record_step(run: Run, parameter: str | None = None, index: Index | None = None) -> Story:
    """Makes the run's next step and tells it.

    Args:
        parameter: the one whose update is worked out; default: the first.
        index: which of its elements; default: that with the largest gradient.

    Raises:
        DivergedError: the loss or a gradient is no finite number.
    """
    teller = _Teller(run, parameter or next(name for name, _ in run.model.named_parameters()), index)
    return teller.tell()


class _Teller:
    """Notes the moments of one step."""

    def __init__(self, run: Run, parameter: str, index: Index | None) -> None:
        self.run, self.parameter, self.index = run, parameter, index
        self.parameters = dict(run.model.named_parameters())
        self.followed = self.parameters[parameter]
        self.moments: list[Moment] = []
        self.tensors: dict[str, Array] = {name: p.array.copy(order="K") for name, p in self.parameters.items()}
        self.names: dict[tuple[int, int], str] = {}  # of results, by node and number of the output
        self.plain: dict[int, str] = {id(p): name for name, p in self.parameters.items()}  # of other tensors
        self.buffers: dict[str, Tensor] = dict(run.model.named_buffers())
        self.plain |= {id(b): name for name, b in self.buffers.items()}
        self.nodes: dict[Node, tuple[int, dict[str, Any], Seen]] = {}  # moment, named operands, what it saw
        self.kept: list[Any] = []  # tensors whose identity is noted must live as long
        self.paths = {id(module): path for path, module in run.model.named_modules()}
        self.phase = "forward"
        self.sent: dict[str, int] = {}  # how many gradients went to each name

    def tell(self) -> Story:
        run = self.run
        progress = run.progress
        step, epoch, batch = progress.step + 1, progress.epoch + 1, progress.batch + 1
        run.model.train()
        group = next(batches_of_steps(run))
        random, buffers = get_rng_state(), self._buffer_values()
        self._zero_grad()
        loss = 0.0
        for number, batch_ in enumerate(group):
            loss += share(run, batch_, group) * self._batch(batch_, share(run, batch_, group), number, len(group))
        guard.check_gradients(run)
        self._clip()
        lr = run.lr
        self._update()
        after = self._loss_after(group, random, buffers)
        self._add(
            "update",
            "after the step",
            notes=(f"the loss on the same samples: {loss:.6g} before the step, {after:.6g} after it",),
        )
        assert self.index is not None, "the update has chosen one"
        progress.step += 1
        progress.batch += len(group)
        return Story(
            step, epoch, batch, lr, loss, after, self.parameter, self.index, self.moments, self.tensors
        )  # fmt: skip

    def _add(self, phase: str, title: str, **parts: Any) -> None:
        self.moments.append(Moment(len(self.moments) + 1, phase, title, **parts))

    # zero_grad

    def _zero_grad(self) -> None:
        before = {name: _grad(p) for name, p in self.parameters.items()}
        self.run.optimizer.zero_grad()
        changes = tuple(Change(f"{name}.grad", before[name], _grad(p)) for name, p in self.parameters.items())
        had = sum(value is not None for value in before.values())
        note = (
            f"{had} gradients of the step before are forgotten; without this, the new ones would be added to them"
            if had
            else "no parameter has a gradient yet"
        )
        self._add("zero_grad", "optimizer.zero_grad()", rules=("p.grad ← None",), changes=changes, notes=(note,))

    # forward and loss

    def _batch(self, batch: tuple[Any, ...], weight: float, number: int, count: int) -> float:
        run = self.run
        inputs, targets = batch
        mark = f"{number + 1}" if count > 1 else ""
        for tensor, name in ((inputs, f"input{mark}"), (targets, f"target{mark}")):
            self.plain[id(tensor)] = name
            self.tensors[name] = tensor.array
            self.kept.append(tensor)
        self.target = targets.array
        with fusion(False), watch(self._observe):
            self.phase = "forward"
            output = run.model(inputs)
            self.phase = "loss"
            loss: Tensor = run.criterion(output, targets)
        value = float(loss.item())
        guard.check_loss(run, value)
        self._backward(loss, weight, mark)
        return value

    def _observe(self, node: Any, operands: tuple[Any, ...], parameters: dict[str, Any], results: list[Any]) -> None:
        number = len(self.moments) + 1
        named = _named(node, operands)
        arrays = {role: _copied(value) for role, value in named.items()}
        y = results[0].array.copy(order="K")
        seen = Seen(arrays, parameters, y, y)
        shown = [
            Shown(role, self._name(value), arrays[role]) for role, value in named.items() if isinstance(value, Tensor)
        ]
        for key, value in parameters.items():
            if isinstance(value, np.ndarray):
                name = f"target{key[6:]}" if key == "target" else key
                shown.append(Shown(key, name, value.copy()))
        for i, result in enumerate(results):
            name = f"y{number}" + (f".{i}" if i else "")
            array = y if i == 0 else result.array.copy(order="K")
            self.tensors[name] = array
            if result.grad_fn is not None:
                self.names[id(result.grad_fn), result.output_nr] = name
            self.plain[id(result)] = name
            shown.append(Shown("y" if i == 0 else f"y.{i}", name, array))
        self.kept.append((node, results))
        self.nodes[node] = (number, named, seen)
        rule = rule_of(node, parameters, arrays)
        worked = forward_by_hand(type(node).__name__, seen, largest(y)) if y.size and y.dtype.kind == "f" else None
        notes = _settings(parameters, mentioned(type(node).__name__))
        if not node.next_functions:
            notes.append("not recorded: no operand requires a gradient, so backward has nothing to do here")
        self._add(
            self.phase,
            type(node).__name__,
            module=self._module(),
            rules=(rule.forward,),
            shown=tuple(shown),
            by_hand=(worked,) if worked is not None else (),
            changes=self._buffer_changes(),
            notes=tuple(notes),
            source=source(type(node)),
            code=_code(type(node), "forward"),
        )

    def _module(self) -> str:
        if not module_scopes:
            return ""
        module = module_scopes[-1][1]
        path = self.paths.get(id(module), "")
        return f"{path}: {type(module).__name__}" if path else type(module).__name__

    def _name(self, tensor: Any) -> str:
        """What the story calls a tensor."""
        if tensor.grad_fn is not None:
            found = self.names.get((id(tensor.grad_fn), tensor.output_nr))
            if found is not None:
                return found
        return self.plain.get(id(tensor), "a constant")

    def _buffer_changes(self) -> tuple[Change, ...]:
        changes = []
        for name, buffer in self.buffers.items():
            before = self.tensors.setdefault(name, buffer.array.copy())
            if not np.array_equal(before, buffer.array, equal_nan=True):
                self.tensors[name] = buffer.array.copy()
                changes.append(Change(name, before, self.tensors[name]))
        return tuple(changes)

    # backward

    def _backward(self, loss: Tensor, weight: float, mark: str) -> None:
        assert loss.grad_fn is not None, "a loss of a model with trainable parameters has a graph"
        leaves = dict.fromkeys(
            target for node in self.nodes for target, _ in node.next_functions if isinstance(target, AccumulateGrad)
        )
        before = {name: _grad(p) for name, p in self.parameters.items()}
        handles = [node.register_hook(self._node_hook(node)) for node in self.nodes if node.next_functions]
        try:
            backward(loss, weight)
        finally:
            for handle in handles:
                handle.remove()
        changes = tuple(
            Change(f"{self._of(leaf)}.grad", before.get(self._of(leaf)), _grad(leaf.variable))
            for leaf in leaves
            if leaf.variable.grad is not None
        )
        for leaf in leaves:
            if leaf.variable.grad is not None:
                self.tensors[f"{self._of(leaf)}.grad"] = leaf.variable.grad.array.copy(order="K")
        batch = f" of batch {mark}" if mark else ""
        self._add(
            "backward",
            f"AccumulateGrad × {len(leaves)}",
            rules=("p.grad ← d_p where p.grad is None, else p.grad + d_p",),
            changes=changes,
            notes=(f"gradients{batch} have arrived at the parameters",),
        )
        self.nodes.clear()

    def _of(self, leaf: AccumulateGrad) -> str:
        return self.plain.get(id(leaf.variable), "a leaf")

    def _node_hook(self, node: Node) -> Any:
        def note(grad_inputs: Any, grad_outputs: Any) -> None:
            self._node(node, [g.array if g is not None else None for g in grad_inputs], grad_outputs)

        return note

    def _node(self, node: Node, d_operands: list[Array | None], grad_outputs: Any) -> None:
        number, named, seen = self.nodes[node]
        grad = next(g.array for g in grad_outputs if g is not None).copy(order="K")
        rule = rule_of(node, seen.parameters, seen.operands)
        seen = Seen(seen.operands, seen.parameters, seen.y, grad)
        shown = [Shown("grad", f"d_y{number}", grad)]
        self.tensors[f"d_y{number}"] = grad
        worked: list[ByHand] = []
        notes = [self._forward_of(number, named)]
        if self.sent.get(f"d_y{number}", 0) > 1:
            notes.append(f"grad is the sum of {self.sent[f'd_y{number}']} gradients, one from each use of y{number}")
        for role, (target, nr), raw in zip(named, node.next_functions, d_operands):
            if target is None or raw is None:
                continue
            shape = target.outputs[nr][0]
            d = raw if raw.shape == shape else reduce_to_shape(raw, shape, node)
            if d.shape != raw.shape and raw.size != d.size:
                notes.append(
                    f"d_{role} was summed from {_sizes(raw.shape)} to {_sizes(shape)}, as forward had stretched it"
                )
            name = f"d_{self._target(target, nr)}"
            self.sent[name] = self.sent.get(name, 0) + 1
            d = d.copy(order="K")
            self.tensors[name] = d
            shown.append(Shown(f"d_{role}", name, d))
            if d.size:
                at = self._element(target, d)
                by_hand = backward_by_hand(type(node).__name__, role, seen, at, float(d[at]))
                worked += [by_hand] if by_hand is not None else []
        stopped = [
            role for role, (target, _) in zip(named, node.next_functions) if target is None and role in rule.backward
        ]
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
            code=_code(type(node), "backward"),
        )

    def _forward_of(self, number: int, named: dict[str, Any]) -> str:
        operands = [f"{role} = {self._name(value)}" for role, value in named.items() if isinstance(value, Tensor)]
        return f"forward was moment {number}: {', '.join([*operands, f'y = y{number}'])}"

    def _target(self, target: Node, nr: int) -> str:
        if isinstance(target, AccumulateGrad):
            return self._of(target)
        return self.names.get((id(target), nr), target.name())

    def _element(self, target: Node, d: Array) -> Index:
        """The element of a gradient that is worked out: the followed one, else the largest."""
        if self.index is not None:
            if isinstance(target, AccumulateGrad) and target.variable is self.followed:
                return self.index
            below = target.next_functions[0][0] if target.next_functions else None
            if type(target).__name__ == "T" and isinstance(below, AccumulateGrad) and below.variable is self.followed:
                return self.index[::-1]
        return largest(d)

    # clip and update

    def _clip(self) -> None:
        run = self.run
        if run.clip_norm is None and run.clip_value is None:
            return
        before = {name: _grad(p) for name, p in self.parameters.items()}
        norm = float(
            np.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in before.values() if g is not None))
        )
        clip(run)
        rules, notes = [], [f"the norm of all gradients together was {norm:.4g}"]
        if run.clip_value is not None:
            rules.append(f"p.grad ← p.grad limited to [−{run.clip_value:g}, {run.clip_value:g}]")
        if run.clip_norm is not None:
            rules.append(f"p.grad ← p.grad · min(1, {run.clip_norm:g} / norm)")
        changes = tuple(Change(f"{name}.grad", before[name], _grad(p)) for name, p in self.parameters.items())
        self._add("clip", "clip", rules=tuple(rules), changes=changes, notes=tuple(notes))

    def _update(self) -> None:
        run, optimizer = self.run, self.run.optimizer
        if self.index is None:
            self.index = (0,) * self.followed.array.ndim
            if self.followed.grad is not None and self.followed.array.size:
                self.index = largest(self.followed.grad.array)
        before = {name: p.array.copy(order="K") for name, p in self.parameters.items()}
        states = {name: _states(optimizer.state.get(p, {})) for name, p in self.parameters.items()}
        grads = {name: _grad(p) for name, p in self.parameters.items()}
        with warming_up(run):
            group = next(g for g in optimizer.param_groups if any(p is self.followed for p in g["params"]))
            options = {k: v for k, v in group.items() if k not in ("params", "param_names")}
            worked = self._worked_update(options, states[self.parameter])
            optimizer.step()
        name, index = self.parameter, self.index
        after = float(self.followed.array[index])
        if worked:
            worked[-1] = replace(worked[-1], actual=after)
        notes = [
            "options: "
            + ", ".join(f"{k} {v:g}" if isinstance(v, float) else f"{k} {v}" for k, v in options.items() if v)
        ]
        if run.warm != 1.0:
            notes.append(f"warm-up: the learning rate is {run.warm:.4g} of what the schedule says")
        place = f"{name}[{','.join(map(str, index))}]" if index else name
        changes = [Change(name, before[name], self.followed.array.copy(order="K"))]
        new = _states(optimizer.state.get(self.followed, {}))
        changes += [Change(f"its {key}", states[name].get(key), value) for key, value in new.items()]
        self._add(
            "update",
            f"{type(optimizer).__name__}, by one number: {place}",
            by_hand=tuple(worked),
            changes=tuple(changes),
            notes=tuple(notes),
            source=source(type(optimizer)),
            code=_code(type(optimizer), "_update"),
        )
        if run.average is not None:
            run.average.update_parameters(run.model)
        moved = tuple(Change(name, before[name], p.array.copy(order="K")) for name, p in self.parameters.items())
        still = [name for name, grad in grads.items() if grad is None]
        self._add(
            "update",
            "every parameter",
            changes=moved,
            notes=(
                "a relative change of about 0.001 a step is healthy; far more shakes the net, far less hardly trains it",
                *((f"no gradient, so no step: {', '.join(still)}",) if still else ()),
                *(("the moving average of the weights (train.ema) has taken its step, too",) if run.average else ()),
            ),
        )

    def _worked_update(self, options: dict[str, Any], states: dict[str, Array]) -> list[ByHand]:
        assert self.index is not None, "chosen above"
        if self.followed.grad is None or not self.followed.array.size:
            return []
        index, shape = self.index, self.followed.array.shape
        state = {key: float(value[index] if value.shape == shape else value) for key, value in states.items()}
        p, g = float(self.followed.array[index]), float(self.followed.grad.array[index])
        return update_by_hand(self.run.optimizer, options, p, g, state)

    def _loss_after(self, group: list[Any], random: Any, buffers: dict[str, Array]) -> float:
        """The loss of the same batches with the new weights; random numbers and buffers are those of the first time."""
        run, now = self.run, (get_rng_state(), self._buffer_values())
        self._restore(random, buffers)
        with no_grad(), fusion(False):
            losses = [share(run, b, group) * run.criterion(run.model(b[0]), b[1]).item() for b in group]
        self._restore(*now)
        return float(sum(losses))

    def _buffer_values(self) -> dict[str, Array]:
        return {name: buffer.array.copy() for name, buffer in self.buffers.items()}

    def _restore(self, random: Any, buffers: dict[str, Array]) -> None:
        set_rng_state(random)
        for name, buffer in self.buffers.items():
            buffer.array[...] = buffers[name]


def _grad(parameter: Any) -> Array | None:
    return None if parameter.grad is None else parameter.grad.array.copy(order="K")


def _copied(value: Any) -> Any:
    return value.array.copy(order="K") if isinstance(value, Tensor) else value


def _named(node: Node, operands: tuple[Any, ...]) -> dict[str, Any]:
    """Operands under the names of forward's arguments."""
    names = [p.name for p in list(inspect.signature(type(node).forward).parameters.values())[1:]]  # type: ignore[attr-defined]
    if len(names) < len(operands):  # forward takes *operands
        names = [f"x{i}" for i in range(len(operands))]
    return dict(zip(names, operands))


def _settings(parameters: dict[str, Any], mentioned: str) -> list[str]:
    """What else the operation was told, but for what its rule says, what is left out and what is an array."""
    told = {
        key: value
        for key, value in parameters.items()
        if value is not None and value is not False and f"{{{key}" not in mentioned
        and not any(isinstance(v, np.ndarray) for v in (value if isinstance(value, (tuple, list)) else (value,)))
    }  # fmt: skip
    if told.get("alpha") == 1 and told.get("beta") == 1:
        del told["alpha"], told["beta"]
    return ["with " + ", ".join(f"{key} {value}" for key, value in told.items())] if told else []


def _states(state: dict[str, Any]) -> dict[str, Array]:
    return {key: np.array(value.array if isinstance(value, Tensor) else value) for key, value in state.items()}


def _code(cls: type, method: str) -> str:
    try:
        return inspect.cleandoc("\n" + inspect.getsource(getattr(cls, method)))
    except (OSError, TypeError, AttributeError):
        return ""


def _sizes(shape: tuple[int, ...]) -> str:
    return "[" + ",".join(map(str, shape)) + "]"
