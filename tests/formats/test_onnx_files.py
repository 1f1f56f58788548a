"""ONNX files as plain data: equal to what the package onnx reads, and bad ones refused in one line, soon and small."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.errors import DataError
from lenetcli.formats import onnx_in
from lenetcli.formats.protobuf import BYTES, Damaged, integers
from lenetcli.onnx_import import imported
from tests.formats.bad_onnx import CASES, elsewhere, net, node
from tests.mutation import largest_memory, mutations, survives

onnx = pytest.importorskip("onnx")
STORED = Path(__file__).parent.parent / "onnx_import" / "files"
FILES = sorted(STORED.glob("*.onnx"))


def shipped() -> list[Path]:
    """The files that come with the package onnx, some of them of old torch."""
    return sorted(Path(onnx.__file__).parent.glob("backend/test/data/**/model.onnx"))


def test_the_package_onnx_reads_the_same() -> None:
    paths = [*shipped(), *FILES]
    assert len(paths) > len(FILES)
    for path in paths:
        assert_same(onnx.load(str(path)), onnx_in.read(path))


def assert_same(wanted: Any, found: onnx_in.OnnxModel) -> None:
    graph = wanted.graph
    assert found.opset == next(one.version for one in wanted.opset_import if one.domain in ("", "ai.onnx"))
    assert [value.name for value in found.inputs] == [value.name for value in graph.input]
    assert [value.name for value in found.outputs] == [value.name for value in graph.output]
    assert {entry.key: entry.value for entry in wanted.metadata_props} == found.metadata
    assert set(found.constants) == {one.name for one in graph.initializer}
    for one in graph.initializer:
        array = onnx.numpy_helper.to_array(one)
        np.testing.assert_array_equal(found.constants[one.name], array.astype(found.constants[one.name].dtype))
    assert len(found.nodes) == len(graph.node)
    for mine, theirs in zip(found.nodes, graph.node):
        assert (mine.op, mine.name) == (theirs.op_type, theirs.name)
        assert (mine.inputs, mine.outputs) == (tuple(theirs.input), tuple(theirs.output))
        assert set(mine.attributes) == {one.name for one in theirs.attribute}
        for one in theirs.attribute:
            value, got = onnx.helper.get_attribute_value(one), mine.attributes[one.name]
            if isinstance(value, onnx.TensorProto):
                np.testing.assert_array_equal(got, onnx.numpy_helper.to_array(value))
            elif isinstance(value, bytes):
                assert got == value.decode()
            elif isinstance(value, (int, float)):
                assert got == value
            elif not isinstance(value, onnx.GraphProto):
                assert list(got) == [v.decode() if isinstance(v, bytes) else v for v in value]


@pytest.mark.parametrize("case", CASES)
def test_a_bad_file_is_one_line(case: str, tmp_path: Path) -> None:
    make, said = CASES[case]
    folder = tmp_path / "folder"
    folder.mkdir()
    made = make(onnx, folder)
    path = folder / "net.onnx"
    path.write_bytes(made if isinstance(made, bytes) else made.SerializeToString())
    began, before = time.process_time(), largest_memory()
    with pytest.raises(DataError) as caught:
        imported.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: {said}")
    assert "\n" not in message
    assert time.process_time() - began < 5
    assert largest_memory() - before < 1 << 28


def test_arrays_beside_the_file_are_mapped(tmp_path: Path) -> None:
    numbers = np.arange(8, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(numbers.tobytes())
    path = tmp_path / "net.onnx"
    for offset, length in ((0, 16), (16, None), (5, 16)):
        path.write_bytes(elsewhere(onnx, tmp_path, "w.bin", offset, length).SerializeToString())
        array = onnx_in.read(path).constants["w"]
        assert array.tobytes() == numbers.tobytes()[offset : offset + 16]
        assert not array.flags.writeable


def test_integers_are_told_in_chunks() -> None:
    packed = bytes([1, 150, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]) * 200_000
    assert integers(BYTES, memoryview(packed)).reshape(-1, 3)[-1].tolist() == [1, 150, -1]
    with pytest.raises(Damaged):
        integers(BYTES, memoryview(bytes([128])))


def test_constants_may_be_nodes(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.ones((2, 3), np.float32))
    made = net(
        onnx,
        onnx.helper.make_node("Constant", [], ["w"], value=weight),
        node(onnx, "MatMul", "x", "w"),
        shape=("N", 2),
    )
    path = tmp_path / "net.onnx"
    path.write_bytes(made.SerializeToString())
    assert imported.read(path).model["layers"] == [{"type": "Linear", "out_features": 3, "bias": False}]


@pytest.mark.parametrize("count", [150, pytest.param(10_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_damage_is_refused_or_harmless(path: Path, count: int, tmp_path: Path) -> None:
    place, content = tmp_path / "net.onnx", path.read_bytes()
    taken = sum(survives(place, damaged, lambda: imported.read(place)) for damaged in mutations(content, count, 0))
    assert 0 < taken < count
    assert largest_memory() < 1 << 31
