"""Every hint can be followed: done as it stands, what it was about is gone, and nothing new is wrong."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from lenetcli.config.problems import Hint, Problem
from tests.config.golden import GOOD, Case, cases
from tests.config.hints import Texts

# what newcomers type on the command line -> what it comes to when its hints are followed
TYPED = {
    "lr=0.1": "optimizer.lr=0.1",
    "lr=0,05": "optimizer.lr=0.05",
    "LR=0.1": "optimizer.lr=0.1",
    "learning_rate=0.1": "optimizer.lr=0.1",
    "learning-rate=0.1": "optimizer.lr=0.1",
    "optimizer.learning_rate=0.1": "optimizer.lr=0.1",
    "optimizer.Lr=0.1": "optimizer.lr=0.1",
    "optim.lr=0.1": "optimizer.lr=0.1",
    "optimiser.learningRate=0.1": "optimizer.lr=0.1",
    "train.lr=0.1": "optimizer.lr=0.1",
    "optimizer.lr=0,05": "optimizer.lr=0.05",
    "optimizer.lr:0.1": "optimizer.lr=0.1",
    "optimizer.lr = 0.1": "optimizer.lr=0.1",
    "epochs=3": "train.epochs=3",
    "num_epochs=3": "train.epochs=3",
    "train.epoch=3": "train.epochs=3",
    "Train.Epochs=3": "train.epochs=3",
    "training.epochs=3": "train.epochs=3",
    "optimizer.epochs=3": "train.epochs=3",
    "train.epochs=3.0": "train.epochs=3",
    "train.epochs='3'": "train.epochs=3",
    "train.epochs=1,000": "train.epochs=1000",
    "batch_size=8": "train.batch_size=8",
    "batch-size=8": "train.batch_size=8",
    "bs=8": "train.batch_size=8",
    "data.batch_size=8": "train.batch_size=8",
    "train.shuffle=no": "train.shuffle=false",
    "shuffle=False": "train.shuffle=False",
    "patience=3": "train.early_stopping.patience=3",
    "early_stopping.patience=3": "train.early_stopping.patience=3",
    "train.validation=10%": "train.validation=0.1",
    "val_split=0.1": "train.validation=0.1",
    "train.class_weights=None": "train.class_weights=null",
    "conv.out_channels=3": "model.layers.conv.out_channels=3",
    "model.conv.out_channels=3": "model.layers.conv.out_channels=3",
    "conv.filters=3": "model.layers.conv.out_channels=3",
    "model.layers.conv.filters=3": "model.layers.conv.out_channels=3",
    "model.layers.convv.out_channels=3": "model.layers.conv.out_channels=3",
    "layers.0.out_channels=3": "model.layers.0.out_channels=3",
    "model.layers.0.kernel_size=(3,3)": "model.layers.0.kernel_size=[3, 3]",
    "model.layers.0.padding=Same": "model.layers.0.padding=same",
    "model.layers.1=relu": "model.layers.1={type: ReLU}",
    "model.layers.1.type=relu": "model.layers.1.type=ReLU",
    "model.layers.1.type=nn.GELU": "model.layers.1.type=GELU",
    "model.layers.0=Conv2d(1, 6, 3)":
        "model.layers.0={type: Conv2d, in_channels: 1, out_channels: 6, kernel_size: 3}",
    "input=[1,8,8]": "model.input=[1,8,8]",
    "model.input=1x8x8": "model.input=[1, 8, 8]",
    "optimizer=adam": "optimizer={type: Adam}",
    "optimizer=SGD": "optimizer={type: SGD}",
    "optimizer.type=sgd": "optimizer.type=SGD",
    "optim=adam": "optimizer={type: Adam}",
    "loss=ce": "loss={type: CrossEntropyLoss}",
    "loss=cross_entropy": "loss={type: CrossEntropyLoss}",
    "criterion=ce": "loss={type: CrossEntropyLoss}",
    "scheduler=None": "scheduler=null",
    "scheduler=none": "scheduler=null",
    "scheduler=cosine": "scheduler={type: CosineAnnealingLR}",
    "scheduler=step": "scheduler={type: StepLR, step_size: 10}",
    "data=digits": "data={type: Digits}",
    "dataset=digits": "data={type: Digits}",
    "device=gpu": "device=cuda",
    "device=CPU": "device=cpu",
    "gpu=true": "device=cuda",
    "device=gpu:1": "device=cuda:1",
    "gpus=1": "device=cuda",
    "random_seed=3": "seed=3",
    "seed=1.0": "seed=1",
    "name=my run": "name=my-run",
    "train..epochs=3": "train.epochs=3",
    "train.epochs==3": "train.epochs=3",
    "train.shuffle=0": "train.shuffle=false",
    "train.early_stopping=5": "train.early_stopping={patience: 5}",
    "train.max_time=30 minutes": "train.max_time=30m",
    "model.layers.0.outchannels=3": "model.layers.0.out_channels=3",
    "conv.stride=2,2": "model.layers.conv.stride=[2, 2]",
    "units=10": "model.layers.fc.out_features=10",
    "optimizer=Adam(lr=0.01)": "optimizer={type: Adam, lr: 0.01}",
    "optimizer=sgd,lr=0.1": "optimizer={type: SGD, lr: 0.1}",
    "scheduler=False": "scheduler=null",
    "data=mnist": "data={type: MNIST}",
    "sed=3": "seed=3",
    "momentum=0.5": "optimizer.momentum=0.5",
    "wd=0.1": "optimizer.weight_decay=0.1",
    "epochs 3": "train.epochs=3",
    "epochs:3": "train.epochs=3",
    "--lr 0,05": "optimizer.lr=0.05",
    "train.epochs = 3": "train.epochs=3",
    "epochs = 3": "train.epochs=3",
}  # fmt: skip

CONV = "    - {type: Conv2d, name: conv, out_channels: 4, kernel_size: 3}\n"
LINEAR = "{type: Linear, name: fc, out_features: 10}"
WRITTEN = {  # what newcomers write in the file
    "optimizer's key in train": GOOD.replace("{epochs: 1}", "{epochs: 1, lr: 0.2}"),
    "two keys at the top": GOOD.replace("train: {epochs: 1}", "train: {epochs: 1}\nlearning_rate: 0.2"),
    "the same key twice, by two names": GOOD.replace("{epochs: 1}", "{epochs: 1, epoch: 2}"),
    "a decimal comma": GOOD.replace("lr: 0.1", "lr: 0,05"),
    "a tuple": GOOD.replace("kernel_size: 3", "kernel_size: (3, 3)"),
    "None": GOOD + "scheduler: None\n",
    "a class of another name": GOOD.replace("Linear", "Dense"),
    "arguments of another name": GOOD.replace("out_features", "units").replace("out_channels", "filters"),
    "a layer as in Python": GOOD.replace(LINEAR, "nn.Linear(144, 10)"),
    "a layer as a key": GOOD.replace(LINEAR, "Linear: 10"),
    "a layer as a key with arguments": GOOD.replace(LINEAR, "Linear: {out_features: 10}"),
    "a layer's name alone": GOOD.replace("{type: ReLU}", "relu"),
    "an optimizer's name alone": GOOD.replace("{type: SGD, lr: 0.1}", "sgd"),
    "a loss's name alone": GOOD.replace("{type: CrossEntropyLoss}", "cross-entropy"),
    "other sections": GOOD.replace("optimizer:", "optim:").replace("loss:", "criterion:").replace("data:", "dataset:"),
    "an activation inside a layer": GOOD.replace("kernel_size: 3}", "kernel_size: 3, activation: relu}"),
    "no Flatten": GOOD.replace("    - {type: Flatten}\n", ""),
    "no Flatten, with in_features": GOOD.replace("    - {type: Flatten}\n", "").replace("fc,", "fc, in_features: 144,"),
    "no Flatten, another loss": GOOD.replace("    - {type: Flatten}\n", "").replace("CrossEntropyLoss", "MSELoss"),
    "no Flatten before a norm": GOOD.replace("{type: Flatten}", "{type: BatchNorm1d}\n    - {type: Flatten}"),
    "one output": GOOD.replace("out_features: 10", "out_features: 1"),
    "one output and yes or no": GOOD.replace("out_features: 10", "out_features: 1").replace(
        "CrossEntropyLoss", "BCEWithLogitsLoss"
    ),
    "targets of numbers": GOOD.replace("CrossEntropyLoss", "MSELoss"),
    "an input without channels": GOOD.replace("[1, 8, 8]", "[8, 8]"),
    "an input of another size": GOOD.replace("[1, 8, 8]", "[1, 28, 28]"),
    "an input of another shape": GOOD.replace(CONV, "").replace("[1, 8, 8]", "[3, 4, 4]"),
    "channels last": GOOD.replace("[1, 8, 8]", "[8, 8, 1]"),
    "a key given, written otherwise": GOOD.replace("out_channels: 4", "out_channels: 4, outchannels: 3"),
    "layers of signals": GOOD.replace("Conv2d", "Conv1d").replace("{type: ReLU}", "{type: BatchNorm3d}"),
    "a norm of rows on pictures": GOOD.replace("{type: ReLU}", "{type: BatchNorm1d}"),
    "equals signs": GOOD.replace("lr: 0.1", "lr=0.2"),
    "layers under another name": GOOD.replace("layers:", "layer:"),
    "wrong channels": GOOD.replace("kernel_size: 3", "kernel_size: 3, in_channels: 3"),
}

INFORMATION = (  # what has no single thing to do
    r"^(\w+|the \w+ section|a config) takes ", r"^an entry of \w+ takes ", r"^it belongs under ", r"^there (are|is) ",
    r"^named entries: ",
    r"^write (config|version)", r"^a class of your own is written", r"^remove the tag", r"^`lenet layers` lists",
    r"^a section file holds", r"^indent with spaces", r"^put the value in quotes", r"^quote a value", r"^use ",
    r"^these losses have", r"^its classes", r"^a newer lenet", r"^an override looks like", r"^write watch",
    r"^model.freeze says what", r"^the first pattern that matches",
    # of graphs
    r"^move \w+ above", r"^no layer before it", r"^layers are told apart", r"^let a later layer", r"^give it a name",
    r"^a \{type: Conv2d.* would fit", r"^\w+ is larger: ", r"^both need as many", r"^in [\w.]+, by model", r"joins",
    r"^write (\w+: |\[\{)", r"^its layers stand", r"^model\.blocks\.\w+\.args", r"^a block that is repeated",
    r"^add \{output: ", r"^label: the sample's", r"^it should give", r"^it wants a float", r"^\$\w+ stands for",
    r"^the model('s outputs are| has one output)",
)  # fmt: skip


def follow(texts: Texts, place: Path, steps: int = 6) -> Texts:
    """The texts when every hint has been followed, one at a time."""
    for _ in range(steps):
        problems = texts.problems(place)
        hints = [(hint, p) for p in problems for hint in p.hints[:1] if isinstance(hint, Hint) and hint.is_executable]
        if not hints:
            assert not problems, f"no hint for: {problems[0]}"
            return texts
        hint, problem = hints[0]
        texts = texts.after(hint, problem)
        assert _same(problem) not in map(_same, texts.problems(place)), f"{hint} does not help:\n{problem}"
    raise AssertionError(f"hints go round in circles: {texts}")


def _same(problem: Problem) -> tuple[object, ...]:
    return problem.path, problem.message


@pytest.mark.parametrize("typed", TYPED)
def test_what_is_typed_wrong_leads_to_what_is_right(typed: str, tmp_path: Path) -> None:
    texts = Texts(changes=(typed,))
    assert len(texts.problems(tmp_path)) == 1, texts.problems(tmp_path)
    assert follow(texts, tmp_path).changes == (TYPED[typed],)


@pytest.mark.parametrize("title", WRITTEN)
def test_what_is_written_wrong_leads_to_what_is_right(title: str, tmp_path: Path) -> None:
    texts = Texts(WRITTEN[title])
    assert texts.problems(tmp_path)
    follow(texts, tmp_path)


@pytest.mark.parametrize("case", cases(), ids=str)
def test_every_hint_of_the_messages_helps_or_only_informs(case: Case, tmp_path: Path) -> None:
    texts = Texts(case.text or GOOD, case.changes)
    for problem in texts.problems(tmp_path):
        for hint in problem.hints:
            if isinstance(hint, Hint) and hint.is_executable:
                left = texts.after(hint, problem).problems(tmp_path)
                assert _same(problem) not in map(_same, left), hint
                assert len(left) <= len(texts.problems(tmp_path)), (hint, left)
            else:
                assert any(re.search(pattern, hint) for pattern in INFORMATION), hint


def test_pictures_whose_channels_come_last_are_read_as_they_are(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (20, 12, 10, 3)).astype(np.uint8)
    classes = np.arange(20) % 10
    text = GOOD.replace("{type: Digits}", f"{{type: NPZ, path: {tmp_path / 'own.npz'}}}").replace("[1, 8, 8]", "{}")
    for array, shape in (
        (pictures, "[1, 8, 8]"),
        (pictures, "[3, 12, 10]"),
        (pictures.transpose(0, 3, 1, 2), "[3, 12, 10]"),
    ):
        np.savez(tmp_path / "own.npz", x_train=array, y_train=classes, x_test=array, y_test=classes)
        problems = Texts(text.replace("{}", shape, 1)).problems(tmp_path)
        if shape == "[1, 8, 8]":
            (hint,) = problems[0].hints
            assert hint == "input: [3, 12, 10] would fit"
        else:  # done as it said
            assert problems == ()


def test_a_key_apart_from_its_value_is_one_mistake(tmp_path: Path) -> None:
    for words in (("epochs", "3"), ("epochs", "=", "3"), ("epochs", "=3")):
        (problem,) = Texts(changes=words).problems(tmp_path)
        assert problem.hints[0] == "did you mean train.epochs=3?"


def test_a_size_is_only_offered_where_the_data_takes_one(tmp_path: Path) -> None:
    arrays = {"x_train": np.zeros((20, 1, 9, 9), np.float32), "y_train": np.arange(20) % 10}
    np.savez(tmp_path / "own.npz", **arrays, x_test=arrays["x_train"], y_test=arrays["y_train"])
    for data in ("NPZ", "Digits"):
        place = f", path: {tmp_path / 'own.npz'}" if data == "NPZ" else ""
        texts = Texts(GOOD.replace("{type: Digits}", f"{{type: {data}{place}}}").replace("[1, 8, 8]", "[1, 28, 28]"))
        follow(texts, tmp_path)
