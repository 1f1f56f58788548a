"""ONNX's own test cases of single operators: read right, or refused by the operator's name."""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.errors import ConfigError, DataError
from lenetcli.onnx_import import imported, signatures
from lenetcli.onnx_import.net import Node, NotImportable
from lenetcli.onnx_import.simplify import NEWEST, OLDEST
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


def test_attributes_have_the_types_of_every_operator_of_onnx() -> None:
    words = {"INT": "an integer", "FLOAT": "a number", "STRING": "a text"}
    words |= {"INTS": "integers", "FLOATS": "numbers", "STRINGS": "texts"}
    known = {name for names in signatures.NAMES.values() for name in names} - {"value"}
    seen = set()
    for schema in onnx.defs.get_all_schemas_with_history():
        own = {} if schema.domain or schema.since_version > NEWEST else schema.attributes
        for name in known.intersection(own):
            seen.add(name)
            if (schema.name, name) != ("Cast", "to") or schema.since_version >= OLDEST:  # once a text
                assert signatures.NAMES[words[own[name].type.name]].count(name), (schema.name, name)
    assert seen == known
    for op, name in signatures.REQUIRED.items():
        assert onnx.defs.get_schema(op).attributes[name].required, (op, name)


def test_operators_take_as_many_inputs_as_in_every_release_of_onnx() -> None:
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain or not OLDEST <= schema.since_version <= NEWEST:
            continue
        assert schema.min_input or schema.name in signatures.NONE, schema.name
        if schema.name in signatures.INPUTS:
            least, most = signatures.INPUTS[schema.name]
            assert least <= schema.min_input <= schema.max_input <= most, schema.name


@pytest.mark.parametrize("words", list(signatures.NAMES))
def test_an_attribute_of_another_type_is_refused_by_its_name(words: str) -> None:
    values = {
        "an integer": 1, "a number": 1.5, "a text": "one", "integers": [1, 2], "numbers": [1.5], "texts": ["one"],
        "an array": np.ones(2),
    }  # fmt: skip
    for name in signatures.NAMES[words]:
        for kind, value in values.items():
            node = Node("Operator", ["x"], ["y"], {name: value}, "it")
            if kind == words:
                signatures.check(node)
                continue
            with pytest.raises(NotImportable, match=rf"^Operator \(it\): its attribute {name} is .*; wanted {words}$"):
                signatures.check(node)


def test_an_axis_that_an_operator_does_not_have_is_refused() -> None:
    for op, ndim, right, wrong in [("Flatten", 3, (-3, 0, 3), (-4, 4)), ("Softmax", 2, (-2, 1), (-3, 2, 99)),
                                   ("Concat", 0, (0,), (1, -1))]:  # fmt: skip
        for axis in right:
            signatures.check_axis(Node(op, ["x"], ["y"], {"axis": axis}), ndim)
        for axis in wrong:
            with pytest.raises(NotImportable, match=f"its attribute axis is {axis}; wanted {-ndim} to "):
                signatures.check_axis(Node(op, ["x"], ["y"], {"axis": axis}), ndim)


def test_a_factor_of_what_others_take_too_is_not_theirs(tmp_path: Path) -> None:
    """The result is turned first: what is turned is the same layer's."""
    make, tensor = onnx.helper, onnx.numpy_helper.from_array
    nodes = [
        make.make_node("Conv", ["x", "w"], ["y"]),
        make.make_node("Transpose", ["y"], ["turned"], perm=[0, 2, 3, 1]),
        make.make_node("Mul", ["turned", "three"], ["more"]),
        make.make_node("Transpose", ["more"], ["back"], perm=[0, 3, 1, 2]),
        make.make_node("Add", ["back", "y"], ["out"]),
    ]
    ends = [make.make_tensor_value_info(name, 1, size) for name, size in (("x", ["n", 1, 2, 2]), ("out", None))]
    given = [tensor(np.ones((2, 1, 1, 1), np.float32), "w"), tensor(np.float32(3), "three")]
    model = make.make_model(make.make_graph(nodes, "net", ends[:1], ends[1:], given))
    path = tmp_path / "net.onnx"
    path.write_bytes(model.SerializeToString())
    x = np.ones((1, 1, 2, 2), np.float32)
    assert not apart(imported.read(path), x, [np.full((1, 2, 2, 2), 4, np.float32)])
