"""Several ranks with parts of each batch train as one process does with whole ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import load
from lenetcli.cli.training import start_run
from tests.parallel.ranks import CONFIG, needs_mpi, train_all, write_config
from tests.train.small import difference

pytestmark = needs_mpi

OPTIONS: dict[str, tuple[str, ...]] = {
    "plain": (),
    "weighted": ("train.class_weights=[1, 2, 3, 4]", "train.clip_grad_norm=0.5"),
    "accumulated": ("train.accumulate=2", "train.clip_grad_value=0.01", "optimizer=adam.yaml"),
    "averaged": ("train.ema=0.8", "train.validation=0.3", "train.warmup=3", "train.epochs=2"),
    "summed": ("loss.reduction=sum", "optimizer.lr=0.005", "train.shuffle=false"),
    "ignoring": ("loss.ignore_index=1", "train.drop_last=true"),
    "weighing, ignoring": (
        "loss={type: CrossEntropyLoss, weight: [1, 2, 3, 4], ignore_index: 1}",
        "train.accumulate=2",
    ),
    "nothing counts in some batches": ("loss.ignore_index=1", "train.batch_size=2", "optimizer=adam.yaml"),
    "of weight 0, smoothed": (
        "loss={type: CrossEntropyLoss, weight: [0, 0, 1, 0], label_smoothing: 0.3}",
        "train.batch_size=3",
        "train.accumulate=2",
    ),
    "frozen at first": (
        "model.freeze=[conv, norm]",
        "model.unfreeze.epoch=2",
        "train.epochs=3",
        "train.ema=0.8",
        "optimizer.groups=[{match: norm, lr: 0.01, momentum: 0.5}]",
    ),
    "frozen": ("model.freeze=[conv, norm]", "train.sync_batchnorm=false", "train.epochs=2"),
    "two losses": (*(TWO := ("model=two.yaml", "loss=both.yaml")), "train.clip_grad_norm=0.5", "train.epochs=2"),
    "two losses, of which one counts less often": (
        *TWO,
        "loss.0.ignore_index=1",
        "loss.0.weight=3.0",
        "train.batch_size=2",
        "train.accumulate=2",
        "train.validation=0.3",
        "optimizer=adam.yaml",
    ),
    "two losses, one summed": (*TWO, "loss.1.reduction=sum", "loss.1.weight=0.01", "train.ema=0.8"),
    "two losses of one output": ("loss=alike.yaml", "train.drop_last=true"),
    "of weight 0": ("loss={type: CrossEntropyLoss, weight: [0, 0, 1, 0]}", "train.batch_size=2", "optimizer=adam.yaml"),
}
FILES = {
    "adam.yaml": "type: Adam\nlr: 0.01\neps: 0.1\n",  # a small eps would make steps of rounding
    "two.yaml": """
input: [1, 6, 6]
layers:
  - {type: Conv2d, name: conv, out_channels: 3, kernel_size: 3}
  - {type: BatchNorm2d, name: norm}
  - {type: Flatten, name: flat}
  - {type: Linear, name: hidden, out_features: 8}
  - {type: Linear, name: fc, out_features: 4}
  - {type: Linear, name: back, from: flat, out_features: 36}
  - {type: Unflatten, dim: 1, unflattened_size: [1, 6, 6]}
  - {type: BatchNorm2d, name: picture}
outputs: [fc, picture]
""",
    "both.yaml": """
- {output: fc, type: CrossEntropyLoss}
- {output: picture, type: MSELoss, weight: 0.5, target: input}
""",
    "alike.yaml": """
- {type: CrossEntropyLoss, ignore_index: 2}
- {type: MultiMarginLoss, weight: 0.5}
""",
}
RANDOM = CONFIG.replace("{type: Flatten}", "{type: Flatten}\n    - {type: Dropout}").replace("epochs: 1", "epochs: 2")
ROUNDING = 1e-6  # of a gradient: batch norm takes away what the bias before it adds
OWN = ("train.sync_batchnorm=false", "train.drop_last=true")  # statistics of each rank's own part


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_train_as_one_process_does(ranks: int, tmp_path: Path) -> None:
    config = write_config(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    train_all(ranks, config, {tmp_path / name: changes for name, changes in OPTIONS.items()})
    for name, changes in OPTIONS.items():
        one = tmp_path / f"{name} by one"
        start_run(str(config), list(changes), one, "off")
        assert distance(one, tmp_path / name) < 1e-5, name
        for event, other in zip(events(one), events(tmp_path / name), strict=True):
            looks = [e.pop("gradients", {}) for e in (event, other)]
            assert list(looks[0]) == list(looks[1])
            for parameter, look in looks[0].items():
                if (look["max"] or 0) < ROUNDING:  # zero but for rounding, which is no zero on every machine
                    assert (looks[1][parameter]["max"] or 0) < ROUNDING, (name, parameter)
                    continue
                for key, value in look.items():
                    wanted = looks[1][parameter][key]
                    near = None if wanted is None else pytest.approx(wanted, rel=1e-3, abs=1e-6)
                    assert value == near, (name, parameter, key)
            told = [{key: value for key, value in e.items() if type(value) in (int, float)} for e in (event, other)]
            assert told[0] == pytest.approx(told[1], rel=2e-5), name


def test_the_same_ranks_give_the_same_bits_and_draw_dropout_of_their_own(tmp_path: Path) -> None:
    config = write_config(tmp_path, RANDOM)
    train_all(3, config, {tmp_path / "a": OWN, tmp_path / "b": OWN, tmp_path / "dropout": ("train.epochs=1",)})
    train_all(3, config, {tmp_path / "c": OWN})
    assert difference(tmp_path / "a", tmp_path / "b") is None
    assert difference(tmp_path / "a", tmp_path / "c") is None
    start_run(str(config), ["train.epochs=1"], tmp_path / "one", "off")
    assert distance(tmp_path / "one", tmp_path / "dropout") > 1e-3


def distance(one: Path, other: Path) -> float:
    """The greatest difference between the last weights and buffers of two runs, beside each one's greatest number."""
    last = [(run / "checkpoints" / "latest").read_text() for run in (one, other)]
    assert last[0] == last[1]
    a, b = (load(run / "checkpoints" / last[0] / "model.safetensors") for run in (one, other))
    assert list(a) == list(b)
    pairs = [(a[name].numpy().astype(float), b[name].numpy()) for name in a]
    return max(float(np.abs(x - y).max() / max(np.abs(x).max(), 1e-2)) for x, y in pairs)


def events(run: Path) -> list[dict[str, Any]]:
    """What a run told, but for times and places."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    apart = ("seconds", "samples_per_second", "path", "outputs")
    found = []
    for line in lines:
        event = {key: value for key, value in line.items() if key not in apart}
        for output, figures in line.get("outputs", {}).items():
            event |= {f"{output} {key}": value for key, value in figures.items()}
        found.append(event)
    return found
