"""Two classes told apart by one output, from training to export; and samples that count for nothing."""

from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import load
from tests.cli.conftest import Lenet

CONFIG = """
model:
  input: [1, 2, 2]
  layers:
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 1}
    {LAST}
data: {type: NPZ, path: data.npz}
loss: {type: {LOSS}}
optimizer: {type: SGD, lr: 1.0}
train: {epochs: 5, batch_size: 4, early_stopping: {patience: 9, metric: accuracy}}
"""


def prepare(place: Path, loss: str, kind: Any, shape: tuple[int, ...]) -> Any:
    """The configuration and its data: is the image bright?"""
    x = np.random.default_rng(0).random((30, 1, 2, 2), np.float32) - 0.5
    y = (x.sum((1, 2, 3)) > 0).astype(kind).reshape(-1, *shape)
    np.savez(place / "data.npz", x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    last = ["- {type: Sigmoid}"] if loss == "BCELoss" else []
    last += ["- {type: Flatten, start_dim: 0}"] if shape == () else []
    text = CONFIG.replace("{LAST}", "\n    ".join(last)).replace("{LOSS}", loss)
    (place / "two.yaml").write_text(text)
    np.save(place / "x.npy", x[20:])
    return x[20:], y[20:].reshape(-1)


@pytest.mark.parametrize("shape", [(1,), ()])
@pytest.mark.parametrize(("loss", "kind"), [("BCEWithLogitsLoss", "f4"), ("BCELoss", "f4")])
def test_one_output_goes_all_the_way(lenet: Lenet, place: Path, loss: str, kind: str, shape: tuple[int, ...]) -> None:
    x, y = prepare(place, loss, kind, shape)
    assert lenet("validate", "two.yaml").code == 0
    done = lenet("train", "two.yaml", "--out", "run")
    assert done.code == 0, done.err
    weights = load("run/model.safetensors")
    z = x.reshape(10, 4) @ weights["fc.weight"].numpy().T + weights["fc.bias"].numpy()
    share = (1 / (1 + np.exp(-z)))[:, 0]
    told = json.loads(lenet("eval", "run", "--json").out)
    right = (share > 0.5) == (y > 0.5)
    assert told["accuracy"] == pytest.approx(right.mean())
    assert np.trace(told["confusion"]) == right.sum()
    found = json.loads(lenet("predict", "run", "x.npy", "--json").out)
    assert [{t["label"]: t["probability"] for t in p["top"]}["1"] for p in found] == pytest.approx(
        share.tolist(), abs=1e-5
    )
    assert [p["label"] for p in found] == [str(int(s > 0.5)) for s in share]
    report = json.loads(lenet("report", "run", "--json").out)
    assert report["evaluation"]["accuracy"] == told["accuracy"]
    assert len(report["mistakes"]) == (~right).sum()
    assert lenet("report", "run", "-o", "page.html").code == 0
    if shape:
        assert lenet("export", "run", "-o", "net.py").code == 0
        net = runpy.run_path("net.py")
        np.testing.assert_allclose(net["predict"](x), np.stack([1 - share, share], 1), atol=1e-5)
        assert [name for name, _ in net["classify"](x)] == [p["label"] for p in found]


def test_class_numbers_are_not_for_one_output(lenet: Lenet, place: Path) -> None:
    prepare(place, "BCEWithLogitsLoss", "i8", ())
    done = lenet("train", "two.yaml", "--out", "run")
    assert done.code == 2
    assert (
        "it wants floats, 0.0 and 1.0; class numbers are for CrossEntropyLoss, model.layers[2] giving [2]" in done.err
    )
    assert lenet("validate", "two.yaml").err == done.err


def test_ignored_samples_stand_nowhere(lenet: Lenet, place: Path) -> None:
    done = lenet("train", "configs/mlp.yaml", "train.epochs=1", "loss.ignore_index=3", "--out", "run")
    assert done.code == 0, done.err
    told = json.loads(lenet("eval", "run", "--json").out)
    confusion = np.array(told["confusion"])
    assert told["ignored"] > 0
    assert (confusion[3].sum(), told["classes"][3]["count"]) == (0, 0)
    assert confusion.sum() == told["count"] - told["ignored"]
    assert told["accuracy"] == pytest.approx(np.trace(confusion) / confusion.sum())
    events = [json.loads(line) for line in (place / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [e["accuracy"] for e in events if e.get("split") == "test"] == [told["accuracy"]]
    report = json.loads(lenet("report", "run", "--images", "100", "--json").out)
    assert report["mistakes"]
    assert all(mistake["class"] != "3" for mistake in report["mistakes"])
    assert f"({told['ignored']} ignored)" in lenet("eval", "run").out
