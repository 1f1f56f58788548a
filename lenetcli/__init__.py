"""lenet: train small image models from YAML, and see every step.

The names below are torch's. They are imported on first use: `import lenetcli` alone does not even import numpy.
"""

from __future__ import annotations

from lenetcli.lazy import offered

__version__ = "0.1.0"

# where each public name lives
_MODULES = {
    "lenetcli._tensor": "Tensor Size device from_numpy",
    "lenetcli.kernels.threads": "get_num_threads set_num_threads",
    "lenetcli._tensor_str": "set_printoptions",
    "lenetcli.serialization": "save load",
    "lenetcli.trainer.trainer": "Trainer",
    "lenetcli.creation": """tensor as_tensor full full_like zeros zeros_like ones ones_like empty empty_like eye arange
        linspace logspace tril_indices triu_indices""",
    "lenetcli.sampling": "rand rand_like randn randn_like randint randint_like randperm normal bernoulli",
    "lenetcli.autograd.dtypes": """dtype uint8 int8 int16 int32 int64 float16 float32 float64 get_default_dtype
        set_default_dtype promote_types""",
    "lenetcli.autograd.modes": "no_grad enable_grad set_grad_enabled is_grad_enabled",
    "lenetcli.autograd.random": "Generator manual_seed initial_seed get_rng_state set_rng_state",
    "lenetcli.ops.arithmetic": "add sub subtract mul multiply neg negative positive addcmul addcdiv lerp",
    "lenetcli.ops.division": "div divide true_divide floor_divide remainder fmod",
    "lenetcli.ops.power": "pow float_power square sqrt rsqrt reciprocal hypot",
    "lenetcli.ops.pointwise": """abs absolute sign sgn exp expm1 exp2 log log1p log2 log10 sigmoid logit erf erfc
        xlogy""",
    "lenetcli.ops.trigonometry": """sin cos tan asin arcsin acos arccos atan arctan atan2 arctan2 sinh cosh tanh
        asinh arcsinh acosh arccosh atanh arctanh""",
    "lenetcli.ops.rounding": "floor ceil round trunc fix frac",
    "lenetcli.ops.comparison": """eq ne not_equal lt less le less_equal gt greater ge greater_equal isnan isfinite isinf
        isclose allclose equal""",
    "lenetcli.ops.logic": """logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor
        bitwise_not bitwise_left_shift bitwise_right_shift""",
    "lenetcli.ops.selection": "maximum minimum clamp clip clamp_min clamp_max where",
    "lenetcli.ops.shape": "reshape ravel flatten unflatten unsqueeze squeeze atleast_1d atleast_2d atleast_3d",
    "lenetcli.ops.axis_order": "permute transpose swapaxes swapdims adjoint t movedim moveaxis",
    "lenetcli.ops.expanding": """broadcast_to broadcast_tensors broadcast_shapes tile
        repeat_interleave""",
    "lenetcli.ops.joining": """cat concat concatenate stack hstack vstack dstack row_stack column_stack
        block_diag""",
    "lenetcli.ops.splitting": """split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk
        tensor_split hsplit vsplit dsplit unbind narrow select""",
    "lenetcli.ops.reordering": "flip fliplr flipud roll rot90",
    "lenetcli.ops.grid": "meshgrid cartesian_prod combinations",
    "lenetcli.ops.reduction": "sum nansum mean prod any all logsumexp bincount numel is_tensor",
    "lenetcli.ops.extrema": "max min amax amin argmax argmin median aminmax",
    "lenetcli.ops.variance": "var std var_mean std_mean",
    "lenetcli.ops.vector_norm": "norm",
    "lenetcli.ops.scan": "cumsum cumprod cummax cummin logcumsumexp diff",
    "lenetcli.ops.indexing": "index_put",
    "lenetcli.ops.scatter": "gather take_along_dim scatter scatter_add scatter_reduce",
    "lenetcli.ops.index_select": "index_select index_add index_copy index_fill index_reduce take put",
    "lenetcli.ops.masked": "masked_fill masked_select masked_scatter nonzero argwhere count_nonzero",
    "lenetcli.ops.ordering": "sort argsort msort topk kthvalue mode",
    "lenetcli.ops.quantile": "nanmedian quantile nanquantile",
    "lenetcli.ops.unique": "unique unique_consecutive isin",
    "lenetcli.ops.buckets": "searchsorted bucketize histc",
    "lenetcli.ops.linalg": "mm addmm bmm baddbmm addbmm",
    "lenetcli.ops.vector_products": "dot vdot mv addmv addr outer ger cross",
    "lenetcli.ops.matmul": "matmul chain_matmul",
    "lenetcli.ops.contraction": "tensordot inner kron",
    "lenetcli.ops.einsum": "einsum",
    "lenetcli.ops.diagonal": "diagonal diag_embed diag diagflat trace tril triu",
    "lenetcli.ops.distance": "cdist cosine_similarity pairwise_distance",
    "lenetcli.ops.activation": "relu prelu rrelu threshold hardshrink",
    "lenetcli.ops.smooth_activation": "selu celu",
    "lenetcli.ops.softmax": "softmax log_softmax",
    "lenetcli.ops.conv": "conv1d conv2d conv_transpose1d conv_transpose2d",
    "lenetcli.ops.pool": "max_pool1d max_pool2d",
    "lenetcli.ops.average_pool": "avg_pool1d",
    "lenetcli.ops.adaptive_pool": "adaptive_avg_pool1d adaptive_max_pool1d",
    "lenetcli.ops.rearrangement": "pixel_shuffle pixel_unshuffle channel_shuffle",
}  # fmt: skip
_RENAMED = {"bool": ("lenetcli.autograd.dtypes", "bool_"), "float": ("lenetcli.autograd.dtypes", "float32")}
__getattr__, __dir__, __all__ = offered(__name__, _MODULES, "autograd cuda linalg nn optim data", _RENAMED)
