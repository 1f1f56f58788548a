"""Loss layers: every argument, every reduction."""

import numpy as np

from tests.nn.sample import LayerSample

random = np.random.default_rng(0)


def uniform(*shape: int) -> np.ndarray:
    return random.uniform(0.05, 0.95, shape).astype(np.float32)


def signs(*shape: int) -> np.ndarray:
    return random.choice([-1, 1], shape)


weights = np.array([0.5, 2.0, 1.5, 1.0], np.float32)
classes = np.array([1, 0, 3])
some = np.array([1, -100, 3])  # with the default of ignore_index
pixels = random.integers(0, 4, (2, 3, 5))
two = [(3, 4), (3, 4)]
three = [(3, 4), (3, 4), (3, 4)]
probabilities = [uniform(3, 4), uniform(3, 4)]
labels = np.array([[3, 0, -1, 1], [0, 1, 2, 3], [-1, 1, 1, 1]])
none, total = {"reduction": "none"}, {"reduction": "sum"}

scores = random.standard_normal((6, 2, 4))
steps = (scores - np.log(np.exp(scores).sum(-1, keepdims=True))).astype(np.float32)
words = np.array([[1, 1, 2], [2, 1, 2]])

SAMPLES = [
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), classes]),
    LayerSample("CrossEntropyLoss", (weights,), none, [(3, 4), classes]),
    LayerSample("CrossEntropyLoss", (weights,), {}, [(3, 4), some]),
    LayerSample("CrossEntropyLoss", (weights, None, 1), {"label_smoothing": 0.1}, [(2, 4, 3, 5), pixels]),
    LayerSample("CrossEntropyLoss", (), {"label_smoothing": 0.3, "reduction": "sum"}, [(3, 4), some]),
    LayerSample("CrossEntropyLoss", (), {"label_smoothing": 0.3, "reduction": "none"}, [(3, 4), some]),
    LayerSample("CrossEntropyLoss", (), {"ignore_index": 3}, [(3, 4), classes]),
    LayerSample("CrossEntropyLoss", inputs=[(4,), np.array(2)]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), uniform(3, 4)]),
    LayerSample("CrossEntropyLoss", (weights,), {"label_smoothing": 0.1}, [(2, 4, 3), uniform(2, 4, 3)]),
    LayerSample("CrossEntropyLoss", (), none, [(3, 4), uniform(3, 4)]),
    LayerSample("CrossEntropyLoss", (), total, [(4,), uniform(4)]),
    LayerSample("NLLLoss", inputs=[(3, 4), classes]),
    LayerSample("NLLLoss", (weights,), {}, [(3, 4), some]),
    LayerSample("NLLLoss", (weights,), none, [(3, 4), some]),
    LayerSample("NLLLoss", (), total, [(2, 4, 3, 5), pixels]),
    LayerSample("NLLLoss", (), {"ignore_index": 0}, [(2, 4, 3, 5), pixels]),
    LayerSample("NLLLoss", inputs=[(4,), np.array(2)]),
    *[LayerSample(name, inputs=two) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    *[LayerSample(name, (), none, two) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    *[LayerSample(name, (), total, two) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    *[LayerSample(name, (), {}, [(3, 4), (4,)]) for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    LayerSample("MSELoss", inputs=[(), ()]),
    LayerSample("MSELoss", inputs=[(0, 4), (0, 4)]),
    LayerSample("SmoothL1Loss", (), {"beta": 0.3}, two),
    LayerSample("SmoothL1Loss", (), {"beta": 0.0}, two),
    LayerSample("HuberLoss", (), {"delta": 0.3}, two),
    LayerSample("BCELoss", inputs=probabilities),
    LayerSample("BCELoss", (weights,), none, probabilities),
    LayerSample("BCELoss", (), total, probabilities),
    LayerSample("BCEWithLogitsLoss", inputs=[(3, 4), uniform(3, 4)]),
    LayerSample("BCEWithLogitsLoss", (weights,), none, [(3, 4), uniform(3, 4)]),
    LayerSample("BCEWithLogitsLoss", (), {"pos_weight": weights}, [(3, 4), uniform(3, 4)]),
    LayerSample("BCEWithLogitsLoss", (weights,), {"pos_weight": weights, **total}, [(3, 4), uniform(3, 4)]),
    LayerSample("KLDivLoss", inputs=[(3, 4), uniform(3, 4)]),
    LayerSample("KLDivLoss", (), {"reduction": "batchmean"}, [(3, 4), uniform(3, 4)]),
    LayerSample("KLDivLoss", (), {"reduction": "batchmean", "log_target": True}, two),
    LayerSample("KLDivLoss", (), none, [(3, 4), np.array([[0, 1, 0, 0.5]] * 3, np.float32)], differentiable=1),
    LayerSample("PoissonNLLLoss", inputs=[(3, 4), uniform(3, 4)]),
    LayerSample("PoissonNLLLoss", (False,), none, [uniform(3, 4), 3 * uniform(3, 4)]),
    LayerSample("PoissonNLLLoss", (True, True), total, [(3, 4), 3 * uniform(3, 4)]),
    LayerSample("PoissonNLLLoss", (False, False), {"eps": 0.1}, probabilities),
    LayerSample("GaussianNLLLoss", inputs=[(3, 4), (3, 4), uniform(3, 4)]),
    LayerSample("GaussianNLLLoss", (), {"full": True, **none}, [(3, 4), (3, 4), uniform(3)]),
    LayerSample("GaussianNLLLoss", (), {"eps": 0.5, **total}, [(3, 4), (3, 4), uniform(3, 1)]),
    LayerSample("HingeEmbeddingLoss", inputs=[(3, 4), signs(3, 4)]),
    LayerSample("HingeEmbeddingLoss", (0.3,), none, [(3, 4), signs(3, 4)]),
    LayerSample("MarginRankingLoss", inputs=[(5,), (5,), signs(5)]),
    LayerSample("MarginRankingLoss", (0.5,), none, [(3, 4), (3, 1), signs(3, 4)]),
    LayerSample("CosineEmbeddingLoss", inputs=[(5, 3), (5, 3), signs(5)]),
    LayerSample("CosineEmbeddingLoss", (0.2,), total, [(5, 3), (5, 3), signs(5)]),
    LayerSample("CosineEmbeddingLoss", (-0.5,), none, [(5, 3), (5, 3), signs(5)]),
    LayerSample("CosineEmbeddingLoss", inputs=[(3,), (3,), np.array(-1)]),
    LayerSample("TripletMarginLoss", inputs=three),
    LayerSample("TripletMarginLoss", (0.5, 1.0), {"swap": True, **none}, three),
    LayerSample("TripletMarginLoss", (), {"margin": 2.0, "p": 3, "eps": 1e-3}, [(4,), (4,), (4,)]),
    LayerSample("TripletMarginWithDistanceLoss", inputs=three),
    LayerSample("TripletMarginWithDistanceLoss", (), {"margin": 0.5, "swap": True, **total}, three),
    LayerSample("SoftMarginLoss", inputs=[(3, 4), signs(3, 4)]),
    LayerSample("SoftMarginLoss", (), none, [(3, 4), signs(3, 4).astype(np.float32)], differentiable=1),
    LayerSample("MultiLabelSoftMarginLoss", inputs=[(3, 4), uniform(3, 4)]),
    LayerSample("MultiLabelSoftMarginLoss", (weights,), none, [(3, 4), uniform(3, 4)]),
    LayerSample("MultiLabelSoftMarginLoss", (), total, [(4,), uniform(4)]),
    LayerSample("MultiMarginLoss", inputs=[(3, 4), classes]),
    LayerSample("MultiMarginLoss", (2, 0.5, weights), none, [(3, 4), classes]),
    LayerSample("MultiMarginLoss", (2,), total, [(3, 4), classes]),
    LayerSample("MultiMarginLoss", inputs=[(4,), np.array(2)]),
    LayerSample("MultiLabelMarginLoss", inputs=[(3, 4), labels]),
    LayerSample("MultiLabelMarginLoss", (), none, [(3, 4), labels]),
    LayerSample("MultiLabelMarginLoss", inputs=[(4,), labels[0]]),
    LayerSample("CTCLoss", inputs=[steps, words, np.array([6, 5]), np.array([3, 2])]),
    LayerSample("CTCLoss", (3,), none, [steps, words[0], np.array([6, 5]), np.array([2, 1])]),
    LayerSample("CTCLoss", (0, "sum", True), {}, [steps, words, np.array([2, 6]), np.array([3, 3])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (16, 12, [3, 6]), {}, [(5, 16), np.array([0, 2, 11, 4, 7])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [5], 2.0, True), {}, [(8,), np.array(7)]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (16, 12, (2, 3)), {}, [(2, 16), np.array([1, 0])]),
]

REFUSED = [
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.array([0, 1, 4])]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.array([0, 1, -1])]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.array([0, 1])]),
    LayerSample("CrossEntropyLoss", inputs=[(2, 4, 3), np.zeros((2, 2), int)]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.zeros(3, np.int32)]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.zeros(3, np.float32)]),
    LayerSample("CrossEntropyLoss", inputs=[(3, 4), np.zeros((3, 4), int)]),
    LayerSample("CrossEntropyLoss", (weights[:3],), {}, [(3, 4), classes]),
    LayerSample("CrossEntropyLoss", (weights.astype(float),), {}, [(3, 4), classes]),
    LayerSample("CrossEntropyLoss", (), {"label_smoothing": 1.5}, [(3, 4), classes]),
    LayerSample("CrossEntropyLoss", (), {"ignore_index": 0}, [(3, 4), uniform(3, 4)]),
    LayerSample("CrossEntropyLoss", (), {"reduction": "average"}, [(3, 4), classes]),
    LayerSample("NLLLoss", inputs=[(), np.array(0)]),
    LayerSample("NLLLoss", inputs=[(3, 4), np.array([0, 1, 4])]),
    LayerSample("MSELoss", inputs=[(3, 4), (3, 3)]),
    LayerSample("MSELoss", inputs=[np.array([1]), np.array([2])]),
    LayerSample("MSELoss", (), {"reduction": "batchmean"}, two),
    LayerSample("SmoothL1Loss", (), {"beta": -1.0}, two),
    LayerSample("HuberLoss", (), {"delta": 0.0}, two),
    LayerSample("HuberLoss", (), {"delta": "1"}, two),
    LayerSample("BCELoss", inputs=[1 + uniform(3, 4), uniform(3, 4)]),
    LayerSample("BCELoss", inputs=[uniform(3, 4), 1 + uniform(3, 4)]),
    LayerSample("BCELoss", inputs=[uniform(3, 4), uniform(4)]),
    LayerSample("BCELoss", inputs=[uniform(3, 4), uniform(3, 4).astype(float)]),
    LayerSample("BCELoss", (uniform(2, 3, 4),), {}, probabilities),
    LayerSample("BCEWithLogitsLoss", inputs=[(3, 4), (4,)]),
    LayerSample("BCEWithLogitsLoss", inputs=[(3, 4), np.zeros((3, 4), int)]),
    LayerSample("BCEWithLogitsLoss", (), {"pos_weight": weights[:3]}, [(3, 4), uniform(3, 4)]),
    LayerSample("KLDivLoss", (), {"reduction": "batch"}, two),
    LayerSample("GaussianNLLLoss", inputs=[(3, 4), (3, 4), -uniform(3, 4)]),
    LayerSample("GaussianNLLLoss", inputs=[(3, 4), (3, 4), uniform(4)]),
    LayerSample("MarginRankingLoss", inputs=[(3, 4), (3, 4), signs(4)]),
    LayerSample("CosineEmbeddingLoss", inputs=[(3, 4), (3, 4), signs(3, 4)]),
    LayerSample("CosineEmbeddingLoss", inputs=[(3, 4), (3, 4), np.array(1)]),
    LayerSample("TripletMarginLoss", (0.0,), {}, three),
    LayerSample("TripletMarginLoss", inputs=[(3, 4), (3, 4), (4,)]),
    LayerSample("TripletMarginWithDistanceLoss", (), {"margin": -1.0}, three),
    LayerSample("SoftMarginLoss", inputs=two),
    LayerSample("SoftMarginLoss", inputs=[(3, 4), signs(3, 3)]),
    LayerSample("MultiMarginLoss", (3,), {}, [(3, 4), classes]),
    LayerSample("MultiMarginLoss", (), {"weight": uniform(4, 1)}, [(3, 4), classes]),
    LayerSample("MultiMarginLoss", (), {"weight": uniform(3)}, [(3, 4), classes]),
    LayerSample("MultiMarginLoss", inputs=[(3, 4), np.array([0, 1, 4])]),
    LayerSample("MultiMarginLoss", inputs=[(2, 3, 4), np.array([0, 1])]),
    LayerSample("MultiLabelMarginLoss", inputs=[(3, 4), labels[:2]]),
    LayerSample("MultiLabelMarginLoss", inputs=[(3, 4), labels + 2]),
    LayerSample("CTCLoss", (4,), {}, [steps, words, np.array([6, 5]), np.array([3, 2])]),
    LayerSample("CTCLoss", inputs=[steps, words, np.array([7, 5]), np.array([3, 2])]),
    LayerSample("CTCLoss", inputs=[steps, words, np.array([6]), np.array([3, 2])]),
    LayerSample("CTCLoss", (), {"reduction": "average"}, [steps, words, np.array([6, 5]), np.array([3, 2])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, []), {}, [(2, 8), np.array([1, 0])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3, 3]), {}, [(2, 8), np.array([1, 0])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3, 12]), {}, [(2, 8), np.array([1, 0])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3]), {}, [(2, 8), np.array([1, 12])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3]), {}, [(2, 8), np.array([1])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3]), {}, [(2, 7), np.array([1, 0])]),
    LayerSample("AdaptiveLogSoftmaxWithLoss", (8, 12, [3]), {}, [(2, 8), np.array([[1, 0]])]),
]
