"""Samples of attention."""

import numpy as np

from tests.ops.sample import Sample, normal

name = "nn.functional.scaled_dot_product_attention"
seen = np.array([[True, False, True, True, False], [False] * 5, [True] * 5])  # a query that no key counts for

SAMPLES = [
    Sample(name, (normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 6))),
    Sample(name, (normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)), {"is_causal": True}),
    Sample(name, (normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)), {"attn_mask": seen}),
    Sample(name, (normal(2, 2, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4), seen), {"is_causal": True}),
    Sample(name, (normal(2, 3, 4), normal(2, 5, 4), normal(2, 5, 4)), {"attn_mask": normal(2, 3, 5)}),
    Sample(name, (normal(3, 4), normal(5, 4), normal(5, 4)), {"scale": -0.7}),
    Sample(name, (normal(2, 4, 3, 4), normal(2, 2, 5, 4), normal(2, 2, 5, 4)), {"enable_gqa": True}),
    Sample(name, (normal(2, 3, 4), normal(2, 0, 4), normal(2, 0, 4))),
]
