"""Samples of activation functions: both sides of every kink, never on it (tests/ops/test_activation.py does that)."""

import numpy as np

from tests.ops.sample import Sample, normal, uniform

# apart from -3, -1, -0.5, 0, 0.5, 1, 3 and 6, where some of the functions have kinks
x = np.array([[-5.1, -2.3, -0.7, -0.2], [0.1, 0.8, 2.1, 7.3], [-1.4, 4.2, 0.3, 3.6]], np.float32)
names = "relu relu6 leaky_relu rrelu elu selu celu gelu silu mish hardtanh hardswish softplus softsign"
names += " tanhshrink softshrink hardshrink logsigmoid sigmoid tanh"

SAMPLES = [
    *[Sample(f"nn.functional.{name}", (x,)) for name in names.split()],
    Sample("nn.functional.hardsigmoid", (x,), tolerance=1e-3),  # torch's 1/6 is float32's, also in float64
    Sample("relu", (normal(2, 3, 4, 5),)),
    Sample("relu", (np.arange(-2, 3),), grad=False),
    Sample("nn.functional.relu", (normal(),)),
    Sample("nn.functional.leaky_relu", (x, 1.5)),
    Sample("nn.functional.leaky_relu", (x, -0.5)),
    Sample("nn.functional.rrelu", (x, 0.3, 0.3), {"training": True}),
    Sample("nn.functional.threshold", (x, 0.5, 7)),
    Sample("nn.functional.hardtanh", (x, -2, 3.5)),
    Sample("nn.functional.elu", (x, 0.3)),
    Sample("nn.functional.elu", (normal(),)),
    Sample("nn.functional.celu", (x, 2.0)),
    Sample("nn.functional.gelu", (x,), {"approximate": "tanh"}),
    Sample("nn.functional.gelu", (30 * normal(5, 4),)),
    Sample("nn.functional.softplus", (x, 2.0, 3.0)),
    Sample("nn.functional.softplus", (uniform(-90, 90, 4, 3),)),
    Sample("nn.functional.logsigmoid", (uniform(-90, 90, 4, 3),)),
    Sample("nn.functional.silu", (uniform(-90, 90, 4, 3),)),
    Sample("nn.functional.mish", (uniform(-90, 90, 4, 3),)),
    Sample("nn.functional.softshrink", (x, 1.0)),
    Sample("nn.functional.hardshrink", (x, 0)),
    Sample("nn.functional.glu", (normal(3, 4),)),
    Sample("nn.functional.glu", (normal(2, 6, 3), 1)),
    Sample("prelu", (x, uniform(0.1, 0.5, 1))),
    Sample("prelu", (x, uniform(0.1, 0.5, 4))),
    Sample("nn.functional.prelu", (normal(2, 3, 4, 5), uniform(0.1, 0.5, 3))),
    Sample("nn.functional.prelu", (normal(5), uniform(0.1, 0.5, 1))),
    Sample("nn.functional.prelu", (normal(), uniform(0.1, 0.5, 1))),
]
