#!/usr/bin/env bash
# ONNX Runtime's optimised byte Mul and Add round after adding the zero point: with an odd one, each tie goes the other way.
#
# onnxruntime 1.32.0 (CPU), onnx 1.23.2, CPython 3.11, Linux x86-64. QuantizeLinear is saturate(round(x / scale) + zero), ties
# to even. A graph DequantizeLinear, Mul (or Add), QuantizeLinear gives just that with optimisations off. With them on (the
# usual way) it becomes one QLinearMul (QLinearAdd), which rounds x / scale + zero: the same where the zero is even or nothing
# ties, one step off at every tie where it is odd. With an output scale of 2 that is half of all bytes: -127 / 2 with zero 1 is
# -63 off and -62 on. An exported file then disagrees with itself by the session's options; zeros that are even, or scales
# without ties, agree.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 \
  2>"$place/log" || { cat "$place/log"; exit 1; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("onnxruntime", onnxruntime.__version__, " onnx", onnx.__version__)
every = np.arange(-128, 128).astype(np.int8)


def model(op, zero):
    """Bytes a and b of scale 1 and zero 0; the result of scale 2."""
    held = {"one": np.float32(1), "none": np.int8(0), "two": np.float32(2), "zero": np.int8(zero)}
    nodes = [
        helper.make_node("DequantizeLinear", ["a", "one", "none"], ["x"]),
        helper.make_node("DequantizeLinear", ["b", "one", "none"], ["y"]),
        helper.make_node(op, ["x", "y"], ["z"]),
        helper.make_node("QuantizeLinear", ["z", "two", "zero"], ["c"]),
    ]
    a, b, c = (helper.make_tensor_value_info(name, TensorProto.INT8, [256]) for name in "abc")
    arrays = [numpy_helper.from_array(value, name) for name, value in held.items()]
    graph = helper.make_graph(nodes, "bytes", [a, b], [c], arrays)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(made)
    return made.SerializeToString()


def run(content, other, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return session.run(None, {"a": every, "b": other})[0]


levels = onnxruntime.GraphOptimizationLevel
same = True
for op, other in (("Mul", np.ones(256, np.int8)), ("Add", np.zeros(256, np.int8))):
    for zero in 0, 1, 3, -8, -9:
        content = model(op, zero)
        off, on = (run(content, other, level) for level in (levels.ORT_DISABLE_ALL, levels.ORT_ENABLE_ALL))
        before = np.clip(np.rint(every / 2) + zero, -128, 127).astype(np.int8)
        after = np.clip(np.rint(every / 2 + zero), -128, 127).astype(np.int8)
        same &= np.array_equal(off, before) and np.array_equal(on, after) and (np.any(off != on) == bool(zero % 2))
        print(f"{op} zero {zero}: -127 / 2 is {off[1]} off, {on[1]} on; {np.count_nonzero(off != on)} of 256 bytes differ")
sys.exit(0 if same else 1)
PYTHON
