"""What numbers of a type can be: `finfo`, `iinfo`; and the constants beside them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import get_default_dtype

pi, e, inf, nan = math.pi, math.e, math.inf, math.nan


class finfo:
    """Limits of a floating-point type: `bits eps max min tiny smallest_normal resolution dtype`.

    Raises:
        TypeError: another type.

    Source: torch.finfo.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.finfo(lenet.float32).eps, lenet.finfo(lenet.float64).bits
        (1.1920928955078125e-07, 64)
    """

    def __init__(self, type: Dtype | None = None) -> None:
        kind = get_default_dtype() if type is None else type
        if not isinstance(kind, Dtype) or not kind.is_floating_point:
            raise TypeError(f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle {kind!r}")
        found: Any = np.finfo(kind.numpy)
        self.bits, self.dtype = int(found.bits), kind.name
        self.eps, self.max, self.min = float(found.eps), float(found.max), float(found.min)
        self.tiny = self.smallest_normal = float(found.tiny)
        self.resolution = float(found.resolution)

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={getattr(self, name):g}" for name in ("resolution", "min", "max", "eps"))
        return f"finfo({numbers}, smallest_normal={self.tiny:g}, tiny={self.tiny:g}, dtype={self.dtype})"


class iinfo:
    """Limits of a type of whole numbers: `bits max min dtype`.

    Raises:
        TypeError: another type.

    Source: torch.iinfo.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.iinfo(lenet.int8)
        iinfo(min=-128, max=127, dtype=int8)
    """

    def __init__(self, type: Dtype) -> None:
        if not isinstance(type, Dtype) or type.numpy.kind not in "iu":
            raise TypeError(f"torch.iinfo() requires an integer input type. Use torch.finfo to handle {type!r}")
        found = np.iinfo(type.numpy)
        self.bits, self.max, self.min, self.dtype = found.bits, int(found.max), int(found.min), type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
