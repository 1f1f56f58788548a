import numpy as np

from tests.ops.sample import Sample, booleans, integers, normal

nan, inf = np.float32("nan"), np.float32("inf")
special = np.array([[2, nan, -inf, 0, nan], [inf, 1, 2, -1, inf]], np.float32)
ties = integers(0, 3, 3, 6)
fractions = np.array([0.1, 0.45], np.float32)

SAMPLES = [
    Sample("sort", (normal(3, 5),)),
    Sample("sort", (normal(2, 3, 4), 1), {"descending": True}),
    Sample("sort", (special,), {"stable": True}, grad=False),
    Sample("sort", (special,), {"stable": True, "descending": True}, grad=False),
    Sample("sort", (ties, 0), grad=False),
    Sample("sort", (normal(),)),
    Sample("argsort", (ties,), {"stable": True, "descending": True}, grad=False),
    Sample("argsort", (booleans(3, 4),), {"stable": True, "dim": 0}, grad=False),
    Sample("msort", (normal(3, 4),)),
    Sample("topk", (normal(3, 5), 2)),
    Sample("topk", (normal(3, 5), 3, 0), {"largest": False}),
    Sample("topk", (normal(3, 5), 0)),
    Sample("kthvalue", (normal(3, 5), 2)),
    Sample("kthvalue", (normal(3, 5), 3, 0, True)),
    Sample("mode", (ties,), grad=False),
    Sample("mode", (ties.astype(np.float32), 0, True), grad=False),
    Sample("median", (normal(3, 4),), {"dim": 1}),
    Sample("nanmedian", (special,)),
    Sample("nanmedian", (special, 1)),
    Sample("quantile", (normal(3, 4), 0.3)),
    Sample("quantile", (normal(3, 4), 0.5, 0, True)),
    Sample("quantile", (normal(3, 5), fractions), {"dim": 1}),
    *(
        Sample("quantile", (normal(3, 5), 0.4), {"dim": 1, "interpolation": interpolation})
        for interpolation in ("lower", "higher", "midpoint", "nearest")
    ),
    Sample("nanquantile", (special, 0.3, 1), grad=False),
    Sample("unique", (ties,), {"return_inverse": True, "return_counts": True}, grad=False),
    Sample("unique", (integers(0, 2, 5, 2),), {"dim": 0, "return_inverse": True, "return_counts": True}, grad=False),
    Sample("unique", (special,), {"return_inverse": True}, grad=False),
    Sample("unique_consecutive", (ties,), {"return_inverse": True, "return_counts": True}, grad=False),
    Sample("unique_consecutive", (integers(0, 2, 2, 5),), {"dim": 1}, grad=False),
    Sample("isin", (ties, np.array([0, 2, 7])), grad=False),
    Sample("isin", (ties, 1), {"invert": True}, grad=False),
    Sample("searchsorted", (np.sort(normal(5)), normal(2, 3)), grad=False),
    Sample("searchsorted", (np.sort(normal(2, 5)), normal(2, 3)), {"right": True, "out_int32": True}, grad=False),
    Sample("bucketize", (ties, np.array([0, 2, 3])), grad=False),
    Sample("bucketize", (ties, np.array([0, 2, 3])), {"right": True}, grad=False),
    Sample("histc", (normal(20), 5), grad=False),
    Sample("histc", (normal(4, 5),), {"bins": 4, "min": -1, "max": 1}, grad=False),
    Sample("aminmax", (normal(3, 4),)),
    Sample("aminmax", (normal(3, 4),), {"dim": 0, "keepdim": True}),
    Sample("cummax", (normal(3, 5), 1)),
    Sample("cummax", (ties, 1), grad=False),
    Sample("cummax", (special, 1), grad=False),
    Sample("cummin", (normal(2, 3, 4), -2)),
    Sample("cummin", (special, 0), grad=False),
    Sample("logcumsumexp", (normal(3, 5), 1)),
    Sample("logcumsumexp", (10 * normal(3, 5), 0)),
    Sample("diff", (normal(3, 5),)),
    Sample("diff", (normal(3, 5),), {"n": 2, "dim": 0}),
    Sample("diff", (normal(3, 5), 1, 1, normal(3, 1), normal(3, 2))),
    Sample("diff", (booleans(3, 5),), grad=False),
]
