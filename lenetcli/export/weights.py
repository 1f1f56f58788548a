"""Weights alone, as files: safetensors with torch's key names, and NumPy's .npz; written, and read again."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.data.pictures import decode_array
from lenetcli.data.zip_limits import check_unpacked
from lenetcli.errors import DataError
from lenetcli.nn.module import Module
from lenetcli.tensors.recognise import Kind, recognise, refusal
from lenetcli.tensors.serialization import load, load_metadata, to_bytes
from lenetcli.tensors.tensor import Tensor, from_numpy

READ = (Kind.safetensors, Kind.npz)


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
    """The tensors of a file, by name: of a safetensors file or of an .npz, whatever its name ends in.

    Raises:
        DataError: a file of another kind, which the message names; or a damaged one.
    """
    kind = recognise(path) if path.exists() or path.suffix == ".npz" else Kind.safetensors
    if kind is Kind.npz:
        return _arrays(path)
    if kind not in (Kind.safetensors, Kind.unknown, Kind.empty):
        raise DataError(refusal(path, kind, "only .safetensors files are read, and .npz"))
    return load(path)


def notes_of(path: Path) -> dict[str, str]:
    """The text beside the tensors, of files that have such."""
    return load_metadata(path) if recognise(path) is Kind.safetensors else {}


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of an .npz file; nothing is unpickled."""
    found = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                check_unpacked(path, entry.file_size, entry.compress_size)
                array = decode_array(archive.read(entry), f"{path}: {entry.filename}")
                plain = np.array(array, array.dtype.newbyteorder("="), order="C")
                found[entry.filename.removesuffix(".npy")] = from_numpy(plain)
    except DataError:
        raise
    except Exception as error:  # whatever the reader of ZIP raises on damage; types that no tensor has
        raise DataError(f"{path}: not a sound .npz file: {' '.join(str(error).split())[:200]}") from None
    return found
