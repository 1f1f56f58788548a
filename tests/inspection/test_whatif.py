"""A run without some samples: the training is that training, and the estimate is exact where rates are small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lenetcli.build.parts import build_run
from lenetcli.config import load
from lenetcli.data import MNIST, Digits, FashionMNIST
from lenetcli.data.dataset import numbering
from lenetcli.errors import CheckFailed, ConfigError
from lenetcli.inspection.training.replay import Recorded, Replayed
from lenetcli.inspection.training.suspects import suspects
from lenetcli.inspection.training.whatif import whatif
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.losses import loss_of
from tests.conftest import ROOT
from tests.train.small import train

CONFIG = """
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, name: conv1, out_channels: 3, kernel_size: 3, stride: 2}
    - {type: ReLU}
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 10}
data: {type: Digits}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.001}
train: {epochs: 2, batch_size: 16, limit_batches: 7}
"""
OPTIONS = {
    "plain": [],
    "momentum": ["optimizer={type: SGD, lr: 0.001, momentum: 0.9, weight_decay: 0.1}", "train.warmup=4"],
    "Adam": ["optimizer={type: AdamW, lr: 0.0001}", "scheduler={type: OneCycleLR, max_lr: 0.0002}"],
    "RMSprop": ["optimizer={type: RMSprop, lr: 0.00003}", "train.validation=0.2"],
    "accumulated": ["train.accumulate=3", "train.clip_grad_norm=0.5"],
    "averaged": ["train.ema=0.8", "data.augment={shift: 1}"],
    "numbers": ["loss={type: CrossEntropyLoss, label_smoothing: 0.1, reduction: sum}", "optimizer.lr=0.0001"],
}


def write_config(place: Path) -> Path:
    path = place / "small.yaml"
    path.write_text(CONFIG)
    return path


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_at_a_small_rate_what_is_predicted_comes_true(options: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(write_config(tmp_path), run, *options) == 0
    beginning = Replayed(Recorded.of(run)).run.train_loader
    first = numbering(beginning.dataset)[beginning.order(0)[:112]]
    without = first[[0, 3, 17, 40]].tolist()
    found = whatif(run, [], without, images=2000, controls=0)
    assert found.without == sorted(without)
    assert found.batches >= 3
    predicted, actual = (np.array([getattr(i, key) for i in found.images]) for key in ("predicted", "actual"))
    assert np.abs(predicted - actual).max() < 0.02 * np.abs(actual).max() + 1.5e-5  # weights are rounded
    assert found.agreement is not None
    assert found.agreement > 0.99
    assert found.predicted == pytest.approx(found.actual, abs=0.1 * float(np.abs(actual).mean()))


@pytest.mark.parametrize(
    "optimizer", ["{type: SGD, lr: 0.1}", "{type: SGD, lr: 0.05, momentum: 0.9}", "{type: Adam, lr: 0.005}"]
)
def test_at_a_real_rate_sign_order_and_size_are_about_right(optimizer: str, tmp_path: Path) -> None:
    run, without = tmp_path / "run", np.flatnonzero(Digits().train.targets == 3)[:60]
    changes = ["train={epochs: 2, batch_size: 32}", f"optimizer={optimizer}"]
    assert train(write_config(tmp_path), run, *changes) == 0
    found = whatif(run, [], without.tolist(), images=2000, controls=0)
    predicted, actual = (np.array([getattr(i, key) for i in found.images]) for key in ("predicted", "actual"))
    assert found.agreement is not None
    assert found.agreement > 0.5
    assert found.predicted * found.actual > 0
    assert 1 / 3 < np.abs(predicted).mean() / np.abs(actual).mean() < 3


def test_the_training_without_samples_is_the_one_that_lacks_them_and_nothing_else(tmp_path: Path) -> None:
    place, config = tmp_path / "run", write_config(tmp_path)
    changes = ["train.batch_size=3", "model.layers=[{type: Flatten}, {type: Linear, name: fc, out_features: 10}]"]
    assert train(config, place, *changes) == 0
    run = build_run(load(str(config), changes))
    data, order = run.train_loader.dataset, run.train_loader.order
    gone = [*order(0)[3:6].tolist(), int(order(0)[7]), int(order(1)[0])]  # a whole batch, and one of two more
    for epoch in (0, 1):
        for batch in range(7):
            numbers = np.array([n for n in order(epoch)[3 * batch : 3 * batch + 3] if n not in gone], np.int64)
            run.optimizer.zero_grad()
            if len(numbers):
                inputs, targets = data.gather(numbers)
                loss_of(run.criterion, run.model(from_numpy(inputs)), from_numpy(targets)).backward()
            run.optimizer.step()
    replayed = Replayed(Recorded.of(place), without=gone)
    for step in range(1, 15):
        replayed.advance(step)
    np.testing.assert_allclose(
        replayed.run.model.get_parameter("fc.weight").array,
        run.model.get_parameter("fc.weight").array,
        rtol=0,
        atol=1e-7,
    )


def test_samples_that_the_run_does_not_train_on_are_refused(small_run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--without 1442: wanted numbers of samples that the run trains on, from 0 to"
    ):
        whatif(small_run, [], [3, 1442])
    with pytest.raises(ConfigError, match=r"of the 1,442 that the run trains on at least one sample has to stay"):
        whatif(small_run, [], worst=1442)
    assert train(write_config(tmp_path), tmp_path / "held", "train.validation=0.5", "train.epochs=1") == 0
    held = np.setdiff1d(np.arange(1442), numbering(Replayed(Recorded.of(tmp_path / "held")).run.train_loader.dataset))
    with pytest.raises(
        ConfigError, match=rf"--without {held[0]}: .* and does not hold back for validation, from 0 to 1,441"
    ):
        whatif(tmp_path / "held", [], [int(held[0])])


def test_a_batch_that_becomes_too_small_for_a_layer_is_told(tmp_path: Path) -> None:
    norm = "model.layers=[{type: Flatten}, {type: BatchNorm1d}, {type: Linear, name: fc, out_features: 10}]"
    assert train(write_config(tmp_path), tmp_path / "run", norm, "train.batch_size=2", "train.epochs=1") == 0
    first = Replayed(Recorded.of(tmp_path / "run")).run.train_loader.order(0)[0]
    with pytest.raises(ConfigError, match=r"--without: a batch that loses its samples cannot be trained on: Expected"):
        whatif(tmp_path / "run", [], [int(first)])


def test_a_run_that_does_not_repeat_claims_nothing(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert train(write_config(tmp_path), run, "train.epochs=1") == 0
    text = (run / "metrics.jsonl").read_text()
    loss = text.split('"loss": ', 1)[1].split(",", 1)[0]
    (run / "metrics.jsonl").write_text(text.replace(loss, "1.5", 1))
    with pytest.raises(CheckFailed, match=r"does not repeat here: the loss of step 1 was 1.5"):
        suspects(run)
    with pytest.raises(CheckFailed, match=r"does not repeat here: the loss of step 1 was 1.5"):
        whatif(run, [], [3])


def test_wrong_labels_stand_at_the_head(tmp_path: Path) -> None:
    digits, draws = Digits(), np.random.default_rng(0)
    labels = digits.train.targets.copy()
    wrong = draws.choice(len(labels), 14, replace=False)
    labels[wrong] = (labels[wrong] + draws.integers(1, 10, 14)) % 10
    arrays = {"x_train": digits.train.images * 15, "y_train": labels, "x_test": digits.test.images * 15}
    np.savez(tmp_path / "digits.npz", **arrays, y_test=digits.test.targets)
    data = f"data={{type: NPZ, path: {tmp_path / 'digits.npz'}, normalize: [0.305, 0.376]}}"
    changes = [data, "train.epochs=4", "train.validation=0.1"]
    assert train(ROOT / "configs" / "mlp.yaml", tmp_path / "run", *changes) == 0
    found = suspects(tmp_path / "run")
    kept = np.intersect1d(wrong, found.numbers)
    assert len(found.numbers) < len(labels)
    assert np.isin(kept, found.numbers[: len(found.numbers) // 50]).mean() >= 0.9
    assert (found.labels == labels[found.numbers]).all()
    assert found.looks.tolist() == [4] * len(found.numbers)
    assert found.record(2)["suspects"][0]["file"].endswith(f"x_train[{found.numbers[0]}]")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_so_they_do_in_real_data(name: str, seed: int, real_data: Path, tmp_path: Path) -> None:
    kind = {"mnist": MNIST, "fashion-mnist": FashionMNIST}[name]
    source, draws = kind(root=str(real_data / name)), np.random.default_rng(seed)
    labels = source.train.targets.copy()
    wrong = draws.choice(len(labels), len(labels) // 100, replace=False)
    labels[wrong] = (labels[wrong] + draws.integers(1, 10, len(wrong))) % 10
    test = {"x_test": source.test.images, "y_test": source.test.targets}
    np.savez(tmp_path / "wrong.npz", x_train=source.train.images, y_train=labels, **test)
    data = f"data={{type: NPZ, path: {tmp_path / 'wrong.npz'}, resize: [32, 32], normalize: [0.1307, 0.3081]}}"
    assert train(ROOT / "configs" / "lenet-mnist.yaml", tmp_path / "run", data) == 0
    found = suspects(tmp_path / "run")
    assert np.isin(wrong, found.numbers[: len(labels) // 50]).mean() >= 0.9
