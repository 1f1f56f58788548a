"""Inverses, determinants, powers of matrices, covariances, parts replaced."""

import numpy as np

from tests.ops.sample import Sample, integers, normal, uniform

well = np.float32([[3, 1, 0.5], [-1, 2, 0.3], [0.2, 0.1, 1.5]])
many = well + 0.2 * normal(2, 3, 3)
singular = np.float32([[1, 2, 3], [2, 4, 6], [0, 1, 1]])
holes = np.float32([[1, np.nan, 3], [np.nan, np.nan, 2]])

SAMPLES = [
    Sample("inverse", (well,), tolerance=1e-4),
    Sample("linalg.inv", (many,), tolerance=1e-4),
    Sample("linalg.inv", (normal(2, 0, 0),)),
    Sample("det", (well,), tolerance=1e-4),
    Sample("linalg.det", (many,), tolerance=1e-4),
    Sample("det", (normal(1, 1),)),
    Sample("logdet", (well,), tolerance=1e-4),
    Sample("logdet", (-well,), grad=False),
    Sample("slogdet", (many,), tolerance=1e-4),
    Sample("linalg.slogdet", (-well,), tolerance=1e-4),
    Sample("matrix_power", (many, 3), tolerance=1e-4),
    Sample("linalg.matrix_power", (well, 0), grad=False),
    Sample("linalg.matrix_power", (well, -2), tolerance=1e-4),
    Sample("norm", (normal(2, 3), "nuc"), tolerance=1e-4),
    Sample("norm", (normal(2, 3, 2), "nuc", (0, 1)), tolerance=1e-4),
    Sample("cov", (normal(3, 5),)),
    Sample("cov", (normal(5),), {"correction": 0}),
    Sample("cov", (normal(3, 5),), {"fweights": integers(1, 4, 5), "aweights": uniform(0.5, 1, 5)}, grad=False),
    Sample("corrcoef", (normal(3, 5),), tolerance=1e-4),
    Sample("nanmean", (normal(2, 3),)),
    Sample("nanmean", (holes, 1), {"keepdim": True}, grad=False),
    Sample("dist", (normal(2, 3), normal(3))),
    Sample("dist", (normal(2, 3), normal(2, 3), 3.0)),
    Sample("renorm", (normal(3, 4), 2, 0, 0.5)),
    Sample("renorm", (normal(2, 3, 2), 1.5, 1, 1.0), tolerance=1e-4),
    Sample("select_scatter", (normal(2, 3), normal(2), 1, -1)),
    Sample("slice_scatter", (normal(4, 3), normal(2, 3), 0, 1, 4, 2)),
    Sample("slice_scatter", (normal(4), normal(4))),
    Sample("diagonal_scatter", (normal(3, 4), normal(2), 2)),
    Sample("Tensor.sum_to_size", (normal(2, 3, 4), 3, 1)),
    Sample("Tensor.sum_to_size", (normal(2, 3), (2, 3))),
    Sample("nn.functional.pdist", (normal(4, 3),)),
    Sample("nn.functional.pdist", (normal(4, 3), 1.0)),
    Sample("nn.functional.pdist", (normal(4, 3), 3.5)),
    Sample("nn.functional.pdist", (normal(4, 3), float("inf"))),
    Sample("nn.functional.pdist", (normal(1, 3),)),
]
