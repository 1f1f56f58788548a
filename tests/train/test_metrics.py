"""Metrics: equal to scikit-learn's on random cases where that is installed, and to what can be counted by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from lenetcli import nn
from lenetcli.train import metrics
from lenetcli.train.scores import Measured, Scores, task_of

CASES = 200


def weights(draw: np.random.Generator, count: int) -> Any:
    """None, or how often each sample counts."""
    return None if draw.random() < 0.5 else draw.integers(0, 4, count).astype(np.float64) + 0.0


def classes_case(seed: int) -> tuple[np.ndarray, np.ndarray, Any]:
    draw = np.random.default_rng(seed)
    count, classes = int(draw.integers(20, 90)), int(draw.integers(3, 9))
    target = np.concatenate([np.arange(classes), draw.integers(0, classes, count)])
    score = draw.random((len(target), classes)) + (np.arange(classes) == target[:, None]) * draw.random()
    if seed % 2:
        score = score.round(1) + 0.01  # many are equal
    weight = weights(draw, len(target))
    if weight is not None:
        weight[:classes] = 1.0
    return target, score / score.sum(axis=1, keepdims=True), weight


@pytest.fixture(scope="module")
def sk() -> Any:
    return pytest.importorskip("sklearn.metrics")


def same(found: dict[str, float], wanted: dict[str, float]) -> None:
    assert {name: found[name] for name in wanted} == pytest.approx(wanted, abs=1e-9)


def test_metrics_of_classes_are_scikit_learns(sk: Any) -> None:
    for seed in range(CASES):
        target, score, weight = classes_case(seed)
        predicted, names = score.argmax(axis=1), np.arange(score.shape[1])
        how = {"sample_weight": weight}
        marks = (target[:, None] == names).astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = {
                "accuracy": sk.accuracy_score(target, predicted, **how),
                "balanced_accuracy": sk.balanced_accuracy_score(target, predicted, **how),
                "f1_macro": sk.f1_score(target, predicted, average="macro", zero_division=0, **how),
                "f1_weighted": sk.f1_score(target, predicted, average="weighted", zero_division=0, **how),
                "precision_macro": sk.precision_score(target, predicted, average="macro", zero_division=0, **how),
                "recall_macro": sk.recall_score(target, predicted, average="macro", zero_division=0, **how),
                "matthews": sk.matthews_corrcoef(target, predicted, **how),
                "average_precision": sk.average_precision_score(marks, score, **how),
                "roc_auc": sk.roc_auc_score(marks, score, **how),
            }
            if score.shape[1] > 3:
                wanted["top_3"] = sk.top_k_accuracy_score(target, score, k=3, labels=names, **how)
        same(Measured("classes", score, target).values(weight), wanted)


def test_metrics_of_yes_and_no_are_scikit_learns(sk: Any) -> None:
    for seed in range(CASES):
        draw = np.random.default_rng(seed)
        target = np.append(draw.integers(0, 2, 40), [0, 1])
        score = np.clip(target * draw.random() + draw.random(42), 0, 1).round(int(draw.integers(1, 9)))
        weight = weights(draw, 42)
        if weight is not None:
            weight[-2:] = 1
        how, predicted = {"sample_weight": weight}, (score > 0.5).astype(int)
        ranking = metrics.Ranking(target, score)
        wanted = {
            "precision": sk.precision_score(target, predicted, zero_division=0, **how),
            "recall": sk.recall_score(target, predicted, zero_division=0, **how),
            "f1": sk.f1_score(target, predicted, zero_division=0, **how),
            "average_precision": sk.average_precision_score(target, score, **how),
            "roc_auc": sk.roc_auc_score(target, score, **how),
            "matthews": sk.matthews_corrcoef(target, predicted, **how),
        }
        same(Measured("binary", score[:, None], target[:, None]).values(weight), wanted)
        x, y, heights = sk.roc_curve(target, score, drop_intermediate=False, **how)
        for ours, theirs in zip((*ranking.roc(weight), ranking.thresholds), (x, y, heights[1:])):
            assert ours == pytest.approx(theirs, abs=1e-12) or weight is not None
        precision, recall, _ = sk.precision_recall_curve(target, score, **how)
        ours = ranking.precision_recall(weight)
        if weight is None:
            assert ours[0][::-1] == pytest.approx(precision[:-1])
            assert ours[1][::-1] == pytest.approx(recall[:-1])


def test_metrics_of_labels_and_of_numbers_are_scikit_learns(sk: Any) -> None:
    for seed in range(CASES):
        draw = np.random.default_rng(seed)
        target = np.concatenate([np.eye(4, dtype=int), 1 - np.eye(4, dtype=int), draw.integers(0, 2, (30, 4))])
        score = np.clip(target * draw.random() + draw.random(target.shape), 0, 1).round(2)
        predicted, weight = (score > 0.5).astype(int), weights(draw, len(target))
        if weight is not None:
            weight[:8] = 1
        how = {"sample_weight": weight}
        wanted = {
            "f1_macro": sk.f1_score(target, predicted, average="macro", zero_division=0, **how),
            "f1_micro": sk.f1_score(target, predicted, average="micro", zero_division=0, **how),
            "precision_macro": sk.precision_score(target, predicted, average="macro", zero_division=0, **how),
            "recall_macro": sk.recall_score(target, predicted, average="macro", zero_division=0, **how),
            "average_precision": sk.average_precision_score(target, score, **how),
            "roc_auc": sk.roc_auc_score(target, score, **how),
            "subset_accuracy": sk.accuracy_score(target, predicted, **how),
            "hamming_loss": sk.hamming_loss(target, predicted, **how),
        }
        same(Measured("labels", score, target).values(weight), wanted)
        y, x = draw.normal(size=(2, 30, int(draw.integers(1, 4)))) * 5
        weight = weights(draw, 30)
        how = {"sample_weight": weight}
        numbers = {
            "r2": sk.r2_score(y, x, **how), "mae": sk.mean_absolute_error(y, x, **how),
            "mse": sk.mean_squared_error(y, x, **how), "rmse": sk.root_mean_squared_error(y, x, **how),
        }  # fmt: skip
        same(Measured("numbers", x, y).values(weight), numbers)


def test_what_can_be_counted_by_hand() -> None:
    target, score = np.array([0, 0, 1, 2]), np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 1, 0], [0.5, 0.4, 0.1]])
    found = Measured("classes", score, target).values()
    assert found["accuracy"] == 0.5
    assert found["balanced_accuracy"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert found["f1_macro"] == pytest.approx((0.5 + 2 / 3 + 0) / 3)
    perfect = Measured("numbers", np.array([[1.0], [2.0]]), np.array([[1.0], [2.0]])).values()
    assert perfect == {"r2": 1.0, "mae": 0.0, "mse": 0.0, "rmse": 0.0}
    ranking = metrics.Ranking(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9]))
    assert ranking.roc_auc() == 0.75
    assert ranking.best_f1() == pytest.approx((0.4, 0.8))


def test_intervals_hold_the_value_narrow_with_more_samples_and_repeat() -> None:
    wide = {}
    for count in (50, 2000):
        draw = np.random.default_rng(count)
        target = draw.integers(0, 3, count)
        score = draw.random((count, 3)) + (np.arange(3) == target[:, None]) * 0.5
        measured = Measured("classes", score, target)
        ends, again = measured.intervals(), Measured("classes", score, target).intervals()
        assert ends == again
        for name, value in measured.values().items():
            assert ends[name][0] <= value <= ends[name][1]
        wide[count] = ends["accuracy"][1] - ends["accuracy"][0]
    assert wide[2000] < wide[50] / 4


@pytest.mark.parametrize(
    ("criterion", "output", "target", "task"),
    [
        (nn.CrossEntropyLoss(), np.zeros((4, 3)), np.arange(4) % 3, "classes"),
        (nn.BCEWithLogitsLoss(), np.zeros((4, 1)), np.ones((4, 1)), "binary"),
        (nn.BCEWithLogitsLoss(), np.zeros((4, 3)), np.ones((4, 3)), "labels"),
        (nn.BCEWithLogitsLoss(), np.zeros((4, 3)), np.full((4, 3), 0.5), "numbers"),
        (nn.MSELoss(), np.zeros((4, 1)), np.ones((4, 1)), "numbers"),
        (nn.MSELoss(), np.zeros((4, 1, 8, 8)), np.ones((4, 1, 8, 8)), "numbers"),
        (nn.CrossEntropyLoss(), np.zeros((4, 3, 8)), np.zeros((4, 8), np.int64), None),
    ],
)
def test_the_kind_of_answers_follows_from_loss_and_targets(
    criterion: nn.Module, output: Any, target: Any, task: str | None
) -> None:
    assert task_of(output, target, criterion) == task
    scores = Scores(criterion)
    scores.add(output[:2], target[:2])
    scores.add(output[2:], target[2:])
    found = scores.measured()
    assert (None if found is None else (found.task, len(found))) == (None if task is None else (task, 4))
