"""A graph as an .onnx file: opset 18, IR 8, any batch size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.errors import ConfigError
from lenetcli.export.graph import Array, Graph, NotExportable, Value
from lenetcli.export.layers import lower
from lenetcli.nn.module import Module

OPSET, IR = 18, 8
LARGEST = (1 << 31) - (1 << 20)  # bytes; a protobuf message must stay below 2 GiB


def onnx_model(model: Module, sample: tuple[int, ...], metadata: Mapping[str, str] | None = None) -> bytes:
    """A model in evaluation mode as the content of an .onnx file, checked by onnx.checker.

    Args:
        model: layers of `lenetcli.nn` in Sequential and Residual.
        sample: shape of one input sample; the file's model takes batches of any size of them.
        metadata: text to keep in the file.

    Raises:
        NotExportable: a layer that cannot be expressed; the message names it.
        ConfigError: onnx is not installed.
    """
    return to_bytes(lower(model, sample), metadata)


def to_bytes(graph: Graph, metadata: Mapping[str, str] | None = None) -> bytes:
    """The content of an .onnx file.

    Raises:
        NotExportable, ConfigError: as `onnx_model`.
    """
    onnx = _onnx()
    if sum(array.nbytes for array in graph.constants.values()) > LARGEST:
        raise NotExportable("the weights are larger than the 2 GiB that an .onnx file may have")
    helper, used = onnx.helper, {name for node in graph.nodes for name in node.inputs}
    names: dict[str, int] = {}
    nodes = []
    for node in graph.nodes:
        names[node.layer] = number = names.get(node.layer, 0) + 1
        label = f"{node.layer}/{node.op}" if number == 1 else f"{node.layer}/{node.op}.{number}"
        nodes.append(
            helper.make_node(node.op, node.inputs, [_named(graph, node.output)], name=label, **node.attributes)
        )
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "lenet",
            [_info(onnx, "input", graph.kind, graph.input)],
            [_info(onnx, "output", np.dtype(np.float32), graph.output)],
            [onnx.numpy_helper.from_array(a, name) for name, a in graph.constants.items() if name in used],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="lenet",
        producer_version=__version__,
    )
    helper.set_model_props(made, dict(metadata or {}))
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def runner(content: bytes, graph: Graph) -> Callable[[Array], Array] | None:
    """Runs an .onnx file: by onnxruntime where it is installed, else by ONNX's own reference, which is slow.

    None where only the reference is there and it is known to fail: transposed convolutions in groups.
    """
    try:
        import onnxruntime
    except ImportError:
        if any(node.op == "ConvTranspose" and node.attributes["group"] > 1 for node in graph.nodes):
            return None
        from onnx.reference import ReferenceEvaluator

        reference: Any = ReferenceEvaluator(_onnx().load_from_string(content))
        return lambda x: reference.run(None, {"input": x})[0]
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"input": x})[0]


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise ConfigError("this format needs onnx: python -m pip install 'lenet[onnx]'") from None
    return onnx


def _named(graph: Graph, name: str) -> str:
    return "output" if name == graph.output.name else name


def _info(onnx: ModuleType, name: str, kind: np.dtype[Any], value: Value) -> Any:
    """A name with its type and sizes; that of the batch is N."""
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(kind), ["N", *value.shape[1:]])
