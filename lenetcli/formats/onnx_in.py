"""ONNX files, read as plain data: operators with attributes, constants as arrays, names. Nothing of them is run.

The file and those beside it that hold its arrays are mapped into memory, and every size is compared with what is there
before an array is made.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.disk import check_regular, read_within
from lenetcli.errors import DataError, printable
from lenetcli.formats.onnx_tensor import Files, tensor
from lenetcli.formats.protobuf import (
    BYTES,
    FOUR,
    VARINT,
    Array,
    Damaged,
    Message,
    integers,
    name_of,
    numbers,
    signed,
    text,
)

LARGEST = 1 << 34  # bytes of a file
MOST_FIELDS, MOST_NODES = 500_000, 10_000  # ResNet-152 has some 30,000 and 500
_LONGEST = 400  # characters of a reason, which may quote the file
_DOMAINS = {"": "", "ai.onnx": ""}  # the default one, under both of its names


@dataclass(frozen=True)
class OnnxNode:
    """One operator. An input that is left out has an empty name.

    Args:
        scope: the path of the module that it stands for, where the writer said it.
    """

    op: str
    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    scope: str = ""

    def __str__(self) -> str:
        kind = f"{self.domain}.{self.op}" if self.domain else self.op
        return f"{kind} ({self.name or ', '.join(self.outputs)})"


@dataclass(frozen=True)
class OnnxValue:
    """An input or output: its sizes, of which unknown ones are names or None; no sizes at all: None."""

    name: str
    kind: int  # number of its type, 0: not said
    shape: tuple[int | str | None, ...] | None


@dataclass
class OnnxModel:
    """What a file holds.

    Args:
        opsets: version of the operators, by domain; "" is ONNX's own.
        constants: the initializers as arrays; read-only views of the file where their type is NumPy's own.
        metadata: text by key.
        producer: who wrote it, and which version.
    """

    opsets: dict[str, int] = field(default_factory=dict)
    nodes: list[OnnxNode] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: list[OnnxValue] = field(default_factory=list)
    outputs: list[OnnxValue] = field(default_factory=list)
    metadata: dict[str, str] = field(default_factory=dict)
    producer: str = ""
    functions: dict[str, str] = field(default_factory=dict)  # own operators of the file: name to domain

    @property
    def opset(self) -> int:
        """Version of ONNX's own operators."""
        return self.opsets.get("", 1)


@dataclass(frozen=True)
class Subgraph:
    """A graph within a node, which is not read."""

    size: int


def read(path: str | os.PathLike[str]) -> OnnxModel:
    """What an ONNX file holds.

    float16 and bfloat16 are widened to float32.

    Raises:
        DataError: no such file, no ONNX file, a damaged or hostile one, one of types that no array has here.
    """
    path = Path(os.fspath(path))
    if not check_regular(path, LARGEST):
        raise DataError(f"{path}: is an empty file, not an ONNX file")
    try:
        content = read_within(path, LARGEST)  # mapped into memory, a disk that fails would end the process by a signal
        return _model(memoryview(content), Files(path.parent))
    except Damaged as damaged:
        reason = printable(" ".join(str(damaged).split()))
        raise DataError(f"{path}: cannot be read as ONNX: {reason[:_LONGEST]}") from None
    except MemoryError:
        raise DataError(f"{path}: cannot be read: there is not enough memory for its arrays") from None


def _model(content: memoryview, files: Files) -> OnnxModel:
    found, graphs = OnnxModel(), []
    producer = version = ""
    message = Message(content, [MOST_FIELDS])
    for number, wire, value in message.fields():
        if number == 2 and wire == BYTES:
            producer = name_of(value)
        elif number == 3 and wire == BYTES:
            version = name_of(value)
        elif number == 7 and wire == BYTES:
            graphs.append(value)
        elif number == 8 and wire == BYTES:
            domain, since = _opset(message.inner(value))
            found.opsets[domain] = max(since, found.opsets.get(domain, 0))
        elif number == 14 and wire == BYTES:
            key, said = _entry(message.inner(value))
            found.metadata[key] = said
        elif number == 25 and wire == BYTES:
            name, domain = _function(message.inner(value))
            found.functions[name] = domain
    if not graphs:
        raise Damaged("it holds no graph")
    if len(graphs) > 1:
        raise Damaged("it is damaged: it holds several graphs")
    found.producer = f"{producer} {version}".strip()
    _graph(message.inner(graphs[0]), found, files)
    return found


def _graph(message: Message, found: OnnxModel, files: Files) -> None:
    for number, wire, value in message.fields():
        if wire != BYTES:
            continue
        if number == 1:
            if len(found.nodes) == MOST_NODES:
                raise Damaged(f"it has more than {MOST_NODES:,} operators")
            found.nodes.append(_node(message.inner(value), files))
        elif number == 5:
            name, array = tensor(message.inner(value), files)
            if name in found.constants:
                raise Damaged(f"initializer {name!r} is there twice")
            found.constants[name] = array
        elif number == 11:
            found.inputs.append(_value(message.inner(value)))
        elif number == 12:
            found.outputs.append(_value(message.inner(value)))
        elif number == 15:
            raise Damaged("it holds a sparse initializer, which is not read")


def _node(message: Message, files: Files) -> OnnxNode:
    inputs, outputs, attributes = [], [], {}
    op = name = domain = scope = ""
    for number, wire, value in message.fields():
        if wire != BYTES:
            continue
        if number == 1:
            inputs.append(name_of(value))
        elif number == 2:
            outputs.append(name_of(value))
        elif number == 3:
            name = name_of(value)
        elif number == 4:
            op = name_of(value)
        elif number == 5:
            key, found = _attribute(message.inner(value), files)
            attributes[key] = found
        elif number == 7:
            domain = name_of(value)
        elif number == 9:
            key, said = _entry(message.inner(value))
            scope = said if key == "pkg.torch.onnx.name_scopes" else scope
    return OnnxNode(op, _DOMAINS.get(domain, domain), name, tuple(inputs), tuple(outputs), attributes, _last(scope))


def _last(scopes: str) -> str:
    """The last but one of names that torch lists from the outermost scope inwards; the last one is the node's own."""
    names = [part.strip().strip("'\"") for part in scopes.strip("[] ").split(",")]
    return names[-2] if len(names) > 1 else ""


def _attribute(message: Message, files: Files) -> tuple[str, Any]:
    """Name and value: a number, a text, an array, or a list of such."""
    name, kind, reference = "", 0, ""
    single: dict[int, Any] = {}
    lists: list[Any] = []
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            name = name_of(value)
        elif number == 20 and wire == VARINT:
            kind = value
        elif number == 21 and wire == BYTES:
            reference = name_of(value)
        elif number == 2 and wire == FOUR:
            single[1] = float(numbers(wire, value, "<f4")[0])
        elif number == 3 and wire == VARINT:
            single[2] = signed(value)
        elif number == 4 and wire == BYTES:
            single[3] = bytes(value[:1024]).decode("utf-8", "replace")
        elif number == 5 and wire == BYTES:
            single[4] = tensor(message.inner(value), files)[1]
        elif number == 6 and wire == BYTES:
            single[5] = Subgraph(len(value))
        elif number == 7:
            lists.append(numbers(wire, value, "<f4"))
            kind = kind or 6
        elif number == 8:
            lists.append(integers(wire, value))
            kind = kind or 7
        elif number == 9 and wire == BYTES:
            lists.append(bytes(value[:1024]).decode("utf-8", "replace"))
            kind = kind or 8
        elif number in (10, 11, 15, 22, 23):
            raise Damaged(f"attribute {name!r} is of a kind that is not read")
    if reference:
        raise Damaged(f"attribute {name!r} refers to one of a function")
    if kind in (6, 7):
        arrays = [part for part in lists if not isinstance(part, str)]
        return name, np.concatenate(arrays).tolist() if arrays else []
    if kind == 8:
        return name, [part for part in lists if isinstance(part, str)]
    kind = kind or next(iter(single), 0)
    empty = {1: 0.0, 2: 0, 3: ""}
    if kind not in single and kind not in empty:
        raise Damaged(f"attribute {name!r} has no value")
    return name, single.get(kind, empty.get(kind))


def _value(message: Message) -> OnnxValue:
    name, kind = "", 0
    shape: tuple[int | str | None, ...] | None = None
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            name = name_of(value)
        elif number == 2 and wire == BYTES:
            kind, shape = _type(message.inner(value))
    return OnnxValue(name, kind, shape)


def _type(message: Message) -> tuple[int, tuple[int | str | None, ...] | None]:
    kind, shape = 0, None
    for number, wire, value in message.fields():
        if number != 1 or wire != BYTES:  # a sequence, a map
            kind = -1
            continue
        inner = message.inner(value)
        for field_, wire_, part in inner.fields():
            if field_ == 1 and wire_ == VARINT:
                kind = part
            elif field_ == 2 and wire_ == BYTES:
                shape = tuple(_sizes(inner.inner(part)))
    return kind, shape


def _sizes(message: Message) -> Iterator[int | str | None]:
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            size: int | str | None = None
            for field_, wire_, part in message.inner(value).fields():
                if field_ == 1 and wire_ == VARINT:
                    size = signed(part)
                elif field_ == 2 and wire_ == BYTES:
                    size = name_of(part) or None
            yield size


def _opset(message: Message) -> tuple[str, int]:
    domain, version = "", 0
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            domain = name_of(value)
        elif number == 2 and wire == VARINT:
            version = signed(value)
    return _DOMAINS.get(domain, domain), version


def _function(message: Message) -> tuple[str, str]:
    name = domain = ""
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            name = name_of(value)
        elif number == 10 and wire == BYTES:
            domain = name_of(value)
    return name, domain


def _entry(message: Message) -> tuple[str, str]:
    key = said = ""
    for number, wire, value in message.fields():
        if number == 1 and wire == BYTES:
            key = name_of(value)
        elif number == 2 and wire == BYTES:
            said = text(value)
    return key, said
