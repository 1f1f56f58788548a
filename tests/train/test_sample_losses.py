"""The loss of each sample by itself is the criterion's value for it alone, and their mean is that of the batch."""

from __future__ import annotations

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.nn.module import Module
from lenetcli.train.evaluate import Tally
from lenetcli.train.losses import Losses, Term, loss_of
from lenetcli.train.sample_losses import sample_losses


class Own(Module):
    """A loss of one's own, which is no sum of elements."""

    def forward(self, output: lenet.Tensor, target: lenet.Tensor) -> lenet.Tensor:
        return ((output - target) ** 2).mean().sqrt()


ROWS, CLASSES = lenet.tensor([[2.0, 0.0, 1.0], [0.5, -1.0, 3.0], [0.0, 0.1, 0.2]]), lenet.tensor([0, 1, 2])
NUMBERS = lenet.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.5], [0.0, 0.0, 1.0]])
WEIGHTS = lenet.tensor([1.0, 3.0, 0.5])
CASES = {
    "classes": (nn.CrossEntropyLoss(), ROWS, CLASSES),
    "weighted": (nn.CrossEntropyLoss(weight=WEIGHTS, label_smoothing=0.1), ROWS, CLASSES),
    "ignored": (nn.CrossEntropyLoss(ignore_index=1), ROWS, CLASSES),
    "probabilities": (nn.CrossEntropyLoss(), ROWS, NUMBERS.softmax(1)),
    "pixels": (nn.CrossEntropyLoss(weight=WEIGHTS), ROWS.reshape(1, 3, 3), CLASSES.reshape(1, 3)),
    "logarithms": (nn.NLLLoss(weight=WEIGHTS), ROWS.log_softmax(1), CLASSES),
    "margins": (nn.MultiMarginLoss(), ROWS, CLASSES),
    "numbers": (nn.MSELoss(), ROWS, NUMBERS),
    "one number": (nn.BCEWithLogitsLoss(), ROWS[:, :1], lenet.tensor([1.0, 0.0, 1.0])),
    "summed": (nn.L1Loss(reduction="sum"), ROWS, NUMBERS),
    "summed classes": (nn.CrossEntropyLoss(reduction="sum", weight=WEIGHTS), ROWS, CLASSES),
    "own": (Own(), ROWS, NUMBERS),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_is_what_the_criterion_gives_for_it_alone(
    case: tuple[Module, lenet.Tensor, lenet.Tensor], request: pytest.FixtureRequest
) -> None:
    criterion, output, targets = case
    losses, weights = sample_losses(criterion, output, targets)
    for i, (loss, weight) in enumerate(zip(losses, weights)):
        alone = loss_of(criterion, output[i : i + 1], targets[i : i + 1]).item() if weight else 0.0
        assert loss == pytest.approx(alone, rel=1e-6)
    if "own" not in request.node.name:
        tally = Tally(criterion, 0, calibrated=False)
        tally.measure(output, targets)
        assert (losses * weights).sum() / weights.sum() == pytest.approx(tally.loss, rel=1e-6)


def test_of_several_losses_it_is_the_weighted_sum() -> None:
    losses = Losses([Term("a", nn.CrossEntropyLoss(), 0, 2.0), Term("b", nn.MSELoss(), 1, 0.5, "input")])
    found, weights = sample_losses(losses, (ROWS, ROWS), CLASSES, NUMBERS)
    assert weights.tolist() == [1.0, 1.0, 1.0]
    assert found.mean() == pytest.approx(losses((ROWS, ROWS), CLASSES, NUMBERS).item(), rel=1e-6)
    np.testing.assert_allclose(found, 2 * sample_losses(nn.CrossEntropyLoss(), ROWS, CLASSES)[0]
        + 0.5 * sample_losses(nn.MSELoss(), ROWS, NUMBERS)[0])  # fmt: skip
