"""Storey 3: modules and layers (torch.nn). What stands in `__all__` is what a config may name."""

from typing import TYPE_CHECKING

from lenetcli.lazy import offered

if TYPE_CHECKING:
    from lenetcli.nn.activation import *
    from lenetcli.nn.adaptive import *
    from lenetcli.nn.adaptive_pooling import *
    from lenetcli.nn.attention.layers import *
    from lenetcli.nn.attention.multihead import *
    from lenetcli.nn.attention.tokens import *
    from lenetcli.nn.attention.transformer import *
    from lenetcli.nn.batchnorm import *
    from lenetcli.nn.channelshuffle import *
    from lenetcli.nn.container import *
    from lenetcli.nn.conv import *
    from lenetcli.nn.conv3d import *
    from lenetcli.nn.ctc_loss import *
    from lenetcli.nn.distance import *
    from lenetcli.nn.dropout import *
    from lenetcli.nn.flatten import *
    from lenetcli.nn.fold import *
    from lenetcli.nn.fractional_pooling import *
    from lenetcli.nn.graph import *
    from lenetcli.nn.instancenorm import *
    from lenetcli.nn.lazy_layers import *
    from lenetcli.nn.linear import *
    from lenetcli.nn.loss import *
    from lenetcli.nn.margin_loss import *
    from lenetcli.nn.merge import *
    from lenetcli.nn.module import *
    from lenetcli.nn.normalization import *
    from lenetcli.nn.padding import *
    from lenetcli.nn.parameter import *
    from lenetcli.nn.parameter_container import *
    from lenetcli.nn.pixelshuffle import *
    from lenetcli.nn.pooling import *
    from lenetcli.nn.pooling3d import *
    from lenetcli.nn.probability_loss import *
    from lenetcli.nn.recurrent.cells import *
    from lenetcli.nn.recurrent.layers import *
    from lenetcli.nn.recurrent.steps import *
    from lenetcli.nn.smooth_activation import *
    from lenetcli.nn.softmax import *
    from lenetcli.nn.sparse import *
    from lenetcli.nn.syncbatchnorm import *
    from lenetcli.nn.uninitialized import *
    from lenetcli.nn.upsampling import *

_MODULES = {
    "lenetcli.nn.activation": """Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU PReLU ReLU ReLU6 RReLU Softshrink
        Threshold""",
    "lenetcli.nn.adaptive": "AdaptiveLogSoftmaxWithLoss",
    "lenetcli.nn.attention.layers": "TransformerDecoderLayer TransformerEncoderLayer",
    "lenetcli.nn.attention.multihead": "MultiheadAttention",
    "lenetcli.nn.attention.tokens": "Positions Tokens",
    "lenetcli.nn.attention.transformer": "Transformer TransformerDecoder TransformerEncoder",
    "lenetcli.nn.batchnorm": "BatchNorm1d BatchNorm2d BatchNorm3d",
    "lenetcli.nn.channelshuffle": "ChannelShuffle",
    "lenetcli.nn.container": "ModuleDict ModuleList Residual Sequential",
    "lenetcli.nn.conv": "Conv1d Conv2d ConvTranspose1d ConvTranspose2d",
    "lenetcli.nn.conv3d": "Conv3d ConvTranspose3d",
    "lenetcli.nn.ctc_loss": "CTCLoss",
    "lenetcli.nn.distance": "CosineSimilarity PairwiseDistance",
    "lenetcli.nn.dropout": "AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout",
    "lenetcli.nn.flatten": "Flatten Unflatten",
    "lenetcli.nn.fold": "Fold Unfold",
    "lenetcli.nn.fractional_pooling": "FractionalMaxPool2d FractionalMaxPool3d",
    "lenetcli.nn.graph": "Graph",
    "lenetcli.nn.instancenorm": "InstanceNorm1d InstanceNorm2d InstanceNorm3d",
    "lenetcli.nn.lazy_layers": """LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d LazyConv1d LazyConv2d LazyConv3d
        LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d LazyLinear""",
    "lenetcli.nn.linear": "Bilinear Identity Linear",
    "lenetcli.nn.loss": "CrossEntropyLoss HuberLoss L1Loss MSELoss NLLLoss SmoothL1Loss",
    "lenetcli.nn.margin_loss": """CosineEmbeddingLoss HingeEmbeddingLoss MarginRankingLoss MultiLabelMarginLoss
        MultiLabelSoftMarginLoss MultiMarginLoss SoftMarginLoss TripletMarginLoss TripletMarginWithDistanceLoss""",
    "lenetcli.nn.merge": "Add Concat Multiply",
    "lenetcli.nn.module": "Module",
    "lenetcli.nn.normalization": "GroupNorm LayerNorm LocalResponseNorm RMSNorm",
    "lenetcli.nn.padding": """CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
        ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d ReplicationPad3d ZeroPad1d
        ZeroPad2d ZeroPad3d""",
    "lenetcli.nn.parameter": "Buffer Parameter",
    "lenetcli.nn.parameter_container": "ParameterDict ParameterList",
    "lenetcli.nn.pixelshuffle": "PixelShuffle PixelUnshuffle",
    "lenetcli.nn.adaptive_pooling": """AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
        AdaptiveMaxPool2d AdaptiveMaxPool3d""",
    "lenetcli.nn.pooling": "AvgPool1d AvgPool2d LPPool1d LPPool2d MaxPool1d MaxPool2d MaxUnpool1d MaxUnpool2d",
    "lenetcli.nn.pooling3d": "AvgPool3d LPPool3d MaxPool3d MaxUnpool3d",
    "lenetcli.nn.probability_loss": "BCELoss BCEWithLogitsLoss GaussianNLLLoss KLDivLoss PoissonNLLLoss",
    "lenetcli.nn.recurrent.cells": "GRUCell LSTMCell RNNCell",
    "lenetcli.nn.recurrent.layers": "GRU LSTM RNN",
    "lenetcli.nn.recurrent.steps": "Steps",
    "lenetcli.nn.smooth_activation": """CELU ELU GELU GLU SELU LogSigmoid Mish Sigmoid SiLU Softplus Softsign Tanh
        Tanhshrink""",
    "lenetcli.nn.softmax": "LogSoftmax Softmax Softmax2d Softmin",
    "lenetcli.nn.sparse": "Embedding EmbeddingBag",
    "lenetcli.nn.syncbatchnorm": "SyncBatchNorm",
    "lenetcli.nn.uninitialized": "UninitializedBuffer UninitializedParameter",
    "lenetcli.nn.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
}  # fmt: skip
if not TYPE_CHECKING:
    __getattr__, __dir__, __all__ = offered(__name__, _MODULES, "functional init utils")
    __all__.sort()
