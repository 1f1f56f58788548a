"""What a tensor says of itself beside its values, and others of its kind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from lenetcli.autograd import dtypes

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

_TYPES = {
    f"{name}Tensor": kind
    for name, kind in {
        "Bool": dtypes.bool_, "Byte": dtypes.uint8, "Char": dtypes.int8, "Short": dtypes.int16, "Int": dtypes.int32,
        "Long": dtypes.int64, "Half": dtypes.float16, "Float": dtypes.float32, "Double": dtypes.float64,
    }.items()
}  # fmt: skip
_NAMES = {kind.name: name for name, kind in _TYPES.items()}


class Described:
    """The part of Tensor that no op is behind."""

    array: Any
    dtype: Any
    device: Any

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The tensor's type as torch's old text, such as 'torch.FloatTensor'; or, with `dtype`, the tensor as that.

        Raises:
            ValueError: a text that names no type.
        """
        if dtype is None:
            return f"torch.{'cuda.' if self.device.type == 'cuda' else ''}{_NAMES[self.dtype.name]}"
        if isinstance(dtype, str):
            name = dtype.rpartition(".")[2]
            if name not in _TYPES:
                raise ValueError(f"invalid type: {dtype!r}; wanted such as 'torch.FloatTensor'")
            dtype = _TYPES[name]
        kind = dtype if isinstance(dtype, dtypes.dtype) else getattr(dtype, "dtype", dtype)
        tensor: Any = self
        return tensor.to(kind)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self.array.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return int(self.array.nbytes)

    @property
    def is_cpu(self) -> bool:
        """Whether it is in the machine's memory."""
        return bool(self.device.type == "cpu")

    is_xpu = is_mps = is_sparse = is_quantized = is_meta = False  # what there is none of here

    def ndimension(self) -> int:
        """Number of dimensions."""
        return int(self.array.ndim)

    def get_device(self) -> int:
        """The number of its GPU; -1 on the CPU."""
        return -1 if self.is_cpu else self.device.index or 0

    def is_complex(self) -> bool:
        """False: numbers are real here."""
        return False

    def is_signed(self) -> bool:
        """Whether its type has negative numbers."""
        return self.array.dtype.kind in "if"

    def is_nonzero(self) -> bool:
        """Whether the one element is not 0.

        Raises:
            RuntimeError: there are more or fewer.
        """
        if self.array.size != 1:
            word = "no values" if not self.array.size else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {word} is ambiguous")
        return bool(self.array.item())

    def is_same_size(self, other: Tensor) -> bool:
        """Whether another tensor has the same shape."""
        return bool(self.array.shape == other.array.shape)

    def stride(self, dim: int | None = None) -> Any:
        """Elements from one to the next along each dimension, as of a contiguous tensor: every order counts as such."""
        found = [1]
        for size in self.array.shape[:0:-1]:
            found.append(found[-1] * max(size, 1))
        strides = tuple(reversed(found[: self.array.ndim]))
        return strides if dim is None else strides[dim]

    def storage_offset(self) -> int:
        """0: a tensor begins where its memory does."""
        return 0

    def data_ptr(self) -> int:
        """The address of its first element."""
        return int(self.array.ctypes.data) if self.is_cpu else int(self.array.data.ptr)

    def pin_memory(self, device: Any = None) -> Any:
        """The tensor itself: copies to a GPU are made from any memory."""
        return self

    def share_memory_(self) -> Any:
        """The tensor itself, which threads share; processes do not."""
        return self

    def detach_(self) -> Any:
        """Takes the tensor out of its graph, itself.

        Raises:
            RuntimeError: it is a view of another.
        """
        tensor: Any = self
        tensor.catch_up()
        tensor.grad_fn, tensor.requires_grad = None, False
        return self

    # Others of this kind

    def new_zeros(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        """Zeros of this tensor's type and on its device, of another shape."""
        return self._new("zeros", size, dtype, device, requires_grad)

    def new_ones(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        """Ones of this tensor's type and on its device, of another shape."""
        return self._new("ones", size, dtype, device, requires_grad)

    def new_empty(self, *size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
        """A tensor of this one's type and on its device, of another shape, of whatever the memory held."""
        return self._new("empty", size, dtype, device, requires_grad)

    def new_full(
        self, size: Any, fill_value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
    ) -> Tensor:
        """A tensor of one value, of this one's type and on its device, of another shape."""
        return self._new("full", (size, fill_value), dtype, device, requires_grad)

    def _new(self, name: str, args: tuple[Any, ...], dtype: Any, device: Any, requires_grad: bool) -> Tensor:
        make = getattr(sys.modules["lenetcli"], name)
        kind, place = dtype or self.dtype, device or self.device
        return make(*args, dtype=kind, device=place, requires_grad=requires_grad)
