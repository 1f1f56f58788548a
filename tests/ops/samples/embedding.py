import numpy as np

from tests.ops.sample import Sample, integers, normal

F = "nn.functional."
repeated = np.array([[1, 4, 1], [1, 0, 4]])

SAMPLES = [
    Sample(F + "embedding", (repeated, normal(5, 3))),
    Sample(F + "embedding", (repeated, normal(5, 3)), {"padding_idx": -4}, grad=False),
    Sample(F + "embedding", (integers(0, 5, 6).astype(np.int32), normal(5, 3)), {"scale_grad_by_freq": False}),
    Sample(F + "embedding", (np.array(2), normal(5, 3))),
    Sample(F + "embedding", (np.zeros((0, 2), np.int64), normal(5, 3))),
    Sample(F + "one_hot", (integers(0, 4, 2, 3),), grad=False),
    Sample(F + "one_hot", (integers(0, 4, 2, 3),), {"num_classes": 7}, grad=False),
]
