"""Layers as functions (torch.nn.functional). Each is defined with its op; this file is the list of names."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.ops.activation import *
    from lenetcli.ops.adaptive_pool import *
    from lenetcli.ops.average_pool import *
    from lenetcli.ops.batch_norm import *
    from lenetcli.ops.classification_loss import *
    from lenetcli.ops.conv import *
    from lenetcli.ops.distance import *
    from lenetcli.ops.dropout import *
    from lenetcli.ops.embedding import *
    from lenetcli.ops.fold import *
    from lenetcli.ops.interpolate import *
    from lenetcli.ops.linear import *
    from lenetcli.ops.loss import *
    from lenetcli.ops.margin_loss import *
    from lenetcli.ops.multi_margin_loss import *
    from lenetcli.ops.normalization import *
    from lenetcli.ops.padding import *
    from lenetcli.ops.pointwise import *
    from lenetcli.ops.pool import *
    from lenetcli.ops.probability_loss import *
    from lenetcli.ops.rearrangement import *
    from lenetcli.ops.smooth_activation import *
    from lenetcli.ops.softmax import *
    from lenetcli.ops.trigonometry import *

_MODULES = {
    "lenetcli.ops.activation": """hardshrink hardsigmoid hardswish hardtanh leaky_relu prelu relu relu6 rrelu
        softshrink threshold""",
    "lenetcli.ops.adaptive_pool": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d",
    "lenetcli.ops.average_pool": "avg_pool1d avg_pool2d lp_pool1d lp_pool2d",
    "lenetcli.ops.batch_norm": "batch_norm",
    "lenetcli.ops.classification_loss": "cross_entropy nll_loss",
    "lenetcli.ops.conv": "conv1d conv2d conv_transpose1d conv_transpose2d",
    "lenetcli.ops.distance": "cosine_similarity normalize pairwise_distance",
    "lenetcli.ops.dropout": "alpha_dropout dropout dropout1d dropout2d feature_alpha_dropout",
    "lenetcli.ops.embedding": "embedding one_hot",
    "lenetcli.ops.fold": "fold unfold",
    "lenetcli.ops.interpolate": "interpolate",
    "lenetcli.ops.linear": "bilinear linear",
    "lenetcli.ops.loss": "huber_loss l1_loss mse_loss smooth_l1_loss",
    "lenetcli.ops.margin_loss": """cosine_embedding_loss hinge_embedding_loss margin_ranking_loss
        multilabel_soft_margin_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss""",
    "lenetcli.ops.multi_margin_loss": "multi_margin_loss multilabel_margin_loss",
    "lenetcli.ops.normalization": "group_norm instance_norm layer_norm local_response_norm rms_norm",
    "lenetcli.ops.padding": "pad",
    "lenetcli.ops.pointwise": "sigmoid",
    "lenetcli.ops.pool": "max_pool1d max_pool2d max_unpool1d max_unpool2d",
    "lenetcli.ops.probability_loss": """binary_cross_entropy binary_cross_entropy_with_logits gaussian_nll_loss kl_div
        poisson_nll_loss""",
    "lenetcli.ops.rearrangement": "channel_shuffle pixel_shuffle pixel_unshuffle",
    "lenetcli.ops.smooth_activation": "celu elu gelu glu logsigmoid mish selu silu softplus softsign tanhshrink",
    "lenetcli.ops.softmax": "log_softmax softmax softmin",
    "lenetcli.ops.trigonometry": "tanh",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES)
