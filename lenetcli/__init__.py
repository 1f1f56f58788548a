"""lenet: train small image models from YAML, and see every step.

The names below are torch's. They are imported on first use: `import lenetcli` alone does not even import numpy.
"""

from __future__ import annotations

from typing import Any

from lenetcli.lazy import offered

__version__ = "0.1.0"

# where each public name lives
_MODULES = {
    "lenetcli.tensors.tensor": "Tensor from_numpy",
    "lenetcli.tensors.size": "Size",
    "lenetcli.tensors.device": "device",
    "lenetcli.kernels.threads": "get_num_threads set_num_threads",
    "lenetcli.tensors.printing": "set_printoptions",
    "lenetcli.tensors.serialization": "save load",
    "lenetcli.trainer": "Trainer",
    "lenetcli.tensors.creation": """tensor as_tensor full full_like zeros zeros_like ones ones_like empty empty_like""",
    "lenetcli.tensors.ranges": "eye arange linspace logspace tril_indices triu_indices",
    "lenetcli.tensors.sampling": """rand rand_like randn randn_like randint randint_like randperm normal
        bernoulli multinomial""",
    "lenetcli.autograd.dtypes": """dtype uint8 int8 int16 int32 int64 float16 float32 float64 get_default_dtype
        set_default_dtype promote_types""",
    "lenetcli.autograd.modes": "no_grad enable_grad inference_mode set_grad_enabled is_grad_enabled",
    "lenetcli.tensors.limits": "finfo iinfo pi e inf nan",
    "lenetcli.tensors.typed": """BoolTensor ByteTensor CharTensor ShortTensor IntTensor LongTensor HalfTensor
        FloatTensor DoubleTensor""",
    "lenetcli.autograd.random": "Generator manual_seed initial_seed get_rng_state set_rng_state",
    "lenetcli.ops.pointwise.add": "add sub subtract mul multiply neg negative positive addcmul addcdiv lerp",
    "lenetcli.ops.pointwise.div": "div divide true_divide floor_divide remainder fmod",
    "lenetcli.ops.pointwise.pow": "pow float_power square sqrt rsqrt reciprocal hypot",
    "lenetcli.ops.pointwise.exp": """abs absolute sign sgn exp expm1 exp2 log log1p log2 log10 sigmoid logit erf erfc
        xlogy""",
    "lenetcli.ops.pointwise.sin": """sin cos tan asin arcsin acos arccos atan arctan atan2 arctan2 sinh cosh tanh
        asinh arcsinh acosh arccosh atanh arctanh""",
    "lenetcli.ops.pointwise.round": "floor ceil round trunc fix frac",
    "lenetcli.ops.pointwise.eq": """eq ne not_equal lt less le less_equal gt greater ge greater_equal isnan isfinite
        isinf isclose allclose equal""",
    "lenetcli.ops.pointwise.fmax": """fmax fmin copysign logaddexp logaddexp2 ldexp heaviside nextafter gcd lcm signbit
        isposinf isneginf""",
    "lenetcli.ops.pointwise.sinc": "sinc erfinv deg2rad rad2deg",
    "lenetcli.ops.pointwise.nan_to_num": "nan_to_num",
    "lenetcli.ops.pointwise.logical_and": """logical_and logical_or logical_xor logical_not bitwise_and bitwise_or
        bitwise_xor bitwise_not bitwise_left_shift bitwise_right_shift""",
    "lenetcli.ops.pointwise.clamp": "maximum minimum clamp clip clamp_min clamp_max where",
    "lenetcli.ops.shaping.reshape": """reshape ravel flatten unflatten unsqueeze squeeze atleast_1d atleast_2d
        atleast_3d""",
    "lenetcli.ops.shaping.permute": "permute transpose swapaxes swapdims adjoint t movedim moveaxis",
    "lenetcli.ops.shaping.expand": "broadcast_to broadcast_tensors broadcast_shapes tile repeat_interleave",
    "lenetcli.ops.shaping.cat": "cat concat concatenate stack hstack vstack dstack row_stack column_stack block_diag",
    "lenetcli.ops.shaping.split": """split split_with_sizes unsafe_split unsafe_split_with_sizes chunk unsafe_chunk
        tensor_split hsplit vsplit dsplit unbind narrow select""",
    "lenetcli.ops.shaping.select_scatter": "select_scatter slice_scatter diagonal_scatter",
    "lenetcli.ops.shaping.flip": "flip fliplr flipud roll rot90",
    "lenetcli.ops.shaping.meshgrid": "meshgrid cartesian_prod combinations",
    "lenetcli.ops.reduction.sum": "sum nansum mean prod any all logsumexp bincount numel is_tensor",
    "lenetcli.ops.reduction.max": "max min amax amin argmax argmin median aminmax",
    "lenetcli.ops.reduction.var": "var std var_mean std_mean",
    "lenetcli.ops.linalg.matrix_norm": "norm",
    "lenetcli.ops.reduction.cov": "nanmean dist cov corrcoef renorm",
    "lenetcli.ops.reduction.cumsum": "cumsum cumprod cummax cummin logcumsumexp diff",
    "lenetcli.ops.indexing.getitem": "index_put",
    "lenetcli.ops.indexing.scatter": "gather take_along_dim scatter scatter_add scatter_reduce",
    "lenetcli.ops.indexing.index_select": "index_select index_add index_copy index_fill index_reduce take put",
    "lenetcli.ops.indexing.masked_fill": "masked_fill masked_select masked_scatter nonzero argwhere count_nonzero",
    "lenetcli.ops.indexing.sort": "sort argsort msort topk kthvalue mode",
    "lenetcli.ops.reduction.quantile": "nanmedian quantile nanquantile",
    "lenetcli.ops.indexing.unique": "unique unique_consecutive isin",
    "lenetcli.ops.reduction.histc": "searchsorted bucketize histc",
    "lenetcli.ops.linalg.mm": "mm addmm",
    "lenetcli.ops.linalg.bmm": "bmm baddbmm addbmm",
    "lenetcli.ops.linalg.dot": "dot vdot mv addmv addr outer ger cross",
    "lenetcli.ops.linalg.matmul": "matmul chain_matmul matrix_power",
    "lenetcli.ops.linalg.inverse": "inverse det slogdet logdet",
    "lenetcli.ops.linalg.tensordot": "tensordot inner kron",
    "lenetcli.ops.linalg.einsum": "einsum",
    "lenetcli.ops.shaping.diagonal": "diagonal diag_embed diag diagflat trace tril triu",
    "lenetcli.ops.nn.distance": "cdist cosine_similarity pairwise_distance pdist",
    "lenetcli.ops.pointwise.relu": "relu prelu rrelu",
    "lenetcli.ops.pointwise.hardtanh": "threshold hardshrink",
    "lenetcli.ops.pointwise.gelu": "selu celu",
    "lenetcli.ops.nn.softmax": "softmax log_softmax",
    "lenetcli.ops.nn.conv2d": "conv1d conv2d",
    "lenetcli.ops.nn.conv_transpose2d": "conv_transpose1d conv_transpose2d",
    "lenetcli.ops.nn.max_pool2d": "max_pool1d max_pool2d",
    "lenetcli.ops.nn.avg_pool2d": "avg_pool1d",
    "lenetcli.ops.nn.adaptive_pool": "adaptive_avg_pool1d adaptive_max_pool1d",
    "lenetcli.ops.shaping.pixel_shuffle": "pixel_shuffle pixel_unshuffle channel_shuffle",
}  # fmt: skip
_RENAMED = {
    name: ("lenetcli.autograd.dtypes", own)
    for name, own in {
        "bool": "bool_", "float": "float32", "double": "float64", "half": "float16", "short": "int16", "int": "int32",
        "long": "int64",
    }.items()
}  # fmt: skip


def _prepared(value: Any) -> Any:
    from lenetcli.ops.keywords import with_out

    return with_out(value)


_PARTS = "accelerator autograd cuda distributions func linalg nn optim data utils vision"
__getattr__, __dir__, __all__ = offered(__name__, _MODULES, _PARTS, _RENAMED, _prepared)
