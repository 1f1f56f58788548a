"""Chains of layers as recordings: after a few calls that are alike, all native calls of one are made by one.

    calls 1 to 4            layer by layer (nn.fusion), on the tape
    call 5                  a copy of the chain, with other numbers in it, is computed forward and backward while its
                            native calls are noted; then once more with yet other numbers, on the tape and by the
                            recording, which has to come to the same bits
    from then on            the recording, for inputs of that shape and memory order; its output is one node

Training's steps have the loss and all of backward in the same call (`passes`).

What a recording takes for granted is looked at in every call: the tree of modules as it was (`nn.tables` counts its
changes), the parameters' memory, what learns, no hooks, no gradient of the call before that is still to come. Else the
tape does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.composite import use
from lenetcli.autograd.modes import enable_grad, switches
from lenetcli.kernels import device, dispatch
from lenetcli.kernels.recording import Unknown
from lenetcli.nn import fusion
from lenetcli.nn.module import Module
from lenetcli.nn.tables import changes, state_of
from lenetcli.tensors.tensor import Tensor

if TYPE_CHECKING:
    from lenetcli.nn.loss import ClassLoss
    from lenetcli.nn.passes import Passes, Played
    from lenetcli.nn.recording import Recording

LONG = np.dtype(np.int64)
AFTER = 4  # calls that are alike, after which one is recorded
MOST = 8  # kinds of calls, and states of the tree, that are remembered of a module


def run(module: Module, input: Any) -> Any:
    """What a chain of layers computes, by a recording where there is one."""
    if switches.whole or not use.on or type(input) is not Tensor:
        return module._layer_by_layer(input)
    kind = _kind_of(module, input)
    recording = kind.recording
    if recording is not None:
        result = recording.call(input)
        if result is not None:
            return result
        recording.to_tape = max(0, recording.to_tape - 1)
    elif kind.reason is None:
        kind.calls += 1
        if kind.calls > AFTER:
            kind.record(module, input)
    if kind.reason is not None:  # parts of it may be recorded
        return module._layer_by_layer(input)
    return fusion.on_tape(module, input)


def find(module: Module, input: Any) -> Tensor | None:
    """What a chain of layers that is called for itself computes, where there is a recording of it."""
    remembered = module.__dict__.get("_remembered")
    if remembered is None or type(input) is not Tensor or not use.on or remembered.count != changes.count:
        return None
    x = input.array
    kind = remembered.kinds.get((x.shape, x.strides, x.dtype, switches.grad, input._requires_grad))
    if kind is None or kind.recording is None:
        return None
    return kind.recording.call(input)


def passes(module: Module, criterion: ClassLoss, batch: tuple[Any, ...], weight: float) -> Played | None:
    """Forward, loss and backward of a batch, where there is a recording of them; None: the tape has to make them.

    Args:
        weight: of the loss, whose gradient is taken.
    """
    input, target = batch
    if not (
        criterion.is_plain and vars(type(module)).get("native_calls") and use.on and switches.grad and fusion.allowed()
    ):
        return None
    if type(input) is not Tensor or type(target) is not Tensor or switches.scopes:
        return None
    classes = target.array
    if classes.dtype is not LONG or classes.shape != input.array.shape[:1] or not classes.flags.c_contiguous:
        return None
    kind = _kind_of(module, input, criterion.ignore_index)
    if kind.passes is None and kind.reason is None:
        kind.calls += 1
        if kind.calls > AFTER:
            kind.record_passes(module, criterion, input)
    return None if kind.passes is None else kind.passes.call(input, classes, weight)


class Kind:
    """Calls that are alike: how many there were, and what came of recording one."""

    passes: Passes | None = None

    def __init__(self) -> None:
        self.calls = 0
        self.recording: Recording | None = None
        self.reason: str | None = None  # why there is none

    def record(self, module: Module, input: Tensor, order: tuple[int, ...] | None = None) -> None:
        """Records a call, or finds out why that cannot be.

        Args:
            order: the strides of the output's gradient; None: those of the output.
        """
        from lenetcli.nn.trial import record  # where nothing is recorded, it need not be imported

        try:
            self.recording = record(module, input, order)
        except Unknown as reason:
            self.reason = str(reason)
        else:
            self.recording.ended = self.end

    def record_passes(self, module: Module, criterion: ClassLoss, input: Tensor) -> None:
        """Records a batch's passes, or finds out why that cannot be."""
        from lenetcli.nn.trial import record_passes

        try:
            self.passes = record_passes(module, criterion, input)
        except Unknown as reason:
            self.reason = str(reason)
        else:
            self.passes.ended = self.end

    def end(self, module: Module | None, input: Any, order: tuple[int, ...] | None) -> None:
        """Takes the recording away: it does not hold any more, or gradients come in another memory order.

        Args:
            order: the strides that they come with; a second time, it is left at that. None: calls are counted anew.
        """
        self.recording = self.passes = None
        if order is None or module is None:
            self.calls = 0
        elif self.calls > 2 * AFTER:
            self.reason = "gradients of its output come in several memory orders"
        else:
            self.calls = 2 * AFTER + 1
            with enable_grad():  # backward is under way
                self.record(module, input, order)


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


def _kind_of(module: Module, input: Tensor, *loss: Any) -> Kind:
    own = module.__dict__
    remembered: Remembered | None = own.get("_remembered")
    if remembered is None:
        remembered = own["_remembered"] = Remembered()
    if remembered.count != changes.count:
        _look_again(module, remembered)
    x = input.array
    key = x.shape, x.strides, x.dtype, switches.grad, input._requires_grad, *loss
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
    state = state_of(module)
    if state not in remembered.states:
        if len(remembered.states) >= MOST:
            remembered.states.clear()
        remembered.states[state] = {}
    remembered.kinds = remembered.states[state]


def status(module: Module) -> str:
    """Whether calls of a module are recorded, or why not: for those who show it.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn import recorded
        >>> net = lenet.nn.Sequential(lenet.nn.Linear(8, 64), lenet.nn.Softsign())
        >>> for _ in range(6):
        ...     y = net(lenet.ones(4, 8))
        >>> recorded.status(net)
        'not recorded: Softsign is computed by NumPy'
    """
    if not use.on:
        return "not recorded: LENET_RECORD=0"
    if dispatch.twin != "native":
        return "not recorded: the native kernels do not run"
    known = [part.__dict__.get("_remembered") for part in module.modules()]
    kinds = [kind for remembered in known if remembered for kind in remembered.kinds.values()]
    steps = [kind.passes.calls for kind in kinds if kind.passes is not None]
    calls = steps[0] if steps else sum(kind.recording.calls for kind in kinds if kind.recording is not None)
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
    from lenetcli.nn.trial import record

    try:
        with enable_grad():
            return f"recorded: {record(module, input).calls} native calls"
    except Unknown as reason:
        return f"not recorded: {reason}"
