"""Every loss, cut into batches in any way, is the loss of all samples together; and its outputs mean what it says."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn, optim
from lenetcli.data import DataLoader, TensorDataset
from lenetcli.inspection.data.mistakes import judge
from lenetcli.nn.loss import Loss, SeveralInputsLoss
from lenetcli.train.answers import answered, decisions, probabilities
from lenetcli.train.evaluate import evaluate
from lenetcli.train.events import Evaluated, Step
from lenetcli.train.loop import fit
from lenetcli.train.run import Run
from tests.train.test_evaluate import Fixed

COUNT, CLASSES = 10, 4
_random = np.random.default_rng(0)
SCORES = _random.standard_normal((COUNT, CLASSES)).astype(np.float32)
LABELS = np.array([0, 1, 1, 3, 2, 1, 0, 3, 3, 1])
SHARES = _random.dirichlet([1] * CLASSES, COUNT).astype(np.float32)
SIGNS = np.where(SCORES.T.reshape(COUNT, CLASSES) > 0, 1, -1).astype(np.float32)
PLACES = _random.integers(0, CLASSES, (COUNT, 3))
IMAGE = _random.standard_normal((COUNT, CLASSES, 3)).astype(np.float32)
FEWER = np.array([[3, 1, -1, 0]] * COUNT)
WEIGHT = {"weight": lenet.tensor([0.5, 3.0, 0.0, 1.5])}

# Of each loss: its arguments, the model's outputs, the targets
CASES: dict[str, list[tuple[dict[str, Any], Any, Any]]] = {
    "CrossEntropyLoss": [
        *((dict(o), SCORES, LABELS) for o in ({}, WEIGHT, {"ignore_index": 1}, {**WEIGHT, "ignore_index": 1})),
        *(({**o, "label_smoothing": 0.2}, SCORES, LABELS) for o in ({}, WEIGHT, {**WEIGHT, "ignore_index": 3})),
        *((dict(o), SCORES, SHARES) for o in ({}, WEIGHT, {"label_smoothing": 0.2})),
        *((dict(o), IMAGE, PLACES) for o in ({}, WEIGHT, {**WEIGHT, "ignore_index": 2})),
    ],
    "NLLLoss": [
        *((dict(o), -abs(SCORES), LABELS) for o in ({}, WEIGHT, {"ignore_index": 3}, {**WEIGHT, "ignore_index": 1})),
        ({**WEIGHT, "ignore_index": 0}, -abs(IMAGE), PLACES),
    ],
    "MultiMarginLoss": [(dict(o), SCORES, LABELS) for o in ({}, WEIGHT, {"p": 2})],
    "MultiLabelMarginLoss": [({}, SCORES, FEWER)],
    "MultiLabelSoftMarginLoss": [(dict(o), SCORES, (SIGNS > 0).astype(np.float32)) for o in ({}, WEIGHT)],
    "BCELoss": [(dict(o), SHARES, (SIGNS > 0).astype(np.float32)) for o in ({}, WEIGHT)],
    "BCEWithLogitsLoss": [
        (dict(o), SCORES, SHARES) for o in ({}, WEIGHT, {"pos_weight": lenet.tensor([1.0, 2.0, 3.0, 4.0])})
    ],
    "KLDivLoss": [(dict(o), -abs(SCORES), SHARES) for o in ({"reduction": "batchmean"}, {"reduction": "mean"})],
    "SoftMarginLoss": [({}, SCORES, SIGNS)],
    "HingeEmbeddingLoss": [({}, SCORES, SIGNS)],
    "PoissonNLLLoss": [({}, SCORES, SHARES)],
    **{name: [({}, SCORES, SHARES)] for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")},
}


def test_every_loss_that_a_config_may_name_has_cases() -> None:
    known = {name: getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    losses = {name for name, cls in known.items() if issubclass(cls, Loss) and not issubclass(cls, SeveralInputsLoss)}
    assert set(CASES) == losses


def cases() -> Iterator[Any]:
    for name, some in CASES.items():
        for i, (options, outputs, targets) in enumerate(some):
            for reduction in ("mean", "sum") if "reduction" not in options else (options["reduction"], "sum"):
                yield pytest.param(
                    name, {**options, "reduction": reduction}, outputs, targets, id=f"{name}{i}{reduction}"
                )


def criterion_of(name: str, options: dict[str, Any]) -> Any:
    return getattr(nn, name)(**options)


@pytest.mark.filterwarnings("ignore:reduction")  # KLDivLoss warns of its mean, as torch does
@pytest.mark.parametrize(("name", "options", "outputs", "targets"), [*cases()])
def test_the_loss_over_a_split_does_not_depend_on_the_batches(
    name: str, options: dict[str, Any], outputs: Any, targets: Any
) -> None:
    criterion = criterion_of(name, options)
    data = TensorDataset(lenet.from_numpy(outputs), lenet.from_numpy(targets))
    whole = criterion(*data.tensors).item() / (COUNT if options["reduction"] == "sum" else 1)
    for size in (1, 3, 4, COUNT):
        found = evaluate(Fixed(), DataLoader(data, size), criterion)
        assert found.loss == pytest.approx(whole, rel=2e-6, abs=1e-7), size


class Shift(nn.Module):
    """Adds a parameter to its input: enough to have gradients."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shift = nn.Parameter(lenet.zeros(*shape))

    def forward(self, x: lenet.Tensor) -> lenet.Tensor:
        return x + self.shift


def trained(criterion: Any, outputs: Any, targets: Any, size: int, accumulate: int) -> tuple[Any, Any, Any]:
    """The parameter after an epoch, its steps' losses, and what the epoch told."""
    model = Shift(outputs.shape[1:])
    data = TensorDataset(lenet.from_numpy(outputs), lenet.from_numpy(targets))
    loaders = DataLoader(data, size), DataLoader(data, size)
    run = Run(model, criterion, optim.SGD(model.parameters(), lr=0.01), *loaders, 1, accumulate=accumulate)
    events = list(fit(run))
    (train,) = (e for e in events if isinstance(e, Evaluated) and e.split == "train")
    return model.shift.detach().numpy(), [e.loss for e in events if isinstance(e, Step)], train


@pytest.mark.filterwarnings("ignore:reduction")
@pytest.mark.parametrize(("name", "options", "outputs", "targets"), [*cases()])
def test_accumulated_batches_make_the_step_of_the_whole_batch(
    name: str, options: dict[str, Any], outputs: Any, targets: Any
) -> None:
    if name == "BCELoss":
        outputs = 0.25 + outputs / 2  # stays a probability after a step
    criterion = criterion_of(name, options)
    whole, (loss,), told = trained(criterion, outputs, targets, COUNT, 1)
    for size in (1, 3):
        parts, (sum_of_parts,), found = trained(criterion, outputs, targets, size, COUNT)
        np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-7)
        assert sum_of_parts == pytest.approx(loss, rel=2e-6)
        assert (found.loss, found.accuracy) == (pytest.approx(told.loss, rel=2e-6), told.accuracy)


def test_a_step_in_which_nothing_counts_changes_nothing() -> None:
    for options in ({"ignore_index": 1}, {"weight": lenet.tensor([1.0, 0.0, 1.0, 1.0])}):
        criterion = nn.CrossEntropyLoss(**options)  # type: ignore[arg-type]
        same, losses, told = trained(criterion, SCORES, np.where(np.arange(COUNT) < 3, 1, LABELS), 3, 1)
        assert np.isfinite(same).all()
        assert losses[0] == 0.0
        assert np.isfinite(told.loss)


def test_a_split_in_which_nothing_counts_is_said_to_be_one() -> None:
    criterion = nn.CrossEntropyLoss(ignore_index=1)
    with pytest.raises(lenet.errors.DataError, match=r"nothing counts in the test split \(10 samples\)"):
        trained(criterion, SCORES, np.ones(COUNT, np.int64), COUNT, 1)


def test_ignored_samples_are_neither_right_nor_wrong() -> None:
    criterion = nn.CrossEntropyLoss(ignore_index=1)
    data = TensorDataset(lenet.from_numpy(SCORES), lenet.from_numpy(LABELS))
    kept = LABELS != 1
    right = SCORES.argmax(1) == LABELS
    for size in (1, 3, COUNT):
        found = evaluate(Fixed(), DataLoader(data, size), criterion, CLASSES)
        assert found.accuracy == pytest.approx(right[kept].mean())
        assert (found.count, found.ignored) == (COUNT, 4)
        assert found.confusion is not None
        assert found.confusion.sum() == 6
        assert found.confusion[1].sum() == found.per_class[1].count == 0
    assert trained(criterion, SCORES, LABELS, 3, 1)[2].accuracy is not None
    same = trained(criterion, SCORES, LABELS, COUNT, 1)[2]
    assert same.accuracy == pytest.approx(right[kept].mean())


def test_a_model_may_have_more_outputs_than_the_data_has_classes() -> None:
    data = TensorDataset(lenet.from_numpy(SCORES), lenet.tensor([0, 1] * 5))
    found = evaluate(Fixed(), DataLoader(data, 4), nn.CrossEntropyLoss(), 2)
    assert found.confusion is not None
    assert found.confusion.sum() == COUNT


LOGITS = np.array([[-2.0], [0.0], [1.0], [90.0]], np.float32)
SIGMOID = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))


@pytest.mark.parametrize("shape", [(4, 1), (4,)])
@pytest.mark.parametrize("target", [np.float32, np.int64])
def test_one_output_decides_between_two_classes(shape: tuple[int, ...], target: Any) -> None:
    wanted = np.array([0, 1, 1, 0], target)
    for criterion, output in ((nn.BCEWithLogitsLoss(), LOGITS), (nn.BCELoss(), SIGMOID), (nn.SoftMarginLoss(), LOGITS)):
        shares = probabilities(output.reshape(shape), criterion)
        assert shares is not None
        np.testing.assert_allclose(shares, np.concatenate([1 - SIGMOID, SIGMOID], 1), atol=1e-7)
        found = decisions(output.reshape(shape), wanted.reshape(shape), criterion)
        assert found is not None
        assert found.predicted.tolist() == [0, 0, 1, 1]
        assert found.wanted.tolist() == [0, 1, 1, 0]


def test_signs_are_two_classes_too() -> None:
    found = decisions(LOGITS, np.array([[-1.0], [1.0], [1.0], [-1.0]]), nn.SoftMarginLoss())
    assert found is not None
    assert found.wanted.tolist() == [0, 1, 1, 0]


def test_outputs_mean_what_the_loss_takes_them_for() -> None:
    softmax = np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
    sigmoid = 1 / (1 + np.exp(-SCORES))
    wanted = {
        "CrossEntropyLoss": softmax, "MultiMarginLoss": softmax, "NLLLoss": np.exp(SCORES), "KLDivLoss": np.exp(SCORES),
        "BCEWithLogitsLoss": sigmoid, "MultiLabelSoftMarginLoss": sigmoid, "SoftMarginLoss": sigmoid, "BCELoss": SCORES,
    }  # fmt: skip
    for name in CASES:
        shares = probabilities(SCORES, criterion_of(name, {}))
        if name in wanted:
            assert shares is not None
            np.testing.assert_allclose(shares, wanted[name], rtol=1e-5)
        else:
            assert shares is None, name
            assert answered(SCORES, criterion_of(name, {}), ("a", "b", "c", "d"))[1] == []


@pytest.mark.parametrize(
    ("criterion", "shape"), [*itertools.product([nn.BCEWithLogitsLoss(), nn.BCELoss()], [(1,), ()])]
)
def test_a_trainer_predicts_two_classes_from_one_output(criterion: nn.Module, shape: tuple[int, ...]) -> None:
    lenet.manual_seed(0)
    x = lenet.randn(12, 3)
    y = (x.sum(1) > 0).float().reshape(12, *shape)
    last = [nn.Flatten(0)] if shape == () else []
    net = nn.Sequential(nn.Linear(3, 1), *([nn.Sigmoid()] if isinstance(criterion, nn.BCELoss) else []), *last)
    made = optim.SGD(net.parameters(), lr=1.0)
    trainer = lenet.Trainer.of(net, made, criterion, (x, y), (x, y), epochs=20, classes=("no", "yes"))
    history = trainer.fit(progress="off")
    assert history.judged[-1].accuracy == pytest.approx(1.0, abs=0.2)
    found = trainer.evaluate()
    assert found.confusion is not None
    assert np.trace(found.confusion) / 12 == found.accuracy == history.judged[-1].accuracy
    likely = net(x).reshape(-1)
    likely = likely if isinstance(criterion, nn.BCELoss) else likely.sigmoid()
    for p, q in zip(trainer.predict(x), likely.tolist()):
        assert dict(p.top) == {"no": pytest.approx(1 - q, abs=1e-6), "yes": pytest.approx(q, abs=1e-6)}


def test_numbers_are_predicted_as_numbers() -> None:
    net, data = nn.Linear(2, 3), (lenet.randn(4, 2), lenet.randn(4, 3))
    trainer = lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.MSELoss(), data, data)
    assert [p.output for p in trainer.predict(data[0])] == [pytest.approx(row) for row in net(data[0]).tolist()]


def test_inputs_to_predict_take_the_type_that_the_model_was_trained_on() -> None:
    numbers, labels = lenet.randint(0, 7, (8, 2)), lenet.randint(0, 3, (8,))
    words = nn.Sequential(nn.Embedding(7, 4), nn.Flatten(), nn.Linear(8, 3))
    double = nn.Linear(2, 3).to(lenet.float64)
    for net, inputs in ((words, numbers), (double, numbers.double())):
        data = (inputs, labels)
        trainer = lenet.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss(), data, data)
        trainer.fit(progress="off")
        expected = net(inputs).softmax(1).max(1)[0].tolist()
        for given in (inputs, inputs.numpy(), inputs.float()):
            assert [p.top[0][1] for p in trainer.predict(given)] == pytest.approx(expected)
    with pytest.raises(lenet.errors.DataError, match="trained on int64, got fractions"):
        lenet.Trainer.of(words, optim.SGD(words.parameters()), nn.CrossEntropyLoss(), (numbers, labels), data).predict(
            np.array([[0.5, 1.0]])
        )


def test_a_progress_of_an_earlier_version_goes_on() -> None:
    from lenetcli.runs.state_json import check_fields, up_to_date
    from lenetcli.train.run import Progress

    old = dataclasses.asdict(Progress(epoch_loss_sum=3.0, epoch_count=6))
    del old["epoch_weight"], old["epoch_ignored"]
    found = Progress(**check_fields(Progress, up_to_date(old)))
    assert (found.epoch_weight, found.epoch_ignored) == (6.0, 0)


def test_distances_from_probabilities_are_those_of_probabilities() -> None:
    sigmoid, softmax = 1 / (1 + np.exp(-SCORES)), np.exp(SCORES) / np.exp(SCORES).sum(1, keepdims=True)
    yes = (SIGNS > 0).astype(np.float32)
    data = SCORES.reshape(COUNT, 1, 2, 2)
    for criterion, targets, wanted in (
        (nn.BCEWithLogitsLoss(), yes, sigmoid),
        (nn.CrossEntropyLoss(), SHARES, softmax),
        (nn.KLDivLoss(reduction="batchmean"), SHARES, np.exp(SCORES)),
        (nn.MSELoss(), SHARES, SCORES),
        (nn.KLDivLoss(reduction="batchmean", log_target=True), np.log(SHARES), SCORES),
    ):
        dataset = TensorDataset(lenet.from_numpy(data), lenet.from_numpy(targets))
        found = judge(nn.Flatten(), dataset, criterion, 0, "test", 3, None).mistakes
        distances = np.abs(wanted - targets).mean(1)
        assert [m.wrongness for m in found] == pytest.approx(sorted(distances, reverse=True)[:3], rel=1e-5)
        assert found[0].output == pytest.approx(wanted[found[0].index].tolist(), rel=1e-5)


class OwnLoss(nn.Module):
    """A loss of the user's own, which says nothing of what it takes outputs for."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, input: lenet.Tensor, target: lenet.Tensor) -> lenet.Tensor:
        return self.inner(input, target)  # type: ignore[no-any-return]


def test_a_loss_of_the_users_own_is_not_taken_for_one_of_classes_without_class_numbers() -> None:
    x = lenet.from_numpy(SCORES)
    for outputs, inner, targets, named in (
        (1, nn.MSELoss(), x[:, :1], False),
        (3, nn.MSELoss(), x[:, :3], False),
        (4, nn.CrossEntropyLoss(), lenet.from_numpy(LABELS), True),
    ):
        net = nn.Linear(4, outputs)
        sgd = optim.SGD(net.parameters(), lr=0.1)
        trainer = lenet.Trainer.of(net, sgd, OwnLoss(inner), (x, targets), (x, targets))
        trainer.fit(progress="off")
        assert (trainer.evaluate().accuracy is not None) is named
        found = trainer.predict(x)
        rows = net(x).softmax(1) if named else net(x)
        for row, prediction in zip(rows.tolist(), found):
            assert (prediction.output is None) is named
            told = prediction.output if not named else [dict(prediction.top).get(str(i)) for i in range(3)]
            assert [t for t in told or () if t is not None] == pytest.approx(
                row if not named else [r for r, t in zip(row, told or ()) if t is not None], rel=1e-5
            )


@pytest.mark.parametrize(
    ("criterion", "options", "message"),
    [
        (nn.CrossEntropyLoss(reduction="none"), {}, "has to be one number"),
        (nn.CrossEntropyLoss(), {"watch": "f1"}, "watch: wanted loss or accuracy"),
        (nn.CrossEntropyLoss(), {"watch": "accuracy"}, "mode='min' wants a fall"),
        (nn.CrossEntropyLoss(), {"scheduler_step": "step"}, "scheduler_step: wanted epoch or batch"),
    ],
)
def test_a_trainer_of_objects_refuses_what_a_configuration_may_not_say(
    criterion: nn.Module, options: dict[str, Any], message: str
) -> None:
    net, data = nn.Linear(4, 4), (lenet.from_numpy(SCORES), lenet.from_numpy(LABELS))
    sgd = optim.SGD(net.parameters(), lr=0.1)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(sgd)
    with pytest.raises(lenet.errors.ConfigError, match=message):
        lenet.Trainer.of(net, sgd, criterion, data, data, scheduler=plateau, **options)
