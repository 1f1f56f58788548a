import warnings
from typing import Any

import numpy as np

from tests.ops.sample import Sample, booleans, integers, normal


def torchs_index_reduce(*args: Any, **kwargs: Any) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torch calls it a beta feature
        return torch.index_reduce(*args, **kwargs)


GET = "Tensor.__getitem__"
mask = np.array([True, False, True])
rows = np.array([2, 0, 0])

SAMPLES = [
    Sample(GET, (normal(3, 4), 1)),
    Sample(GET, (normal(3, 4), (slice(None), slice(1, None, 2)))),
    Sample(GET, (normal(3, 4), (Ellipsis, None, -1))),
    Sample(GET, (normal(3, 4), ())),
    Sample(GET, (normal(3, 4), (rows,))),
    Sample(GET, (normal(3, 4), (mask, slice(1, 3)))),
    Sample(GET, (normal(3, 4), (booleans(3, 4),))),
    Sample(GET, (normal(2, 3, 4), (0, slice(None), np.array([[0, -1], [3, 3]])))),
    Sample(GET, (normal(2, 3, 4), (np.array([[1], [0]]), slice(None), np.array([0, 3])))),
    Sample(GET, (normal(2, 3, 4), (slice(1, 1), mask))),
    Sample(GET, (normal(3, 2), (True, np.array([], np.int64)))),
    Sample("index_put", (normal(3, 4), (np.array([2, 0]),), normal(4))),
    Sample("index_put", (normal(3, 4), (np.array([2, 0]), np.array([1, 1])), normal(2))),
    Sample("index_put", (normal(3, 4), (mask,), normal(2, 1))),
    Sample("index_put", (normal(3, 4), (rows,), normal(3, 4)), {"accumulate": True}),
    Sample("index_put", (integers(0, 9, 3, 4), (rows,), integers(0, 9, 4)), {"accumulate": True}, grad=False),
    Sample("index_select", (normal(3, 4), 1, np.array([3, 0, 3]))),
    Sample("index_select", (normal(2, 3, 4), -2, rows.astype(np.int32))),
    Sample("index_select", (normal(3, 4), 0, np.array([], np.int64))),
    Sample("index_add", (normal(3, 4), 0, rows, normal(3, 4)), {"alpha": 0.5}),
    Sample("index_add", (normal(2, 3), 1, np.array([1]), normal(2, 1))),
    Sample("index_copy", (normal(3, 4), 1, np.array([3, 0]), normal(3, 2))),
    Sample("index_fill", (normal(3, 4), 1, np.array([3, -1, 0]), 2.0)),
    Sample("index_fill", (normal(3, 4), 0, rows, normal())),
    Sample("index_reduce", (normal(3, 4), 0, rows, normal(3, 4), "prod"), twin=torchs_index_reduce),
    Sample(
        "index_reduce",
        (normal(3, 4), 1, np.array([1, 1]), normal(3, 2), "mean"),
        {"include_self": False},
        twin=torchs_index_reduce,
    ),
    Sample("index_reduce", (normal(3, 4), 0, rows, normal(3, 4), "amax"), twin=torchs_index_reduce),
    Sample("take", (normal(3, 4), np.array([[11, 0], [-1, 0]]))),
    Sample("put", (normal(3, 4), np.array([11, -12]), normal(2))),
    Sample("put", (normal(3, 4), np.array([3, 3, 0]), normal(3)), {"accumulate": True}),
]
