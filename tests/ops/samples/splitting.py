import numpy as np

from tests.ops.sample import Sample, normal

SAMPLES = [
    Sample("split", (normal(5, 2), 2)),
    Sample("split", (normal(2, 5), [1, 0, 4], 1)),
    Sample("split", (normal(0, 2), 2)),
    Sample("split_with_sizes", (normal(5), [2, 3])),
    Sample("chunk", (normal(6, 2), 4)),
    Sample("chunk", (normal(2, 3), 2, -1)),
    Sample("chunk", (normal(0, 3), 2)),
    Sample("tensor_split", (normal(7, 2), 3)),
    Sample("tensor_split", (normal(2, 6), (4, 2, -1, 9), 1)),
    Sample("tensor_split", (normal(6), np.array([2, 4]))),
    Sample("hsplit", (normal(2, 4), 2)),
    Sample("hsplit", (normal(4), [1, 3])),
    Sample("vsplit", (normal(4, 2), 2)),
    Sample("dsplit", (normal(2, 2, 4), [1])),
    Sample("unbind", (normal(3, 2),)),
    Sample("unbind", (normal(2, 3, 2), -2)),
    Sample("unbind", (normal(3),)),
    Sample("narrow", (normal(2, 5), 1, 1, 3)),
    Sample("narrow", (normal(5, 2), 0, -2, 2)),
    Sample("narrow", (normal(3), 0, 3, 0)),
    Sample("select", (normal(2, 3, 4), 1, -1)),
    Sample("select", (normal(3), 0, 1)),
    Sample("Tensor.unfold", (normal(6), 0, 3, 1)),
    Sample("Tensor.unfold", (normal(2, 7, 3), 1, 2, 3)),
    Sample("Tensor.unfold", (normal(2, 3), -1, 0, 1)),
    Sample("Tensor.unfold", (normal(), 0, 1, 1)),
]
