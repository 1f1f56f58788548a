"""A net's answers by ONNX Runtime, from the file that this project exports."""

from __future__ import annotations

import importlib.util

import numpy as np
from work import Net, Piece

import lenetcli as lenet
from lenetcli.export.onnx_file import onnx_model
from lenetcli.kernels import threads

INSTALLED = all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def inference(make: Net, shape: tuple[int, ...]) -> Piece:
    """A forward pass, with as many threads as run here."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads.get_num_threads()
    content = onnx_model(make(lenet.nn).eval(), shape[1:])
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    given = {session.get_inputs()[0].name: np.random.default_rng(0).standard_normal(shape, np.float32)}
    return lambda: session.run(None, given)
