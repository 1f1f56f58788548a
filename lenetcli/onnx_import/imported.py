"""A file of a net as a configuration and weights."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.errors import DataError
from lenetcli.formats import onnx_in
from lenetcli.onnx_import import affine, arranging, attending, normalizing, paths, pointwise, pooling, recurrent
from lenetcli.onnx_import.composed import LOOKS
from lenetcli.onnx_import.lowering import INPUT, Flow, Layer, Reader
from lenetcli.onnx_import.nesting import PASS, Entry, Nest
from lenetcli.onnx_import.net import Array, Net, NotImportable
from lenetcli.onnx_import.patterns import rewrite
from lenetcli.onnx_import.sequences import joined
from lenetcli.onnx_import.simplify import simplified

FAMILIES = (affine, arranging, attending, normalizing, pointwise, pooling, recurrent)  # have filled READERS
MOST_LAYERS = 10_000


@dataclass
class Imported:
    """A net that was read.

    Args:
        model: the section `model` of a configuration.
        weights: parameters and buffers by their names in that model.
        notes: what should be said of it.
        turned: the file takes pictures as (N, H, W, C); the model takes (N, C, H, W).
        outputs_axes: which of the model's axes each axis of an output is in the file; None: the same.
        said: who wrote it.
        metadata: text that the file keeps.
        name: of the file, without its ending.
    """

    model: dict[str, Any]
    weights: dict[str, Array]
    notes: list[str] = field(default_factory=list)
    turned: bool = False
    outputs_axes: tuple[tuple[int, ...] | None, ...] = ()
    said: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    name: str = "net"
    heads: tuple[tuple[str, str, tuple[int, ...]], ...] = ()  # each output's name, its layer's type, its sizes
    in_training: bool = False  # the file's outputs are those of training

    @property
    def last(self) -> str:
        """The type of the layer that gives the first output."""
        return self.heads[0][1]

    @property
    def output(self) -> tuple[int, ...]:
        """The sizes of the first output, without the batch."""
        return self.heads[0][2]


def read(path: str | os.PathLike[str], sizes: Sequence[int] | None = None) -> Imported:
    """A file of ONNX as the layers of a configuration, and their weights.

    Args:
        sizes: of one sample (C, H, W), where the file leaves them open.

    Raises:
        DataError: no ONNX file, a damaged one, or one with an operator that no layer stands for: the message names it.
    """
    path = Path(path)
    model = onnx_in.read(path)
    try:
        return _imported(model, path, sizes)
    except NotImportable as error:
        raise DataError(f"{path}: {error}") from None
    except MemoryError:
        raise DataError(f"{path}: cannot be read: there is not enough memory for its arrays") from None


def _imported(model: onnx_in.OnnxModel, path: Path, sizes: Sequence[int] | None) -> Imported:
    net = simplified(model, sizes)
    joined(net)
    rewrite(net, [attending.attention, attending.positions, attending.tokens, *LOOKS])
    given = _given(net)
    reader = Reader(net)
    flows = reader.run(given)
    layers, outputs = _of_use(reader.layers, flows)
    if len(layers) > MOST_LAYERS:
        raise NotImportable(f"it has {len(layers):,} layers, more than the {MOST_LAYERS:,} that a model may have")
    for flow in flows:
        if flow.axes is not None and flow.axes[0] != 0:
            raise NotImportable("its output has the samples of a batch elsewhere than first: no layer turns it so")
        if flow.order is not None:
            raise NotImportable("its output is a flattened picture with its channels last: no layer orders it so")
    for layer in layers:
        layer.path = paths.without_root(layer.path, model.producer)
    nest = Nest(layers, outputs)
    shape = net.shapes[net.input]
    inner = [shape[axis] for axis in np.argsort(given.axes)] if given.axes else list(shape)
    section: dict[str, Any] = {"input": [int(n) for n in inner[1:]], "layers": [*_listed(nest.top, layers)]}
    if len(outputs) > 1:
        section["outputs"] = nest.output_names()
    notes = list(reader.notes)
    if nest.renamed:
        shown = ", ".join(dict.fromkeys(nest.renamed[:4]))
        notes.append(f"names that a configuration cannot have as they are were changed: {shown}")
    if given.axes:
        notes.append("the file takes pictures with their channels last; the model takes them as C, H, W")
    turned = tuple(flow.axes for flow in flows)
    if any(turned):
        notes.append("the file gives outputs with their axes turned (channels last); here they are C, H, W")
    heads = tuple(
        (name, layers[at].type, _sample(net.shapes[value], flow))
        for name, at, value, flow in zip(nest.output_names(), outputs, net.outputs, flows)
    )
    return Imported(
        section, dict(nest.state()), notes, given.axes is not None, turned,
        model.producer, model.metadata, path.stem, heads, reader.in_training,
    )  # fmt: skip


def _sample(shape: tuple[int, ...], flow: Flow) -> tuple[int, ...]:
    """Sizes of one sample, as the model has them."""
    return tuple(shape[i] for i in np.argsort(flow.axes))[1:] if flow.axes else shape[1:]


def _given(net: Net) -> Flow:
    """What enters, turned where the first thing that the net does with a picture is to turn it."""
    shape = net.shapes[net.input]
    if len(shape) != 4:
        return Flow(INPUT)
    queue, seen = [net.input], {net.input}
    while queue:
        name = queue.pop()
        for node in net.nodes:
            if name not in node.inputs:
                continue
            if node.op == "Transpose" and list(node.attributes.get("perm", ())) == [0, 3, 1, 2]:
                return Flow(INPUT, (0, 2, 3, 1))
            if node.op == "Reshape" and shape[3] == 1 != shape[1] and net.shapes[node.output] == (
                shape[0], 1, *shape[1:3]
            ):  # fmt: skip
                return Flow(INPUT, (0, 2, 3, 1))
            if node.op in ("Add", "Sub", "Mul", "Div", "Pad", "Cast") and node.output not in seen:
                seen.add(node.output)
                queue.append(node.output)
    return Flow(INPUT)


def _of_use(layers: list[Layer], flows: list[Flow]) -> tuple[list[Layer], list[int]]:
    """The layers that outputs are made of, and the places of those that give the outputs."""
    layers = list(layers)
    outputs: list[int] = []
    for flow in flows:
        at = flow.at
        if at == INPUT or at in outputs:  # a layer of its own, since only layers come out, and each once
            layers.append(Layer("Identity", {}, [at]))
            at = len(layers) - 1
        outputs.append(at)
    wanted, kept = set(outputs), []
    for i in range(len(layers) - 1, -1, -1):
        if i in wanted:
            wanted.update(layers[i].inputs)
            kept.append(i)
    kept.reverse()
    places = {INPUT: INPUT, **{old: new for new, old in enumerate(kept)}}
    moved = [replace(layers[i], inputs=[places[at] for at in layers[i].inputs]) for i in kept]
    return moved, [places[at] for at in outputs]


def _listed(entries: list[Entry], layers: list[Layer]) -> list[dict[str, Any]]:
    """Layers as a configuration has them."""
    found = []
    for entry in entries:
        if entry.layer == PASS:
            words: dict[str, Any] = {"type": "Identity"}
        elif entry.layer is None:
            words = {"type": "Sequential"}
        else:
            words = {"type": layers[entry.layer].type}
        if entry.name:
            words["name"] = entry.name
        if entry.sources:
            words["from"] = entry.sources if len(entry.sources) > 1 else entry.sources[0]
        if entry.layer is not None and entry.layer >= 0:
            words |= layers[entry.layer].args
        if entry.inner:
            words["layers"] = _listed(entry.inner, layers)
        found.append(words)
    return found
