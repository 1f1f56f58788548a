"""Chains of layers as recordings: after a few calls that are alike, all native calls of one are made by one.

    calls 1 to 4            layer by layer (nn.fusion), on the tape
    call 5                  a copy of the chain, with other numbers in it, is computed forward and backward while its
                            native calls are noted; then once more with yet other numbers, on the tape and by the
                            recording, which has to come to the same bits
    from then on            the recording, for inputs of that shape and memory order; its output is one node

What a recording takes for granted is looked at in every call: the tree of modules as it was (`nn.tables` counts its
changes), the parameters' memory, what learns, no hooks, no gradient of the call before that is still to come. Else the
tape does it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from lenetcli.autograd.composite import Composite, use
from lenetcli.autograd.engine import Uncopied, leaf_gradients
from lenetcli.autograd.modes import enable_grad, no_grad, switches
from lenetcli.autograd.random import Generator, drawing_from
from lenetcli.autograd.tape import NO_EDGE, AccumulateGrad, Array, Node, wrap
from lenetcli.kernels import device, dispatch
from lenetcli.kernels.recording import Notes, Plan, Unknown
from lenetcli.nn import fusion
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.tables import Table, changes
from lenetcli.ops.nn.dropout import draws_given, draws_noted
from lenetcli.tensors.tensor import Tensor, of_array

FLOAT = np.dtype(np.float32)
AFTER = 4  # calls that are alike, after which one is recorded
LARGEST = 1 << 25  # bytes that a recording may keep: where steps take longer, it gains little
MOST = 8  # kinds of calls, and states of the tree, that are remembered of a module


def run(module: Module, input: Any) -> Any:
    """What a chain of layers computes, by a recording where there is one."""
    if switches.whole or not use.on or type(input) is not Tensor:
        return fusion.run(list(module), input)  # type: ignore[call-overload]  # a Sequential
    kind = _kind_of(module, input)
    recording = kind.recording
    if recording is not None:
        result = recording.call(input)
        if result is not None:
            return result
    elif kind.reason is None:
        kind.calls += 1
        if kind.calls > AFTER:
            kind.record(module, input)
    if kind.reason is not None:  # parts of it may be recorded
        return fusion.run(list(module), input)  # type: ignore[call-overload]
    return _on_tape(module, input)


def find(module: Module, input: Any) -> Tensor | None:
    """What a chain of layers that is called for itself computes, where there is a recording of it."""
    remembered = module.__dict__.get("_remembered")
    if remembered is None or type(input) is not Tensor or not use.on or remembered.count != changes.count:
        return None
    x = input.array
    kind = remembered.kinds.get((x.shape, x.strides, x.dtype, switches.grad, input._requires_grad))
    if kind is None or kind.recording is None:
        return None
    return kind.recording.call(input)  # type: ignore[no-any-return]  # of a Remembered


def _on_tape(module: Module, input: Any) -> Any:
    """The layers as they are, none of them recorded for itself."""
    before, switches.whole = switches.whole, True
    try:
        return fusion.run(list(module), input)  # type: ignore[call-overload]
    finally:
        switches.whole = before


class Kind:
    """Calls that are alike: how many there were, and what came of recording one."""

    def __init__(self) -> None:
        self.calls = 0
        self.recording: Recording | None = None
        self.reason: str | None = None  # why there is none

    def record(self, module: Module, input: Tensor, order: tuple[int, ...] | None = None) -> None:
        """Records a call, or finds out why that cannot be.

        Args:
            order: the strides of the output's gradient; None: those of the output.
        """
        try:
            self.recording = record(module, input, order)
            self.recording.kind = self
        except Unknown as reason:
            self.recording, self.reason = None, str(reason)


class Remembered:
    """Of a module: the kinds of its calls, by the state of its tree. A copy remembers nothing."""

    def __init__(self) -> None:
        self.count = -1  # of changes, up to which `kinds` holds
        self.kinds: dict[Any, Kind] = {}
        self.states: dict[Any, dict[Any, Kind]] = {}

    def __deepcopy__(self, memo: Any) -> Remembered:
        return Remembered()

    def __reduce__(self) -> Any:
        return Remembered, ()


def _kind_of(module: Module, input: Tensor) -> Kind:
    own = module.__dict__
    remembered: Remembered | None = own.get("_remembered")
    if remembered is None:
        remembered = own["_remembered"] = Remembered()
    if remembered.count != changes.count:
        _look_again(module, remembered)
    x = input.array
    key = x.shape, x.strides, x.dtype, switches.grad, input._requires_grad
    kind = remembered.kinds.get(key)
    if kind is None:
        if len(remembered.kinds) >= MOST:
            remembered.kinds.clear()
        kind = remembered.kinds[key] = Kind()
    return kind


def _look_again(module: Module, remembered: Remembered) -> None:
    """Finds what is known of the tree as it is now."""
    modules = list(module.modules())
    for each in modules:
        each.__dict__.setdefault("_remembered", None)  # so that changes of its attributes are counted
    remembered.count = changes.count
    state = tuple(entry for each in modules for entry in _state(each))
    if state not in remembered.states:
        if len(remembered.states) >= MOST:
            remembered.states.clear()
        remembered.states[state] = {}
    remembered.kinds = remembered.states[state]


def _state(module: Module) -> Iterator[Any]:
    """What a module's results depend on, but for the numbers in its tensors."""
    yield id(module)
    yield type(module).forward
    for name, value in module.__dict__.items():
        if isinstance(value, Table):
            yield name, tuple((key, id(entry)) for key, entry in value.items())
        elif name != "_remembered":
            plain = value is None or isinstance(value, (bool, int, float, str, tuple))
            yield name, value if plain else id(value)


def status(module: Module) -> str:
    """Whether calls of a module are recorded, or why not: for those who show it.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn import recorded
        >>> net = lenet.nn.Sequential(lenet.nn.Linear(8, 64), lenet.nn.Tanh())
        >>> for _ in range(6):
        ...     y = net(lenet.ones(4, 8))
        >>> recorded.status(net)
        'not recorded: Tanh is computed by NumPy'
    """
    if not use.on:
        return "not recorded: LENET_RECORD=0"
    if dispatch.twin != "native":
        return "not recorded: the native kernels do not run"
    known = [part.__dict__.get("_remembered") for part in module.modules()]
    kinds = [kind for remembered in known if remembered for kind in remembered.kinds.values()]
    calls = sum(kind.recording.calls for kind in kinds if kind.recording is not None)
    if calls:
        return f"recorded: {calls} native calls"
    reasons = [kind.reason for kind in kinds if kind.reason is not None]
    if reasons:
        return f"not recorded: {reasons[0]}"
    return "not recorded: no calls that are alike yet" if kinds else "not recorded: no Sequential of layers"


def outlook(module: Module, input: Tensor) -> str:
    """Whether training records calls like this one, or why not."""
    if not use.on:
        return "not recorded: LENET_RECORD=0"
    if dispatch.twin != "native" or device.on_device(input.array):
        return "not recorded: the native kernels do not run"
    try:
        with enable_grad():
            return f"recorded: {record(module, input).calls} native calls"
    except Unknown as reason:
        return f"not recorded: {reason}"


# Recording


class Tracked(NamedTuple):
    """What a batch norm counts beside its calls."""

    seen: Tensor
    moved: tuple[Tensor, Tensor]


class Recording:
    """A call's recording, bound to a module."""

    kind: Kind

    def __init__(self, module: Module, trial: Trial, plan: Plan) -> None:
        self.module, self.plan = weakref.ref(module), plan
        self.calls = len(plan.recording.names())
        parameters = list(module.parameters())
        self.checked = [(p, p.array, p._requires_grad) for p in parameters]
        self.buffers = [(b, b.array) for b in module.buffers()]
        self.learns = [p for p in parameters if p._requires_grad] if trial.gradients else []
        self.nodes = [p.accumulator() for p in self.learns]
        tensors = [*parameters, *(b for b, _ in self.buffers)]
        for number, tensor in enumerate(tensors, 1):
            plan.move(number, tensor.array)
        last = len(tensors) + 1  # the output's gradient; then comes noise
        first = last + 1 + len(trial.noise)
        self.makes = Fresh(trial.output)
        self.draws = [(Fresh(noise), fill) for fill, noise in trial.noise]
        self.forward = plan.blocks([0, first, *range(last + 1, first)])
        self.play = plan.recording.play
        self.first, self.second = plan.parts
        self.title = trial.title
        self.order = trial.d_output.strides
        self.gradients = [Fresh(grad) for grad in trial.gradients]
        made = range(first + 1, first + 1 + len(trial.gradients))
        self.backward = plan.blocks([last, *made]) if made else []
        own = {id(t.counter): ours.counter for t, ours in zip(trial.tensors, tensors)}
        self.saved = [(name, own.get(id(counter)), which) for name, counter, which in trial.saved()]
        self.tracked = [
            Tracked(m.num_batches_tracked, (m.running_mean, m.running_var))
            for m in module.modules()
            if m.training and getattr(m, "num_batches_tracked", None) is not None
        ]
        self.node: weakref.ref[Composite] | None = None
        self.lock = threading.Lock()

    def call(self, input: Tensor) -> Tensor | None:
        """The output for an input of the kind that was recorded; None where the tape has to make it."""
        for p, array, learns in self.checked:
            if p.array is not array or p._requires_grad is not learns:
                return self.forget()
        for b, array in self.buffers:
            if b.array is not array:
                return self.forget()
        for node in self.nodes:
            if node.hooks or node.prehooks:
                return None
        if input.base is not None and input.is_stale:
            return None
        if self.node is not None:
            node = self.node()
            if node is not None and node.source is not None:
                return None  # its backward is still to come, and what that needs is in the plan's memory
        if not self.lock.acquire(False):
            return None  # another thread is at it
        try:
            y, noise = self.makes(), []
            for fresh, fill in self.draws:
                noise.append(fresh())
                fill(noise[-1])
            if not self.play(*self.first, self.forward, [input.array, y, *noise]):
                return self.left_to_tape(input, noise)
            for tracked in self.tracked:
                tracked.seen.array[...] += 1
                for tensor in (tracked.seen, *tracked.moved):
                    tensor.counter[0] += 1
            result: Tensor = wrap(Tensor, y)
            if self.gradients:
                self.note(input, result, noise)
        finally:
            self.lock.release()
        return result

    def left_to_tape(self, input: Tensor, noise: list[Array]) -> Tensor | None:
        """A call that a kernel leaves to its reference, with the noise that has been drawn."""
        module = self.module()
        if not noise or module is None:
            return None
        with draws_given(noise):
            return _on_tape(module, input)  # type: ignore[no-any-return]  # a Tensor, as was recorded

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
        node = Composite(self.title, again, input, self.differentiate, edges, saved, result, scope)
        self.node = weakref.ref(node)

    def differentiate(self, node: Composite, grad: Array) -> Sequence[Array | None] | None:
        """Gradients for the node's edges."""
        if grad.strides != self.order or grad.dtype is not FLOAT:
            self.reorder(node, grad)
            return None
        made = [fresh() for fresh in self.gradients]
        if not self.play(*self.second, self.backward, [grad, *made]):
            return None
        return made if node.edges[0] is not NO_EDGE else [None, *made]

    def reorder(self, node: Composite, grad: Array) -> None:
        """Records anew for gradients that lie like this one, in the next call; once."""
        kind, module = self.kind, self.module()
        kind.recording = None
        if kind.calls > 2 * AFTER or grad.dtype is not FLOAT or module is None or node.source is None:
            kind.reason = "gradients of its output come in several memory orders"
            return
        kind.calls = 2 * AFTER + 1
        with enable_grad():  # backward is under way
            kind.record(module, node.source, grad.strides)  # type: ignore[arg-type]  # a Tensor

    def again(self, noise: list[Array], input: Tensor) -> Tensor:
        """The call on the tape, with nothing counted once more."""
        module = self.module()
        if module is None:
            raise RuntimeError("the module that made this graph is gone")
        before = [(b, b.array.copy(), b.counter[0]) for b, _ in self.buffers]
        try:
            with draws_given(noise):
                return _on_tape(module, input)  # type: ignore[no-any-return]
        finally:
            for b, values, version in before:
                b.array[...] = values
                b.counter[0] = version

    def forget(self) -> None:
        """What was taken for granted does not hold any more: calls are counted anew."""
        self.kind.recording, self.kind.calls = None, 0


class Fresh:
    """Makes arrays that lie as an example."""

    def __init__(self, example: Array) -> None:
        self.shape, self.strides, self.size = example.shape, example.strides, example.size
        self.plain = np.empty(self.shape, FLOAT).strides == self.strides

    def __call__(self) -> Array:
        if self.plain:
            return np.empty(self.shape, FLOAT)
        return np.ndarray(self.shape, FLOAT, np.empty(self.size, FLOAT), 0, self.strides)


def record(module: Module, input: Tensor, order: tuple[int, ...] | None = None) -> Recording:
    """Records a call of a module with an input like this one.

    Args:
        order: the strides of the output's gradient; None: those of the output.

    Raises:
        Unknown: NumPy has a part in it, or something else is in the way.
    """
    _check(module, input)
    trial = Trial(module, input, order)
    notes = Notes()
    with notes:
        trial.forward(notes)
        trial.backward()
    inputs = [t.array for t in (trial.input, *trial.tensors)]
    plan = Plan(notes, [*inputs, trial.d_output, *(noise for _, noise in trial.noise)], trial.results)
    if plan.size > LARGEST:
        raise Unknown(f"it would keep {plan.size >> 20} MiB")
    trial.compare(plan)
    return Recording(module, trial, plan)


def _check(module: Module, input: Tensor) -> None:
    """Refuses modules whose forward pass is not known to be the same each time."""
    for each in module.modules():
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
    """A copy of a module and of its input, with other numbers in them, computed once."""

    def __init__(self, module: Module, input: Tensor, order: tuple[int, ...] | None) -> None:
        self.random = np.random.default_rng(0)
        self.module, self.order = deepcopy(module), order
        self.tensors: list[Tensor] = [*self.module.parameters(), *self.module.buffers()]
        for own, real in zip(self.tensors, (*module.parameters(), *module.buffers())):
            if own.array.strides != real.array.strides:
                raise Unknown("a parameter lies in no one block of memory")
            own._requires_grad = real._requires_grad
        self.input = of_array(_like(input.array))
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
            result = fusion.run(list(self.module), self.input)  # type: ignore[call-overload]
        if type(result) is not Tensor or result.base is not None or result.array.dtype is not FLOAT:
            raise Unknown("its output is a view, or no float32")
        if np.may_share_memory(result.array, self.input.array):
            raise Unknown("its output is its input")
        self.result, self.output = result, result.array
        if notes is not None:
            notes.mark()
            if notes.size() > LARGEST:
                raise Unknown(f"it would keep {notes.size() >> 20} MiB")
        y = self.output
        self.d_output = _like(y, self.order)
        self.d_output[...] = self.random.standard_normal(y.shape, np.float32)

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
            found = leaf_gradients(self.result, self.d_output, Uncopied())
        if len(found) != len(learning):
            raise Unknown("its output does not depend on every parameter")
        self.gradients = [found[t.accumulator()] for t in learning]

    @property
    def results(self) -> list[Array]:
        return [self.output, *self.gradients]

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
        last = len(self.tensors) + 1
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
        first = last + 1 + len(self.noise)
        noise = [array for _, array in self.noise]
        numbers = [0, first, *range(last + 1, first)]
        sound = plan.play(0, plan.blocks(numbers), [self.input.array, made[0], *noise])
        if self.gradients:
            numbers = [last, *range(first + 1, first + len(made))]
            sound = sound and plan.play(1, plan.blocks(numbers), [self.d_output, *made[1:]])
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


def _like(x: Array, strides: tuple[int, ...] | None = None) -> Array:
    """An array that lies as another does, to the stride of dimensions of one element."""
    strides = x.strides if strides is None else strides
    span = sum((size - 1) * stride for size, stride in zip(x.shape, strides)) + x.itemsize
    return np.ndarray(x.shape, x.dtype, np.empty(span, np.uint8), 0, strides)
