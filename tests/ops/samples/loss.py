"""Samples of losses."""

import numpy as np

from tests.ops.sample import Sample, integers, normal, uniform

weight = np.array([0.5, 2.0, 0.0, 1.0], np.float32)
some = np.array([1, -100, 3])
rows = (normal(3, 4), np.array([1, 0, 3]))
images = (normal(2, 4, 3, 2), integers(0, 4, 2, 3, 2))

SAMPLES = [
    Sample("nn.functional.cross_entropy", rows),
    Sample("nn.functional.cross_entropy", rows, {"reduction": "none"}),
    Sample("nn.functional.cross_entropy", rows, {"label_smoothing": 0.2}),
    Sample("nn.functional.cross_entropy", (normal(3, 4), some), {"label_smoothing": 0.2, "reduction": "sum"}),
    Sample("nn.functional.cross_entropy", (normal(3, 4), some)),
    Sample("nn.functional.cross_entropy", (normal(4), np.array(2))),
    Sample("nn.functional.cross_entropy", (normal(2, 4, 3), integers(0, 4, 2, 3)), {"ignore_index": 1}),
    Sample("nn.functional.cross_entropy", images, {"reduction": "none"}),
    Sample("nn.functional.cross_entropy", (normal(3, 4), uniform(0, 1, 3, 4))),
    Sample("nn.functional.cross_entropy", (normal(3, 4), uniform(0, 1, 3, 4), weight), {"label_smoothing": 0.1}),
    Sample("nn.functional.cross_entropy", (normal(2, 4, 3), uniform(0, 1, 2, 4, 3)), {"reduction": "none"}),
    Sample("nn.functional.nll_loss", rows),
    Sample("nn.functional.nll_loss", (normal(3, 4), some), {"reduction": "sum"}),
    Sample("nn.functional.nll_loss", (normal(4), np.array(2)), {"reduction": "none"}),
    Sample("nn.functional.nll_loss", images),
    Sample("nn.functional.mse_loss", (normal(3, 4), normal(3, 4))),
    Sample("nn.functional.mse_loss", (normal(3, 4), normal(3, 4)), {"reduction": "none"}),
    Sample("nn.functional.mse_loss", (normal(3, 4), normal(3, 4)), {"reduction": "sum"}),
    Sample("nn.functional.mse_loss", (normal(3, 4), normal(3, 4)), {"weight": uniform(0, 1, 3, 4)}),
    Sample("nn.functional.mse_loss", (normal(), normal())),
    Sample("nn.functional.l1_loss", (normal(3, 4), normal(3, 4))),
    Sample("nn.functional.l1_loss", (normal(3, 4), normal(3, 4)), {"reduction": "none"}),
    Sample("nn.functional.l1_loss", (normal(3, 4), normal(3, 4)), {"weight": uniform(0, 1, 3, 4), "reduction": "mean"}),
]

two = (normal(3, 4), normal(3, 4))
probabilities = (uniform(0.05, 0.95, 3, 4), uniform(0.05, 0.95, 3, 4))
signs = np.array([1, -1, -1])
labels = np.array([[3, 0, -1, 1], [0, 1, 2, 3], [-1, 1, 1, 1]])

SAMPLES += [
    Sample("nn.functional.smooth_l1_loss", two),
    Sample("nn.functional.smooth_l1_loss", two, {"beta": 0.3, "reduction": "none"}),
    Sample("nn.functional.smooth_l1_loss", two, {"beta": 0, "reduction": "sum"}),
    Sample("nn.functional.huber_loss", two),
    Sample("nn.functional.huber_loss", two, {"delta": 0.3, "reduction": "none"}),
    Sample("nn.functional.huber_loss", two, {"weight": uniform(0, 1, 3, 4)}),
    Sample("nn.functional.binary_cross_entropy", probabilities),
    Sample("nn.functional.binary_cross_entropy", probabilities, {"reduction": "none"}),
    Sample("nn.functional.binary_cross_entropy_with_logits", (normal(3, 4), uniform(0, 1, 3, 4))),
    Sample("nn.functional.binary_cross_entropy_with_logits", (50 * normal(4), uniform(0, 1, 4)), {"reduction": "none"}),
    Sample("nn.functional.kl_div", (normal(3, 4), uniform(0.1, 1, 3, 4)), {"reduction": "batchmean"}),
    Sample("nn.functional.kl_div", two, {"reduction": "none", "log_target": True}),
    Sample("nn.functional.poisson_nll_loss", (normal(3, 4), uniform(0, 1, 3, 4))),
    Sample(
        "nn.functional.poisson_nll_loss", (uniform(1, 2, 3), uniform(1.2, 3, 3)), {"log_input": False, "full": True}
    ),
    Sample("nn.functional.gaussian_nll_loss", (*two, uniform(0.1, 2, 3, 4))),
    Sample("nn.functional.gaussian_nll_loss", (*two, uniform(0.1, 2, 3)), {"full": True, "reduction": "none"}),
    Sample("nn.functional.gaussian_nll_loss", (*two, 0.5), {"reduction": "sum"}),
    Sample("nn.functional.hinge_embedding_loss", (normal(3), signs), {"margin": 0.5}),
    Sample("nn.functional.margin_ranking_loss", (normal(3), normal(3), signs), {"margin": 0.5}),
    Sample("nn.functional.cosine_embedding_loss", (*two, signs), {"margin": -0.5}),
    Sample("nn.functional.cosine_embedding_loss", (normal(4), normal(4), np.array(1))),
    Sample("nn.functional.triplet_margin_loss", (*two, normal(3, 4)), {"swap": True}),
    Sample("nn.functional.triplet_margin_loss", (*two, normal(3, 4)), {"p": 1, "margin": 2.0, "reduction": "none"}),
    Sample("nn.functional.triplet_margin_with_distance_loss", (*two, normal(3, 4))),
    Sample("nn.functional.soft_margin_loss", (normal(3), signs)),
    Sample("nn.functional.soft_margin_loss", (normal(2, 3), signs), {"reduction": "none"}),
    Sample("nn.functional.multilabel_soft_margin_loss", (normal(3, 4), uniform(0, 1, 3, 4))),
    Sample("nn.functional.multilabel_soft_margin_loss", (*two, normal(4)), {"reduction": "none"}),
    Sample("nn.functional.multi_margin_loss", rows),
    Sample("nn.functional.multi_margin_loss", rows, {"p": 2, "margin": 0.5, "reduction": "none"}),
    Sample("nn.functional.multi_margin_loss", (normal(4), np.array(2))),
    Sample("nn.functional.multilabel_margin_loss", (normal(3, 4), labels)),
    Sample("nn.functional.multilabel_margin_loss", (normal(3, 4), labels), {"reduction": "none"}),
    Sample("nn.functional.multilabel_margin_loss", (normal(4), labels[0])),
]
