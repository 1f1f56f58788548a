import math

import numpy as np

from tests.ops.sample import Sample, normal

F = "nn.functional."
zeros = np.zeros((2, 3), np.float32)
grid = np.float32([[0, 0], [3, 4], [-1, 5]])

SAMPLES = [
    Sample(F + "normalize", (normal(4, 3),)),
    Sample(F + "normalize", (normal(2, 3, 4),), {"p": 1.0, "dim": 2}),
    Sample(F + "normalize", (normal(2, 3),), {"p": 3.0, "dim": 0, "eps": 10.0}),
    Sample(F + "normalize", (normal(2, 3, 2),), {"p": math.inf, "dim": (1, 2)}),
    Sample("cosine_similarity", (normal(4, 3), normal(4, 3))),
    Sample("cosine_similarity", (normal(2, 3, 4), normal(4)), {"dim": -1}),
    Sample("cosine_similarity", (normal(2, 3, 1), normal(2, 1, 4)), {"dim": 2}),
    Sample("cosine_similarity", (normal(2, 3), zeros + 1), {"dim": 0, "eps": 50.0}, grad=False),
    Sample("cosine_similarity", (normal(3), normal(3)), {"dim": 0}),
    Sample("pairwise_distance", (normal(4, 3), normal(4, 3))),
    Sample("pairwise_distance", (normal(2, 1, 3), normal(4, 3)), {"p": 1.0, "keepdim": True}),
    Sample("pairwise_distance", (normal(3), normal(3)), {"p": math.inf, "eps": 0.5}),
    Sample("cdist", (normal(4, 3), normal(2, 3))),
    Sample("cdist", (normal(2, 4, 3), normal(1, 2, 3)), {"p": 1.0}),
    Sample("cdist", (normal(4, 3), normal(2, 3)), {"p": math.inf}),
    Sample("cdist", (normal(4, 3), normal(2, 3)), {"p": 3.5}),
    Sample("cdist", (normal(4, 3), normal(2, 3)), {"p": 0.5}, tolerance=1e-4),
    Sample("cdist", (grid, grid + 1), {"p": 0.0}, grad=False),
    Sample("cdist", (normal(2, 3), normal(0, 3))),
    Sample("cdist", (normal(2, 0), normal(3, 0))),
    Sample(F + "bilinear", (normal(4, 2), normal(4, 3), normal(5, 2, 3), normal(5))),
    Sample(F + "bilinear", (normal(2, 4, 2), normal(2, 4, 1), normal(3, 2, 1))),
]
