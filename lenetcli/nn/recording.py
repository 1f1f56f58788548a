"""A chain of layers as it was recorded: the call that plays it, and what is looked at before."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, repeat
from operator import attrgetter, is_
from sys import getrefcount
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lenetcli.autograd.composite import Composite, newer
from lenetcli.autograd.modes import switches
from lenetcli.autograd.tape import NO_EDGE, Array, next_sequence, wrap
from lenetcli.kernels.recording import Plan
from lenetcli.nn import fusion
from lenetcli.nn.batchnorm import BatchNorm
from lenetcli.nn.module import Module
from lenetcli.nn.tables import state_of
from lenetcli.ops.nn.dropout import draws_given
from lenetcli.tensors.tensor import Tensor

if TYPE_CHECKING:
    from lenetcli.nn.trial import Trial

FLOAT = np.dtype(np.float32)
_array, _learns = attrgetter("array"), attrgetter("_requires_grad")
_hooks, _prehooks = attrgetter("hooks"), attrgetter("prehooks")
PATIENCE = 8  # calls at most that are left to the tape at a time


class Tracked(NamedTuple):
    """What a batch norm counts beside its calls."""

    seen: Tensor
    moved: tuple[Tensor, Tensor]


def _tracked(module: Module) -> Tracked | None:
    if not (isinstance(module, BatchNorm) and module.training):
        return None
    seen, mean, var = module.num_batches_tracked, module.running_mean, module.running_var
    return None if seen is None or mean is None or var is None else Tracked(seen, (mean, var))


class Bound:
    """A recording that is bound to a module: what it takes for granted, and the memory that plays write to."""

    ended: Callable[[Module | None, Any, tuple[int, ...] | None], None]  # told when it does not hold any more

    def __init__(self, module: Module, trial: Trial, plan: Plan) -> None:
        self.module, self.plan = weakref.ref(module), plan
        self.calls = len(plan.recording.names())
        self.parameters, self.buffers = list(module.parameters()), list(module.buffers())
        self.tensors = [*self.parameters, *self.buffers]
        self.arrays, self.learned = [t.array for t in self.tensors], [p._requires_grad for p in self.parameters]
        for number, tensor in enumerate(self.tensors, 1):
            plan.move(number, tensor.array)
        learns = [p for p in self.parameters if p._requires_grad] if trial.gradients else []
        self.nodes = [p.accumulator() for p in learns]
        self.makes = Fresh(trial.output)
        self.draws = [(Fresh(noise), fill) for fill, noise in trial.noise]
        self.play = plan.recording.play
        self.gradients = [Fresh(grad) for grad in trial.gradients]
        self.plain = all(fresh.plain for fresh in self.gradients)  # a view refers to an array, not to a base of that
        self.tracked = [found for found in map(_tracked, module.modules()) if found is not None]
        self.made: list[Array] = []  # gradients of the last backward, and how often each was referred to by then
        self.alone: list[int] = []
        self.lock = threading.Lock()

    def holds(self, input: Tensor) -> bool:
        """Whether all is as it was, and nobody looks at the parameters' gradients."""
        same = all(map(is_, map(_array, self.tensors), self.arrays))  # `map` is quick, and this is run in every call
        if not same or not all(map(is_, map(_learns, self.parameters), self.learned)):
            self.ended(None, None, None)
            return False
        if any(map(_hooks, self.nodes)) or any(map(_prehooks, self.nodes)):
            return False
        return input.base is None or not input.is_stale

    def drawn(self) -> list[Array]:
        """Noise for the next call."""
        noise = []
        for fresh, fill in self.draws:
            noise.append(fresh())
            fill(noise[-1])
        return noise

    def count(self) -> None:
        """Does what batch norms do beside their native calls."""
        for tracked in self.tracked:
            tracked.seen.array[...] += 1
            for tensor in (tracked.seen, *tracked.moved):
                tensor.counter[0] += 1

    def room(self) -> tuple[list[Array], bool]:
        """Memory for gradients; whether the plan has it already, as that of the step before, which nobody has kept."""
        made = self.made
        if made and list(map(getrefcount, made)) == self.alone:
            return made, True
        made = [fresh() for fresh in self.gradients]
        if self.plain:
            self.made, self.alone = made, list(map(getrefcount, made))
        return made, False

    def left_to_tape(self, input: Tensor, noise: list[Array]) -> Tensor | None:
        """A call that a kernel leaves to its reference, with the noise that has been drawn."""
        module = self.module()
        if not noise or module is None:
            return None
        with draws_given(noise):
            return fusion.on_tape(module, input)


class Recording(Bound):
    """A call's recording."""

    def __init__(self, module: Module, trial: Trial, plan: Plan) -> None:
        super().__init__(module, trial, plan)
        self.first, self.second = plan.parts
        self.forward, self.backward = map(plan.blocks, trial.parts())
        self.title, self.order = trial.title, trial.d_top.strides
        moved = {id(tensor) for tracked in self.tracked for tensor in tracked.moved}
        own = {id(t.counter): ours.counter for t, ours in zip(trial.tensors, self.tensors)}
        self.read = [t.counter for t in self.tensors if t.array.dtype is FLOAT and id(t) not in moved]
        self.state, self.twin = state_of(module), trial.as_it_is(module)
        self.parts = {own: weakref.ref(real) for own, real in zip(self.twin.modules(), module.modules())}
        self.saved = [(name, own.get(id(counter)), which) for name, counter, which in trial.saved()]
        self.node: weakref.ref[Composite] | None = None
        self.looked_at = 0  # how often in a row somebody looked below the node, whose work then was done twice
        self.to_tape = 0  # calls that are left to the tape because of that

    def call(self, input: Tensor) -> Tensor | None:
        """The output for an input of the kind that was recorded; None where the tape has to make it."""
        if not self.holds(input):
            return None
        if self.to_tape:
            return None
        if self.node is not None:
            node = self.node()
            if node is not None and node.source is not None:
                return None  # its backward is still to come, and what that needs is in the plan's memory
        if not self.lock.acquire(False):
            return None  # another thread is at it
        try:
            y, noise = self.makes(), self.drawn() if self.draws else []
            if not self.play(*self.first, self.forward, [input.array, *noise, y]):
                return self.left_to_tape(input, noise)
            if self.tracked:
                self.count()
            result: Tensor = wrap(Tensor, y)
            if self.gradients:
                self.note(input, result, noise)
        finally:
            self.lock.release()
        return result

    def note(self, input: Tensor, result: Tensor, noise: list[Array]) -> None:
        """Puts the output on the tape."""
        saved = []
        for name, counter, which in self.saved:
            if counter is None:
                counter = input.counter if which == "input" else result.counter
            saved.append((name, counter, counter[0]))
        first = input.gradient_edge() if input._requires_grad else NO_EDGE
        edges = (first, *((node, 0) for node in self.nodes))
        scope = None if switches.scopes else (self.module(),) * 2
        again = partial(self.again, noise)  # the noise stays as long as the node does
        read = [(counter, counter[0]) for counter in (input.counter, *self.read)]
        node = Composite(self.title, again, input, self.differentiate, edges, saved, result, scope, read)
        self.node = weakref.ref(node)

    def differentiate(self, node: Composite, grad: Array) -> Sequence[Array | None] | None:
        """Gradients for the node's edges."""
        if grad.strides != self.order or grad.dtype is not FLOAT:
            self.ended(self.module(), node.source, grad.strides)
            return None
        if node.ran:  # a second backward: the first has written over what the forward pass had left
            return None
        node.ran, self.looked_at = True, 0
        made, there = self.room()
        arrays = [grad] if there else [grad, *made]
        if not self.play(*self.second, self.backward[: len(arrays)], arrays):
            return None
        return made if node.edges[0] is not NO_EDGE else [None, *made]

    def again(self, noise: list[Array], input: Tensor) -> Tensor:
        """The call on the tape, as it was, with nothing counted once more."""
        self.looked_at += 1
        self.to_tape = min(2 ** (self.looked_at - 1), PATIENCE)
        module = self.module()
        if module is None or state_of(module) != self.state:
            module = self.twin
        counts = [(b, b.array.copy(), b.counter[0]) for b in self.buffers]
        now = [(t, t.array, t._requires_grad) for t in (*module.parameters(), *module.buffers())]
        try:
            for t, array, learns in zip(self.tensors, self.arrays, chain(self.learned, repeat(False))):
                t.array, t._requires_grad = array, learns
            last = next_sequence()
            with draws_given(noise):
                result: Tensor = fusion.on_tape(module, input)
            for node in newer(result.grad_fn, last) if module is self.twin else ():
                if node.scope is not None and node.scope[1] in self.parts:
                    node.scope = node.scope[0], self.parts[node.scope[1]]()
            return result
        finally:
            for t, array, learns in now:
                t.array, t._requires_grad = array, learns
            for b, values, version in counts:
                b.array[...] = values
                b.counter[0] = version


class Fresh:
    """Makes arrays that lie as an example."""

    def __init__(self, example: Array) -> None:
        self.shape, self.strides, self.size = example.shape, example.strides, example.size
        self.plain = np.empty(self.shape, FLOAT).strides == self.strides

    def __call__(self) -> Array:
        if self.plain:
            return np.empty(self.shape, FLOAT)
        return np.ndarray(self.shape, FLOAT, np.empty(self.size, FLOAT), 0, self.strides)


def like(x: Array, strides: tuple[int, ...] | None = None) -> Array:
    """An array that lies as another does, to the stride of dimensions of one element."""
    strides = x.strides if strides is None else strides
    span = sum((size - 1) * stride for size, stride in zip(x.shape, strides)) + x.itemsize
    return np.ndarray(x.shape, x.dtype, np.empty(span, np.uint8), 0, strides)
