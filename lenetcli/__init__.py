"""lenet: train small image models from YAML, and see every step.

The names below are torch's. They are imported on first use: `import lenetcli` alone does not even import numpy.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

# where each public name lives
_MODULES = {
    "lenetcli._tensor": "Tensor Size device from_numpy",
    "lenetcli._tensor_str": "set_printoptions",
    "lenetcli.serialization": "save load",
    "lenetcli.creation": """tensor as_tensor full full_like zeros zeros_like ones ones_like empty empty_like eye arange
        linspace logspace""",
    "lenetcli.sampling": "rand rand_like randn randn_like randint randint_like randperm normal bernoulli",
    "lenetcli.autograd.dtypes": "dtype uint8 int8 int16 int32 int64 float16 float32 float64 get_default_dtype set_default_dtype promote_types",
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
        bitwise_not""",
    "lenetcli.ops.selection": "maximum minimum clamp clip clamp_min clamp_max where",
    "lenetcli.ops.shape": "reshape flatten permute transpose t unsqueeze squeeze",
    "lenetcli.ops.reduction": "sum nansum mean prod any all logsumexp bincount numel is_tensor",
    "lenetcli.ops.extrema": "max min amax amin argmax argmin median",
    "lenetcli.ops.variance": "var std var_mean std_mean",
    "lenetcli.ops.vector_norm": "norm",
    "lenetcli.ops.scan": "cumsum cumprod",
    "lenetcli.ops.linalg": "mm addmm",
    "lenetcli.ops.activation": "relu",
    "lenetcli.ops.conv": "conv2d",
}  # fmt: skip
_RENAMED = {"bool": ("lenetcli.autograd.dtypes", "bool_"), "float": ("lenetcli.autograd.dtypes", "float32")}
_SUBMODULES = ("autograd", "linalg", "nn", "optim", "data")

_HOME = {name: (module, name) for module, names in _MODULES.items() for name in names.split()} | _RENAMED
__all__ = [*sorted(_HOME), *_SUBMODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        module, attribute = _HOME[name]
        value = getattr(importlib.import_module(module), attribute)
        globals()[name] = value
        return value
    if name in _SUBMODULES:
        return importlib.import_module(f"lenetcli.{name}")
    raise AttributeError(f"module 'lenetcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
