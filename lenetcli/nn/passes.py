"""Forward, loss and backward of a batch by one native call, as training's steps make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lenetcli.autograd.engine import arrive
from lenetcli.autograd.tape import Array, wrap
from lenetcli.kernels.recording import Plan
from lenetcli.nn.module import Module
from lenetcli.nn.recording import FLOAT, Bound, Fresh
from lenetcli.tensors.tensor import Tensor

if TYPE_CHECKING:
    from lenetcli.nn.trial import Trial


class Played(NamedTuple):
    """What came of a batch; the gradients are still to be given to the parameters. No loss: the tape has to go on.

    Gradients are finite: else the tape makes them.

    Args:
        counted, right: how many targets count, and how many of them have the highest score.
    """

    output: Tensor
    loss: Tensor | None
    counted: int
    right: int
    gradients: list[Array]
    passes: Passes

    def arrive(self) -> bool:
        """Gives the parameters their gradients; whether these are all that they have now."""
        return arrive(zip(self.passes.nodes, self.gradients), None)


class Passes(Bound):
    """The recording of a batch's passes."""

    def __init__(self, module: Module, trial: Trial, plan: Plan) -> None:
        super().__init__(module, trial, plan)
        (self.part,), (numbers,) = plan.parts, trial.parts()
        self.blocks = plan.blocks(numbers)
        self.loss = Fresh(trial.losses[0])
        self.weight = np.ones((), FLOAT)
        self.weighed = 1.0  # what is in it

    def call(self, input: Tensor, target: Array, weight: float) -> Played | None:
        """What comes of a batch of the kind that was recorded; None where the tape has to make it.

        Args:
            weight: of the loss, whose gradient is taken.
        """
        if not self.holds(input) or not self.lock.acquire(False):
            return None
        try:
            y, loss, noise = self.makes(), self.loss(), self.drawn() if self.draws else []
            if weight != self.weighed:
                self.weight[...] = self.weighed = weight
            arrays = [input.array, *noise, target, y, self.weight, loss]
            made, there = self.room()
            if not there:
                arrays += made
            if not self.play(*self.part, self.blocks[: len(arrays)], arrays):
                output = self.left_to_tape(input, noise)
                return None if output is None else Played(output, None, 0, 0, [], self)
            if self.tracked:
                self.count()
        finally:
            self.lock.release()
        _, counted, right = loss.tolist()
        return Played(wrap(Tensor, y), wrap(Tensor, loss[:1].reshape(())), int(counted), int(right), made, self)
