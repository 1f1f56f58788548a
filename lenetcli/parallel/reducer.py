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
from lenetcli.train.evaluate import Evaluation, Tally, adds_up
from lenetcli.train.run import Batch, Run
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
        # loss, share, samples, right ones, ignored ones, the mean's weight, time is up, save, a place for each signal;
        # then what has a gradient
        ends = np.cumsum([8 + len(SIGNALS), len(self._parameters), *(part.array.size for part in parts)])
        self._flat = np.zeros(ends[-1], kind)
        self._sums, self._given, *places = np.split(self._flat, ends[:-1])
        places = [place.reshape(part.array.shape) for place, part in zip(places, parts)]
        self._gradients, self._kept = places[: len(self._parameters)], places[len(self._parameters) :]

    def reduce_step(self, run: Run, group: Sequence[Batch], tally: Tally, loss: float) -> tuple[float, int]:
        p = run.progress
        if run.freezing is not None and self._frozen is not run.freezing.is_on(p.epoch):
            self._arrange(run)
        weight = sum(share(run, batch, group) for batch in group)
        samples, right = tally.count - p.epoch_count, (tally.right or 0) - (p.epoch_right or 0)
        ignored, counted = tally.ignored - p.epoch_ignored, tally.weight - p.epoch_weight
        late = self.comm.rank == 0 and self._max_seconds is not None and run.elapsed >= self._max_seconds
        signals = (self.wishes.stop == name for name in SIGNALS)
        self._sums[:] = loss, weight, samples, right, ignored, counted, late, self.wishes.save_now, *signals
        self._fill(samples)
        self.comm.all_reduce(self._flat)
        loss, weight, samples, right, ignored, counted, late, saves, *stops = self._sums.tolist()
        if adds_up(run.criterion):
            weight = 1.0
        loss = loss / weight if weight else 0.0
        self._empty(weight, samples)
        tally.loss_sum = p.epoch_loss_sum + (loss if tally.summed else loss * counted)
        tally.weight = p.epoch_weight + counted
        tally.count = p.epoch_count + round(samples)
        tally.ignored = p.epoch_ignored + round(ignored)
        tally.right = None if tally.right is None else (p.epoch_right or 0) + round(right)
        run.stop = next((name for name, ranks in zip(SIGNALS, stops) if ranks), None)
        run.save_now = bool(saves)
        if late:
            run.max_seconds = 0.0
        self.wishes.save_now = False
        self._begin(p.step + 1)
        if not math.isfinite(loss):
            raise divergence.diverged(run, f"the loss became {loss}")
        return loss, round(samples)

    def reduce_evaluation(self, run: Run, found: Evaluation | None) -> Evaluation | None:
        own = np.zeros(6 + len(SIGNALS))
        own[6:] = [self.wishes.stop == name for name in SIGNALS]
        if found is not None:
            loss = found.loss * found.weight if found.weight else 0.0
            judged = found.count - found.ignored
            right = (found.accuracy or 0.0) * judged if judged else 0.0
            own[:6] = loss, found.weight, right, found.count, found.ignored, found.accuracy is not None
        loss, weight, right, count, ignored, known, *stops = self.comm.all_reduce(own).tolist()
        run.stop = next((name for name, ranks in zip(SIGNALS, stops) if ranks), None)
        if found is None or run.stop is not None:
            return None
        judged = round(count - ignored)
        accuracy = (round(right) / judged if judged else math.nan) if known else None
        return replace(
            found, loss=loss / weight if weight else math.nan, accuracy=accuracy, count=round(count),
            ignored=round(ignored), weight=weight,
        )  # fmt: skip

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


def _statistics(model: Module) -> Iterator[Tensor]:
    """Buffers of numbers that each rank tracks of its own part: all but those that are synchronised, or do not move."""
    for module in model.modules():
        if not isinstance(module, SyncBatchNorm) and not getattr(module, "frozen", False):
            for _, buffer in module.named_buffers(recurse=False):
                if buffer.array.dtype.kind == "f":
                    yield buffer
