import numpy as np

from tests.ops.sample import Sample, integers, normal

SAMPLES = [
    Sample("Tensor.expand", (normal(3, 1), 2, 3, 4)),
    Sample("Tensor.expand", (normal(3, 1), (-1, 4))),
    Sample("Tensor.expand", (normal(1, 3), (0, 3))),
    Sample("Tensor.expand", (normal(), 2)),
    Sample("Tensor.expand", (normal(2, 3), 2, 3)),
    Sample("Tensor.expand_as", (normal(3), integers(0, 9, 2, 3))),
    Sample("broadcast_to", (normal(2, 1, 3), (2, 2, 3))),
    Sample("broadcast_tensors", (normal(3, 1), normal(1, 4))),
    Sample("broadcast_tensors", (normal(3, 1), normal(2, 1, 4), normal())),
    Sample("Tensor.repeat", (normal(2, 3), 2, 1, 2)),
    Sample("Tensor.repeat", (normal(2, 3), (0, 2))),
    Sample("Tensor.repeat", (normal(2, 1, 2, 3), 1, 3, 1, 1)),
    Sample("Tensor.repeat", (normal(), 3)),
    Sample("tile", (normal(2, 3), (2,))),
    Sample("tile", (normal(3), (2, 2))),
    Sample("repeat_interleave", (normal(2, 3), 2)),
    Sample("repeat_interleave", (normal(2, 3), 2, 1)),
    Sample("repeat_interleave", (normal(3, 2), np.array([2, 0, 1])), {"dim": 0}),
    Sample("repeat_interleave", (normal(3, 2), np.array([0, 0, 0])), {"dim": 0}),
    Sample("repeat_interleave", (normal(2, 3), np.array([2]), -1), {"output_size": 6}),
    Sample("repeat_interleave", (np.array([1, 0, 2]),), grad=False),
    Sample("meshgrid", (normal(2), normal(3)), {"indexing": "ij"}),
    Sample("meshgrid", (normal(2), normal(3), normal()), {"indexing": "xy"}),
    Sample("cartesian_prod", (normal(2), normal(3))),
    Sample("cartesian_prod", (normal(2),)),
    Sample("combinations", (normal(4), 3)),
    Sample("combinations", (normal(3),), {"with_replacement": True}),
    Sample("combinations", (normal(2), 3)),
]
