import numpy as np

from tests.ops.sample import Sample, integers, normal

SAMPLES = [
    Sample("diagonal", (normal(3, 4),)),
    Sample("diagonal", (normal(3, 4), -1)),
    Sample("diagonal", (normal(2, 3, 4), 1, -1, 0)),
    Sample("diagonal", (normal(2, 3), 5)),
    Sample("linalg.diagonal", (normal(2, 3, 4),), {"offset": -1}),
    Sample("diag", (normal(3),)),
    Sample("diag", (normal(3), -1)),
    Sample("diag", (normal(3, 2), 1)),
    Sample("diag_embed", (normal(2, 3),)),
    Sample("diag_embed", (normal(2, 3), 1, 0, 2)),
    Sample("diag_embed", (normal(2, 3), -2, 1, 0)),
    Sample("diagflat", (normal(2, 2), 1)),
    Sample("diagflat", (normal(),)),
    Sample("trace", (normal(3, 4),)),
    Sample("trace", (integers(0, 9, 3, 3).astype(np.uint8),), grad=False),
    Sample("tril", (normal(3, 4),)),
    Sample("tril", (normal(2, 3, 3), -1)),
    Sample("triu", (normal(3, 4), 1)),
    Sample("triu", (normal(0, 3),)),
    Sample("tril_indices", (3, 4, -1), grad=False),
    Sample("tril_indices", (4, 2, 1), grad=False),
    Sample("triu_indices", (3, 4, 1), grad=False),
    Sample("triu_indices", (0, 3), grad=False),
]
