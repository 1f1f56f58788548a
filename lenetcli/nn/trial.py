"""How a chain of layers is recorded: on a copy with other numbers in it, so that nothing of it changes.

Alone, in two parts, since anything may come between a call and its backward; or with its loss, in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import numpy as np

from lenetcli.autograd.engine import Uncopied, leaf_gradients
from lenetcli.autograd.modes import enable_grad, no_grad, switches
from lenetcli.autograd.random import Generator, drawing_from
from lenetcli.autograd.tape import AccumulateGrad, Array, Node
from lenetcli.kernels.recording import Notes, Plan, Unknown
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.passes import Passes
from lenetcli.nn.recording import FLOAT, Fresh, Recording, like
from lenetcli.ops.nn.dropout import draws_noted
from lenetcli.tensors.tensor import Tensor, of_array

LARGEST = 1 << 25  # bytes that a recording may keep: where steps take longer, it gains little


def record(module: Module, input: Tensor, order: tuple[int, ...] | None = None) -> Recording:
    """Records a call of a module with an input like this one.

    Args:
        order: the strides of the output's gradient; None: those of the output.

    Raises:
        Unknown: NumPy has a part in it, or something else is in the way.
    """
    trial = Trial(module, input, order)
    return Recording(module, trial, _planned(trial))


def record_passes(module: Module, criterion: Module, input: Tensor) -> Passes:
    """Records forward, the loss of rows of classes, and backward of a batch like this one.

    Raises:
        Unknown: as of `record`.
    """
    trial = Trial(module, input, criterion=criterion)
    plan = _planned(trial)
    if not trial.gradients or input._requires_grad:
        raise Unknown("no parameter learns, or the input does")
    return Passes(module, trial, plan)


def _planned(trial: Trial) -> Plan:
    notes = Notes()
    with notes:
        trial.forward(notes)
        trial.backward()
        if trial.criterion is not None:  # so that training need not look once more
            for grad in trial.gradients:
                notes.require_finite(grad)
    plan = Plan(notes, trial.inputs, trial.results)
    if plan.size > LARGEST:
        raise Unknown(f"it would keep {plan.size >> 20} MiB")
    trial.compare(plan)
    return plan


def _check(module: Module, input: Tensor) -> None:
    """Refuses modules whose forward pass is not known to be the same each time."""
    modules = list(module.modules())
    if len(modules) < len(list(module.modules(remove_duplicate=False))):
        raise Unknown("a layer is in it twice")
    for each in modules:
        name = type(each).__name__
        if not vars(type(each)).get("native_calls") or "forward" in each.__dict__:
            raise Unknown(f"{name} is computed by NumPy")
        if each.has_hooks:
            raise Unknown(f"{name} has a hook")
        if getattr(each, "inplace", False):
            raise Unknown(f"{name} changes its input")
        if getattr(each, "momentum", 0) is None:
            raise Unknown(f"the momentum of {name} changes with every batch")
    x = input.array
    if type(x) is not np.ndarray or x.dtype is not FLOAT or not x.size or min(x.strides, default=0) < 0:
        raise Unknown("its input is no float32 in the machine's memory")
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.array.dtype is not FLOAT and tensor.array.dtype.kind == "f":
            raise Unknown("its parameters are not float32")
        if tensor.hooks or tensor.base is not None:
            raise Unknown("a parameter has a hook, or is a view")


class Trial:
    """A copy of a module and of its input, with other numbers in them, computed once.

    Args:
        order: the strides of the output's gradient; None: those of the output.
        criterion: makes a loss of the output, which backward begins at; None: it begins at the output.
    """

    def __init__(
        self, module: Module, input: Tensor, order: tuple[int, ...] | None = None, criterion: Module | None = None
    ) -> None:
        _check(module, input)
        self.criterion = criterion
        self.targets: list[Array] = [] if criterion is None else [np.empty(len(input.array), np.int64)]
        self.losses: list[Array] = []  # memory that holds the loss, and what native.pointwise.cross_entropy counts
        self.random = np.random.default_rng(0)
        self.module, self.order = deepcopy(module), order
        self.tensors: list[Tensor] = [*self.module.parameters(), *self.module.buffers()]
        for own, real in zip(self.tensors, (*module.parameters(), *module.buffers())):
            if own.array.strides != real.array.strides:
                raise Unknown("a parameter lies in no one block of memory")
            own._requires_grad = real._requires_grad
        self.input = of_array(like(input.array))
        self.input._requires_grad = input._requires_grad
        self.records = switches.grad
        self.fill()

    def fill(self) -> None:
        """Draws numbers: of batch norm's variances and of everything else sizes that a net can have."""
        draw = self.random
        self.input.array[...] = draw.standard_normal(self.input.array.shape, np.float32)
        for tensor in self.tensors:
            x = tensor.array
            if x.dtype is FLOAT:
                spread = 1 / np.sqrt(max(1, x.size // max(1, len(x)))) if x.ndim > 1 else 0.5
                x[...] = draw.normal(0, spread, x.shape)
                if not isinstance(tensor, Parameter):
                    x[...] = abs(x) + 0.1
            tensor._grad = None

    @contextmanager
    def scope(self) -> Iterator[None]:
        before = switches.scopes, switches.whole
        switches.scopes, switches.whole = [(self.module, self.module)], True
        try:
            with (
                drawing_from(Generator()),
                enable_grad() if self.records else no_grad(),
                np.errstate(all="ignore"),
            ):
                yield
        finally:
            switches.scopes, switches.whole = before

    def forward(self, notes: Notes | None = None) -> None:
        with self.scope(), draws_noted() as self.noise:
            result = self.module._layer_by_layer(self.input)
            if type(result) is not Tensor or result.base is not None or result.array.dtype is not FLOAT:
                raise Unknown("its output is a view, or no float32")
            if np.may_share_memory(result.array, self.input.array):
                raise Unknown("its output is its input")
            self.result, self.output = result, result.array
            self.top = result if self.criterion is None else self._loss(self.criterion, notes)
        if notes is not None:
            if self.criterion is None:
                notes.mark()
            if notes.size() > LARGEST:
                raise Unknown(f"it would keep {notes.size() >> 20} MiB")
        self.d_top = like(self.top.array, self.order)
        self.d_top[...] = self.random.standard_normal(self.d_top.shape, np.float32)

    def _loss(self, criterion: Module, notes: Notes | None) -> Tensor:
        if self.output.ndim != 2:
            raise Unknown("its output is no row of each sample")
        (target,) = self.targets
        target[...] = self.random.integers(0, self.output.shape[1], target.shape)
        loss: Tensor = criterion(self.result, of_array(target))
        self.losses = [loss.array if loss.array.base is None else loss.array.base]
        if loss.array.shape or loss.array.dtype is not FLOAT:
            raise Unknown("its loss is not one float32")
        if notes is not None:
            notes.require_finite(loss.array)
        return loss

    def backward(self) -> None:
        self.gradients: list[Array] = []
        self.title, self.versions = "", []
        top = self.result.grad_fn
        if top is None:
            return
        self.title = top.name()
        self.versions = list(_versions(top))
        learning = [t for t in (self.input, *self.tensors) if t._requires_grad]
        with self.scope():
            found = leaf_gradients(self.top, self.d_top, Uncopied())
        if len(found) != len(learning):
            raise Unknown("its output does not depend on every parameter")
        self.gradients = [found[t.accumulator()] for t in learning]

    def as_it_is(self, module: Module) -> Module:
        """The copy, with the tensors of the module it was made of: it stays as that is now."""
        for own, real in zip(self.module.modules(), module.modules()):
            for name in ("_parameters", "_buffers"):
                own.__dict__[name].update(real.__dict__[name])
        return self.module

    @property
    def inputs(self) -> list[Array]:
        """What the calls find filled."""
        return [t.array for t in (self.input, *self.tensors)] + [self.d_top, *self._noise, *self.targets]

    @property
    def results(self) -> list[Array]:
        """What they fill for the caller."""
        return [self.output, *self.losses, *self.gradients]

    @property
    def _noise(self) -> list[Array]:
        return [noise for _, noise in self.noise]

    def parts(self) -> list[list[int]]:
        """The numbers of the arrays that each part is played with, in the order of `inputs`, and then of `results`."""
        d_top = len(self.tensors) + 1
        made = d_top + 1 + len(self.noise) + len(self.targets)
        first = [0, *range(d_top + 1, made + 1)]
        second = [d_top, *range(made + 1, made + len(self.results))] if self.gradients else []
        return [[*first, *second]] if self.criterion is not None else [first, second]

    def saved(self) -> Iterator[tuple[str, list[int], str]]:
        """What nodes have saved that others can change."""
        whose = {id(self.input.counter): "input", id(self.result.counter): "output"}
        whose |= {id(t.counter): "parameter" for t in self.tensors}
        for name, counter in self.versions:
            if id(counter) in whose:
                yield name, counter, whose[id(counter)]

    def compare(self, plan: Plan) -> None:
        """Plays with numbers that are not those of the recording.

        Raises:
            Unknown: something else comes out than on the tape.
        """
        self.fill()
        before = [t.array.copy() for t in self.tensors]
        self.forward()
        self.backward()
        state = [t.array for t in self.tensors if t.array.dtype is FLOAT]
        wanted = [array.tobytes() for array in (*self.results, *state)]
        for tensor, values in zip(self.tensors, before):
            if tensor.array.dtype is FLOAT:
                tensor.array[...] = values
        made = [Fresh(array)() for array in self.results]
        arrays = [*self.inputs, *made]
        sound = all(
            plan.play(part, plan.blocks(numbers), [arrays[n] for n in numbers])
            for part, numbers in enumerate(self.parts())
            if numbers
        )
        if not sound or wanted != [array.tobytes() for array in (*made, *state)]:
            raise Unknown("NumPy has a part in it")


def _versions(top: Node) -> Iterator[tuple[str, list[int]]]:
    """Names and version counters of what the nodes of a graph have saved, newest first."""
    seen, stack = {top}, [top]
    while stack:
        for node, _ in stack.pop().edges:
            if node is not None and node not in seen and not isinstance(node, AccumulateGrad):
                seen.add(node)
                stack.append(node)
    for node in sorted(seen, key=lambda node: node.sequence, reverse=True):
        for counter, _ in getattr(node, "versions", ()):
            yield node.name(), counter
