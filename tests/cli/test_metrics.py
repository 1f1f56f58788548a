"""Metrics of every task: what eval tells, what chooses the best epoch, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.cli.conftest import Lenet

TASKS: dict[str, tuple[str, str, Any]] = {  # name: loss, a metric of the task, how targets follow from brightness
    "classes": ("CrossEntropyLoss", "f1_macro", lambda b: np.digitize(b, [0.3, 0.6])),
    "binary": ("BCEWithLogitsLoss", "average_precision", lambda b: (b > 0.5).astype(np.float32)),
    "labels": ("BCEWithLogitsLoss", "roc_auc", lambda b: np.stack([b > 0.4, b < 0.6], 1).astype(np.uint8)),
    "numbers": ("MSELoss", "r2", lambda b: b.astype(np.float32)),
}
CONFIG = """
model: {input: [1, 4, 4], layers: [{type: Flatten}, {type: Linear, out_features: OUTPUTS}]}
data: {type: NPZ, path: own.npz}
loss: {type: LOSS}
optimizer: {type: SGD, lr: 0.5}
train: {epochs: 4, batch_size: 8}
"""


def prepare(place: Path, task: str) -> None:
    """A configuration and its data: what brightness tells."""
    loss, _, targets = TASKS[task]
    draw, arrays = np.random.default_rng(0), {}
    for split, count in (("train", 48), ("val", 24), ("test", 40)):
        bright = draw.random(count)
        arrays[f"x_{split}"] = (bright[:, None, None] * np.ones((4, 4)) + draw.normal(size=(count, 4, 4)) / 9).astype(
            "f4"
        )
        arrays[f"y_{split}"] = targets(bright)
    np.savez(place / "own.npz", **arrays)
    outputs = {"classes": "3", "labels": "2"}.get(task, "1")
    (place / "own.yaml").write_text(CONFIG.replace("LOSS", loss).replace("OUTPUTS", outputs))


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_judged_by_its_own_metrics(task: str, lenet: Lenet, place: Path) -> None:
    prepare(place, task)
    metric = TASKS[task][1]
    stop = f"train.early_stopping={{patience: 1, metric: {metric}, min_delta: 10}}"
    done = lenet("train", "own.yaml", f"train.best={metric}", stop, "--out", "run")
    assert done.code == 0, done.err
    assert "stopped early after epoch 2" in done.err
    events = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    seen = [e["metrics"][metric] for e in events if e["event"] == "evaluated" and e["split"] == "validation"]
    assert len(seen) == 2
    assert seen[events[-1]["best_epoch"] - 1] == max(seen)
    again = lenet("train", "--resume", "run", "train.early_stopping=null", "train.epochs=3")
    assert again.code == 0 or "may change" in again.err
    found = json.loads(lenet("eval", "run", "--json").out)
    assert found["task"] == task
    for told in found["metrics"].values():
        assert told["low"] <= told["value"] <= told["high"]
    assert [row["label"] for row in found["thresholds"]] == {"binary": ["yes"], "labels": ["0", "1"]}.get(task, [])
    shown = lenet("eval", "run").out
    assert metric.replace("_", " ") in shown
    assert lenet("report", "run", "-o", "page.html").code == 0
    page = Path("page.html").read_text()
    assert "Metrics, test split" in page
    assert metric.replace("_", " ") in page
    drawn = lenet("eval", "run", "--curves", "c.svg")
    if task == "numbers":
        assert (drawn.code, Path("c.svg").exists()) == (2, False)
    else:
        assert drawn.code == 0
        assert Path("c.svg").read_text().count("<polyline") == 2 * {"classes": 3, "binary": 1, "labels": 2}[task]
        ElementTree.parse("c.svg")


def test_an_epoch_that_is_best_by_one_metric_is_not_by_another(lenet: Lenet, place: Path) -> None:
    prepare(place, "numbers")
    for metric, choose in (("r2", np.argmax), ("mae", np.argmin)):
        assert lenet("train", "own.yaml", f"train.best={metric}", "optimizer.lr=0.02", "--out", metric).code == 0
        events = [json.loads(line) for line in Path(metric, "metrics.jsonl").read_text().splitlines()]
        seen = [e["metrics"][metric] for e in events if e["event"] == "evaluated" and e["split"] == "validation"]
        assert events[-1]["best_epoch"] == 1 + int(choose(seen))


@pytest.mark.parametrize(
    ("task", "change", "said"),
    [
        ("numbers", "train.best=f1_macro", "f1_macro is no metric of this task"),
        ("numbers", "train.best=accuracy", "there is no accuracy"),
        ("classes", "train.best=r2", "it has loss, accuracy, balanced_accuracy, f1_macro"),
        ("classes", "train.best=top_3", "top_3 is no metric of this task"),
        ("labels", "train.early_stopping={patience: 1, metric: f1}", "f1 is no metric of this task"),
        ("binary", "train.best=f1macro", "did you mean f1_macro?"),
    ],
)
def test_a_metric_that_the_task_does_not_have_is_refused(
    task: str, change: str, said: str, lenet: Lenet, place: Path
) -> None:
    prepare(place, task)
    done = lenet("train", "own.yaml", change)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
