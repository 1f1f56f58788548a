"""A graph as an .onnx file: opset 18 and IR 8 where nothing else is asked for, any batch size or a known one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.errors import ConfigError
from lenetcli.export.graph import Array, Graph, NotExportable, Value
from lenetcli.export.layers import lower
from lenetcli.export.opsets import OLDEST, OPSET, in_opset
from lenetcli.nn.module import Module

LARGEST = (1 << 31) - (1 << 20)  # bytes; a protobuf message must stay below 2 GiB


@dataclass(frozen=True)
class Written:
    """How a file is to be written.

    Args:
        opset: the version of ONNX's operators.
        batch: the number of samples that the model takes; None: any.
        metadata: text to keep in the file.
        names: of the input and the output.
    """

    opset: int = OPSET
    batch: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, str] = ("input", "output")


def onnx_model(model: Module, sample: tuple[int, ...], written: Written = Written()) -> bytes:
    """A model in evaluation mode as the content of an .onnx file, checked by onnx.checker.

    Args:
        model: layers of `lenetcli.nn` in Sequential and Residual.
        sample: shape of one input sample.

    Raises:
        NotExportable: a layer that cannot be expressed; the message names it.
        ConfigError: onnx is not installed, or knows no such opset.
    """
    return to_bytes(lower(model, sample), written)


def to_bytes(graph: Graph, written: Written = Written()) -> bytes:
    """The content of an .onnx file.

    Raises:
        NotExportable, ConfigError: as `onnx_model`.
    """
    onnx, graph = check_opset(written.opset), in_opset(graph, written.opset)
    if sum(array.nbytes for array in graph.constants.values()) > LARGEST:
        raise NotExportable("the weights are larger than the 2 GiB that an .onnx file may have")
    helper, used = onnx.helper, {name for node in graph.nodes for name in node.inputs}
    names: dict[str, int] = {}
    given = dict(zip((graph.input.name, graph.output.name), written.names))
    nodes = []
    for node in graph.nodes:
        names[node.layer] = number = names.get(node.layer, 0) + 1
        label = f"{node.layer}/{node.op}" if number == 1 else f"{node.layer}/{node.op}.{number}"
        inputs, output = [given.get(name, name) for name in node.inputs], given.get(node.output, node.output)
        nodes.append(helper.make_node(node.op, inputs, [output], name=label, **node.attributes))
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "lenet",
            [_info(onnx, written, 0, graph.kind, graph.input)],
            [_info(onnx, written, 1, np.dtype(np.float32), graph.output)],
            [onnx.numpy_helper.from_array(a, name) for name, a in graph.constants.items() if name in used],
        ),
        opset_imports=[helper.make_opsetid("", written.opset)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", written.opset)]),
        producer_name="lenet",
        producer_version=__version__,
    )
    helper.set_model_props(made, dict(written.metadata))
    onnx.checker.check_model(made, full_check=True)
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def runner(content: bytes) -> Callable[[Array], Array] | None:
    """Runs an .onnx file: by onnxruntime where it is installed, else by ONNX's own reference, which is slow.

    None where only the reference is there and it is known to fail.
    """
    model = _onnx().load_from_string(content)
    given = model.graph.input[0].name
    session: Any = _session(content)
    if session is None:
        if reference_fails(model):
            return None
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(model)
    return lambda x: session.run(None, {given: x})[0]


def reference_fails(model: Any) -> bool:
    """A model has what ONNX's reference evaluator (of onnx 1.23) is known to get wrong, or to end in an error at."""
    for node in model.graph.node:
        words = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "ConvTranspose" and words["group"].i > 1:
            return True
        if node.op_type == "MaxPool" and any(words["pads"].ints) and list(words["strides"].ints) == [1]:
            return True  # of a sequence
        if node.op_type == "AveragePool" and "ceil_mode" in words:
            return True
        if node.op_type == "BatchNormalization" and model.opset_import[0].version < 14:
            return True
    return False


def _session(content: bytes) -> Any:
    """onnxruntime's; None where it is not installed, or is older than the file's opset."""
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it cannot do is told by its error
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
        if "under development" in str(error):
            return None
        raise


def check_opset(opset: int) -> ModuleType:
    """The package onnx, which knows this opset.

    Raises:
        ConfigError: it does not, or is not installed.
    """
    onnx = _onnx()
    newest: int = onnx.defs.onnx_opset_version()
    if not OLDEST <= opset <= newest:
        raise ConfigError(f"--opset {opset}: wanted {OLDEST} to {newest}, which onnx {onnx.__version__} knows")
    return onnx


def _onnx() -> ModuleType:
    try:
        import onnx
        import onnx.checker
        import onnx.defs
        import onnx.helper
        import onnx.numpy_helper
    except ImportError:
        raise ConfigError("this format needs onnx: python -m pip install 'lenet[onnx]'") from None
    return onnx


def _info(onnx: ModuleType, written: Written, which: int, kind: np.dtype[Any], value: Value) -> Any:
    """A name with its type and sizes; that of the batch is N where it may be any."""
    sizes = ["N" if written.batch is None else written.batch, *value.shape[1:]]
    type_ = onnx.helper.np_dtype_to_tensor_dtype(kind)
    return onnx.helper.make_tensor_value_info(written.names[which], type_, sizes)
