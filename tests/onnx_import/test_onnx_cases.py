"""ONNX's own test cases of single operators: read right, or refused by the operator's name."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.errors import ConfigError, DataError
from lenetcli.onnx_import import imported
from tests.onnx_import.nets import apart

onnx = pytest.importorskip("onnx")
RANDOM = ("test_training_dropout", "FLOAT16")  # drop at random; round to types that are float32 here
FEWEST = 150  # cases that are read


def array(value: Any) -> Any:
    return onnx.numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else np.asarray(value)


def test_operators_do_what_onnx_says_or_are_refused_by_name(tmp_path: Path) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        node_cases = pytest.importorskip("onnx.backend.test.case.node")
        outcomes: Counter[str] = Counter()
        for case in node_cases.collect_testcases(None):
            outcomes[outcome(case, tmp_path)] += 1
    assert outcomes["read"] >= FEWEST
    assert not outcomes["wrong"]


def outcome(case: Any, place: Path) -> str:
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    inputs, outputs = case.data_sets[0]
    for value, given in list(zip(model.graph.input, inputs))[1:]:  # all but the first become constants
        if not isinstance(given, (onnx.TensorProto, np.ndarray)):
            return "not for arrays"
        tensor = given if isinstance(given, onnx.TensorProto) else onnx.numpy_helper.from_array(given)
        one = model.graph.initializer.add()
        one.CopyFrom(tensor)
        one.name = value.name
    path = place / "case.onnx"
    path.write_bytes(model.SerializeToString())
    try:
        found = imported.read(path)
    except DataError as error:
        refusal = str(error)
        return "refused" if refusal.startswith(f"{path}: ") and "\n" not in refusal else "wrong"
    if any(word in case.name for word in RANDOM):
        return "random"
    try:
        difference = apart(found, array(inputs[0]).astype(np.float32), [array(y) for y in outputs[: len(found.heads)]])
    except ConfigError as error:
        raise AssertionError(f"{case.name}: {error}") from None
    assert difference < 1e-4, f"{case.name}: differs by {difference:g}"
    return "read"
