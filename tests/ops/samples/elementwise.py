import numpy as np

from tests.ops.sample import Sample, booleans, integers, normal, uniform

# name: the interval that stays away from poles, kinks and ends of the domain
CURVES = {
    "abs": (0.2, 2.0), "absolute": (-2.0, -0.2), "neg": (-2, 2), "negative": (-2, 2), "positive": (-2, 2),
    "sign": (0.2, 2), "sgn": (-2, -0.2), "exp": (-2, 2), "expm1": (-2, 2), "exp2": (-2, 2), "log": (0.2, 3),
    "log1p": (-0.8, 3), "log2": (0.2, 3), "log10": (0.2, 3), "sigmoid": (-3, 3), "logit": (0.1, 0.9), "erf": (-3, 3),
    "erfc": (-3, 3), "square": (-2, 2), "sqrt": (0.2, 3), "rsqrt": (0.2, 3), "reciprocal": (0.2, 3), "sin": (-3, 3),
    "cos": (-3, 3), "tan": (-1.2, 1.2), "asin": (-0.9, 0.9), "arcsin": (-0.9, 0.9), "acos": (-0.9, 0.9),
    "arccos": (-0.9, 0.9), "atan": (-3, 3), "arctan": (-3, 3), "sinh": (-2, 2), "cosh": (-2, 2), "tanh": (-2, 2),
    "asinh": (-3, 3), "arcsinh": (-3, 3), "acosh": (1.2, 3), "arccosh": (1.2, 3), "atanh": (-0.9, 0.9),
    "arctanh": (-0.9, 0.9), "floor": (0.1, 0.9), "ceil": (0.1, 0.9), "round": (0.6, 0.9), "trunc": (0.1, 0.9),
    "fix": (0.1, 0.9), "frac": (0.1, 0.9),
}  # fmt: skip
FLAGS = ("isnan", "isfinite", "isinf")
PAIRS = ("add", "sub", "subtract", "mul", "multiply", "atan2", "arctan2", "hypot", "maximum", "minimum")
QUOTIENTS = ("div", "divide", "true_divide", "remainder", "fmod")
SHIFTS = ("bitwise_left_shift", "bitwise_right_shift")
COMPARISONS = (
    "eq", "ne", "not_equal", "lt", "less", "le", "less_equal", "gt", "greater", "ge", "greater_equal",
)  # fmt: skip

SAMPLES = [
    *(Sample(name, (uniform(low, high, 2, 3),)) for name, (low, high) in CURVES.items()),
    *(Sample(name, (uniform(low, high),)) for name, (low, high) in CURVES.items()),
    *(Sample(name, (normal(0, 3),)) for name in ("exp", "sigmoid", "abs", "floor")),
    *(Sample(name, (integers(1, 3, 4),), grad=False) for name in ("exp", "sqrt", "neg", "abs", "sin", "sigmoid")),
    *(Sample(name, (normal(2, 3),), grad=False) for name in FLAGS),
    *(Sample(name, (integers(0, 3, 4),), grad=False) for name in FLAGS),
    *(Sample(name, (normal(2, 3), normal(2, 3))) for name in PAIRS),
    *(Sample(name, (normal(2, 1, 4), normal(3, 1))) for name in PAIRS),
    *(Sample(name, (normal(3), integers(1, 4, 3)), grad=False) for name in PAIRS if name != "hypot"),
    *(Sample(name, (integers(0, 9, 3), 2), grad=False) for name in ("add", "sub", "mul")),
    Sample("add", (normal(2, 3), normal(3)), {"alpha": 2}),
    Sample("sub", (normal(2, 3), 1.5), {"alpha": 2}),
    *(Sample(name, (uniform(1, 2, 2, 3), uniform(3, 4, 3))) for name in QUOTIENTS),
    *(Sample(name, (uniform(1, 2, 2, 3), 0.7)) for name in QUOTIENTS),
    *(Sample(name, (integers(-9, 9, 5), integers(1, 4, 5)), grad=False) for name in QUOTIENTS),
    Sample("div", (uniform(1, 2, 4), uniform(0.2, 0.4, 4)), {"rounding_mode": "floor"}, grad=False),
    Sample("div", (integers(-9, 9, 5), integers(1, 4, 5)), {"rounding_mode": "trunc"}, grad=False),
    Sample("floor_divide", (integers(-9, 9, 5), integers(1, 4, 5)), grad=False),
    Sample("pow", (uniform(0.5, 2, 2, 3), 3)),
    Sample("pow", (uniform(0.5, 2, 2, 3), uniform(-1, 2, 3))),
    Sample("pow", (2.0, normal(3))),
    Sample("pow", (integers(0, 5, 4), 2), grad=False),
    Sample("float_power", (uniform(0.5, 2, 3), 1.5), grad=False),
    Sample("float_power", (integers(1, 5, 4), 2), grad=False),
    Sample("xlogy", (normal(2, 3), uniform(0.3, 2, 2, 3))),
    Sample("logit", (uniform(0.3, 0.7, 3),), {"eps": 0.1}),
    Sample("round", (uniform(10.6, 10.9, 3),), {"decimals": 0}),
    Sample("addcmul", (normal(2, 3), normal(3), normal(2, 1)), {"value": 0.5}),
    Sample("addcdiv", (normal(2, 3), normal(3), uniform(1, 2, 2, 1)), {"value": 0.5}),
    Sample("lerp", (normal(2, 3), normal(2, 3), 0.3)),
    Sample("lerp", (normal(2, 3), normal(2, 3), uniform(0, 1, 2, 3))),
    *(Sample(name, (normal(2, 3), normal(3)), grad=False) for name in COMPARISONS),
    *(Sample(name, (integers(0, 3, 5), 1), grad=False) for name in COMPARISONS),
    Sample("isclose", (normal(3), normal(3)), {"atol": 0.5}, grad=False),
    *(
        Sample(name, (booleans(2, 3), booleans(3)), grad=False)
        for name in ("logical_and", "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor")
    ),
    *(Sample(name, (integers(0, 8, 4), integers(0, 8, 4)), grad=False) for name in ("bitwise_and", "bitwise_xor")),
    *(Sample(name, (np.arange(-4, 4), np.array([-70, -1, 0, 1, 62, 63, 64, 99])), grad=False) for name in SHIFTS),
    *(Sample(name, (np.arange(-4, 4).reshape(2, 4), np.arange(4)), grad=False) for name in SHIFTS),
    *(Sample(name, (np.arange(-4, 4), 3), grad=False) for name in SHIFTS),
    Sample("logical_not", (booleans(2, 3),), grad=False),
    Sample("bitwise_not", (integers(0, 8, 4),), grad=False),
    Sample("bitwise_or", (integers(0, 8, 4), 3), grad=False),
    Sample("nan_to_num", (normal(3, 4), 0.5)),
    Sample("clamp", (normal(3, 4), -0.5, 0.7)),
    Sample("clamp", (normal(3, 4),), {"max": 0.25}),
    Sample("clip", (normal(3, 4), -0.5)),
    Sample("clamp", (normal(3, 4), normal(4), uniform(2, 3, 4))),
    Sample("clamp_min", (normal(5), 0.1)),
    Sample("clamp_max", (normal(5), 0.1)),
    Sample("where", (booleans(2, 3), normal(2, 3), normal(3))),
    Sample("where", (booleans(2, 3), normal(2, 3), 0.0)),
]
