"""Weights that Keras 3 has written, `.keras` and `.weights.h5`: layers with their arrays, as plain data.

HDF5 is read by h5py, an extra. Links to other files are not followed, and sizes are compared with the file's before
memory is taken.
"""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from lenetcli.disk import Unreadable, check_regular, opened
from lenetcli.errors import ConfigError, DataError, plain_text, printable
from lenetcli.formats.pickle_subset import Refused
from lenetcli.formats.recognise import Kind, recognise
from lenetcli.formats.zip_directory import check_directory

Array = npt.NDArray[Any]

INNER = "model.weights.h5"  # in a .keras file
LARGEST = 1 << 31  # bytes of a file
_MOST_GROUPS, _DEEPEST = 50_000, 20
FORWARD, BACKWARD = "forward_layer", "backward_layer"  # of a bidirectional layer
_PACKED = 16  # weights are noise, which nothing packs well
_CELL = ["kernel", "recurrent_kernel", "bias"]  # of a recurrent layer; one of two directions has them twice
WORDS = {
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"),
    "group_normalization": ("gamma", "beta"),
    "p_re_lu": ("alpha",),
    "embedding": ("embeddings",),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "separable_conv1d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    **dict.fromkeys(("gru", "lstm", "simple_rnn"), tuple(_CELL + [f"backward_{word}" for word in _CELL])),
}  # what a layer's arrays are, in order; kernel and bias of all others


@dataclass(frozen=True)
class KerasLayer:
    """A layer with weights.

    Args:
        kind: Keras' word for its class, such as "conv2d".
        name: that the net's author gave it.
        arrays: in Keras' order and layout (channels last).
    """

    kind: str
    name: str
    arrays: tuple[Array, ...]

    def named(self) -> dict[str, Array]:
        """The arrays under Keras' words for them."""
        words = WORDS.get(self.kind, ("kernel", "bias"))
        if self.kind == "batch_normalization" and len(self.arrays) == 2:
            words = words[2:]
        known = len(self.arrays) <= len(words) and (self.kind != "batch_normalization" or len(self.arrays) != 3)
        return {words[i] if known else str(i): array for i, array in enumerate(self.arrays)}


def read(path: str | os.PathLike[str]) -> list[KerasLayer]:
    """The layers of a file that have weights: those of one class in the order they were made.

    Raises:
        ConfigError: h5py is not installed.
        DataError: no such file, a damaged or hostile one, or one of another kind.
    """
    path = Path(os.fspath(path))
    size = check_regular(path, LARGEST)
    kind = recognise(path)
    h5py = _h5py(path, kind)
    try:
        with opened(path) as file:
            content = _unpacked(file, size) if file.read(2) == b"PK" else file
            length = content.seek(0, io.SEEK_END)
            with h5py.File(content, "r") as held:
                if "layer_names" in held.attrs or "model_weights" in held:
                    raise Refused("it is a file of Keras 2: load it in Keras 3 and save_weights('NAME.weights.h5')")
                found = list(_whole(list(_layers(h5py, held, length))))
    except Refused as refused:
        raise DataError(printable(f"{path}: is {kind.what}, and cannot be read: {refused}")) from None
    except Unreadable:
        raise
    except Exception as error:  # whatever h5py and zipfile raise on damage
        reason = " ".join(str(error).split())[:160]
        raise DataError(printable(f"{path}: is {kind.what}, and not sound: {reason}")) from None
    if not found:
        raise DataError(f"{path}: is {kind.what}, and holds no layers with weights, as Keras 3 writes them")
    return [layer for _, layer in sorted(found, key=lambda one: one[0])]


def _h5py(path: Path, kind: Kind) -> Any:
    try:
        import h5py
    except ImportError:
        raise ConfigError(
            f"{path}: is {kind.what}; to read it takes h5py: python -m pip install 'lenet[keras]'"
        ) from None
    return h5py


def _unpacked(file: BinaryIO, size: int) -> BinaryIO:
    """The HDF5 file within a .keras file."""
    check_directory(file, size)
    with zipfile.ZipFile(file) as archive:
        member = archive.getinfo(INNER)
        if member.file_size > min(LARGEST, _PACKED * max(member.compress_size, 1)):
            raise Refused(f"its weights of {member.file_size:,} bytes are packed in {member.compress_size:,}")
        return io.BytesIO(archive.read(member))


def _layers(h5py: Any, opened: Any, length: int) -> Iterator[tuple[tuple[str, ...], KerasLayer]]:
    """Groups of arrays, with where they are."""
    queue: list[tuple[tuple[str, ...], Any]] = [((), opened)]
    seen, taken = 0, 0
    while queue:
        where, group = queue.pop()
        for name in group:
            seen += 1
            if seen > _MOST_GROUPS or len(where) > _DEEPEST:
                raise Refused("it has more groups than any net")
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise Refused(f"{name!r} is a link to elsewhere, which is not followed")
            inner = group[name]
            if not isinstance(inner, h5py.Group):
                continue
            if name != "vars":
                queue.append(((*where, plain_text(name)), inner))
                continue
            arrays = []
            for key in sorted(inner, key=lambda key: (len(key), key)):
                if not isinstance(inner.get(key, getlink=True), h5py.HardLink):
                    raise Refused(f"{key!r} is a link to elsewhere, which is not followed")
                arrays.append(_array(h5py, inner[key], length - taken))
                taken += arrays[-1].nbytes // (1 if inner[key].chunks is None else _PACKED)
            if arrays and where:
                yield where, KerasLayer(where[-1], _label(inner, where[-1]), tuple(arrays))


def _label(group: Any, usual: str) -> str:
    """The name that a group of arrays has; the usual one where it has none."""
    label = group.attrs.get("name", usual)
    return plain_text(label.decode("utf-8", "replace") if isinstance(label, bytes) else label)[:100]


def _whole(found: list[tuple[tuple[str, ...], KerasLayer]]) -> Iterator[tuple[tuple[Any, ...], KerasLayer]]:
    """Layers with a key to order them by; the cells of a recurrent layer, one for each direction, are that layer."""
    cells = {where: layer for where, layer in found if where[-1] == "cell"}
    for where, layer in found:
        way = where[-2] if where in cells and len(where) > 1 else ""
        if way == BACKWARD:
            continue
        kind, name, arrays = re.sub(r"_\d+$", "", where[-1]), layer.name, layer.arrays
        if where in cells:
            where, kind = where[:-1], re.sub(r"_cell(_\d+)?$", "", layer.name)
            name = where[-1]
        if way == FORWARD:
            where = where[:-1]
            back = cells.get((*where, BACKWARD, "cell"))
            if back is None:
                raise Refused(f"{where[-1]!r} walks in two directions, and holds one")
            name, arrays = where[-1], (*arrays, *back.arrays)
        yield _place(where), KerasLayer(kind, name, arrays)


def _place(where: tuple[str, ...]) -> tuple[Any, ...]:
    """Where a layer stands among those of its class, whose names end in their numbers."""
    found = []
    for part in where:
        number = re.search(r"_(\d+)$", part)
        found.append((re.sub(r"_\d+$", "", part), int(number[1]) + 1 if number else 0))
    return tuple(found)


def _array(h5py: Any, dataset: Any, left: int) -> Array:
    if not isinstance(dataset, h5py.Dataset):
        raise Refused("it holds something else than arrays among a layer's weights")
    if dataset.external or dataset.is_virtual:
        raise Refused(f"{dataset.name!r} lies in another file, which is not read")
    if dataset.dtype.kind not in "fiu" or dataset.dtype.itemsize > 8:
        raise Refused(f"{dataset.name!r} is of type {dataset.dtype}, which is not read")
    if dataset.nbytes > left * (1 if dataset.chunks is None else _PACKED):
        raise Refused(f"{dataset.name!r} has sizes {list(dataset.shape)}, more than the file has room for")
    array: Array = np.asarray(dataset[()])
    return array.astype(np.float32) if array.dtype.kind == "f" else array
