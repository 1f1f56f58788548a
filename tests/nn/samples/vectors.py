"""Layers that treat their input as vectors: linear, flatten, embedding and distance layers."""

import numpy as np

from tests.nn.sample import LayerSample

index = np.array([[1, 4, 1, 2], [0, 4, 1, 3]])

SAMPLES = [
    LayerSample("Linear", (4, 0), {}, [(3, 4)]),
    LayerSample("Identity", inputs=[(2, 3)]),
    LayerSample("Identity", (54,), {"unused": True}, [(2, 3)]),
    LayerSample("Linear", (4, 5)),
    LayerSample("Linear", (4, 5, False), inputs=[(4,)]),
    LayerSample("Linear", (4, 5), inputs=[(2, 3, 4)]),
    LayerSample("Linear", (4, 5), inputs=[(0, 4)]),
    LayerSample("Bilinear", (4, 3, 5), inputs=[(6, 4), (6, 3)]),
    LayerSample("Bilinear", (4, 3, 5, False), inputs=[(2, 6, 4), (2, 6, 3)]),
    LayerSample("Bilinear", (4, 3, 5), inputs=[(4,), (3,)]),
    LayerSample("Flatten", inputs=[(2, 3, 4, 5)]),
    LayerSample("Flatten", (0, 1), inputs=[(2, 3, 4)]),
    LayerSample("Unflatten", (1, (2, -1)), inputs=[(3, 6)]),
    LayerSample("Unflatten", (), {"dim": -1, "unflattened_size": [3, 2]}, [(2, 3, 6)]),
    LayerSample("Embedding", (5, 3), inputs=[index]),
    LayerSample("Embedding", (5, 3, 1), inputs=[index]),
    LayerSample("Embedding", (5, 3), {"scale_grad_by_freq": True, "padding_idx": -1}, [index]),
    LayerSample("Embedding", (5, 3), {"max_norm": 1.0, "norm_type": 1.5}, [index]),
    LayerSample("Embedding", (5, 3), {"_weight": np.ones((5, 3), np.float32), "_freeze": True}, [index[0]]),
    *[
        LayerSample("EmbeddingBag", (5, 3), {"mode": mode, **options}, [index])
        for mode in ("sum", "mean", "max")
        for options in ({}, {"padding_idx": 1})
    ],
    LayerSample("EmbeddingBag", (5, 3), {"max_norm": 1.0, "norm_type": 1.5}, [index]),
    LayerSample("EmbeddingBag", (5, 3), {"_weight": np.ones((5, 3), np.float32), "mode": "max"}, [index]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index[0], np.array([0, 1, 1])]),
    LayerSample("EmbeddingBag", (5, 3), {"include_last_offset": True}, [index[0], np.array([0, 2, 4])]),
    LayerSample("PairwiseDistance", inputs=[(3, 4), (3, 4)]),
    LayerSample("PairwiseDistance", (1.0, 0.01, True), inputs=[(3, 4), (4,)]),
    LayerSample("CosineSimilarity", inputs=[(3, 4), (3, 4)]),
    LayerSample("CosineSimilarity", (2, 0.5), inputs=[(2, 3, 4), (1, 3, 4)]),
]

REFUSED = [
    LayerSample("EmbeddingBag", (5, 3), {"mode": "min"}, [index]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index, np.array([0])]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index[0]]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index[0], np.array([1, 2])]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index[0], np.array([0, 5])]),
    LayerSample("EmbeddingBag", (5, 3), {}, [index[None]]),
    LayerSample("Linear", (4, 5), inputs=[(2, 3)]),
    LayerSample("Bilinear", (4, 3, 5), inputs=[(6, 4), (5, 3)]),
    LayerSample("Bilinear", (4, 3, 5), inputs=[(6, 3), (6, 4)]),
    LayerSample("Bilinear", (0, 3, 5)),
    LayerSample("Flatten", (2,), inputs=[(2, 3)]),
    LayerSample("Flatten", (2, 1), inputs=[(2, 3, 4)]),
    LayerSample("Unflatten", (1, 6), inputs=[(2, 6)]),
    LayerSample("Unflatten", (1, (4, 2)), inputs=[(2, 6)]),
    LayerSample("Embedding", (5, 3), inputs=[np.array([5])]),
    LayerSample("Embedding", (5, 3), inputs=[np.array([1.0])]),
    LayerSample("Embedding", (5, 3, 5), inputs=[index]),
    LayerSample("CosineSimilarity", inputs=[(3, 4), (3, 5)]),
    LayerSample("CosineSimilarity", (3,), inputs=[(3, 4), (3, 4)]),
    LayerSample("PairwiseDistance", inputs=[(3, 4), (3, 5)]),
]
