"""A graph as an .onnx file: opset 18 and IR 8 where nothing else is asked for, any batch size or a known one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np

from lenetcli import __version__
from lenetcli.errors import CheckFailed, ConfigError
from lenetcli.export.graph import Array, Graph, NotExportable, Value
from lenetcli.export.lowering import lower
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
        names: of the first input and the first output, where they are not to be those of the graph.
    """

    opset: int = OPSET
    batch: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    names: tuple[str, str] | None = None


def onnx_model(model: Module, sample: tuple[int, ...], written: Written = Written()) -> bytes:
    """A model in evaluation mode as the content of an .onnx file, checked by onnx.checker.

    Args:
        model: any module of one input.
        sample: shape of one input sample.

    Raises:
        NotExportable: an op that cannot be expressed; the message names it, its module and the line.
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
    numbers: dict[str, int] = {}
    shown = _shown_names(graph, written)
    nodes = []
    for node in graph.nodes:
        numbers[node.layer] = number = numbers.get(node.layer, 0) + 1
        label = f"{node.layer}/{node.op}" if number == 1 else f"{node.layer}/{node.op}.{number}"
        inputs, outputs = ([shown.get(name, name) for name in names] for names in (node.inputs, node.outputs))
        words = dict(node.attributes)
        if node.op == "Cast":
            words["to"] = helper.np_dtype_to_tensor_dtype(np.dtype(words["to"]))
        nodes.append(helper.make_node(node.op, inputs, outputs, name=label, **words))
    made = helper.make_model(
        helper.make_graph(
            nodes,
            "lenet",
            [_info(onnx, written, shown[value.name], value) for value in graph.inputs],
            [_info(onnx, written, shown[value.name], value) for value in graph.outputs],
            [
                onnx.numpy_helper.from_array(a, shown.get(name, name))
                for name, a in graph.constants.items()
                if name in used
            ],
        ),
        opset_imports=[helper.make_opsetid("", written.opset)],
        ir_version=helper.find_min_ir_version_for([helper.make_opsetid("", written.opset)]),
        producer_name="lenet",
        producer_version=__version__,
    )
    helper.set_model_props(made, dict(written.metadata))
    try:
        onnx.checker.check_model(made, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        text = " ".join(str(error).split())
        raise NotExportable(f"the model: cannot be exported: opset {written.opset} has no such graph: {text}") from None
    content: bytes = made.SerializeToString(deterministic=True)
    return content


def runner(content: bytes) -> Callable[..., list[Array]] | None:
    """Runs an .onnx file: by onnxruntime where it is installed, else by ONNX's own reference, which is slow.

    None where only the reference is there and it is known to fail.
    """
    model = _onnx().load_from_string(content)
    given = [value.name for value in model.graph.input]
    session: Any = _session(content)
    if session is None:
        if reference_fails(model):
            return None
        from onnx.reference import ReferenceEvaluator

        session = ReferenceEvaluator(model)
    return lambda *inputs: session.run(None, dict(zip(given, inputs)))


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
        raise CheckFailed(f"onnxruntime cannot run the exported model: {_line(error)}: not written") from None
    except Exception as error:  # whatever it has a class of its own for, such as a type that an operator lacks
        raise CheckFailed(f"onnxruntime cannot run the exported model: {_line(error)}: not written") from None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


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
        import onnx.shape_inference
    except ImportError:
        raise ConfigError("this format needs onnx: python -m pip install 'lenet[onnx]'") from None
    return onnx


def _shown_names(graph: Graph, written: Written) -> dict[str, str]:
    """What values are called in the file: inputs and outputs as the model calls them, others not as one of these."""
    given = dict(zip((value.name for value in graph.outputs), graph.names))
    given |= {value.name: value.name for value in graph.inputs if value.name not in given}
    if written.names is not None:
        given[graph.input.name], given[graph.output.name] = written.names
    own = [*graph.constants, *(name for node in graph.nodes for name in node.outputs)]
    taken = {*own, *given.values()}
    for name in own:
        if name not in given and name in given.values():
            other = name
            while other in taken:
                other += "_"
            taken.add(other)
            given[name] = other
    return given


def _info(onnx: ModuleType, written: Written, name: str, value: Value) -> Any:
    """A name with its type and sizes; those that grow with the number of samples as the file has them."""
    sizes = value.label if written.batch is None else value.sizes_of(written.batch)
    return onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(value.kind), sizes)
