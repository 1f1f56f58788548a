"""Samples -> a batch: tensors are stacked, numbers become tensors, and the samples' structure stays around them."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import float64
from lenetcli.autograd.tape import Variable
from lenetcli.kernels.layout import logical, stored
from lenetcli.ops.shaping.cat import stack
from lenetcli.tensors.creation import as_tensor, tensor
from lenetcli.tensors.tensor import of_array

_TEXT = re.compile("[SaUO]")  # NumPy's types of text and objects, which stay as they are


def default_collate(batch: Sequence[Any]) -> Any:
    """What `DataLoader` makes of the samples of a batch.

    Tensors and arrays of equal shape are stacked, with a new first dimension; numbers become a tensor (Python floats of
    float64, as in torch); texts stay what they are, a tuple where a sample has other parts; of lists, tuples, named
    tuples and dictionaries of these, each entry is collated. Images (C, H, W) lie batch-last in memory, as the layers
    here want them.

    Raises:
        TypeError: samples of another kind, such as pictures of Pillow.
        RuntimeError: tensors of different shapes, or sequences of different lengths.

    Source: torch.utils.data.default_collate.

    Example:
        >>> from lenetcli.utils.data import default_collate
        >>> default_collate([(1, {"a": 2.5}, "x"), (3, {"a": 4.5}, "y")])
        [tensor([1, 3]), {'a': tensor([2.5000, 4.5000], dtype=torch.float64)}, ('x', 'y')]
    """
    first = batch[0]
    if isinstance(first, Variable):
        return _stacked(batch)
    if isinstance(first, np.ndarray):
        if _TEXT.search(first.dtype.str):
            raise _unfit(first.dtype)
        return default_collate([as_tensor(array) for array in batch])
    if isinstance(first, np.generic):
        return as_tensor(np.array(batch))
    if isinstance(first, float):
        return tensor(batch, dtype=float64)
    if isinstance(first, int):
        return tensor(batch)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        return _mapping(first, {key: default_collate([sample[key] for sample in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(part) for part in zip(*batch)))
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        parts = [default_collate(part) for part in zip(*batch)]
        return parts if isinstance(first, tuple) else _sequence(first, parts)
    raise _unfit(type(first))


def default_convert(data: Any) -> Any:
    """What `DataLoader(batch_size=None)` makes of one sample: NumPy's arrays and numbers become tensors.

    Source: torch.utils.data.default_convert.

    Example:
        >>> import numpy as np
        >>> from lenetcli.utils.data import default_convert
        >>> default_convert({"x": np.array([1, 2]), "y": 3})
        {'x': tensor([1, 2]), 'y': 3}
    """
    if isinstance(data, Variable):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if _TEXT.search(data.dtype.str) else as_tensor(np.asarray(data))
    return mapped(default_convert, data)


def mapped(function: Callable[[Any], Any], data: Any) -> Any:
    """The same structure with `function` applied to what its dictionaries and sequences hold."""
    if isinstance(data, Mapping):
        return _mapping(data, {key: function(value) for key, value in data.items()})
    if isinstance(data, tuple):
        parts = [function(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _sequence(data, [function(part) for part in data])
    return data


def _stacked(batch: Sequence[Any]) -> Any:
    shapes = {tuple(sample.shape) for sample in batch}
    if len(shapes) > 1:
        i, other = next((i, s) for i, s in enumerate(batch) if s.shape != batch[0].shape)
        raise RuntimeError(
            f"stack expects each tensor to be equal size, but got {list(batch[0].shape)} at entry 0 and "
            f"{list(other.shape)} at entry {i}"
        )
    if batch[0].ndim == 3 and not any(sample.requires_grad or sample.is_cuda for sample in batch):
        return of_array(logical(stored(np.stack([sample.array for sample in batch]))))
    return stack(batch)


def _mapping(like: Mapping[Any, Any], found: dict[Any, Any]) -> Any:
    try:
        if hasattr(like, "update"):
            made: Any = copy.copy(like)
            made.update(found)
            return made
        return type(like)(found)  # type: ignore[call-arg]  # most can be made of a dictionary
    except TypeError:
        return found


def _sequence(like: Sequence[Any], parts: list[Any]) -> Any:
    if type(like) is list:
        return parts
    try:
        return type(like)(parts)  # type: ignore[call-arg]  # most can be made of a list
    except TypeError:
        return parts


def _unfit(kind: Any) -> TypeError:
    return TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {kind}"
    )
