"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.onnx_import.lowering import Flow, Reader, reads
from lenetcli.onnx_import.net import Array, Node
from lenetcli.onnx_import.pointwise import number, shown


@reads("BatchNormalization")
def batch_norm(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.plain(node), reader.shape(node.inputs[0])
    scale, shift, mean, variance = (reader.floats(node, i) for i in range(1, 5))
    assert scale is not None
    assert shift is not None
    assert mean is not None
    assert variance is not None
    if any(array.shape != (shape[1],) for array in (scale, shift, mean, variance)):
        raise node.refusal(f"has other than {shape[1]} numbers for {shape[1]} channels")
    if node.attributes.get("training_mode", 0):
        reader.in_training = True
        reader.notes.append(f"{node.label} normalises by the batch in the file (training_mode); here only in training")
    if not np.isfinite(variance).all() or float(variance.min(initial=0)) < 0:
        raise node.refusal("has a variance below 0, or one that is no number")
    args = _eps(node)
    momentum = number(node, "momentum", 0.9)
    if abs(momentum - 0.9) > 1e-6:
        args["momentum"] = shown(1 - momentum)
    weights = {"weight": scale, "bias": shift, "running_mean": mean, "running_var": variance}
    kind = f"BatchNorm{max(1, len(shape) - 2)}d"
    if len(shape) not in (2, 3, 4, 5):
        raise node.refusal(f"takes {len(shape)} dimensions; 2 to 5 are read")
    return Flow(reader.add(node, kind, args, [flow.at], weights, reader.path(node, 1, 2, 3, 4)))


@reads("InstanceNormalization")
def instance_norm(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.plain(node), reader.shape(node.inputs[0])
    scale, shift = reader.floats(node, 1), reader.floats(node, 2)
    if len(shape) not in (3, 4, 5):
        raise node.refusal(f"takes {len(shape)} dimensions; 3 to 5 are read")
    args: dict[str, Any] = _eps(node)
    weights: dict[str, Array | None] = {}
    if not _is_plain(scale, shift):
        args["affine"], weights = True, {"weight": scale, "bias": shift}
    kind = f"InstanceNorm{len(shape) - 2}d"
    return Flow(reader.add(node, kind, args, [flow.at], weights, reader.path(node, 1, 2)))


@reads("LayerNormalization", "RMSNormalization")
def layer_norm(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.plain(node), reader.shape(node.inputs[0])
    scale, shift = reader.floats(node, 1), reader.floats(node, 2)
    axis = node.attributes.get("axis", -1) % len(shape)
    if axis == 0:
        raise node.refusal("normalises over the samples of a batch")
    size = list(shape[axis:])
    args: dict[str, Any] = {"normalized_shape": size[0] if len(size) == 1 else size, **_eps(node)}
    args["normalized_shape"] = size
    weights: dict[str, Array | None] = {"weight": None if scale is None else np.broadcast_to(scale, size)}
    kind = "RMSNorm"
    if node.op == "LayerNormalization":
        kind = "LayerNorm"
        if shift is None:
            args["bias"] = False
        else:
            weights["bias"] = np.broadcast_to(shift, size)
    return Flow(reader.add(node, kind, args, [flow.at], weights, reader.path(node, 1, 2)))


@reads("GroupNormalization")
def group_norm(reader: Reader, node: Node) -> Flow:
    flow, shape = reader.plain(node), reader.shape(node.inputs[0])
    groups = int(node.attributes["num_groups"])
    scale, shift = reader.floats(node, 1), reader.floats(node, 2)
    assert scale is not None
    assert shift is not None
    if reader.net.opset < 21:  # one number for each group
        scale, shift = (np.repeat(array, shape[1] // groups) for array in (scale, shift))
    args = {"num_groups": groups, "num_channels": shape[1], **_eps(node)}
    weights = {"weight": scale, "bias": shift}
    return Flow(reader.add(node, "GroupNorm", args, [flow.at], weights, reader.path(node, 1, 2)))


@reads("LRN")
def local_response(reader: Reader, node: Node) -> Flow:
    flow, size = reader.plain(node), int(node.attributes["size"])
    if size % 2 == 0:
        raise node.refusal("has a window of even size, which runtimes place in different ways")
    words = {key: number(node, name, usual) for key, name, usual in
             (("alpha", "alpha", 1e-4), ("beta", "beta", 0.75), ("k", "bias", 1.0))}  # fmt: skip
    return Flow(reader.add(node, "LocalResponseNorm", {"size": size, **words}, [flow.at]))


def _eps(node: Node) -> dict[str, float]:
    eps = number(node, "epsilon", 1e-5)
    usual = None if node.op == "RMSNormalization" else 1e-5
    return {} if eps == usual else {"eps": eps}


def _is_plain(scale: Array | None, shift: Array | None) -> bool:
    return (scale is None or bool((scale == 1).all())) and (shift is None or not shift.any())
