#!/usr/bin/env bash
# torch's ONNX exporters leave `divisor_override` of average pools away and say nothing; the file computes something else.
#
# torch 2.13.0 (CPU), onnx 1.23.2, onnxscript 0.7.2, onnxruntime 1.32.0, CPython 3.11, Linux x86-64. AvgPool2d(2,
# divisor_override=1) adds up four numbers: 14, 22, 46, 54 for 1 to 16. Exported by `torch.onnx.export` it is a plain
# AveragePool, and ONNX Runtime answers 3.5, 5.5, 11.5, 13.5, from both exporters (dynamo=True, dynamo=False); AvgPool3d
# alike, by a factor of eight. There is no error, and no warning that names the argument; torch 2.0 refused it as not
# supported. Only a comparison of outputs shows it. Multiplying by kernel area / divisor after the pool is what the file needs.
#
# Ends with 0 where the behaviour is as told here, with 1 where it has changed.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 onnx==1.23.2 onnxscript==0.7.2 \
  onnxruntime==1.32.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log"; exit 1; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import logging
import sys
import warnings

import numpy as np
import onnxruntime
import torch

print("torch", torch.__version__, " onnxruntime", onnxruntime.__version__)
logging.disable()
four = (torch.arange(16.0) + 1).reshape(1, 1, 4, 4)
cases = {torch.nn.AvgPool2d: (four, 4), torch.nn.AvgPool3d: (four.expand(1, 1, 4, 4, 4).clone(), 8)}
same = True
for dynamo in True, False:
    for layer, (x, window) in cases.items():
        pool = layer(2, divisor_override=1).eval()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            torch.onnx.export(pool, (x,), "pool.onnx", dynamo=dynamo, verbose=False)
        named = any("divisor" in str(warning.message) for warning in said)
        session = onnxruntime.InferenceSession("pool.onnx")
        there = session.run(None, {session.get_inputs()[0].name: x.numpy()})[0]
        here = pool(x).numpy()
        same &= not named and np.allclose(here, window * there)
        print(f"{layer.__name__} dynamo={dynamo}: torch {here.ravel()[:4]}, the file {there.ravel()[:4]}, warned of it: {named}")
sys.exit(0 if same else 1)
PYTHON
