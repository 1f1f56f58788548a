"""Bad ONNX files, and what is said of each: damage, hostility, and what no layer stands for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Make = Callable[[Any, Path], Any]  # of the package onnx and a folder, a model or bytes


def field(number: int, content: bytes) -> bytes:
    """A field of bytes, as protobuf has it."""
    size, out = len(content), bytearray([number << 3 | 2])
    while True:
        out.append(size & 127 | (128 if size > 127 else 0))
        size >>= 7
        if not size:
            return bytes(out) + content


OPSET = field(8, bytes([16, 18]))


def net(onnx: Any, *nodes: Any, shape: Any = ("N", 1, 4, 4), constants: Any = (), opset: int = 18) -> Any:
    """A model of some nodes; arrays by name become initializers."""
    h = onnx.helper
    value = [h.make_tensor_value_info("y", 1, None)]
    made = h.make_graph(
        list(nodes), "g", [h.make_tensor_value_info("x", 1, shape)], value,
        [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in dict(constants).items()],
    )  # fmt: skip
    return h.make_model(made, opset_imports=[h.make_opsetid("", opset)])


def node(onnx: Any, op: str, *inputs: str, output: str = "y", **words: Any) -> Any:
    """A node that is called n."""
    return onnx.helper.make_node(op, list(inputs), [output], name=words.pop("name", "n"), **words)


def elsewhere(onnx: Any, place: Path, location: str, offset: int = 0, length: int | None = 16) -> Any:
    """A linear layer whose weight is said to lie in another file."""
    model = net(onnx, node(onnx, "MatMul", "x", "w"), shape=("N", 2), constants={"w": np.zeros((2, 2), np.float32)})
    (weight,) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    entries = {"location": location, "offset": offset, **({} if length is None else {"length": length})}
    for key, value in entries.items():
        weight.external_data.add(key=key, value=str(value))
    return model


def linked(onnx: Any, place: Path) -> Any:
    (place.parent / "outside.bin").write_bytes(bytes(16))
    os.symlink(place.parent / "outside.bin", place / "link.bin")
    return elsewhere(onnx, place, "link.bin")


def short(onnx: Any, place: Path) -> Any:
    (place / "short.bin").write_bytes(bytes(8))
    return elsewhere(onnx, place, "short.bin")


def huge(onnx: Any, place: Path) -> Any:
    model = net(onnx, node(onnx, "MatMul", "x", "w"), shape=("N", 2), constants={"w": np.zeros((2, 2), np.float32)})
    model.graph.initializer[0].dims[:] = [1 << 20, 1 << 20]
    return model


def other_type(onnx: Any, place: Path) -> Any:
    return net(onnx, node(onnx, "Relu", "x"), constants={"w": np.zeros(2, np.complex64)})


def deep(levels: int) -> bytes:
    """Graphs within attributes of nodes within graphs."""
    inner = b""
    for _ in range(levels):
        inner = field(1, field(4, b"If") + field(2, b"y") + field(5, field(1, b"b") + field(6, inner)))
    return OPSET + field(7, inner + field(11, field(1, b"x")) + field(12, field(1, b"y")))


def if_(onnx: Any, place: Path) -> Any:
    h = onnx.helper
    branch = h.make_graph([h.make_node("Relu", ["x"], ["z"])], "b", [], [h.make_tensor_value_info("z", 1, None)])
    made = node(onnx, "If", "c", then_branch=branch, else_branch=branch)
    return net(onnx, made, constants={"c": np.array(True)})


OUTSIDE = "cannot be read as ONNX: 'w' is said to be in %r: only files in the folder of the ONNX file are read"
MATRIX = {"w": np.ones((2, 2), np.float32)}
CASES: dict[str, tuple[Make, str]] = {
    "no graph": (lambda o, p: field(2, b"pytorch"), "cannot be read as ONNX: it holds no graph"),
    "an empty graph": (lambda o, p: OPSET + field(7, b""), "its graph has 0 inputs (none); nets of one input are read"),
    "two graphs": (
        lambda o, p: net(o, node(o, "Relu", "x")).SerializeToString() * 2,
        "cannot be read as ONNX: it is damaged: it holds several graphs",
    ),
    "more operators than any net has": (
        lambda o, p: field(7, field(1, b"") * 20_000),
        "cannot be read as ONNX: it has more than 10,000 operators",
    ),
    "more fields than any net has": (
        lambda o, p: field(2, b"a") * 600_000,
        "cannot be read as ONNX: it has more fields than a graph of any net",
    ),
    "sizes that no array has": (
        huge,
        "cannot be read as ONNX: 'w' has 16 bytes for sizes [1048576, 1048576], which take 4,398,046,511,104",
    ),
    "an operator without its second input": (
        lambda o, p: net(o, node(o, "Add", "x")),
        "Add (n): needs 2 inputs, and has 1",
    ),
    "an attribute that is a number where a graph should be": (
        lambda o, p: OPSET + field(7, field(1, field(4, b"If") + field(5, field(1, b"b") + b"\x30\x05"))),
        "cannot be read as ONNX: attribute 'b' has no value",
    ),
    "complex numbers": (other_type, "cannot be read as ONNX: 'w' is of type complex64, which is not read"),
    "arrays outside of the folder": (
        lambda o, p: elsewhere(o, p, "../outside.bin"),
        OUTSIDE % "../outside.bin",
    ),
    "arrays at a place of the system": (
        lambda o, p: elsewhere(o, p, "/etc/hostname"),
        OUTSIDE % "/etc/hostname",
    ),
    "arrays behind a link": (linked, "cannot be read as ONNX: 'w' is said to be in a file beside it: "),
    "arrays in a file that is too short": (
        short,
        "cannot be read as ONNX: 'w' lies at bytes 0 to 16 of 'short.bin', which has 8 bytes",
    ),
    "arrays in a file that is not there": (
        lambda o, p: elsewhere(o, p, "none.bin"),
        "cannot be read as ONNX: 'w' is said to be in a file beside it: ",
    ),
    "arrays of another length": (
        lambda o, p: elsewhere(o, p, "none.bin", 0, 12),
        "cannot be read as ONNX: 'w' has 12 bytes for sizes [2, 2], which take 16",
    ),
    "graphs within graphs": (lambda o, p: deep(500), "its input 'x' has no sizes; give them in a configuration with"),
    "a circle": (
        lambda o, p: net(o, node(o, "Add", "x", "b", name="first", output="a"), node(o, "Relu", "a", output="b"),
                         node(o, "Relu", "b", name="last")),
        "Add (first): takes what is made from its own result: the graph has a circle",
    ),
    "a value that nobody makes": (
        lambda o, p: net(o, node(o, "Add", "x", "none")),
        "Add (n): takes 'none', which nothing in the file makes",
    ),
    "a value that two make": (
        lambda o, p: net(o, node(o, "Relu", "x"), node(o, "Tanh", "x", name="again")),
        "Tanh (again): gives 'y', which something else gives, too",
    ),
    "two inputs": (
        lambda o, p: (m := net(o, node(o, "Add", "x", "z")), m.graph.input.append(
            o.helper.make_tensor_value_info("z", 1, [1, 2])))[0],
        "its graph has 2 inputs (x, z); nets of one input are read",
    ),
    "open sizes": (
        lambda o, p: net(o, node(o, "Relu", "x"), shape=("N", 1, "H", "W")),
        "its input 'x' has open sizes [N, 1, H, W]; give them in a configuration with --config",
    ),
    "sizes beyond all nets": (
        lambda o, p: net(o, node(o, "Relu", "x"), shape=("N", 1 << 20, 1 << 20)),
        "its input 'x' has sizes [2, 1048576, 1048576], more than any net here takes",
    ),
    "an operator without a layer": (
        lambda o, p: net(o, node(o, "Einsum", "x", equation="nchw->nchw")),
        "Einsum (n): is an operator that no layer here stands for",
    ),
    "a recurrent net": (
        lambda o, p: net(o, node(o, "GRU", "x", "w", "r", hidden_size=2), shape=(3, 2, 2),
                         constants={"w": np.ones((1, 6, 2), np.float32), "r": np.ones((1, 6, 2), np.float32)}),
        "GRU (n): its directions are used apart, each with all steps: no layer does that",
    ),
    "an operator of somebody else": (
        lambda o, p: net(o, node(o, "FusedConv", "x", domain="com.microsoft")),
        "FusedConv (n): is an operator of 'com.microsoft', not of ONNX itself",
    ),
    "a quantized net": (
        lambda o, p: net(o, node(o, "QuantizeLinear", "x", "s", output="q"), node(o, "DequantizeLinear", "q", "s"),
                         constants={"s": np.float32(0.1)}),
        "QuantizeLinear (n): is of a quantized net; import the net from before it was quantized",
    ),
    "branches by value": (if_, "If (n): runs a graph of its own, depending on values: no layer does that"),
    "a product of two results": (
        lambda o, p: net(o, node(o, "MatMul", "x", "x")),
        "MatMul (n): multiplies two results with each other: no layer does that",
    ),
    "a division by a result": (
        lambda o, p: net(o, node(o, "Div", "c", "x"), constants={"c": np.float32(1)}),
        "Div (n): divides by a result: no layer does that",
    ),
    "samples that are mixed": (
        lambda o, p: net(o, node(o, "Reshape", "x", "s"), constants={"s": np.array([4, -1])}),
        "Reshape (n): makes [2, 1, 4, 4] to [4, 8], which mixes the samples of a batch",
    ),
    "sizes that do not fit": (
        lambda o, p: net(o, node(o, "MatMul", "x", "w"), shape=("N", 3), constants=MATRIX),
        "MatMul (n): does not take sizes [2, 3], [2, 2]: matrices that do not fit",
    ),
    "a matrix of samples": (
        lambda o, p: net(o, node(o, "Gemm", "x", "w", transA=1), shape=(2, 2), constants=MATRIX),
        "Gemm (n): transA is set: it takes samples for features",
    ),
    "some of the channels": (
        lambda o, p: net(o, node(o, "Slice", "x", "a", "b", "c"), shape=("N", 4, 4, 4),
                         constants={"a": np.array([1]), "b": np.array([3]), "c": np.array([1])}),
        "Slice (n): takes some of the channels or samples: no layer does that",
    ),
    "an output of constants": (
        lambda o, p: net(o, node(o, "Neg", "w"), constants=MATRIX),
        "its output 'y' does not depend on the input",
    ),
    "constants beyond all memory": (
        lambda o, p: net(o, node(o, "ConstantOfShape", "s", output="c"), node(o, "Add", "x", "c"),
                         constants={"s": np.array([1 << 20, 1 << 20])}),
        "ConstantOfShape (n): makes a constant of sizes [1048576, 1048576], at most 33,554,432 numbers are taken",
    ),
    "an opset of long ago": (
        lambda o, p: net(o, node(o, "Relu", "x"), opset=1), "it is of opset 1; 6 to 30 are read"
    ),
    "control characters": (
        lambda o, p: net(o, node(o, "Einsum", "x", equation="a->a", name="\x1b[2J")),
        "Einsum (\\x1b[2J): is an operator that no layer here stands for",
    ),
}  # fmt: skip
