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
    *[
        Sample(F + "embedding_bag", (bags, normal(5, 3), *where), {"mode": mode})
        for mode in ("sum", "mean", "max")
        for bags, *where in (
            (repeated,),
            (np.array([1, 4, 1, 0]), np.array([0, 0, 3, 4])),
            (np.zeros(0, np.int64), np.array([0, 0])),
        )
    ],
    *[
        Sample(F + "embedding_bag", (repeated, normal(5, 3)), {"mode": mode, "padding_idx": 1})
        for mode in ("sum", "mean", "max")
    ],
    Sample(
        F + "embedding_bag",
        (np.array([1, 4, 1, 0]), normal(5, 3), np.array([0, 3, 4])),
        {"mode": "sum", "per_sample_weights": normal(4), "include_last_offset": True},
    ),
    Sample(F + "embedding_bag", (repeated, normal(5, 3)), {"mode": "sum", "per_sample_weights": normal(2, 3)}),
    Sample(F + "one_hot", (integers(0, 4, 2, 3),), grad=False),
    Sample(F + "one_hot", (integers(0, 4, 2, 3),), {"num_classes": 7}, grad=False),
]
