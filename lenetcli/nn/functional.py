"""Layers as functions (torch.nn.functional). Each is defined with its op; this file is the list of names."""

from __future__ import annotations

from lenetcli.ops.activation import (
    hardshrink,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    prelu,
    relu,
    relu6,
    rrelu,
    softshrink,
    threshold,
)
from lenetcli.ops.adaptive_pool import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
)
from lenetcli.ops.average_pool import avg_pool1d, avg_pool2d, lp_pool1d, lp_pool2d
from lenetcli.ops.batch_norm import batch_norm
from lenetcli.ops.classification_loss import cross_entropy, nll_loss
from lenetcli.ops.conv import conv1d, conv2d, conv_transpose1d, conv_transpose2d
from lenetcli.ops.distance import cosine_similarity, normalize, pairwise_distance
from lenetcli.ops.dropout import alpha_dropout, dropout, dropout1d, dropout2d, feature_alpha_dropout
from lenetcli.ops.embedding import embedding, one_hot
from lenetcli.ops.fold import fold, unfold
from lenetcli.ops.interpolate import interpolate
from lenetcli.ops.linear import bilinear, linear
from lenetcli.ops.loss import huber_loss, l1_loss, mse_loss, smooth_l1_loss
from lenetcli.ops.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multilabel_soft_margin_loss,
    soft_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from lenetcli.ops.multi_margin_loss import multi_margin_loss, multilabel_margin_loss
from lenetcli.ops.normalization import group_norm, instance_norm, layer_norm, local_response_norm, rms_norm
from lenetcli.ops.padding import pad
from lenetcli.ops.pointwise import sigmoid
from lenetcli.ops.pool import max_pool1d, max_pool2d, max_unpool1d, max_unpool2d
from lenetcli.ops.probability_loss import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    gaussian_nll_loss,
    kl_div,
    poisson_nll_loss,
)
from lenetcli.ops.rearrangement import channel_shuffle, pixel_shuffle, pixel_unshuffle
from lenetcli.ops.smooth_activation import (
    celu,
    elu,
    gelu,
    glu,
    logsigmoid,
    mish,
    selu,
    silu,
    softplus,
    softsign,
    tanhshrink,
)
from lenetcli.ops.softmax import log_softmax, softmax, softmin
from lenetcli.ops.trigonometry import tanh

__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "alpha_dropout",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "channel_shuffle",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_embedding_loss",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout1d",
    "dropout2d",
    "elu",
    "embedding",
    "feature_alpha_dropout",
    "fold",
    "gaussian_nll_loss",
    "gelu",
    "glu",
    "group_norm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "local_response_norm",
    "log_softmax",
    "logsigmoid",
    "lp_pool1d",
    "lp_pool2d",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool2d",
    "max_unpool1d",
    "max_unpool2d",
    "mish",
    "mse_loss",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pairwise_distance",
    "pixel_shuffle",
    "pixel_unshuffle",
    "poisson_nll_loss",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rrelu",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "soft_margin_loss",
    "softmax",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "tanh",
    "tanhshrink",
    "threshold",
    "triplet_margin_loss",
    "triplet_margin_with_distance_loss",
    "unfold",
]
