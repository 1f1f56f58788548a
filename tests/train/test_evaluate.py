"""What an evaluation adds up: probabilities, calibration, figures of each class."""

from __future__ import annotations

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.train.answers import probabilities
from lenetcli.train.evaluate import Calibration, evaluate


class Fixed(nn.Module):
    """Gives its input: the test decides the outputs."""

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        return x


def judged(scores: np.ndarray, targets: list[int], criterion: nn.Module, classes: int = 3) -> object:
    data = TensorDataset(lenet.from_numpy(scores.astype(np.float32)), lenet.tensor(targets))
    return evaluate(Fixed(), DataLoader(data, 2), criterion, classes)


def test_a_model_that_is_as_sure_as_it_is_right_is_calibrated() -> None:
    calibration = Calibration()
    shares = np.array([[0.75, 0.25]] * 4)
    calibration.add(shares, np.array([0, 0, 0, 1]))
    assert calibration.error == pytest.approx(0, abs=1e-12)


def test_a_model_that_is_too_sure_is_off_by_the_difference() -> None:
    calibration = Calibration()
    calibration.add(np.array([[1.0, 0.0]] * 4), np.array([0, 1, 1, 1]))  # sure, and right one time in four
    calibration.add(np.array([[0.6, 0.4]] * 4), np.array([0, 0, 0, 0]))  # doubtful, and always right
    assert calibration.error == pytest.approx((0.75 + 0.4) / 2)


def test_bins_are_closed_above_and_batches_add_up() -> None:
    random = np.random.default_rng(0)
    shares = random.dirichlet([1, 1, 1], 500)
    targets = random.integers(0, 3, 500)
    parts, whole = Calibration(), Calibration()
    whole.add(shares, targets)
    for i in range(0, 500, 7):
        parts.add(shares[i : i + 7], targets[i : i + 7])
    confidence, right = shares.max(1), shares.argmax(1) == targets
    wanted = 0.0
    for low, high in zip(np.linspace(0, 1, 16)[:-1], np.linspace(0, 1, 16)[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            wanted += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert whole.error == pytest.approx(wanted)
    assert parts.error == pytest.approx(wanted)


def test_no_samples_have_no_error() -> None:
    assert Calibration().error == 0.0


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss(), nn.MultiMarginLoss()])
def test_scores_become_probabilities_by_softmax(criterion: nn.Module) -> None:
    scores = np.array([[1000.0, 999.0, -5.0], [0.0, 0.0, 0.0]])
    found = probabilities(scores, criterion)
    np.testing.assert_allclose(found[0], [1 / (1 + np.e**-1), 1 / (1 + np.e), 0], atol=1e-12)
    np.testing.assert_allclose(found[1], 1 / 3)


def test_logarithms_and_probabilities_stay_what_they_are() -> None:
    shares = np.array([[0.2, 0.3, 0.5]])
    np.testing.assert_allclose(probabilities(np.log(shares), nn.NLLLoss()), shares)
    assert probabilities(shares, nn.MultiMarginLoss()) is shares
    assert probabilities(shares, nn.CrossEntropyLoss()) is not shares


def test_figures_of_each_class_follow_from_the_confusion() -> None:
    scores = np.eye(3)[[0, 0, 1, 1, 0]] * 9
    found = judged(scores, [0, 1, 1, 1, 1], nn.CrossEntropyLoss())
    first, second, third = found.per_class  # type: ignore[attr-defined]
    assert (first.count, first.precision, first.recall, first.f1) == (1, 1 / 3, 1.0, 0.5)
    assert (second.count, second.precision, second.recall) == (4, 1.0, 0.5)
    assert (third.count, third.precision, third.recall, third.f1) == (0, 0.0, 0.0, 0.0)


def test_targets_that_are_no_classes_have_no_calibration() -> None:
    data = TensorDataset(lenet.zeros(4, 3), lenet.zeros(4, 3))
    found = evaluate(Fixed(), DataLoader(data, 2), nn.MSELoss(), 3)
    assert (found.confusion, found.calibration_error) == (None, None)
