"""A step of all ranks: gradients, losses, counts and wishes are summed in one call, on one flat buffer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.random import DROPOUT, stream
from lenetcli.nn.module import Module
from lenetcli.nn.syncbatchnorm import SyncBatchNorm
from lenetcli.parallel.communicator import Communicator
from lenetcli.tensors.tensor import Tensor, from_numpy
from lenetcli.train import divergence
from lenetcli.train.accumulate import share
from lenetcli.train.evaluate import Evaluation, adds_up, evaluation_of
from lenetcli.train.loss_readout import resumed_tally
from lenetcli.train.losses import Losses, terms_of
from lenetcli.train.run import Batch, Run
from lenetcli.train.several_tally import AnyTally, parts_of
from lenetcli.train.signals import EXIT_CODES
from lenetcli.train.stopping import out_of_time

Array = npt.NDArray[Any]
SIGNALS = tuple(EXIT_CODES)


@dataclass
class Wishes:
    """What signals ask of this rank. The next step tells all, so that all stop or save after the same one."""

    stop: str | None = None
    save_now: bool = False


class MPIReducer:
    """Sums over the ranks of a run; see `lenetcli.train.run.Reducer`.

    Formula:
        gradient = sum over ranks (share gradient) / sum over ranks (share)

    What a batch norm tracks of each rank's own part is averaged likewise, by samples. Rank 0's clock decides when time
    is up. The other ranks draw dropout from streams of their own, which seed, rank and step give, so that no
    checkpoint need keep them.
    """

    def __init__(self, comm: Communicator, run: Run) -> None:
        self.comm, self.wishes = comm, Wishes()
        self._max_seconds, run.max_seconds = run.max_seconds, 0.0 if out_of_time(run) else None
        self._generator, self._random = run.random, stream(run.train_loader.seed, DROPOUT, comm.rank)
        self._arrange(run)
        self._begin(run.progress.step)

    def _arrange(self, run: Run) -> None:
        """The buffer, with a place for all that trains: other layers do from an epoch on where some are frozen."""
        self._frozen = run.freezing is not None and run.freezing.is_on(run.progress.epoch)
        self._parameters = [p for p in run.model.parameters() if p.requires_grad]
        self._statistics = list(_statistics(run.model))
        parts: Sequence[Tensor] = [*self._parameters, *self._statistics]
        kind = np.result_type(np.float32, *(part.array.dtype for part in parts))
        terms = len(list(terms_of(run.criterion)))
        # share, samples, time is up, save, a place for each signal; the step's loss, and each of several; the epoch's
        # sums of each loss (`evaluate.Sums`); then what has a gradient
        losses = 1 + terms if isinstance(run.criterion, Losses) else 1
        sizes = (part.array.size for part in parts)
        ends = np.cumsum([4 + len(SIGNALS), losses, 5 * terms, len(self._parameters), *sizes])
        self._flat = np.zeros(ends[-1], kind)
        self._marks, self._losses, self._sums, self._given, *places = np.split(self._flat, ends[:-1])
        places = [place.reshape(part.array.shape) for place, part in zip(places, parts)]
        self._gradients, self._kept = places[: len(self._parameters)], places[len(self._parameters) :]

    def sum_weights(self, weights: Sequence[float]) -> list[float]:
        self._wholes: list[float] = self.comm.all_reduce(np.array(weights)).tolist()
        return self._wholes

    def reduce_step(
        self, run: Run, group: Sequence[Batch], tally: AnyTally, losses: Sequence[float]
    ) -> tuple[list[float], int]:
        p = run.progress
        if run.freezing is not None and self._frozen is not run.freezing.is_on(p.epoch):
            self._arrange(run)
        several = isinstance(run.criterion, Losses)
        weight = 1.0 if several else sum(share(run, batch, group) for batch in group)
        samples = sum(len(batch[0]) for batch in group)
        before = _table(resumed_tally(run))
        late = self.comm.rank == 0 and self._max_seconds is not None and run.elapsed >= self._max_seconds
        signals = (self.wishes.stop == name for name in SIGNALS)
        self._marks[:] = weight, samples, late, self.wishes.save_now, *signals
        self._losses[:] = losses
        self._sums[:] = (_table(tally) - before).ravel()
        self._fill(samples)
        self.comm.all_reduce(self._flat)
        weight, samples, late, saves, *stops = self._marks.tolist()
        if adds_up(run.criterion):
            weight = 1.0
        elif several:  # their shares are those of all processes already
            weight = float(any(self._wholes))
        found = [loss / weight if weight else 0.0 for loss in self._losses.tolist()]
        self._empty(weight, samples)
        sums = self._sums.reshape(before.shape)
        if weight == 0:
            sums[:, 0] = 0  # the mean of nothing, as in one process
        _take(tally, before + sums)
        run.stop = next((name for name, ranks in zip(SIGNALS, stops) if ranks), None)
        run.save_now = bool(saves)
        if late:
            run.max_seconds = 0.0
        self.wishes.save_now = False
        self._begin(p.step + 1)
        if not math.isfinite(found[0]):
            raise divergence.diverged(run, f"the loss became {found[0]}")
        return found, round(samples)

    def reduce_evaluation(self, run: Run, found: Evaluation | None) -> Evaluation | None:
        parts = [] if found is None else [found] if found.outputs is None else list(found.outputs.values())
        sums = np.zeros((len(list(terms_of(run.criterion))), 6))
        for row, part in zip(sums, parts):
            row[:] = _sums_of(part)
        own = np.concatenate([[self.wishes.stop == name for name in SIGNALS], sums.ravel()])
        stops, whole = np.split(self.comm.all_reduce(own), [len(SIGNALS)])
        run.stop = next((name for name, ranks in zip(SIGNALS, stops) if ranks), None)
        if found is None or run.stop is not None:
            return None
        parts = [_of_sums(part, row) for part, row in zip(parts, whole.reshape(sums.shape).tolist())]
        return evaluation_of(run.criterion, parts) if isinstance(run.criterion, Losses) else parts[0]

    def _fill(self, samples: int) -> None:
        """This rank's sums into the buffer."""
        for i, (parameter, place) in enumerate(zip(self._parameters, self._gradients)):
            grad = parameter.grad
            self._given[i] = grad is not None
            place[...] = 0 if grad is None else grad.array
        for buffer, place in zip(self._statistics, self._kept):
            np.multiply(buffer.array, samples, out=place)

    def _empty(self, weight: float, samples: float) -> None:
        """All ranks' means out of the buffer; no gradient where nothing counts, as in one process."""
        for parameter, place, given in zip(self._parameters, self._gradients, self._given.tolist()):
            if weight == 0:
                parameter.grad = None
                continue
            if weight != 1:
                place /= weight
            if given and parameter.grad is None:
                parameter.grad = from_numpy(place.astype(parameter.array.dtype))
            elif given:
                parameter.grad.array[...] = place
        for buffer, place in zip(self._statistics, self._kept):
            np.divide(place, samples, out=buffer.array, casting="same_kind")
            buffer.counter[0] += 1

    def _begin(self, step: int) -> None:
        """The random stream of a step."""
        if self.comm.rank != 0:
            state = self._random.state
            state["state"]["counter"][:] = 0, 0, step, 0
            state["buffer_pos"], state["has_uint32"] = 4, 0  # nothing drawn yet
            self._random.state = state
            self._generator.numpy = np.random.Generator(self._random)


def _table(tally: AnyTally) -> npt.NDArray[np.float64]:
    """A row of sums for each loss."""
    return np.array([[part or 0 for part in each.sums] for each in parts_of(tally)], np.float64)


def _take(tally: AnyTally, table: npt.NDArray[np.float64]) -> None:
    """Puts such rows into a tally; what is not counted stays so."""
    for each, (loss, weight, count, right, ignored) in zip(parts_of(tally), table.tolist()):
        judged = None if each.right is None else round(right)
        each.sums = loss, weight, round(count), judged, round(ignored)


def _sums_of(found: Evaluation) -> tuple[float, ...]:
    """Loss, weight, right ones, samples, ignored ones, whether right ones are known: what adds up over ranks."""
    judged = found.count - found.ignored
    right = (found.accuracy or 0.0) * judged if judged else 0.0
    loss = found.loss * found.weight if found.weight else 0.0
    return loss, found.weight, right, found.count, found.ignored, found.accuracy is not None


def _of_sums(found: Evaluation, sums: Sequence[float]) -> Evaluation:
    """The evaluation over all ranks."""
    loss, weight, right, count, ignored, known = sums
    judged = round(count - ignored)
    accuracy = (round(right) / judged if judged else math.nan) if known else None
    return replace(
        found, loss=loss / weight if weight else math.nan, accuracy=accuracy, count=round(count),
        ignored=round(ignored), weight=weight,
    )  # fmt: skip


def _statistics(model: Module) -> Iterator[Tensor]:
    """Buffers of numbers that each rank tracks of its own part: all but those that are synchronised, or do not move."""
    for module in model.modules():
        if not isinstance(module, SyncBatchNorm) and not getattr(module, "frozen", False):
            for _, buffer in module.named_buffers(recurse=False):
                if buffer.array.dtype.kind == "f":
                    yield buffer
