"""The module that an array or an operator belongs to, as far as its name in the file tells."""

from __future__ import annotations

import re

_PARAMETERS = {
    "weight", "bias", "running_mean", "running_var", "kernel", "gamma", "beta", "moving_mean", "moving_variance",
    "depthwise_kernel", "alpha",
}  # fmt: skip  # torch's words and Keras'
_NOISE = {
    "ReadVariableOp", "Conv2D", "Conv1D", "MatMul", "BiasAdd", "depthwise", "Cast", "FusedBatchNormV3",
    "Tensordot", "convolution", "conv_transpose", "separable_conv2d", "batchnorm", "moments", "Reshape", "Squeeze",
}  # fmt: skip
_PART = re.compile(r"[A-Za-z_]\w{0,99}|[0-9]{1,5}", re.ASCII)


def of_array(name: str) -> str:
    """The module whose parameter this is; empty where the name tells none.

    Example:
        >>> of_array("layer1.0.conv1.weight"), of_array("net/conv2d/kernel:0"), of_array("onnx::MatMul_17")
        ('layer1.0.conv1', 'net.conv2d', '')
    """
    parts = [part for part in re.split(r"[./]", name.partition(":")[0] if "::" not in name else "") if part]
    known = len(parts) > 1 and parts[-1] in _PARAMETERS
    if known and "/" not in name:
        return _joined(parts[:-1])
    while parts and (parts[-1] in _PARAMETERS or parts[-1] in _NOISE):
        known = True
        parts.pop()
    return _joined(parts) if known else ""


def of_node(name: str) -> str:
    """The module that an operator stands for; empty where the name tells none.

    torch writes "/layer1/layer1.0/conv1/Conv" for layer1.0.conv1, lenet "layer1.0.conv1/Conv".

    Example:
        >>> of_node("/layer1/layer1.0/conv1/Conv"), of_node("layer1.0.conv1/Conv.2"), of_node("node_conv2d_3")
        ('layer1.0.conv1', 'layer1.0.conv1', '')
    """
    *scopes, _ = name.strip("/").split("/")
    found: list[str] = []
    last = ""
    for scope in scopes:
        whole = last and scope.startswith(last + ".")
        found += (scope.removeprefix(last + ".") if whole else scope).split(".")
        last = scope
    while found and found[-1] in _NOISE:
        found.pop()
    return _joined(found)


def without_root(path: str, producer: str) -> str:
    """Without the net's own name, which tf2onnx puts before all others.

    Example:
        >>> without_root("sequential_1.conv1_1", "tf2onnx 1.17.0"), without_root("sequential.conv1", "pytorch 2.13.0")
        ('conv1_1', 'sequential.conv1')
    """
    first, _, rest = path.partition(".")
    return (
        rest
        if producer.startswith("tf2onnx") and re.fullmatch(r"(sequential|functional|model)(_\d+)*", first)
        else path
    )


def _joined(parts: list[str]) -> str:
    return ".".join(parts) if parts and all(_PART.fullmatch(part) for part in parts) else ""
