"""What the names in torch's pickles stand for: tensors over storages, sizes, types, and what NumPy puts beside them.

A file of a state dict calls `torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...)` for each tensor. Here
that makes an array that shows the storage's memory, once it is sure that it lies within.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lenetcli.errors import in_a_line
from lenetcli.formats.pickle_subset import Built, Refused, checked_key

Array = npt.NDArray[Any]

MOST_DIMENSIONS = 32
HARMLESS = 1 << 26  # bytes of a tensor that has more elements than its storage, as expanded ones have


class Kind(NamedTuple):
    """A type of storage elements."""

    name: str  # torch's
    bytes: int
    numpy: str | None  # None: nothing here is like it


class Storage(NamedTuple):
    """The memory of a storage."""

    kind: Kind | None  # of its elements; None: bytes, which tensors of any kind may show
    memory: Array  # bytes
    swapped: bool = False  # in the other byte order than this machine's


@dataclass(eq=False)
class SavedTensor:
    """A tensor of the file. Its array is made when it is asked for, which is once the storages are filled."""

    made: Callable[[], Array]
    marked: Any = False  # what the file says of requires_grad

    @property
    def requires_grad(self) -> bool:
        return self.marked is True and self.array.dtype.kind == "f"

    @cached_property
    def array(self) -> Array:
        """Half floats are widened.

        Raises:
            Refused: its bytes are none of its type's.
        """
        return self.made()


KINDS = {
    kind.name: kind
    for kind in (
        Kind("float64", 8, "f8"),
        Kind("float32", 4, "f4"),
        Kind("float16", 2, "f2"),
        Kind("bfloat16", 2, "u2"),  # the upper halves of float32
        Kind("int64", 8, "i8"),
        Kind("int32", 4, "i4"),
        Kind("int16", 2, "i2"),
        Kind("int8", 1, "i1"),
        Kind("uint8", 1, "u1"),
        Kind("bool", 1, "?"),
        *(Kind(name, size, None) for name, size in (("uint16", 2), ("uint32", 4), ("uint64", 8), ("complex32", 4))),
        *(Kind(name, size, None) for name, size in (("complex64", 8), ("complex128", 16))),
        *(Kind(f"float8_{form}", 1, None) for form in ("e4m3fn", "e4m3fnuz", "e5m2", "e5m2fnuz", "e8m0fnu")),
    )
}
_STORAGES = {
    "Double": "float64", "Float": "float32", "Half": "float16", "BFloat16": "bfloat16", "Long": "int64", "Int": "int32",
    "Short": "int16", "Char": "int8", "Byte": "uint8", "Bool": "bool", "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}  # fmt: skip


def tensor(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any = False, kind: Kind | None = None
) -> SavedTensor:
    """The tensor of `size` whose element i lies at offset + sum(i * stride) in a storage, which may be filled later.

    Raises:
        Refused: it reaches beyond the storage, or is of a type that has no counterpart here.
    """
    if not isinstance(storage, Storage):
        raise Refused("its pickle has a tensor without a storage")
    kind = kind or storage.kind
    if kind is None:
        raise Refused("its pickle has a tensor without a type")
    if kind.numpy is None:
        raise Refused(f"it has a tensor of type {kind.name}, which has no counterpart here")
    size, stride = tuple(size), tuple(stride)
    whole = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > MOST_DIMENSIONS or any(type(n) is not int or n < 0 for n in whole):
        raise Refused(f"it has a tensor of size {size} and stride {stride} at {offset}")
    memory = storage.memory[: len(storage.memory) // kind.bytes * kind.bytes].view(kind.numpy)
    if math.prod(size) == 0:
        return SavedTensor(partial(_widened, np.zeros(size, kind.numpy), kind), requires_grad)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride))
    if last >= len(memory):
        raise Refused(
            f"it has a tensor of size {list(size)} that ends at element {last:,} of a storage of {len(memory):,}"
        )
    if math.prod(size) * kind.bytes > max(memory.nbytes, HARMLESS):
        raise Refused(f"it has a tensor of size {list(size)} over a storage of {len(memory):,} elements")
    array = np.lib.stride_tricks.as_strided(memory[offset:], size, [step * kind.bytes for step in stride])
    shares = math.prod(size) > last + 1 - offset  # elements in the same memory, which could not be changed one by one
    return SavedTensor(partial(_widened, array, kind, shares, storage.swapped), requires_grad)


def _widened(array: Array, kind: Kind, copied: bool = False, swapped: bool = False) -> Array:
    if copied:
        array = array.copy()
    if swapped:
        array = array.byteswap()
    if kind.name == "bfloat16":
        return (array.astype(np.uint32) << 16).view(np.float32)
    if kind.name == "float16":
        return array.astype(np.float32)
    if kind.name == "bool" and array.size and array.view(np.uint8).max() > 1:
        raise Refused("it has a tensor of type bool with bytes other than 0 and 1")
    return array


def _v2(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, _: Any = None, marks: Any = None
) -> SavedTensor:
    return _marked(tensor(storage, offset, size, stride, requires_grad), marks)


def _v3(
    storage: Any, offset: Any, size: Any, stride: Any, requires_grad: Any, _: Any, kind: Any, marks: Any = None
) -> SavedTensor:
    if not isinstance(kind, Kind):
        raise Refused("its pickle has a tensor without a type")
    return _marked(tensor(storage, offset, size, stride, requires_grad, kind), marks)


def _marked(saved: SavedTensor, marks: Any) -> SavedTensor:
    """A tensor whose numbers are not those of its storage, but what the marks make of them: `is_neg()` in torch."""
    found = {key for key, value in (marks.items() if isinstance(marks, dict) else ()) if value}
    if found == {"neg"}:
        return replace(saved, made=lambda: -saved.array)
    if found:
        raise Refused(f"it has a tensor that is marked {in_a_line(sorted(map(str, found)), 60)}, of no use here")
    return saved


def _parameter(data: Any, requires_grad: Any, *rest: Any) -> SavedTensor:
    if not isinstance(data, SavedTensor):
        raise Refused("its pickle has a parameter that is no tensor")
    return replace(data, marked=requires_grad)


def _of_class(function: Any, kind: Any, arguments: Any, *rest: Any) -> Any:
    """A tensor of a subclass: the tensor."""
    return function(*arguments) if function in (tensor, _v2, _v3) else _unknown("a tensor of a subclass of its own")


def _unknown(what: str) -> Any:
    raise Refused(f"it has {what}, which has no counterpart here")


def _device(*parts: Any) -> str:
    return ":".join(str(part) for part in parts if isinstance(part, (str, int)))


# What NumPy's pickles call: results and counts that scripts keep beside the weights


class NumpyType(Built):
    """numpy.dtype("f4", ...), whose state says in which byte order."""

    def __init__(self, code: Any, *rest: Any) -> None:
        kind = np.dtype(code) if isinstance(code, str) and len(code) <= 3 else None
        if kind is None or kind.kind not in "biuf":
            raise Refused(f"it has a NumPy value of type {str(code)[:20]!r}, which has no counterpart here")
        self.kind = kind

    def build(self, state: Any) -> None:
        if state[1] in ("<", ">"):
            self.kind = self.kind.newbyteorder(state[1])


class NumpyArray(Built):
    """numpy.ndarray, filled from its state; `array` is empty before."""

    def __init__(self, *rest: Any) -> None:
        self.saved = SavedTensor(lambda: np.zeros(0))

    def build(self, state: Any) -> None:
        _, shape, kind, column_order, content = state
        array = _from_bytes(content, kind, shape, "F" if column_order else "C")
        self.saved = SavedTensor(lambda: array)


def _from_bytes(content: Any, kind: Any, shape: Any, order: Any = "C") -> Array:
    if not isinstance(kind, NumpyType) or not isinstance(content, bytes):
        raise Refused("it has a NumPy array that is not of numbers")
    values = np.frombuffer(content, kind.kind).astype(kind.kind.newbyteorder("="))
    return values.reshape(shape, order=order)


def _numpy_scalar(kind: Any, content: Any) -> Any:
    return _from_bytes(content, kind, ()).item()


def _numpy_buffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> SavedTensor:
    if axes is not None:
        raise Refused("it has a NumPy array in an unusual order of axes")
    array = _from_bytes(bytes(content), kind, shape, order)
    return SavedTensor(lambda: array)


def _encoded(text: Any, encoding: Any) -> bytes:
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise Refused(f"its pickle encodes text as {str(encoding)[:20]!r}")
    return text.encode("latin-1")


def _dictionary(items: Any = ()) -> dict[Any, Any]:
    pairs = items.items() if isinstance(items, dict) else items
    return {checked_key(key): value for key, value in pairs}


def _default_dictionary(factory: Any = None, items: Any = ()) -> dict[Any, Any]:
    return _dictionary(items)


class _Attributes(Built, dict[Any, Any]):
    """An object that only holds attributes, such as the arguments of a script: a dictionary, filled from its state."""

    def __init__(self) -> None:
        dict.__init__(self)

    def build(self, state: Any) -> None:
        self.update(_dictionary(state or {}))


def _keys(items: Iterable[Any] = ()) -> set[Any]:
    return set(map(checked_key, items))


def _path(*parts: Any) -> str:
    return str(PurePosixPath(*parts))


def _windows_path(*parts: Any) -> str:
    return str(PureWindowsPath(*parts))


def _bytes(given: Any = b"") -> bytes:
    if not isinstance(given, bytes):  # a number would be so many bytes
        raise ValueError(f"bytes of a {type(given).__name__}")
    return given


def _bytearray(given: Any = b"") -> bytearray:
    return bytearray(_bytes(given))


def _complex(real: Any = 0, imaginary: Any = 0) -> complex:
    return complex(float(real), float(imaginary))


def _queue(items: Iterable[Any] = (), most: Any = None) -> list[Any]:
    return list(items)


NAMES: dict[str, Any] = {
    "collections.OrderedDict": _dictionary,
    "collections.Counter": _dictionary,
    "collections.defaultdict": _default_dictionary,
    "collections.deque": _queue,
    "argparse.Namespace": _Attributes,
    "types.SimpleNamespace": _Attributes,
    "torch.Size": lambda sizes=(): tuple(sizes),
    "torch.device": _device,
    "torch.serialization._get_layout": str,  # of its name, such as "torch.strided"
    "torch._utils._rebuild_tensor": tensor,
    "torch._utils._rebuild_tensor_v2": _v2,
    "torch._utils._rebuild_tensor_v3": _v3,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._tensor._rebuild_from_type_v2": _of_class,
    "torch.Tensor": None,
    "torch.nn.parameter.Parameter": None,
    "torch.nn.parameter.Buffer": None,
    "torch.storage.UntypedStorage": None,  # the type of a storage whose elements are bytes
    "torch.UntypedStorage": None,
    "_codecs.encode": _encoded,
    "numpy.dtype": NumpyType,
    "numpy.ndarray": None,
}
NAMES |= {f"torch.{name}": kind for name, kind in KINDS.items()}
NAMES |= {f"torch.{name}Storage": KINDS[kind] for name, kind in _STORAGES.items()}
for _module in ("builtins", "__builtin__"):
    NAMES |= {f"{_module}.set": _keys, f"{_module}.frozenset": _keys, f"{_module}.bytes": _bytes}
    NAMES |= {f"{_module}.bytearray": _bytearray, f"{_module}.complex": _complex}
    NAMES |= {f"{_module}.{name}": name for name in ("list", "dict", "tuple", "int", "float", "bool", "str")}
    NAMES |= {f"{_module}.long": "int", f"{_module}.unicode": "str"}  # what protocol 2 calls them
for _module in ("pathlib", "pathlib._local"):
    NAMES |= {f"{_module}.{name}": _path for name in ("Path", "PosixPath", "PurePath", "PurePosixPath")}
    NAMES |= {f"{_module}.{name}": _windows_path for name in ("WindowsPath", "PureWindowsPath")}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    NAMES |= {f"{_module}.scalar": _numpy_scalar, f"{_module}._reconstruct": NumpyArray}
for _module in ("numpy.core.numeric", "numpy._core.numeric"):
    NAMES |= {f"{_module}._frombuffer": _numpy_buffer}


def refusal(name: str) -> str:
    """Why a file with a name that is not on the list is not read."""
    last = name.rsplit(".", 1)[-1]
    if re.fullmatch(r"torch\.(u?int|bits|float|complex)\d\w*", name):
        return f"it has a tensor of type {last}, which has no counterpart here"
    if name.startswith("torch.jit.") or last in ("RecursiveScriptModule", "ScriptModule"):
        return f"it holds a TorchScript module ({name}): save its state_dict()"
    if "sparse" in last or "qtensor" in last or (last.startswith("Q") and last.endswith("Storage")):
        return f"it holds a sparse or quantized tensor ({name}), which has no counterpart here"
    if last.startswith(("_rebuild", "_load")):
        return f"it holds a tensor of a kind that has no counterpart here ({name})"
    return (
        f"it holds a pickled object of the class {name}, which only code could bring back, and no code of a file is "
        "run here: save state_dict() alone, torch.save(model.state_dict(), ...)"
    )
