"""Saving and loading tensors as `.safetensors`, a JSON header and raw bytes, and as torch's `.pt` and `.pth`.

Reading a file never runs code: pickles, of which torch's files are made, are interpreted (see lenetcli.formats).

A flat dictionary of tensors becomes a plain safetensors file that every other tool reads. Anything else that state
dicts hold (nested dictionaries, lists, numbers, text) goes as JSON into the file's metadata, under `lenet.structure`.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors
import safetensors.numpy

from lenetcli.autograd.dtypes import from_numpy_dtype
from lenetcli.autograd.tape import Array
from lenetcli.disk import read_within, write_file
from lenetcli.errors import ConfigError, DataError, in_a_line, plain_text
from lenetcli.formats import torch_file, torch_zip
from lenetcli.formats.recognise import Kind, recognise, refusal
from lenetcli.formats.torch_names import SavedTensor
from lenetcli.kernels.device import to_host
from lenetcli.tensors.tensor import Tensor, of_array

SUFFIX = ".safetensors"
WANTED = "only .safetensors files and torch's are read"
TORCH = (Kind.torch, Kind.torchscript, Kind.pickle)  # read, or refused in words of their own
NO_OTHERS = (Kind.zip, Kind.tar, Kind.unknown)
R_OBJECT = "__robj__"
_STRUCTURE = "lenet.structure"
_LARGEST = 1 << 40  # bytes of a file
_LARGEST_HEADER = 1 << 24  # bytes, for some 100,000 tensors; the format's own limit of 100 MB takes gigabytes to parse
_KNOWN_TYPES = ("BOOL", "U8", "I8", "I16", "I32", "I64", "F16", "F32", "F64")


def save(obj: Any, f: str | os.PathLike[str] | IO[bytes], metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors, such as `model.state_dict()` or `optimizer.state_dict()`, to a file.

    `.safetensors` is what most tools read; `.pt` and `.pth` are torch's, read by `torch.load(weights_only=True)`. Equal
    content has equal bytes.

    The file is written beside its place and moved there when it is complete, so that a crash leaves the old one.

    Args:
        obj: a dictionary of tensors (or NumPy arrays); may be nested, with lists, numbers, text and None in it. For
            torch's files also anything that such a dictionary may hold.
        f: path that ends in `.safetensors`, `.pt` or `.pth`; or an open file, which gets a file
            of torch's.
        metadata: text to keep beside the tensors, in `.safetensors` only; `load_metadata` reads it.

    Raises:
        ConfigError: another suffix; metadata for torch's files.
        TypeError: a value that cannot be saved; the message says where it stands.
        LenetError: the file cannot be written (no space, no permission).

    Source: torch.save.

    Example:
        >>> import lenetcli as lenet, tempfile, os
        >>> path = os.path.join(tempfile.mkdtemp(), "w.safetensors")
        >>> lenet.save({"w": lenet.ones(2)}, path)
        >>> lenet.load(path)["w"].tolist()
        [1.0, 1.0]
    """
    if not isinstance(f, (str, os.PathLike)):
        f.write(as_torch_file(obj))
        return
    path = Path(os.fspath(f))
    if path.suffix in torch_file.SUFFIXES:
        if metadata:
            raise ConfigError(f"save: {path}: torch's files have no place for metadata; use {SUFFIX}")
        write_file(path, as_torch_file(obj))
        return
    if path.suffix != SUFFIX:
        kinds = ", ".join((SUFFIX, *torch_file.SUFFIXES))
        raise ConfigError(f"save: {path}: wanted one of {kinds}; use {path.with_suffix(SUFFIX).name!r}")
    write_file(path, to_bytes(obj, metadata))


def as_torch_file(obj: Any) -> bytes:
    """The content of a file of torch's that holds the object.

    Raises:
        TypeError: as `save`.
    """
    return torch_zip.write(_as_arrays(obj, "", {}))


def to_bytes(obj: Mapping[Any, Any], metadata: Mapping[str, str] | None = None) -> bytes:
    """What `save` writes, as bytes.

    Raises:
        TypeError: as `save`.
    """
    if not isinstance(obj, Mapping):
        raise TypeError(f"save: wanted a dictionary of tensors, got {type(obj).__name__}; save its state_dict()")
    notes = dict(metadata or {})
    for key, text in notes.items():
        if not isinstance(key, str) or not isinstance(text, str) or key == _STRUCTURE:
            raise TypeError(f"save: metadata must be text, got {key!r}: {text!r}")
    tensors: dict[str, Array] = {}
    structure = _encode(obj, "", tensors)
    flat = all(isinstance(value, (Tensor, np.ndarray)) for value in obj.values())
    if not flat or list(tensors) != list(obj):
        notes[_STRUCTURE] = json.dumps(structure, separators=(",", ":"))
    return _ordered(safetensors.numpy.save(tensors, notes or None))


def _ordered(content: bytes) -> bytes:
    """The same file with the notes in its header sorted: the library writes them in the order of a random hash."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    if "__metadata__" not in header:
        return content
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def load(f: str | os.PathLike[str] | IO[bytes], map_location: Any = None, *, weights_only: bool = True) -> Any:
    """Reads what `save` or `torch.save` wrote, or any other `.safetensors` file, with tensors on the CPU unless told.

    No code of a file is run. Of torch's files, half floats are widened to float32, sizes are tuples, devices and types
    texts; parameters are tensors that require gradients.

    What R's torch writes is such a file too; the R object that it keeps beside the tensors is left out.

    Args:
        f: path of such a file, whatever its name ends in; or an open file of torch's.
        map_location: where the tensors go: a device; None or a function leave them on the CPU.
        weights_only: accepted: no code is run either way.

    Returns:
        A dictionary; of torch's files whatever was saved.

    Raises:
        DataError: no such file, one of another kind, a damaged, truncated or hostile one, or one that only code could
            read, such as a whole pickled module.

    Source: torch.load.

    Example:
        >>> import lenetcli as lenet, os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "w.safetensors")
        >>> lenet.save({"weight": lenet.ones(2)}, path)
        >>> lenet.load(path)
        {'weight': tensor([1., 1.])}
    """
    if map_location is not None and not callable(map_location):
        return moved(load(f), map_location)
    if not isinstance(f, (str, os.PathLike)):
        return _from_stream(f)
    path = Path(os.fspath(f))
    kind = recognise(path)
    if kind in TORCH or (path.suffix in torch_file.SUFFIXES and kind in NO_OTHERS):
        return torch_file.read(path, _tensor)
    path, header, data = _open(path, "load")
    try:
        arrays = _of_r(data, header) if is_of_r(header) else safetensors.numpy.load(data)
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: damaged safetensors file: {in_a_line(error)}") from None
    for name, array in arrays.items():
        if array.dtype == np.bool_ and array.size and array.view(np.uint8).max() > 1:
            raise DataError(
                f"{path}: damaged safetensors file: {plain_text(name)} is BOOL but has bytes other than 0 and 1"
            )
    tensors = {name: of_array(np.require(arrays[name], requirements="W")) for name in header if name in arrays}
    notes = header.get("__metadata__") or {}
    if _STRUCTURE not in notes:
        return tensors
    try:
        restored = _decode(json.loads(notes[_STRUCTURE]), tensors)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{path}: damaged metadata {_STRUCTURE!r}: {in_a_line(error)}") from None
    if not isinstance(restored, dict):
        raise DataError(f"{path}: damaged metadata {_STRUCTURE!r}: not a dictionary")
    return restored


def _from_stream(file: IO[bytes]) -> Any:
    """What an open file of torch's holds from where it is read next."""
    with tempfile.NamedTemporaryFile(suffix=".pt", delete=False) as copy:
        copy.write(file.read())
    try:
        return torch_file.read(copy.name, _tensor)
    finally:
        os.unlink(copy.name)


def moved(value: Any, device: Any) -> Any:
    """The same with its tensors on another device."""
    if isinstance(value, Tensor):
        return value.to(device=device)
    if isinstance(value, dict):
        return {key: moved(item, device) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(moved(item, device) for item in value)
    return value


def load_metadata(f: str | os.PathLike[str]) -> dict[str, str]:
    """The text kept beside the tensors of a `.safetensors` file; the tensors are not read. torch's files have none.

    Raises:
        DataError: as `load`.
    """
    if recognise(f) in TORCH:
        return {}
    notes = _open(f, "load_metadata")[1].get("__metadata__") or {}
    return {key: text for key, text in notes.items() if key != _STRUCTURE}


def _tensor(saved: SavedTensor) -> Tensor:
    tensor = of_array(saved.array)
    tensor.requires_grad = saved.requires_grad
    return tensor


def _as_arrays(value: Any, where: str, known: dict[Any, Array]) -> Any:
    """The value with arrays for tensors: one array for tensors that are the same memory, as tied weights are."""
    if isinstance(value, (Tensor, np.ndarray)):
        array = value.array if isinstance(value, Tensor) else value
        if not isinstance(array, np.ndarray):
            return _plain(array, where)
        memory = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype
        return known.setdefault(memory, _plain(array, where)) if array.size else _plain(array, where)
    if isinstance(value, Mapping):
        return {_key(k, where): _as_arrays(v, _below(where, k), known) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_as_arrays(v, _below(where, i), known) for i, v in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise _unsavable(value, where)


# Untrusted files


def _open(f: str | os.PathLike[str], call: str) -> tuple[Path, dict[str, Any], bytes]:
    """The path, its checked header and its content. What the library checks well (offsets, sizes) is left to it.

    The file is read once: mapped into memory, a disk that fails would end the process by a signal.
    """
    path = Path(os.fspath(f))
    kind = recognise(path)
    if kind is not Kind.safetensors and not (path.suffix == SUFFIX and kind in (Kind.unknown, Kind.empty)):
        raise DataError(f"{call}: {refusal(path, kind, WANTED)}")
    data = read_within(path, _LARGEST)
    size, length = len(data), int.from_bytes(data[:8], "little")
    if size < 10:
        raise DataError(f"{path}: not a safetensors file: it has only {size} bytes")
    if length > min(size - 8, _LARGEST_HEADER):
        raise DataError(
            f"{path}: not a safetensors file, or a truncated one: its header would have {length} bytes, "
            f"the file has {size}"
        )
    try:
        header = json.loads(data[8 : 8 + length], object_pairs_hook=_unique)
        if not isinstance(header, dict):
            raise ValueError("it is no JSON object")
        if not is_of_r(header):
            safetensors.deserialize(data)  # type: ignore[no-untyped-call]  # it is typed nowhere
        else:
            header = _plain_header(header)
    except (ValueError, RecursionError, safetensors.SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a safetensors file, or a damaged one: {in_a_line(error)}") from None
    for name, entry in header.items():
        if name != "__metadata__" and entry["dtype"] not in _KNOWN_TYPES:
            known = ", ".join(_KNOWN_TYPES)
            raise DataError(
                f"{path}: {plain_text(name)} is of type {entry['dtype']}, which has no counterpart here "
                f"(there are {known})"
            )
    return path, header, data


# R's torch: an R object in a tensor of bytes, or behind all tensors; notes that are no text


def is_of_r(header: Mapping[str, Any]) -> bool:
    """The header is that of a file of R's torch_save."""
    notes = header.get("__metadata__")
    return R_OBJECT in header or (isinstance(notes, dict) and "..r" in notes)


def _plain_header(header: dict[str, Any]) -> dict[str, Any]:
    """The same without the R object, and with notes that are text."""
    notes = header.get("__metadata__", {})
    if not isinstance(notes, dict):
        raise ValueError("its notes are no JSON object")
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in notes.items()}
    tensors = {key: value for key, value in header.items() if key not in ("__metadata__", R_OBJECT)}
    for name, entry in tensors.items():
        if not isinstance(entry, dict) or not isinstance(entry.get("dtype"), str):
            raise ValueError(f"{name} has no type")
    return {"__metadata__": {"..r": "", **texts}, **tensors}


def _of_r(content: bytes, header: dict[str, Any]) -> dict[str, Array]:
    """The tensors of a file of R's torch, each as a file of its own, which the library checks."""
    data = memoryview(content)[8 + int.from_bytes(content[:8], "little") :]
    found: dict[str, Array] = {}
    room = len(data)
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        start, end = (_place(n, len(data)) for n in entry["data_offsets"])
        room -= end - start
        if room < 0:
            raise ValueError("its tensors overlap")
        text = json.dumps({name: {**entry, "data_offsets": [0, end - start]}}).encode()
        found |= safetensors.numpy.load(len(text).to_bytes(8, "little") + text + bytes(data[start:end]))
    return found


def _place(value: Any, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"a tensor lies at {value!r}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(n for n in names if names.count(n) > 1)!r} appears twice in its header")
    return found


# Nested state as JSON: tensors by name, everything else as it is


def _encode(value: Any, where: str, tensors: dict[str, Array]) -> Any:
    if isinstance(value, (Tensor, np.ndarray)):
        array = value.array if isinstance(value, Tensor) else value
        name = where
        while name in tensors or name == "__metadata__":  # {"a.b": t, "a": {"b": u}}; the format's own entry
            name += "'"
        tensors[name] = _plain(array, where)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {"dict": [[_key(k, where), _encode(v, _below(where, k), tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(v, _below(where, i), tensors) for i, v in enumerate(value)]}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise _unsavable(value, where)


def _unsavable(value: Any, where: str) -> TypeError:
    at = f" {where}:" if where else ""
    return TypeError(f"save:{at} cannot save {type(value).__name__}; wanted tensors, numbers, text, lists, dicts")


def _plain(array: Array, where: str) -> Array:
    try:
        kind = from_numpy_dtype(array.dtype).numpy
    except TypeError as error:
        raise TypeError(f"save: {where}: {error}") from None
    return np.asarray(to_host(array), kind, order="C")  # the library wants memory in C order


def _key(key: Any, where: str) -> Any:
    if not isinstance(key, (str, int)) or isinstance(key, bool):
        raise TypeError(f"save: {where or 'the dictionary'}: keys must be text or integers, got {key!r}")
    return key


def _below(where: str, key: Any) -> str:
    return f"{where}.{key}" if where else str(key)


def _decode(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise ValueError("a bare list")
        return value
    ((kind, body),) = value.items()
    if kind == "tensor":
        return tensors[body]
    if kind == "dict":
        return dict(_decoded_pairs(body, tensors))
    if kind in ("list", "tuple"):
        items = [_decode(v, tensors) for v in body]
        return items if kind == "list" else tuple(items)
    raise ValueError(f"unknown kind {kind!r}")


def _decoded_pairs(body: Any, tensors: Mapping[str, Tensor]) -> Iterator[tuple[Any, Any]]:
    for key, item in body:
        if not isinstance(key, (str, int)):
            raise ValueError(f"unknown key {key!r}")
        yield key, _decode(item, tensors)
