"""A tensor's values as Python and NumPy read them: numbers, lists, arrays, text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.tape import Array, Variable

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


class Read:
    """The part of Tensor that gives its values away."""

    array: Any
    device: Any
    is_cuda: Any
    requires_grad: Any
    unbind: Any

    def item(self) -> Any:
        """The one element as a Python number.

        Raises:
            RuntimeError: the tensor has more or fewer elements than one.
        """
        if self.array.size != 1:
            raise RuntimeError(f"a Tensor with {self.array.size} elements cannot be converted to Scalar")
        return self.array.item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self.array.tolist()

    def numpy(self) -> Array:
        """The values as a NumPy array that shares memory.

        Raises:
            RuntimeError: the tensor requires gradients; call detach() first.
            TypeError: it is on a GPU; call cpu() first.
        """
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        if self.is_cuda:
            raise TypeError(
                f"can't convert {self.device} device type tensor to numpy. "
                "Use Tensor.cpu() to copy the tensor to host memory first."
            )
        return self.array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.numpy(), dtype=dtype, copy=copy)

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError("len() of a 0-d tensor")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.ndim:
            raise TypeError("iteration over a 0-d tensor")
        return iter(self.unbind())

    def __contains__(self, value: Any) -> bool:
        return bool((self.array == (value.array if isinstance(value, Variable) else value)).any())

    def __bool__(self) -> bool:
        if self.array.size != 1:
            raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous; use any() or all()")
        return bool(self.array.item())

    def __float__(self) -> float:
        return float(self._only_element())

    def __int__(self) -> int:
        return int(self._only_element())

    def _only_element(self) -> Any:
        if self.array.size != 1:
            raise ValueError(f"only one element tensors can be converted to Python scalars, got {self.array.size}")
        return self.array.item()

    def __index__(self) -> int:
        if self.array.dtype.kind not in "iub" or self.array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self.item())

    def _repr_html_(self) -> str:
        from lenetcli.display.tensor import tensor_html  # of use in notebooks only

        return tensor_html(self.array, repr(self))
