"""Weights of any file for a model: those of ONNX and Keras under the model's names and in its layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.disk import is_regular
from lenetcli.export.foreign import COUNTER
from lenetcli.export.weights import read_weights
from lenetcli.formats.recognise import Kind, recognise
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor, from_numpy

IN_ORDER = "names differ from the model's; the weights were taken in order, where all sizes are the same"


def weights_for(
    model: Module, path: Path, sample: Sequence[int], rename: Mapping[str, str] | None = None
) -> tuple[dict[Any, Any], list[str]]:
    """The tensors of a file as a model of ours may have them, and what should be said of them.

    Args:
        sample: sizes of one sample, for files that leave them open.
        rename: what is going to be done to the names; where there is anything, they are the file's own.

    Raises:
        DataError: the file cannot be read; a net of ONNX has what no layer stands for; layers of Keras are not those
            of the model.
        ConfigError: a file of Keras without h5py.
    """
    kind = recognise(path) if is_regular(path) else None
    if kind is Kind.onnx:
        from lenetcli.onnx_import import imported

        found = imported.read(path, sample)
        return in_order(model, {name: _tensor(array) for name, array in found.weights.items()}, rename)
    if kind in (Kind.keras, Kind.hdf5):
        from lenetcli.export.keras import converted
        from lenetcli.formats import keras_weights

        turned = converted(model, keras_weights.read(path), str(path), sample)
        return {name: _tensor(array) for name, array in turned.items()}, []
    return read_weights(path), []


def in_order(
    model: Module, given: Mapping[str, Tensor], rename: Mapping[str, str] | None = None
) -> tuple[dict[Any, Any], list[str]]:
    """The tensors of a net under the model's names, where these differ but kinds and sizes are the same in order."""
    own = {key: tensor for key, tensor in model.state_dict().items() if not key.endswith(COUNTER)}
    if rename or own.keys() == given.keys() or _kinds(own) != _kinds(given):
        return dict(given), []
    return dict(zip(own, given.values())), [IN_ORDER]


def _kinds(tensors: Mapping[str, Tensor]) -> list[tuple[str, tuple[int, ...]]]:
    return [(key.rpartition(".")[2], tuple(tensor.array.shape)) for key, tensor in tensors.items()]


def _tensor(array: Any) -> Tensor:
    return from_numpy(np.array(array, order="C"))
