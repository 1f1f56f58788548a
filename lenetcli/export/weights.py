"""Weights alone, as files: safetensors with torch's key names, and NumPy's .npz; written, and read again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.data.pictures import decode_array
from lenetcli.data.zip_limits import check_packed
from lenetcli.disk import check_regular, is_there, opened
from lenetcli.errors import DataError, plain_text
from lenetcli.formats import keras_weights, onnx_in
from lenetcli.formats.recognise import OF_OTHERS, Kind, recognise, refusal
from lenetcli.nn.module import Module
from lenetcli.tensors.serialization import TORCH, load, load_metadata, to_bytes
from lenetcli.tensors.tensor import Tensor, from_numpy

_LARGEST = 1 << 40  # bytes of a file
NAMES = ("state_dict", "model_state_dict", "model", "weights", "net", "model_ema", "ema")  # of state dicts


def safetensors_bytes(model: Module, metadata: Mapping[str, str] | None = None) -> bytes:
    """The state dict as the content of a .safetensors file, which torch's `load_file` reads.

    Args:
        metadata: text to keep in the file's header; `format: pt`, which some readers want, is added.
    """
    return to_bytes(model.state_dict(), {"format": "pt", **(metadata or {})})


def npz_bytes(model: Module) -> bytes:
    """The state dict as the content of a .npz file: an array for each key, nothing pickled."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {key: tensor.array for key, tensor in model.state_dict().items()}
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def read_weights(path: Path) -> dict[Any, Any]:
    """The tensors of a file, by name: of a safetensors file, one of torch.save or an .npz, whatever its name ends in.

    Of a checkpoint, which holds more than a state dict, the state dict. Names are as messages and tables may show them.

    Raises:
        DataError: a file of another kind, which the message names; a damaged one; one that holds no tensors by name.
    """
    if path.is_dir():
        raise DataError(f"{path}: wanted a file of weights, got a directory; try {path / 'model.safetensors'}")
    kind = recognise(path) if is_there(path) or path.suffix == ".npz" else Kind.safetensors
    if kind is Kind.npz:
        return _named(_arrays(path), path)
    if kind in OF_OTHERS:
        return of_others(path, kind)
    if kind not in (Kind.safetensors, Kind.zip, Kind.unknown, *TORCH):
        raise DataError(refusal(path, kind, "only .safetensors, .npz, .onnx, Keras's and torch's files are read"))
    return _named(_state_dict(load(path), path), path)


def _named(found: dict[Any, Any], path: Path) -> dict[Any, Any]:
    """The same with control characters and line ends of names written out."""
    named = {plain_text(name): tensor for name, tensor in found.items()}
    if len(named) < len(found):
        raise DataError(f"{path}: names that differ in control characters only")
    return named


def of_others(path: Path, kind: Kind) -> dict[str, Tensor]:
    """The arrays of an ONNX file, or one of Keras, as they stand there: names and layouts are the file's own.

    Raises:
        DataError: a damaged or hostile file.
        ConfigError: a file of Keras without h5py.
    """
    if kind is Kind.onnx:
        arrays = onnx_in.read(path).constants
    else:
        arrays = {f"{one.name}.{key}": a for one in keras_weights.read(path) for key, a in one.named().items()}
    return {name: from_numpy(np.array(a, order="C")) for name, a in arrays.items() if a.dtype.name in _KNOWN}


_KNOWN = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool")


def _state_dict(found: Any, path: Path) -> dict[Any, Any]:
    """The names and tensors of what a file holds."""
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise DataError(f"{path}: holds one value, of type {kind}, not tensors by their names: save state_dict()")
    if _is_state_dict(found):
        return found
    inner = {key: value for key, value in found.items() if _is_state_dict(value) and value}
    for key in NAMES:
        if key in inner:
            return dict(inner[key])
    if len(inner) > 1:
        keys = list(inner)
        raise DataError(
            f"{path}: holds {len(keys)} state dicts, {', '.join(map(repr, keys[:8]))}: write the one that is "
            f"meant to a file of its own, lenetcli.save(lenetcli.load({str(path)!r})[{keys[0]!r}], 'NAME.pt')"
        )
    if inner:
        return dict(*inner.values())
    shown = ", ".join(repr(key) for key in list(found)[:8]) or "nothing"
    raise DataError(f"{path}: holds no tensors by their names but {shown}: save state_dict()")


def _is_state_dict(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(key, str) and isinstance(t, Tensor) for key, t in value.items())


def notes_of(path: Path) -> dict[str, str]:
    """The text beside the tensors, of files that have such."""
    return load_metadata(path) if recognise(path) is Kind.safetensors else {}


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz file; nothing is unpickled."""
    found, size = {}, check_regular(path, _LARGEST)
    try:
        with opened(path) as file, zipfile.ZipFile(file) as archive:
            check_packed(path, archive, size)
            for entry in archive.infolist():
                array = decode_array(archive.read(entry), f"{path}: {entry.filename}")
                plain = np.array(array, array.dtype.newbyteorder("="), order="C")
                found[entry.filename.removesuffix(".npy")] = from_numpy(plain)
    except DataError:
        raise
    except Exception as error:  # whatever the reader of ZIP raises on damage; types that no tensor has
        raise DataError(f"{path}: not a sound .npz file: {' '.join(str(error).split())[:200]}") from None
    return found
