"""Where the time of a training step goes: a row for each layer, or for each run of layers that became one op.

The step is the one `lenet train` makes, with all its batches, fused where that fuses. Steps without a clock inside give
the figures of the whole; between them, steps in which every op is timed (see clock.py) give the rows. What the passes
of these take beside the ops is the tape and Python.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from lenetcli.autograd.composite import use
from lenetcli.autograd.modes import fusion, switches, watch
from lenetcli.autograd.random import draws_from
from lenetcli.autograd.tape import Node
from lenetcli.errors import ConfigError
from lenetcli.inspection.model.summary import multiply_adds
from lenetcli.inspection.step.clock import clocked
from lenetcli.kernels import dispatch, threads
from lenetcli.kernels.layout import logical, stored
from lenetcli.nn import recorded
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.losses import kinds
from lenetcli.train.run import Batch, Run
from lenetcli.train.step import Step

SECONDS = 2.0  # that the measurement takes about
FEWEST, MOST = 5, 200  # steps of each kind
SIDE = 384  # of the square matrices whose product gives the peak: large enough for BLAS to be at its best


@dataclass
class LayerTime:
    """One row.

    Args:
        layers: paths of the modules it stands for; the first made the ops.
        types: their classes.
        ops: what ran, by torch's node names.
        forward, backward: median time in a step, seconds.
        forward_multiply_adds, backward_multiply_adds: in a step, counted from the unfused ops.
    """

    layers: list[str]
    types: list[str]
    ops: list[str] = field(default_factory=list)
    forward: float = 0.0
    backward: float = 0.0
    forward_multiply_adds: int = 0
    backward_multiply_adds: int = 0

    @property
    def fused(self) -> bool:
        """Whether it stands for several layers."""
        return len(self.layers) > 1

    @property
    def seconds(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward

    @property
    def rate(self) -> float | None:
        """Multiply-adds a second; None where there are none."""
        count = self.forward_multiply_adds + self.backward_multiply_adds
        return count / self.seconds if count and self.seconds else None


@dataclass(frozen=True)
class Timing:
    """A training step, measured.

    Args:
        batch: samples in a batch of it.
        accumulate: batches in it; times and counts are of them all.
        samples: in all of them.
        steps: how many were made for the whole and, once more, for the rows.
        kernels: numpy or native, with the instruction set.
        threads: that kernels and BLAS may use.
        peak: multiply-adds a second that as many threads could do; see `peak_rate`.
        layers: a row each, in the order in which they first run.
        loss: the loss's ops, forward and backward.
        between_forward, between_backward: what the passes take beside the ops: tape and Python.
        forward, backward: the passes with the loss, as a whole.
        update: forgetting the old gradients, check and limits of the new ones, the optimizer's step, the average of
            weights.
        step: all of it.
        loader: seconds until the loader gives a batch, which training waits for before each.
        recorded: whether the step's native calls are made at once, by a recording, or why not.
    """

    batch: int
    accumulate: int
    samples: int
    steps: int
    kernels: str
    threads: int
    peak: float
    layers: list[LayerTime]
    loss: LayerTime
    between_forward: float
    between_backward: float
    forward: float
    backward: float
    update: float
    step: float
    loader: float
    recorded: str

    def record(self) -> dict[str, Any]:
        """As `lenet time --json` prints it."""

        def row(layer: LayerTime) -> dict[str, Any]:
            return {
                "layers": layer.layers,
                "types": layer.types,
                "ops": layer.ops,
                "fused": layer.fused,
                "forward_seconds": layer.forward,
                "backward_seconds": layer.backward,
                "forward_multiply_adds": layer.forward_multiply_adds,
                "backward_multiply_adds": layer.backward_multiply_adds,
                "multiply_adds_per_second": layer.rate,
                "share_of_peak": layer.rate and layer.rate / self.peak,
            }

        return {
            "batch": self.batch,
            "accumulate": self.accumulate,
            "steps": self.steps,
            "kernels": self.kernels,
            "threads": self.threads,
            "peak_multiply_adds_per_second": self.peak,
            "layers": [row(layer) for layer in self.layers],
            "loss": row(self.loss),
            "between_ops": {"forward_seconds": self.between_forward, "backward_seconds": self.between_backward},
            "forward_seconds": self.forward,
            "backward_seconds": self.backward,
            "update_seconds": self.update,
            "step_seconds": self.step,
            "samples_per_second": self.samples / self.step,
            "loader_seconds": self.loader,
            "recorded": self.recorded,
        }


@draws_from(lambda run, *_, **__: run.random)
def time_step(run: Run, batch: int | None = None) -> Timing:
    """Measures training steps on the batches of one; the run's weights change, nothing is written.

    Args:
        batch: samples in each; None takes the loader's first batches. Where the data has fewer, they are repeated.

    Raises:
        ConfigError: no parameter wants a gradient.
        DataError: the data cannot be read.
    """
    if not any(p.requires_grad for p in run.model.parameters()):
        raise ConfigError("this model has no parameters to train, so there is no training step to measure")
    run.begin_training()
    group, waited = _group(run, batch)
    stepper = _Stepper(run, group)
    rows = stepper.rows()
    for _ in range(recorded.AFTER):
        if stepper.whole()[-1] > SECONDS / 20:
            break
    count = max(FEWEST, min(MOST, round(SECONDS / 2 / stepper.whole()[-1])))
    peaks, wholes = [peak_rate()], []
    for number in range(count):  # in turn, so that what disturbs the machine disturbs both
        wholes.append(stepper.whole())
        stepper.clocked()
        if number == count // 2:
            peaks.append(peak_rate())
    peaks.append(peak_rate())
    forward, back, update, step = (median(times) for times in zip(*wholes))
    between_forward, between_back = (median(times) for times in zip(*stepper.between))
    stepper.fill()
    loss = rows.pop()
    return Timing(
        len(group[0][0]), len(group), stepper.step.samples, count, dispatch.description(), threads.get_num_threads(),
        max(peaks), rows, loss,
        between_forward, between_back, forward, back, update, step, waited,
        recorded.status(run.model),
    )  # fmt: skip


def peak_rate() -> float:
    """Multiply-adds a second that the threads could do: one thread's best rate at products of matrices, times them.

    The products are NumPy's BLAS's, of float32, and last a millisecond: short enough for one of some tries to be
    undisturbed by other programs, which a product over all threads seldom is.
    """
    from threadpoolctl import threadpool_limits  # only here: it looks through all loaded libraries

    a = np.ones((SIDE, SIDE), np.float32)
    y = np.empty_like(a)
    times = []
    with threadpool_limits(1, user_api="blas"):
        for _ in range(20):
            began = time.perf_counter()
            np.matmul(a, a, out=y)
            times.append(time.perf_counter() - began)
    return float(SIDE**3 / min(times)) * min(threads.get_num_threads(), threads.processors())


def _group(run: Run, wanted: int | None) -> tuple[list[Batch], float]:
    """The batches of a step, and how long the loader takes for one more."""
    count = min(run.accumulate, run.batches)
    began = time.perf_counter()
    found: list[Batch] = []
    waits = []
    for batch in run.train_loader.batches(0):
        waits.append(time.perf_counter() - began)
        found.append(batch)
        enough = len(found) >= count if wanted is None else sum(len(x) for x, _ in found) >= wanted * count
        if len(found) >= FEWEST and enough:
            break
        began = time.perf_counter()
    waited = median(waits[1:] or waits)  # the first reads the files
    if wanted is None:
        return found[:count], waited
    wholes = [np.concatenate([part.array for part in parts]) for parts in zip(*found)]
    group = []
    for number in range(count):
        places = np.arange(number * wanted, (number + 1) * wanted)
        taken = [whole[places % len(whole)] for whole in wholes]
        group.append(tuple(from_numpy(logical(stored(a)) if a.ndim == 4 else a) for a in taken))
    return group, waited


_PARTS = {"zero_grad": "update", "forward": "forward", "read": "forward", "backward": "backward"}
_PARTS |= dict.fromkeys(("check", "limit", "update"), "update")


class _Stepper:
    """Makes the same step again and again."""

    def __init__(self, run: Run, group: list[Batch]) -> None:
        self.run, self.group, self.step = run, group, Step(run, strict=False)
        self.paths = {id(module): path for path, module in run.model.named_modules()}
        self.between: list[tuple[float, float]] = []  # of a clocked step: what its passes took beside the ops
        self.times: list[dict[tuple[int, bool], float]] = []  # of a clocked step: by module and direction
        self.ops: dict[int, dict[str, None]] = defaultdict(dict)  # of a module, in order
        self.row_of: dict[int, LayerTime] = {}

    def whole(self) -> tuple[float, float, float, float]:
        """A step; seconds of forward with the loss, of backward, of the update and of all."""
        clock, spent = time.perf_counter, dict.fromkeys(_PARTS.values(), 0.0)
        began = mark = clock()
        for phase in self.step.phases(self.group):
            phase()
            end = clock()
            spent[_PARTS[phase.__name__]] += end - mark
            mark = end
        return spent["forward"], spent["backward"], spent["update"], mark - began

    def clocked(self) -> None:
        """A step with every op's work noted under the module that called it, 0 for the loss."""
        spent: dict[tuple[int, bool], float] = defaultdict(float)
        callers: dict[Node, int] = {}

        def note(node: Node, name: str, forward: bool, seconds: float) -> None:
            if forward:
                callers[node] = self._caller(node)
                self.ops[callers[node]][name] = None
            spent[callers.get(node, 0), forward] += seconds

        with clocked(note), use.off():
            forward, back, *_ = self.whole()
        self.times.append(spent)
        inside = (sum(s for (_, way), s in spent.items() if way is wanted) for wanted in (True, False))
        self.between.append((forward - next(inside), back - next(inside)))

    def _caller(self, node: Node) -> int:
        """The module of the model that made a node, or is being called; 0 where it is none."""
        scope = node.scope or (switches.scopes[-1] if switches.scopes else None)
        module = 0 if scope is None else id(scope[1])
        return module if module in self.paths else 0

    def rows(self) -> list[LayerTime]:
        """A row for each module that computes, the loss's last, with the multiply-adds of a step by single ops.

        Where layers are fused, the modules that make no op of their own join the one before.
        """
        counted: dict[int, LayerTime] = {}
        modules = {id(m): m for m in self.run.model.modules()}

        def observe(node: Any, operands: tuple[Any, ...], parameters: Any, results: list[Any]) -> None:
            caller = self._caller(node)
            row = counted.get(caller)
            if row is None:
                kind = type(modules[caller]).__name__ if caller else kinds(self.run.criterion)
                row = counted[caller] = LayerTime([self.paths.get(caller, "loss")], [kind])
            made = multiply_adds(node, operands, results)
            row.forward_multiply_adds += made
            if made:  # backward as many again for each factor whose gradient is wanted
                row.backward_multiply_adds += made * sum(node.needs_input_grad[i] for i in node.factors)

        with fusion(False), watch(observe):
            self.whole()
        self.whole()  # families of ops are imported when first used, and the clock must find them
        self.clocked()
        loss = counted.pop(0, LayerTime(["loss"], [kinds(self.run.criterion)]))
        self.times.clear()
        self.between.clear()
        self.row_of = {0: loss}
        rows: list[LayerTime] = []
        for caller, row in counted.items():
            if caller in self.ops or not rows:
                rows.append(row)
                self.row_of[caller] = row
            else:
                rows[-1].layers += row.layers
                rows[-1].types += row.types
                rows[-1].forward_multiply_adds += row.forward_multiply_adds
                rows[-1].backward_multiply_adds += row.backward_multiply_adds
        return [*rows, loss]

    def fill(self) -> None:
        """Puts times and names of the clocked steps into the rows."""
        for caller, row in self.row_of.items():
            row.forward, row.backward = (median(spent[caller, way] for spent in self.times) for way in (True, False))
            row.ops = list(self.ops[caller])
