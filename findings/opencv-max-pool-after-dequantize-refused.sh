#!/usr/bin/env bash
# OpenCV 5 cannot run a MaxPool behind DequantizeLinear whose floats are the answer; with a QuantizeLinear behind it, it can.
#
# opencv-python-headless 5.0.0.93 (cv2.__version__ 5.0.0), onnx 1.23.2, CPython 3.11, Linux x86-64. QuantizeLinear,
# DequantizeLinear, MaxPool is a valid ONNX graph (onnx.checker; ONNX Runtime 1.32.0 answers 1.25, 1.75, 3.25, 3.75).
# readNetFromONNX takes it without a word, and forward() raises "(-215:Assertion failed) inptype == CV_8SC1 || inptype ==
# CV_8UC1" from pool2_int8_layer.cpp: the pool was made one of bytes, and is given floats. The same graph with QuantizeLinear,
# DequantizeLinear behind the pool is answered right, and so are AveragePool and GlobalMaxPool in the pool's place, with and
# without. So a byte net that ends in a max pool, or whose pool nobody quantises, has to be quantised once more for OpenCV.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 \
  opencv-python-headless==5.0.0.93 2>"$place/log" || { cat "$place/log"; exit 1; }
cd "$place"
"$place/venv/bin/python" - 2>/dev/null <<'PYTHON'
import sys

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

print("OpenCV", cv2.__version__, " onnxruntime", onnxruntime.__version__)
x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4) / 4


def model(op, again):
    """A pool behind bytes; `again`: its results become bytes, too."""
    window = {} if op.startswith("Global") else {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "step", "zero"], ["d"]),
        helper.make_node(op, ["d"], ["p" if again else "y"], **window),
    ]
    if again:
        nodes.append(helper.make_node("QuantizeLinear", ["p", "step", "zero"], ["r"]))
        nodes.append(helper.make_node("DequantizeLinear", ["r", "step", "zero"], ["y"]))
    sizes = [1, 1, 1, 1] if op.startswith("Global") else [1, 1, 2, 2]
    given, made = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in (("x", x.shape), ("y", sizes)))
    held = [numpy_helper.from_array(np.float32(0.125), "step"), numpy_helper.from_array(np.int8(0), "zero")]
    graph = helper.make_graph(nodes, "pool", [given], [made], held)
    found = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(found)
    return found.SerializeToString()


same = True
for op in "MaxPool", "AveragePool", "GlobalMaxPool":
    for again in False, True:
        content = model(op, again)
        wanted = onnxruntime.InferenceSession(content).run(None, {"x": x})[0]
        net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8))
        net.setInput(x)
        try:
            answer = np.array_equal(net.forward().ravel(), wanted.ravel())
            told = "the same numbers" if answer else "other numbers"
        except cv2.error as error:
            answer, told = None, " ".join(str(error).split())[-90:]
        same &= (answer is None and "inptype" in told) if op == "MaxPool" and not again else answer is True
        print(f"{op}{', quantised again' * again}: ONNX Runtime {wanted.ravel()}, OpenCV {told}")
sys.exit(0 if same else 1)
PYTHON
