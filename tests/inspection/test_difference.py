"""What two configurations or runs differ in."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.inspection.compare.config import config_differences, first_step
from lenetcli.inspection.compare.tensors import tensor_differences
from lenetcli.runs.history import History, read_history
from tests.inspection.test_metrics import run_of, step


def keys(a: Any, b: Any) -> dict[str, tuple[Any, Any]]:
    return {d.key: (d.a, d.b) for d in config_differences(a, b)}


def layers(*kinds: str, **more: Any) -> dict[str, Any]:
    return {"layers": [{"type": kind, **more.get(kind, {})} for kind in kinds]}


def test_equal_configurations_do_not_differ() -> None:
    assert keys({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2}]}) == {}


def test_differences_are_told_key_by_key() -> None:
    a = {"seed": 0, "optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}, "input": [1, 8, 8]}
    b = {"seed": 0, "optimizer": {"type": "Adam", "lr": 0.1, "eps": 1e-8}, "input": [1, 9, 8]}
    assert keys(a, b) == {
        "optimizer.type": ("SGD", "Adam"),
        "optimizer.momentum": (0.9, None),
        "optimizer.eps": (None, 1e-8),
        "input": ([1, 8, 8], [1, 9, 8]),
    }


def test_one_more_layer_is_one_difference() -> None:
    assert keys(layers("Conv2d", "ReLU", "Linear"), layers("Conv2d", "ReLU", "Dropout", "Linear")) == {
        "layers[2]": (None, {"type": "Dropout"})
    }
    assert keys(layers("Conv2d", "Linear", Linear={"out": 1}), layers("Conv2d", "Linear", Linear={"out": 2})) == {
        "layers[1].out": (1, 2)
    }


def test_true_is_not_one() -> None:
    assert keys({"a": True}, {"a": 1}) == {"a": (True, 1)}


def history(place: Path, *losses: float) -> History:
    place.mkdir()
    return read_history(run_of(place, *(step(i, loss=loss) for i, loss in enumerate(losses, 1))))


def test_the_first_step_with_another_loss_is_found(tmp_path: Path) -> None:
    a = history(tmp_path / "a", 2.0, 1.0, 0.5)
    b = history(tmp_path / "b", 2.0, 1.0, 0.5 + 2**-53, 0.1)
    same = history(tmp_path / "c", 2.0, 1.0)
    found = first_step(a, b)
    assert found is not None
    assert found.record() == {"step": 3, "a": 0.5, "b": 0.5 + 2**-53}
    assert first_step(a, same) is None


def test_differing_tensors_are_told_in_the_models_order(tmp_path: Path) -> None:
    one = {"b": lenet.zeros(2, 2), "a": lenet.ones(3), "same": lenet.tensor([math.nan]), "old": lenet.ones(1)}
    other = {"b": lenet.tensor([[0.0, 0.5], [-2.0, 0.0]]), "a": lenet.ones(4), "same": lenet.tensor([math.nan])}
    lenet.save(one, tmp_path / "a.safetensors")
    lenet.save(other, tmp_path / "b.safetensors")
    found = tensor_differences(tmp_path / "a.safetensors", tmp_path / "b.safetensors", ["b", "a", "same", "never"])
    assert [d.name for d in found] == ["b", "a", "old"]
    assert found[0].record() == {
        "name": "b", "shape_a": [2, 2], "shape_b": [2, 2],
        "count": 2, "largest": 2.0, "index": [1, 0], "a": 0.0, "b": -2.0,
    }  # fmt: skip
    assert (found[1].count, found[1].shapes) == (None, ([3], [4]))
    assert found[2].shapes == ([1], None)


def test_numbers_that_json_does_not_have_are_named(tmp_path: Path) -> None:
    lenet.save({"w": lenet.tensor([1.0, math.inf])}, tmp_path / "a.safetensors")
    lenet.save({"w": lenet.tensor([1.5, math.nan])}, tmp_path / "b.safetensors")
    (found,) = tensor_differences(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    record = found.record()
    assert (record["count"], record["index"], record["a"], record["b"]) == (2, [1], "inf", "nan")
    assert "NaN" not in json.dumps(record)


def test_a_tensor_of_no_dimension_and_an_empty_one_can_be_compared(tmp_path: Path) -> None:
    for name, value in (("a", 1), ("b", 2)):
        tensors = {"n": lenet.tensor(value), "e": lenet.from_numpy(np.zeros((0, 3), np.float32))}
        lenet.save(tensors, tmp_path / f"{name}.safetensors")
    (found,) = tensor_differences(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    assert (found.name, found.largest, found.index) == ("n", 1.0, [])
