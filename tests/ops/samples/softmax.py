"""Samples of softmax, log-softmax and softmin."""

import numpy as np

import lenetcli as lenet
from tests.ops.sample import Sample, normal

far = np.array([[100.0, -100.0, 0.0], [-1e4, 1e4, 1e4]], np.float32)

SAMPLES = [
    Sample("softmax", (normal(3, 4), 1)),
    Sample("softmax", (normal(3, 4), 0), {"dtype": lenet.float64}),
    Sample("softmax", (normal(2, 3, 4, 2), -3)),
    Sample("softmax", (normal(), 0)),
    Sample("softmax", (np.zeros((0, 3), np.float32), 0)),
    Sample("nn.functional.softmax", (far, -1)),
    Sample("log_softmax", (normal(3, 4), 1)),
    Sample("log_softmax", (normal(2, 3, 4, 2), 1)),
    Sample("log_softmax", (normal(), -1)),
    Sample("nn.functional.log_softmax", (far,), {"dim": 1}),
    Sample("nn.functional.softmin", (normal(3, 4), 1)),
    Sample("nn.functional.softmin", (normal(5), 0), {"dtype": lenet.float64}),
]
