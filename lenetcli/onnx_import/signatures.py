"""What ONNX says of operators' inputs and attributes: how many, and of which type.

An attribute of one name has the same type in all operators, but for a few.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.onnx_import.net import Node

NAMES = {
    "an integer": (
        "allowzero", "antialias", "axis", "blocksize", "ceil_mode", "count_include_pad", "end", "exclude_outside",
        "group", "hidden_size", "input_forget", "keepdims", "layout", "linear_before_reset", "noop_with_empty_axes",
        "num_groups", "num_outputs", "select_last_index", "size", "start", "storage_order", "to", "training_mode",
        "transA", "transB", "value_int",
    ),
    "a number": (
        "alpha", "beta", "bias", "clip", "cubic_coeff_a", "epsilon", "extrapolation_value", "gamma", "lambd", "max",
        "min", "momentum", "ratio", "value_float",
    ),
    "a text": (
        "approximate", "auto_pad", "coordinate_transformation_mode", "direction", "keep_aspect_ratio_policy", "mode",
        "nearest_mode", "value_string",
    ),
    "integers": (
        "axes", "dilations", "ends", "kernel_shape", "output_padding", "output_shape", "paddings", "pads", "perm",
        "shape", "split", "starts", "strides", "value_ints",
    ),
    "numbers": ("activation_alpha", "activation_beta", "scales", "value_floats"),
    "texts": ("activations",),
    "an array": ("value",),
}  # fmt: skip
KINDS: dict[str, type] = {
    "an integer": int, "a number": float, "a text": str, "integers": int, "numbers": float, "texts": str,
    "an array": np.ndarray,
}  # fmt: skip
REQUIRED = {
    "AveragePool": "kernel_shape", "Cast": "to", "Concat": "axis", "DepthToSpace": "blocksize",
    "GroupNormalization": "num_groups", "LRN": "size", "LpPool": "kernel_shape", "MaxPool": "kernel_shape",
    "SpaceToDepth": "blocksize",
}  # fmt: skip


_PAIRS = (
    "Add", "Sub", "Mul", "Div", "Pow", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or",
    "MatMul", "PRelu",
)  # fmt: skip
INPUTS = {  # least and most, as the standard has them in every release that is read; of others at least one
    **dict.fromkeys(_PAIRS, (2, 2)),
    **dict.fromkeys(("Gather", "Expand", "Tile", "CastLike", "LayerNormalization", "RMSNormalization"), (2, 3)),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm"), (2, 3)),
    **dict.fromkeys(("Where", "InstanceNormalization", "GroupNormalization"), (3, 3)),
    **dict.fromkeys(("RNN", "GRU"), (3, 6)),
    "LSTM": (3, 8),
    "BatchNormalization": (5, 5),
    "Shape": (1, 1),
}
NONE = (  # operators that can do without inputs
    "Constant", "Optional", "OptionalHasElement", "RandomNormal", "RandomUniform", "SequenceEmpty",
)  # fmt: skip


def check(node: Node) -> None:
    """Holds a node's inputs and attributes to what ONNX gives its operator.

    Raises:
        NotImportable: too few or too many inputs; an attribute of another type, or one that the operator cannot do
            without is missing.

    Example:
        >>> from lenetcli.onnx_import.net import Node
        >>> check(Node("Flatten", ["x"], ["y"], {"axis": "one"}, "flat"))
        Traceback (most recent call last):
            ...
        lenetcli.onnx_import.net.NotImportable: Flatten (flat): its attribute axis is 'one'; wanted an integer
    """
    least, most = INPUTS.get(node.op, (int(node.op not in NONE), len(node.inputs)))
    if not least <= len(node.inputs) <= most or "" in node.inputs[:least]:
        raise node.refusal(f"needs {least} inputs, and has {sum(map(bool, node.inputs))}")
    for name, value in node.attributes.items():
        wanted = _wanted(node.op, name)
        if wanted is not None and not _is(value, wanted):
            raise node.refusal(f"its attribute {name} is {_shown(value)}; wanted {wanted}")
    required = REQUIRED.get(node.op)
    if required is not None and required not in node.attributes:
        raise node.refusal(f"it has no attribute {required}, which it cannot do without")


def check_axis(node: Node, ndim: int) -> None:
    """Holds an operator's axis to what it takes.

    Raises:
        NotImportable: there is no such axis.
    """
    axis, beyond = node.attributes.get("axis", 0), ndim + (node.op == "Flatten")
    if not -ndim <= axis < max(beyond, 1):
        raise node.refusal(f"its attribute axis is {axis}; wanted {-ndim} to {beyond - 1}")


def _wanted(op: str, name: str) -> str | None:
    """The type in words; None: not one that is read."""
    if name == "value" and op == "Pad":
        return "a number"
    return next((words for words, names in NAMES.items() if name in names), None)


def _is(value: Any, wanted: str) -> bool:
    if wanted in ("integers", "numbers", "texts"):
        return isinstance(value, list) and all(type(each) is KINDS[wanted] for each in value)
    return isinstance(value, KINDS[wanted])


def _shown(value: Any) -> str:
    return "an array" if isinstance(value, np.ndarray) else f"{value!r}"[:80]
