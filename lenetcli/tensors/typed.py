"""torch's old constructors, one for each type: `FloatTensor(2, 3)`, `LongTensor([1, 2])`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lenetcli.autograd import dtypes
from lenetcli.tensors.creation import empty, tensor
from lenetcli.tensors.size import Size
from lenetcli.tensors.tensor import Tensor


class _Typed(type):
    """Makes tensors of its type, and says of a tensor whether it is of that type."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype

    def __call__(cls, *data: Any) -> Tensor:
        if len(data) == 1 and isinstance(data[0], (Sequence, np.ndarray)) and not isinstance(data[0], (str, Size)):
            return tensor(data[0], dtype=cls.dtype)
        if len(data) == 1 and isinstance(data[0], Tensor):
            if data[0].dtype is not cls.dtype:
                raise TypeError(f"expected {cls.dtype} (got {data[0].dtype})")
            return data[0].view_as(data[0])
        return empty(*data or (0,), dtype=cls.dtype)


def _typed(name: str, kind: dtypes.dtype) -> Any:
    word = kind.name
    about = f"""Tensors of {word}: of sizes, with whatever the memory held, or of a sequence or an array.

    Raises:
        TypeError: a tensor of another type.

    Source: torch.{name}.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.{name}([1, 0]).dtype, isinstance(lenet.ones(1, dtype=lenet.{word}), lenet.{name})
        (torch.{word}, True)
    """
    return _Typed(name, (), {"dtype": kind, "__doc__": about, "__module__": __name__})


BoolTensor = _typed("BoolTensor", dtypes.bool_)
ByteTensor = _typed("ByteTensor", dtypes.uint8)
CharTensor = _typed("CharTensor", dtypes.int8)
ShortTensor = _typed("ShortTensor", dtypes.int16)
IntTensor = _typed("IntTensor", dtypes.int32)
LongTensor = _typed("LongTensor", dtypes.int64)
HalfTensor = _typed("HalfTensor", dtypes.float16)
FloatTensor = _typed("FloatTensor", dtypes.float32)
DoubleTensor = _typed("DoubleTensor", dtypes.float64)
