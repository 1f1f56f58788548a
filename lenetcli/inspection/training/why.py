"""Why one weight of a run is what it is: its way from its first value to its last, and what moved it in each step.

The run is trained again, each loss held to the recorded one. What a step changes is taken apart in this order:

momentum    what the optimizer's rule would do with no gradient and no weight decay: it goes on as before
decay       what weight decay adds to that
gradient    what the step's gradient adds; each sample has the share of it that its part of the gradient has
rounding    what is left: the rule is worked out in float64, the run's numbers are float32

A sample's part of a gradient is what comes back from its own row of the model's output. With batch norm, that goes
through the statistics that the whole batch makes, as it does in the training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lenetcli.autograd.differentiate import grad
from lenetcli.data.dataset import Subset
from lenetcli.errors import ConfigError
from lenetcli.inspection.record import Record
from lenetcli.inspection.statistics import Array
from lenetcli.inspection.step.optimizer_examples import RULES, numbers_at, update_by_hand
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.tensors.tensor import Tensor, of_array
from lenetcli.train.losses import Losses, loss_of
from lenetcli.train.run import Run
from lenetcli.train.step import Phase, Step

Index = tuple[int, ...]
Shared = list[tuple[int, Any, float]]  # of samples: number, target, part of the gradient


@dataclass(frozen=True)
class Sample:
    """What one sample did to the weight in one step.

    Args:
        index: its number in the training data.
        target: its class, or what else it is to give.
        gradient: its part of the gradient, before that is limited.
        change: its part of the step's change.
    """

    index: int
    target: Any
    gradient: float
    change: float


@dataclass(frozen=True)
class Moved:
    """One step of the weight.

    Args:
        before: its value; `change` is what the step added.
        gradient, momentum, decay, rounding: the parts of the change, which add up to it.
        samples: those that pushed it most, the strongest first.
        others: what all other samples added; with `samples` it makes `gradient`.
    """

    step: int
    epoch: int
    before: float
    change: float
    gradient: float
    momentum: float
    decay: float
    rounding: float
    samples: list[Sample]
    others: float


@dataclass(frozen=True)
class Why(Record):
    """A weight's whole way.

    Args:
        sum: of all parts of all steps; `last` less `first`, to rounding.
        undivided: the optimizer whose rule asks for a parameter's other numbers, too: all is told as the gradient's.
        trains: whether the parameter is one that the run changes.
    """

    SHOWN: ClassVar = (
        "name", "index", "first", "last", "steps", "sum", "gradient", "momentum", "decay", "rounding", "undivided"
    )  # fmt: skip

    name: str
    index: list[int]
    first: float
    last: float
    steps: list[Moved]
    undivided: str | None = None
    trains: bool = True

    @property
    def sum(self) -> float:
        """Of all changes."""
        return sum(s.gradient + s.momentum + s.decay + s.rounding for s in self.steps)

    @property
    def gradient(self) -> float:
        """What gradients added, over all steps."""
        return sum(s.gradient for s in self.steps)

    @property
    def momentum(self) -> float:
        """What the optimizer's memory added."""
        return sum(s.momentum for s in self.steps)

    @property
    def decay(self) -> float:
        """What weight decay added."""
        return sum(s.decay for s in self.steps)

    @property
    def rounding(self) -> float:
        """What no part explains."""
        return sum(s.rounding for s in self.steps)

    def largest(self, count: int) -> list[Moved]:
        """The steps that changed it most, the greatest change first."""
        return sorted(self.steps, key=lambda s: -abs(s.change))[:count]


def why(place: Path, places: Sequence[str], name: str, index: Index, samples: int = 5) -> Why:
    """The way of one weight of a run.

    Args:
        places: where the run's data lies now, as data.root=DIR.
        name, index: the parameter and the place in it.
        samples: how many of each step are named.

    Raises:
        ConfigError: no run, or no such parameter or place in it.
        DataError: files of the run, or its data, are missing or damaged.
        CheckFailed: a loss is not the recorded one.
    """
    recorded = Recorded.of(place, places)
    replayed = Replayed(recorded)
    run = replayed.run
    check_place(run, name, index)
    run.keep_features, watched = 0, _Watched(run, name, index, samples)
    run.around = watched
    first = float(watched.parameter.array[index])
    for step in range(1, recorded.last + 1):
        replayed.advance(step)
    last, trains = float(watched.parameter.array[index]), watched.parameter.requires_grad
    return Why(name, list(index), first, last, watched.found, watched.undivided, trains)


def check_place(run: Run, name: str, index: Index) -> None:
    """Refuses a weight that is not there.

    Raises:
        ConfigError: no such parameter, or no such place in it.
    """
    known = dict(run.model.named_parameters())
    if name not in known:
        raise ConfigError(f"no parameter {name!r}; there are {', '.join(known)}")
    shape = list(known[name].shape)
    if len(index) != len(shape) or any(i >= size for i, size in zip(index, shape)):
        raise ConfigError(f"{name}: wanted {len(shape)} numbers below {shape}, its shape, got {list(index)}")


@dataclass
class _Watched:
    """Looks at each step of a training from within, and notes what it does to one weight."""

    run: Run
    name: str
    index: Index
    samples: int
    found: list[Moved] = field(default_factory=list)

    def __post_init__(self) -> None:
        optimizer = self.run.optimizer
        self.undivided = None if isinstance(optimizer, tuple(RULES)) else type(optimizer).__name__
        self.parameter = self.run.model.get_parameter(self.name)
        self.shared: Shared = []
        self.place = (0, 0, 0)

    def __call__(self, step: Step, phase: Phase) -> None:
        match phase.__name__:
            case "zero_grad":
                p = self.run.progress
                self.shared, self.place = [], (p.step + 1, p.epoch, p.batch)
                phase()
            case "backward":
                self._share(step)
                phase()
            case "update":
                self._update(phase)
            case _:
                phase()

    def _share(self, step: Step) -> None:
        """Notes each sample's part of the gradient that the batch is about to give."""
        inputs, targets = step.batch
        batch = self.place[2] + next(i for i, b in enumerate(step.group) if b is step.batch)
        numbers = numbers_of(self.run, self.place[1], batch, len(inputs))
        if step.share and self.parameter.requires_grad:
            parts = sample_gradients(step.output, self._loss(step), self.parameter, self.index, len(inputs))
            self.shared += zip(numbers, _plain(targets, len(inputs)), (parts * step.share).tolist())

    def _loss(self, step: Step) -> Callable[[Any], Tensor]:
        """The batch's loss as a function of the model's output."""
        criterion, (inputs, targets) = self.run.criterion, step.batch
        if isinstance(criterion, Losses):
            return lambda output: criterion(output, targets, inputs, step.shares, [], ())
        return lambda output: loss_of(criterion, output, targets)

    def _update(self, phase: Phase) -> None:
        p = self.parameter
        before, grad = float(p.array[self.index]), p.grad
        work_out = _rule(self.run, p, self.index)
        limited = 0.0 if grad is None else float(grad.array[self.index])
        phase()
        change = float(p.array[self.index]) - before
        if grad is None:
            parts = (0.0, 0.0, 0.0)
        else:
            rest = work_out(0.0, False) - before
            decayed = work_out(0.0, True) - before
            parts = (work_out(limited, True) - before - decayed, rest, decayed - rest)
            if not np.isfinite(parts).all():
                parts = (change, 0.0, 0.0)
        self._note(before, change, *parts)

    def _note(self, before: float, change: float, gradient: float, momentum: float, decay: float) -> None:
        whole = sum(part for _, _, part in self.shared)
        by_part = gradient / whole if whole else 0.0
        every = [Sample(number, target, part, part * by_part) for number, target, part in self.shared]
        every.sort(key=lambda sample: -abs(sample.gradient))
        named = every[: self.samples]
        others = gradient - sum(sample.change for sample in named)
        rounding = change - gradient - momentum - decay
        step, epoch = self.place[0], self.place[1] + 1
        self.found.append(Moved(step, epoch, before, change, gradient, momentum, decay, rounding, named, others))


def sample_gradients(output: Any, loss: Callable[[Any], Tensor], parameter: Tensor, index: Index, count: int) -> Array:
    """Each sample's part of a gradient.

    Args:
        output: the model's, a tensor or several; a row for each sample.
        loss: makes the loss of them.
        index: which number of the parameter.
        count: of samples.

    Shape: (count,), float64. Sum: the loss's gradient, to rounding.
    """
    outputs = [part for part in _tensors(output) if part.requires_grad]
    cut = {id(part): part.detach().requires_grad_() for part in outputs}  # one may come of another
    leaves = list(cut.values())
    d_leaves = grad(loss(_replaced(output, cut)), leaves, allow_unused=True)
    d_outputs = [np.zeros_like(leaf.array) if d is None else d.array for leaf, d in zip(leaves, d_leaves)]
    try:
        return _by_weights(outputs, d_outputs, parameter, index, count)
    except NotImplementedError:  # an operation without a second derivative
        return _one_by_one(outputs, d_outputs, parameter, index, count)


def _by_weights(outputs: list[Tensor], d_outputs: list[Array], parameter: Tensor, index: Index, count: int) -> Array:
    """The gradient is linear in a weight for each row: its derivatives by the weights are the parts."""
    weights = of_array(np.ones(count, parameter.array.dtype)).requires_grad_()
    weighted = [of_array(d) * weights.reshape(count, *[1] * (d.ndim - 1)) for d in d_outputs]
    (d_parameter,) = grad(outputs, [parameter], weighted, create_graph=True, allow_unused=True)
    if d_parameter is None or not d_parameter.requires_grad:
        return np.zeros(count)
    (parts,) = grad(d_parameter[index], [weights], retain_graph=True, allow_unused=True)
    return np.zeros(count) if parts is None else parts.array.astype(np.float64)


def _one_by_one(outputs: list[Tensor], d_outputs: list[Array], parameter: Tensor, index: Index, count: int) -> Array:
    found = np.zeros(count)
    for row in range(count):
        masked = [np.zeros_like(d) for d in d_outputs]
        for mask, d in zip(masked, d_outputs):
            mask[row] = d[row]
        (d_parameter,) = grad(outputs, [parameter], list(map(of_array, masked)), retain_graph=True, allow_unused=True)
        found[row] = 0.0 if d_parameter is None else float(d_parameter.array[index])
    return found


def numbers_of(run: Run, epoch: int, batch: int, count: int) -> list[int]:
    """The numbers that the samples of a batch have in the training data.

    Args:
        epoch, batch: counted from 0.
        count: of the batch's samples.
    """
    loader = run.train_loader
    numbers = loader.order(epoch)[batch * loader.batch_size :][:count]
    data = loader.dataset
    while isinstance(data, Subset):
        data, numbers = data.dataset, data.indices[numbers]
    return [int(number) for number in numbers]


def _rule(run: Run, parameter: Tensor, index: Index) -> Callable[[float, bool], float]:
    """What the optimizer would make of the number with a gradient of this size, with or without weight decay."""
    optimizer = run.optimizer
    group = next(g for g in optimizer.param_groups if any(p is parameter for p in g["params"]))
    options = {**group, "lr": group["lr"] * run.warm}
    state = {
        key: np.array(value.array if isinstance(value, Tensor) else value)
        for key, value in optimizer.state.get(parameter, {}).items()
    }
    numbers = numbers_at(state, parameter.array.shape, index)
    before = float(parameter.array[index])

    def work_out(gradient: float, decay: bool) -> float:
        changed = options if decay else {**options, "weight_decay": 0.0, "lambd": 0.0}
        lines = update_by_hand(optimizer, changed, before, gradient, numbers)
        return lines[-1].value if lines else float("nan")

    return work_out


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
    return [tensor for part in parts for tensor in _tensors(part)]


def _replaced(value: Any, new: dict[int, Tensor]) -> Any:
    """The same structure with other tensors in it."""
    if isinstance(value, dict):
        return {key: _replaced(part, new) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(part, new) for part in value)
    return new.get(id(value), value)


def _plain(targets: Any, count: int) -> list[Any]:
    """Classes as numbers; other targets are not told."""
    array = targets.array if isinstance(targets, Tensor) else np.asarray(targets)
    return [int(t) for t in array] if array.ndim == 1 and array.dtype.kind in "iu" else [None] * count
