#!/usr/bin/env bash
# ONNX's Resize with `align_corners` and a factor that gives part of a pixel: onnx's own evaluator and ONNX Runtime disagree.
#
# onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6, CPython 3.11, Linux x86-64. Five numbers 0 to 4, mode linear, scale 1.5: both
# give seven numbers (7.5 rounded down). ONNX Runtime takes (5 - 1) / (7 - 1) as the distance of two of them, and its last is
# 4, the corner. onnx.reference takes (5 - 1) / (7.5 - 1): its last is 3.6923, no corner is met. With half_pixel both agree; so
# they do with the first float32 above 7 / 5, which gives seven numbers exactly. The sum of the absolute differences is 1.0769.
# There is no error and no warning.
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
from onnx.reference import ReferenceEvaluator

print("onnx", onnx.__version__, " onnxruntime", onnxruntime.__version__)
x = np.arange(5, dtype=np.float32).reshape(1, 1, 5)


def both(mode, scale):
    node = helper.make_node("Resize", ["x", "", "scales"], ["y"], mode="linear", coordinate_transformation_mode=mode)
    scales = numpy_helper.from_array(np.array([1, 1, scale], np.float32), "scales")
    graph = helper.make_graph(
        [node], "graph", [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", "c", "w"])], [scales],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found = ReferenceEvaluator(model).run(None, {"x": x})[0], session.run(None, {"x": x})[0]
    print(mode, scale, *(np.round(values.ravel(), 4).tolist() for values in found))
    return found


same = True
reference, runtime = both("align_corners", 1.5)
same &= reference.size == runtime.size == 7
same &= abs(float(reference.ravel()[-1]) - 4 * 6 / 6.5) < 1e-4 and abs(float(runtime.ravel()[-1]) - 4) < 1e-4
same &= abs(float(np.abs(reference - runtime).sum()) - 1.0769) < 1e-3
for mode, scale in ("half_pixel", 1.5), ("align_corners", float(np.nextafter(np.float32(1.4), np.float32(2)))):
    reference, runtime = both(mode, scale)
    same &= bool(np.allclose(reference, runtime, atol=1e-4))
print("as told" if same else "this has changed")
sys.exit(not same)
PYTHON
