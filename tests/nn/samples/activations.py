"""Activation layers. The inputs lie on both sides of every kink; tests/nn/test_activations.py looks at the kinks."""

import numpy as np

from tests.nn.sample import LayerSample

x = np.array([[-5.1, -2.3, -0.7, -0.2], [0.1, 0.8, 2.1, 7.3], [-1.4, 4.2, 0.3, 3.6]], np.float32)
images = np.random.default_rng(0).normal(0, 3, (2, 3, 4, 5)).astype(np.float32)
plain = "LogSigmoid Sigmoid Softsign Tanh Tanhshrink"
overwriting = "ReLU ReLU6 LeakyReLU ELU CELU SELU SiLU Mish Hardtanh Hardsigmoid Hardswish"

SAMPLES = [
    *[LayerSample(name, inputs=[x]) for name in f"{plain} {overwriting}".split()],
    *[LayerSample(name, inputs=[images]) for name in f"{plain} {overwriting}".split()],
    *[LayerSample(name, kwargs={"inplace": True}, inputs=[x]) for name in overwriting.split()],
    LayerSample("ReLU", inputs=[()]),
    LayerSample("ReLU", inputs=[(0, 3)]),
    LayerSample("LeakyReLU", (0.3,), inputs=[x]),
    LayerSample("LeakyReLU", (0.3, True), inputs=[x]),
    LayerSample("ELU", (0.5,), inputs=[x]),
    LayerSample("ELU", (2, True), inputs=[x]),
    LayerSample("CELU", (), {"alpha": 1.7}, [x]),
    LayerSample("Hardtanh", (-2.0, 3.5), inputs=[x]),
    LayerSample("Hardtanh", (0, 1, True), inputs=[x]),
    LayerSample("Threshold", (0.5, 7), inputs=[x]),
    LayerSample("Threshold", (), {"threshold": 1.0, "value": -3.0, "inplace": True}, [x]),
    LayerSample("RReLU", inputs=[x], random=True),
    LayerSample("RReLU", (0.1, 0.4), inputs=[images], random=True),
    LayerSample("RReLU", (0.3, 0.3), {"inplace": True}, [x]),
    LayerSample("GELU", inputs=[x]),
    LayerSample("GELU", inputs=[10 * images]),
    LayerSample("GELU", (), {"approximate": "tanh"}, [x]),
    LayerSample("GELU", ("tanh",), inputs=[images]),
    LayerSample("GLU", inputs=[x]),
    LayerSample("GLU", (1,), inputs=[(2, 6, 3)]),
    LayerSample("GLU", (-2,), inputs=[(2, 3, 4, 5)]),
    LayerSample("Hardshrink", inputs=[x]),
    LayerSample("Hardshrink", (1.0,), inputs=[images]),
    LayerSample("Softshrink", inputs=[x]),
    LayerSample("Softshrink", (), {"lambd": 1.0}, [images]),
    LayerSample("Softplus", inputs=[x]),
    LayerSample("Softplus", (2.0, 3.0), inputs=[x]),
    LayerSample("Softplus", (1, 20), inputs=[30 * images]),
    LayerSample("PReLU", inputs=[x]),
    LayerSample("PReLU", (4,), {"init": 0.1}, [x]),
    LayerSample("PReLU", (3,), inputs=[images]),
    LayerSample("PReLU", (1, 0.5), inputs=[(5,)]),
    LayerSample("Softmax", (1,), inputs=[x]),
    LayerSample("Softmax", (), {"dim": -3}, [images]),
    LayerSample("Softmax", inputs=[x]),
    LayerSample("Softmin", (1,), inputs=[x]),
    LayerSample("Softmin", (), {"dim": 0}, [images]),
    LayerSample("LogSoftmax", (1,), inputs=[x]),
    LayerSample("LogSoftmax", (-1,), inputs=[images]),
    LayerSample("LogSoftmax", inputs=[(2, 3, 4)]),
    LayerSample("Softmax2d", inputs=[images]),
    LayerSample("Softmax2d", inputs=[(3, 4, 5)]),
]

REFUSED = [
    LayerSample("ReLU", (), {"slope": 1}),
    LayerSample("Sigmoid", (1,)),
    LayerSample("Threshold", (1.0,)),
    LayerSample("Hardtanh", (2.0, 1.0)),
    LayerSample("CELU", (0.0,)),
    LayerSample("RReLU", (0.5, 0.2)),
    LayerSample("Softshrink", (-1.0,)),
    LayerSample("GELU", ("exact",)),
    LayerSample("GLU", inputs=[(2, 3)]),
    LayerSample("GLU", inputs=[()]),
    LayerSample("GLU", (2,), inputs=[(2, 4)]),
    LayerSample("PReLU", (3,), inputs=[(2, 4)]),
    LayerSample("PReLU", (2,), inputs=[()]),
    LayerSample("Softmax", (2,)),
    LayerSample("LogSoftmax", (-3,)),
    LayerSample("Softmax", (0,), inputs=[np.array([1, 2])]),
    LayerSample("Softmax2d", inputs=[(3, 4)]),
    LayerSample("LeakyReLU", inputs=[np.array([1, 2])]),
    LayerSample("GELU", inputs=[np.array([1, 2])]),
]
