"""A model as a graph: two forward passes are traced, and each op of theirs adds its nodes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lenetcli.export import (
    activation,
    arithmetic,
    arrangement,
    comparison,
    convolution,
    indexing,
    normalization,
    ordering,
    padding,
    pooling,
    products,
    recurrent,
    reduction,
    resizing,
)
from lenetcli.export.graph import (
    BATCH,
    FLOAT,
    LOWERINGS,
    Array,
    Builder,
    Graph,
    NotExportable,
    Rule,
    Value,
    fixed,
)
from lenetcli.export.passes import shortened
from lenetcli.export.places import Place
from lenetcli.export.samples import Spread, merged
from lenetcli.export.trace import Constant, Ref, Step, Trace, trace
from lenetcli.nn.module import Module

FAMILIES = (
    activation,
    arithmetic,
    arrangement,
    comparison,
    convolution,
    indexing,
    normalization,
    ordering,
    padding,
    pooling,
    products,
    recurrent,
    reduction,
    resizing,
)  # have filled LOWERINGS


def lower(
    model: Module,
    sample: tuple[int, ...],
    kind: np.dtype[Any] = FLOAT,
    first: Module | None = None,
    batch: int | None = None,
) -> Graph:
    """The graph of a model in evaluation mode, for inputs that are batches of samples.

    Args:
        model: any module of one input.
        sample: shape of one input sample.
        kind: type of the input: float32, or int64 for a model that begins with an Embedding.
        first: a layer that is put before the model.
        batch: the number of samples that the graph is for; None: any.

    Raises:
        NotExportable: an op that ONNX or this exporter has no words for, or a forward that looks at values; the
            message names it, its module and the line.
    """
    if not sample or min(sample) < 1:
        raise NotExportable(f"a sample of shape {list(sample)} cannot be exported")
    examples = np.random.default_rng(0).standard_normal((batch or BATCH, *sample))
    return lowered(model, [examples.astype(kind) if kind.kind == "f" else np.zeros_like(examples, kind)], first, batch)


def lowered(
    model: Module,
    examples: Sequence[Array],
    first: Module | None = None,
    batch: int | None = None,
    counted: bool = True,
) -> Graph:
    """The graph of a model for inputs like the examples.

    Args:
        examples: one for each argument of its forward.
        batch: the number of samples, the first size of each; None: any.
        counted: inputs are batches of samples; else every size is fixed.

    Raises:
        NotExportable: as `lower`.

    Warns:
        UserWarning: a call draws numbers in evaluation mode, too, such as `F.dropout(x)`; the graph does not.
    """
    _check_types(model)
    counted = counted and batch is None
    counts = (BATCH, BATCH + 1) if counted else (None, None)
    one, two = (
        trace(
            model,
            [_like(example, count, number) for example in examples],
            LOWERINGS,
            first,
            f" with {count} samples" if count is not None else "",
        )
        for number, count in enumerate(counts)
    )
    for said in one.silenced:
        warnings.warn(f"{said}; what is exported does not: say training=self.training", UserWarning, stacklevel=3)
    return shortened(_graph(merged(one, two, counted), model))


def _check_types(model: Module) -> None:
    """Parameters and buffers are float32 (or whole numbers) in the machine's memory."""
    for path, module in model.named_modules():
        for name, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is None:
                continue
            array, reason = tensor.array, ""
            if not isinstance(array, np.ndarray):
                reason = "is on a GPU: move the model with .cpu()"
            elif array.dtype.kind == "f" and array.dtype != FLOAT:
                reason = f"is {array.dtype}; only float32 is exported: convert the model with .float()"
            if reason:
                place = Place(path, type(module).__name__)
                raise NotExportable(f"{place}: cannot be exported: {f'{path}.{name}' if path else name} {reason}")


def _like(example: Array, count: int | None, number: int) -> Array:
    """An input of so many samples: the example's own, or other values in their place.

    Whole numbers may be indices: the others are the same ones in the reverse order.
    """
    if count is not None:
        rows = np.arange(count) % max(len(example), 1)
        example = np.take(example, rows, 0) if len(example) else np.ones((count, *example.shape[1:]), example.dtype)
    if number and example.dtype.kind == "f":
        return np.random.default_rng(number).standard_normal(example.shape).astype(example.dtype)
    return np.ascontiguousarray(example.reshape(-1)[::-1].reshape(example.shape)) if number else example.copy()


def _graph(steps: Trace, model: Module) -> Graph:
    names = ["input"] if steps.inputs == 1 else [f"input_{i}" for i in range(steps.inputs)]
    found = Graph([Value(name, steps.shapes[i], steps.kinds[i]) for i, name in enumerate(names)])
    b = Builder(found, {name: t.array for name, t in (*model.named_buffers(), *model.named_parameters())})
    values: dict[int, Any] = dict(enumerate(found.inputs))

    def given(x: Any) -> Any:
        if isinstance(x, Ref):
            if isinstance(values[x.number], NotExportable):
                raise values[x.number]
            return values[x.number]
        if isinstance(x, Constant):
            return b.constant(x.array)
        if isinstance(x, Spread):
            return Value(b.add("Expand", x.array, b.sizes(*x.shape)), x.shape, x.array.dtype)
        if isinstance(x, (list, tuple)):
            parts = [given(v) for v in x]
            return type(x)(*parts) if hasattr(x, "_fields") else type(x)(parts)
        return x

    for step in steps.steps:
        b.path, b.kind, b.where, b.op = step.place.path, step.place.kind, step.place.where, step.name
        b.results = tuple(Value("", steps.shapes[i], steps.kinds[i]) for i in step.results)
        rule = LOWERINGS[step.op]
        arguments = {"b_" if name == "b" else name: given(x) for name, x in step.arguments.items()}
        if not rule.any_batch:
            _check_sizes(b, step, rule, arguments)
        made = rule.function(b, **arguments)
        for number, result, name in zip(step.results, b.results, made if isinstance(made, tuple) else (made,)):
            if name is None:
                values[number] = b.refusal(f"the indices of {b.op} are wanted, which ONNX counts in another way")
            else:
                values[number] = name if isinstance(name, Value) else replace(result, name=name)
    for name, output in steps.outputs.items():
        b.path, b.kind, b.where = "", "", ""
        value = given(output)
        if value.array is not None or value.name in (v.name for v in (*found.inputs, *found.outputs)):
            value = replace(value, name=b.add("Identity", value), array=None)
        found.outputs.append(value)
        found.names.append(name)
    return found


def _check_sizes(b: Builder, step: Step, rule: Rule, arguments: dict[str, Any]) -> None:
    """Sizes other than the first one are known."""
    for value in arguments.values():
        parts = [value] if isinstance(value, (Value, int)) or not isinstance(value, (list, tuple)) else value
        if parts is value and any(isinstance(part, int) for part in parts):
            parts = [tuple(parts[1:])]
        for part in parts:
            if isinstance(part, Value):
                part = part.shape[1:]
            if not fixed(part if isinstance(part, (list, tuple)) else [part]):
                raise b.refusal(
                    f"{step.name} depends on the number of samples by more than its first size; give that number with "
                    "--batch"
                )
