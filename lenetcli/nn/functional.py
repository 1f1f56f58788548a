"""Layers as functions (torch.nn.functional). Each is defined with its op; this file is the list of names."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.ops.nn.adaptive_pool import *
    from lenetcli.ops.nn.attention import *
    from lenetcli.ops.nn.avg_pool2d import *
    from lenetcli.ops.nn.batch_norm import *
    from lenetcli.ops.nn.binary_cross_entropy import *
    from lenetcli.ops.nn.conv2d import *
    from lenetcli.ops.nn.conv3d import *
    from lenetcli.ops.nn.conv_transpose2d import *
    from lenetcli.ops.nn.cross_entropy import *
    from lenetcli.ops.nn.ctc_loss import *
    from lenetcli.ops.nn.distance import *
    from lenetcli.ops.nn.dropout import *
    from lenetcli.ops.nn.embedding import *
    from lenetcli.ops.nn.embedding_bag import *
    from lenetcli.ops.nn.fractional_max_pool import *
    from lenetcli.ops.nn.grid_sample import *
    from lenetcli.ops.nn.interpolate import *
    from lenetcli.ops.nn.layer_norm import *
    from lenetcli.ops.nn.linear import *
    from lenetcli.ops.nn.margin_loss import *
    from lenetcli.ops.nn.max_pool2d import *
    from lenetcli.ops.nn.mse_loss import *
    from lenetcli.ops.nn.multi_head_attention import *
    from lenetcli.ops.nn.multi_margin_loss import *
    from lenetcli.ops.nn.pool3d import *
    from lenetcli.ops.nn.softmax import *
    from lenetcli.ops.pointwise.exp import *
    from lenetcli.ops.pointwise.gelu import *
    from lenetcli.ops.pointwise.hardtanh import *
    from lenetcli.ops.pointwise.relu import *
    from lenetcli.ops.pointwise.relu_ import *
    from lenetcli.ops.pointwise.sin import *
    from lenetcli.ops.shaping.pad import *
    from lenetcli.ops.shaping.pixel_shuffle import *
    from lenetcli.ops.shaping.unfold import *

_MODULES = {
    "lenetcli.ops.pointwise.relu": "leaky_relu prelu relu rrelu",
    "lenetcli.ops.pointwise.hardtanh": "hardshrink hardsigmoid hardswish hardtanh relu6 softshrink threshold",
    "lenetcli.ops.pointwise.relu_": "celu_ elu_ hardtanh_ leaky_relu_ relu_ rrelu_ selu_ threshold_",
    "lenetcli.ops.nn.adaptive_pool": "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_max_pool1d adaptive_max_pool2d",
    "lenetcli.ops.nn.attention": "scaled_dot_product_attention",
    "lenetcli.ops.nn.avg_pool2d": "avg_pool1d avg_pool2d lp_pool1d lp_pool2d",
    "lenetcli.ops.nn.batch_norm": "batch_norm",
    "lenetcli.ops.nn.cross_entropy": "cross_entropy nll_loss",
    "lenetcli.ops.nn.ctc_loss": "ctc_loss",
    "lenetcli.ops.nn.conv2d": "conv1d conv2d",
    "lenetcli.ops.nn.conv_transpose2d": "conv_transpose1d conv_transpose2d",
    "lenetcli.ops.nn.conv3d": "conv3d conv_transpose3d",
    "lenetcli.ops.nn.pool3d": """adaptive_avg_pool3d adaptive_max_pool3d avg_pool3d lp_pool3d max_pool3d
        max_unpool3d""",
    "lenetcli.ops.nn.distance": "cosine_similarity normalize pairwise_distance pdist",
    "lenetcli.ops.nn.dropout": "alpha_dropout dropout dropout1d dropout2d dropout3d feature_alpha_dropout",
    "lenetcli.ops.nn.embedding": "embedding one_hot",
    "lenetcli.ops.shaping.unfold": "fold unfold",
    "lenetcli.ops.nn.embedding_bag": "embedding_bag",
    "lenetcli.ops.nn.fractional_max_pool": "fractional_max_pool2d fractional_max_pool3d",
    "lenetcli.ops.nn.grid_sample": "affine_grid grid_sample",
    "lenetcli.ops.nn.interpolate": "interpolate",
    "lenetcli.ops.nn.linear": "bilinear linear",
    "lenetcli.ops.nn.mse_loss": "huber_loss l1_loss mse_loss smooth_l1_loss",
    "lenetcli.ops.nn.margin_loss": """cosine_embedding_loss hinge_embedding_loss margin_ranking_loss
        multilabel_soft_margin_loss soft_margin_loss triplet_margin_loss triplet_margin_with_distance_loss""",
    "lenetcli.ops.nn.multi_head_attention": "multi_head_attention_forward",
    "lenetcli.ops.nn.multi_margin_loss": "multi_margin_loss multilabel_margin_loss",
    "lenetcli.ops.nn.layer_norm": "group_norm instance_norm layer_norm local_response_norm rms_norm",
    "lenetcli.ops.shaping.pad": "pad",
    "lenetcli.ops.pointwise.exp": "sigmoid",
    "lenetcli.ops.nn.max_pool2d": "max_pool1d max_pool2d max_unpool1d max_unpool2d",
    "lenetcli.ops.nn.binary_cross_entropy": """binary_cross_entropy binary_cross_entropy_with_logits
        gaussian_nll_loss kl_div poisson_nll_loss""",
    "lenetcli.ops.shaping.pixel_shuffle": "channel_shuffle pixel_shuffle pixel_unshuffle",
    "lenetcli.ops.pointwise.gelu": "celu elu gelu glu logsigmoid mish selu silu softplus softsign tanhshrink",
    "lenetcli.ops.nn.softmax": "gumbel_softmax log_softmax softmax softmin",
    "lenetcli.ops.pointwise.sin": "tanh",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES)
