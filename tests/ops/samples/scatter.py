import numpy as np

from tests.ops.sample import Sample, booleans, integers, normal

apart = np.array([[0, 2, 1], [2, 0, 0]])  # along dim 0 no place is named twice
twice = np.array([[1, 1, 0], [2, 0, 0]])

SAMPLES = [
    Sample("gather", (normal(3, 4), 1, np.array([[0, 0], [3, 1]]))),
    Sample("gather", (normal(3, 4), 0, np.array([[2, 1, 0, 2]] * 5))),
    Sample("gather", (normal(2, 3, 4), -1, integers(0, 4, 2, 3, 2))),
    Sample("gather", (normal(), 0, np.array([0, 0]))),
    Sample("gather", (normal(3, 4), 0, np.zeros((0, 4), np.int64))),
    Sample("take_along_dim", (normal(3, 4), np.array([[0, 3, -1]]), 1)),
    Sample("take_along_dim", (normal(1, 4), np.array([[0], [3]]), 1)),
    Sample("take_along_dim", (normal(3, 4), np.array([11, 0]))),
    Sample("scatter", (normal(3, 4), 0, apart, normal(2, 3))),
    Sample("scatter", (normal(3, 4), 0, apart[:1, :2], normal(1, 2))),
    Sample("scatter", (normal(3, 4), 1, np.array([[1], [0]]), 2.0)),
    Sample("scatter", (integers(0, 9, 3, 4), 0, apart, 2.7), grad=False),
    Sample("scatter_add", (normal(3, 4), 0, twice, normal(2, 3))),
    Sample("scatter_add", (normal(3, 4), 1, np.array([[3, 3, 0], [1, 1, 1]]), normal(2, 3))),
    *(
        Sample("scatter_reduce", (normal(3, 4), 0, twice, normal(2, 3), reduce), {"include_self": include})
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
    ),
    *(
        Sample("scatter_reduce", (normal(), 0, np.array(0), normal(), reduce), {"include_self": include})
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for include in (True, False)
    ),
    Sample("scatter_reduce", (integers(0, 9, 3, 4), 0, twice, integers(0, 9, 2, 3), "mean"), grad=False),
    Sample("masked_fill", (normal(3, 4), booleans(3, 4), -1.5)),
    Sample("masked_fill", (normal(3, 4), np.array([True, False, True, True]), normal())),
    Sample("masked_fill", (normal(4), booleans(3, 4), 0)),
    Sample("masked_fill", (integers(0, 9, 3), np.array([True, False, True]), 2.7), grad=False),
    Sample("masked_select", (normal(3, 4), booleans(3, 4))),
    Sample("masked_select", (normal(3, 1), booleans(4))),
    Sample("masked_scatter", (normal(3, 4), booleans(4), normal(4, 4)), twin=lambda x, m, s: x.masked_scatter(m, s)),
    Sample("nonzero", (integers(0, 2, 3, 4),), grad=False),
    Sample("nonzero", (integers(0, 2, 3, 4),), {"as_tuple": True}, grad=False),
    Sample("argwhere", (integers(0, 2, 5),), grad=False),
    Sample("count_nonzero", (integers(0, 2, 3, 4),), {"dim": (0, 1)}, grad=False),
    Sample("count_nonzero", (integers(0, 2, 3, 4), 1), grad=False),
]
