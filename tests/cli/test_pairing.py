"""Losses of single numbers want targets of the outputs' shape, in a configuration's training and in a Trainer's."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli
from lenetcli import nn, optim
from lenetcli.config.catalogue import ROLES
from lenetcli.errors import ShapeError
from lenetcli.train.pairing import is_elementwise
from tests.cli.conftest import Lenet

ELEMENTWISE = sorted(name for name, cls in ROLES["loss"].classes.items() if is_elementwise(cls()))
OF_INTEGERS = "MultiLabelMarginLoss"
OF_EACH_KIND = {"MSELoss", "BCELoss", "HingeEmbeddingLoss", "KLDivLoss"}  # numbers, probabilities, signs, logarithms

CONFIG = """
model:
  input: [1, 2, 2]
  layers: [{type: Flatten}, {type: Linear, name: fc, out_features: OUT}LAST]
data: {type: NPZ, path: data.npz}
loss: {type: LOSS}
optimizer: {type: SGD, lr: 0.05}
train: {epochs: 3, batch_size: 4}
"""


def targets_for(name: str, x: Any) -> Any:
    """Sound targets, one for each sample."""
    bright = (x.mean((1, 2, 3)) > 0.5).astype(np.float32)
    return 2 * bright - 1 if name in ("SoftMarginLoss", "HingeEmbeddingLoss") else bright


def write(place: Path, name: str, out: int, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).random((24, 1, 2, 2), np.float32)
    y = np.broadcast_to(targets_for(name, x).reshape(-1, *(1 for _ in shape)), (24, *shape))
    np.savez(place / "data.npz", x_train=x[:16], y_train=y[:16], x_test=x[16:], y_test=y[16:])
    last = {"BCELoss": ", {type: Sigmoid}", "KLDivLoss": ", {type: LogSigmoid}"}.get(name, "")
    text = (
        CONFIG.replace("OUT", str(out))
        .replace("LOSS", "KLDivLoss, reduction: batchmean" if name == "KLDivLoss" else name)
        .replace("LAST", last)
    )
    (place / "x.yaml").write_text(text)


def test_every_loss_of_single_numbers_is_meant() -> None:
    assert set(ROLES["loss"].classes) - set(ELEMENTWISE) == {"CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"}


@pytest.mark.parametrize("name", [name for name in ELEMENTWISE if name != OF_INTEGERS])
def test_a_number_for_each_sample_is_a_target_of_one_output(name: str, lenet: Lenet, place: Path) -> None:
    """(N,) trains, is evaluated and looked at as (N, 1) is, to the last bit."""
    losses = []
    for shape in ((), (1,)):
        write(place, name, 1, shape)
        assert lenet("validate", "x.yaml").code == 0
        done = lenet("train", "x.yaml", "--out", f"run{len(shape)}", "--progress", "off")
        assert done.code == 0, done.err
        assert "broadcast" not in done.err
        losses.append(lenet("eval", f"run{len(shape)}", "--json").out)
    assert losses[0] == losses[1]
    if name not in OF_EACH_KIND:
        return
    looks = ("report run0 --json", "trace-grad run0", "step run0 --script", "gradcheck x.yaml", "time x.yaml")
    for command in (*looks, "lab forget-zero-grad x.yaml", "find-lr x.yaml"):
        done = lenet(*command.split())
        assert done.code in (0, 5), (command, done.err)
        assert "broadcast" not in done.err, command


@pytest.mark.parametrize(("out", "shape"), [(3, ()), (3, (1,)), (1, (3,)), (3, (2,))])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_other_shapes_are_refused_before_anything_trains(
    name: str, out: int, shape: tuple[int, ...], lenet: Lenet, place: Path
) -> None:  # fmt: skip
    write(place, name, out, shape)
    for command in ("validate x.yaml", "train x.yaml --out run", "find-lr x.yaml", "time x.yaml"):
        done = lenet(*command.split())
        assert done.code == 2, command
        assert f"model's output {[out]} with the targets of shape {list(shape)} of NPZ" in done.err
        assert "warn" not in done.err.lower()
    assert not (place / "run" / "config.yaml").exists()


def test_outputs_that_are_no_probabilities_are_seen_before_training(lenet: Lenet, place: Path) -> None:
    write(place, "BCELoss", 1, ())
    text = (place / "x.yaml").read_text()
    (place / "x.yaml").write_text(text.replace(", {type: Sigmoid}", ""))
    for command in ("validate x.yaml", "train x.yaml --out run", "find-lr x.yaml"):
        done = lenet(*command.split())
        assert done.code == 2, command
        assert "BCELoss takes outputs from 0 to 1, this model gives others" in done.err
    assert not (place / "run").exists()
    assert lenet("train", "x.yaml", "loss.type=BCEWithLogitsLoss", "--progress", "off").code == 0  # as the hint says


@pytest.mark.parametrize("name", sorted({*ELEMENTWISE} - {OF_INTEGERS, "KLDivLoss"}))
def test_floats_that_a_hint_asks_for_are_taken(name: str, lenet: Lenet, place: Path) -> None:
    """Class numbers 0 and 1 beside one output: the message names floats that the loss takes."""
    write(place, name, 1, ())
    with np.load(place / "data.npz") as file:
        arrays = dict(file)
    ends = {True: (-1.0, 1.0), False: (0.0, 1.0)}["-1.0" in _with(arrays, (0, 1), np.int64, lenet)]
    assert _with(arrays, ends, np.float32, lenet) == ""


def _with(arrays: dict[str, Any], ends: tuple[float, float], dtype: Any, lenet: Lenet) -> str:
    given = {
        key: np.where(a > 0.5, ends[1], ends[0]).astype(dtype) if key[0] == "y" else a for key, a in arrays.items()
    }
    np.savez("data.npz", **given)
    done = lenet("validate", "x.yaml")
    assert (done.code == 0) is (dtype is np.float32), done.err
    return done.err


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_a_trainer_of_objects_pairs_them_too(name: str) -> None:
    x = lenetcli.rand(24, 1, 2, 2)
    y = lenetcli.tensor(targets_for(name, x.numpy()))
    last = {"BCELoss": [nn.Sigmoid()], "KLDivLoss": [nn.LogSigmoid()]}.get(name, [])

    def trained(targets: Any, out: int) -> float:
        lenetcli.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(4, out), *last)
        criterion = ROLES["loss"].classes[name]()
        trainer = lenetcli.Trainer.of(net, optim.SGD(net.parameters(), lr=0.05), criterion, (x, targets), (x, targets))
        trainer.fit(progress="off")
        return trainer.evaluate().loss

    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if name == "KLDivLoss" else "error")  # of its reduction
        if name != OF_INTEGERS:
            assert trained(y, 1) == trained(y.reshape(-1, 1), 1)
        with pytest.raises(ShapeError, match=rf"{name} wants .*\[24\].*\[24, 3\]: let the last layer give \[1\] "):
            trained(y, 3)


def test_targets_to_test_on_of_another_shape_are_seen_before_training() -> None:
    x, net = lenetcli.rand(8, 4), nn.Linear(4, 3)
    data = ((x, lenetcli.rand(8, 3)), (x, lenetcli.rand(8, 2)))
    trainer = lenetcli.Trainer.of(net, optim.SGD(net.parameters(), lr=0.1), nn.MSELoss(), *data)
    with pytest.raises(ShapeError, match=r"to train on have the shape \[3\], those to test on \[2\]"):
        trainer.fit(progress="off")
    assert not trainer.history.judged


def test_a_loss_of_ones_own_that_broadcasts_is_refused(lenet: Lenet, place: Path) -> None:
    write(place, "MSELoss", 1, ())
    (place / "own.py").write_text(
        "from lenetcli import nn\nfrom lenetcli.nn import functional as F\n\n\nclass Mine(nn.Module):\n"
        "    def forward(self, output, target):\n        return F.mse_loss(output, target)\n"
    )
    for command in ("validate", "train"):
        done = lenet(command, "x.yaml", *(["loss={type: 'own.py:Mine'}"] if command == "train" else []))
        assert (done.code, "broadcasting" in done.err) == ((2, True) if command == "train" else (0, False))
