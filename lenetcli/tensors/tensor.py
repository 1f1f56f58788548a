"""Tensor: a variable with operators and methods. The methods that are ops come from the ops' own files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lenetcli.autograd.differentiate import backward
from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import from_numpy_dtype
from lenetcli.autograd.tape import Array, RemovableHandle, Variable, hooked, like
from lenetcli.kernels import device as placing
from lenetcli.ops import families
from lenetcli.tensors.described import Described
from lenetcli.tensors.device import CPU, device
from lenetcli.tensors.operators import add_operators
from lenetcli.tensors.printing import tensor_str
from lenetcli.tensors.read import Read
from lenetcli.tensors.size import Size


class _Methods(type):
    """The class of Tensor: methods that are ops come to it when they are first used."""

    def __getattr__(cls, name: str) -> Any:
        function = families.method(name)
        setattr(Tensor, name, function)
        return function

    def __dir__(cls) -> list[str]:
        return sorted({*super().__dir__(), *families.all_methods()})


class Tensor(Described, Read, Variable, metaclass=_Methods):
    """A multi-dimensional array that remembers how it was made, so that gradients can be sent back through it.

    Make one with `lenet.tensor`, `zeros`, `randn` and their like. `Tensor(2, 3)` is one of those sizes whose values are
    whatever the memory held; `Tensor([1, 2])` has these values in the default type; both are torch's old ways.

    Args:
        data: sizes, or one sequence, array or tensor.
        device: where it goes: "cpu" unless given.

    Source: torch.Tensor.

    Example:
        >>> import lenetcli as lenet
        >>> x = lenet.tensor([1.0, 2.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """

    __hash__ = object.__hash__
    __array_priority__ = 1000

    def __init__(self, *data: Any, device: Any = None) -> None:
        import lenetcli  # whose functions make tensors; found by name, as the methods are

        sizes = data if len(data) != 1 or isinstance(data[0], (int, np.integer)) else data[0]
        if isinstance(sizes, Variable):
            vars(self).update(vars(Tensor.view_as(sizes, sizes)))  # the same values, in the same graph
        elif sizes is data or isinstance(sizes, Size):
            super().__init__(lenetcli.empty(*sizes or (0,), device=device).array)
        elif isinstance(sizes, (Sequence, np.ndarray)) and not isinstance(sizes, (str, bytes)):
            super().__init__(lenetcli.as_tensor(sizes, lenetcli.get_default_dtype(), device).array)
        else:
            got = type(sizes).__name__
            raise TypeError(f"Tensor(): data must be sizes, a sequence, an array or a tensor (got {got})")

    def __getattr__(self, name: str) -> Any:
        if name == "array" and self.pending is not None:
            return self.pending.compute()
        getattr(Tensor, name)  # a method that was not used before
        return object.__getattribute__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *dir(type(self))})

    if TYPE_CHECKING:  # operators come from tensors/operators.py; their signatures are the functions'
        _operator = cast("Callable[..., Tensor]", None)
        __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _operator
        __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = __matmul__ = __rmatmul__ = _operator
        __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _operator
        __lshift__ = __rlshift__ = __rshift__ = __rrshift__ = __lt__ = __le__ = __gt__ = __ge__ = _operator
        __neg__ = __abs__ = __invert__ = __getitem__ = _operator

    # What it is

    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return tuple.__new__(Size, (self.pending or self.array).shape)  # checked already

    @property
    def dtype(self) -> Dtype:
        """Type of the elements."""
        return from_numpy_dtype((self.pending or self.array).dtype)

    @property
    def device(self) -> device:
        """Where the values are."""
        return CPU if type(self.array) is np.ndarray else device(placing.name(self.array))

    @property
    def is_cuda(self) -> bool:
        """True for a tensor on a GPU."""
        return placing.on_device(self.array)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len((self.pending or self.array).shape)

    @property
    def data(self) -> Tensor:
        """The same values outside the graph; changing them is not noticed by backward, as in torch."""
        result: Tensor = like(self, self.array)
        return result

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, Variable):
            raise TypeError(f"Variable data has to be a tensor, but got {type(other).__name__}")
        array = other.array
        if self.requires_grad and array.dtype.kind != "f":
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point or complex dtype, "
                f"got {array.dtype}"
            )
        if array.dtype != self.array.dtype or array.shape != self.array.shape:
            self._accumulate = None  # it knows the shape and type of the gradients that it takes
        self.array = array

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        return self.permute(tuple(range(self.ndim - 1, -1, -1)))

    @property
    def mT(self) -> Tensor:
        """The last two dimensions swapped: each matrix of a batch transposed."""
        return self.adjoint()

    @property
    def mH(self) -> Tensor:
        """As `mT`: the numbers are real."""
        return self.adjoint()

    @property
    def H(self) -> Tensor:
        """The transpose of a matrix: the numbers are real."""
        if self.array.ndim not in (0, 2):
            raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {self.array.ndim}-D tensor.")
        return self.adjoint()

    def size(self, dim: int | None = None) -> Any:
        """The shape, or one size of it."""
        return self.shape if dim is None else (self.pending or self.array).shape[dim]

    def dim(self) -> int:
        """Number of dimensions."""
        return len((self.pending or self.array).shape)

    def numel(self) -> int:
        """Number of elements."""
        return int((self.pending or self.array).size)

    nelement = numel

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.itemsize

    def is_floating_point(self) -> bool:
        """True for float16, float32 and float64."""
        return (self.pending or self.array).dtype.kind == "f"

    # Where it is

    def cpu(self) -> Tensor:
        """The tensor in the machine's memory: itself where it is there already."""
        return self.to(device="cpu") if self.is_cuda else self

    def cuda(self, device: Any = None, non_blocking: bool = False) -> Tensor:
        """The tensor on the GPU: itself where it is there already.

        Raises:
            RuntimeError: there is no GPU, no CuPy, or another GPU is in use.
        """
        return self.to(device="cuda" if device is None else device if not isinstance(device, int) else f"cuda:{device}")

    def is_contiguous(self) -> bool:
        """True: every memory order counts as contiguous here."""
        return True

    # Gradients

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Adds the gradient of this tensor to the `.grad` of every leaf it depends on.

        Args:
            gradient: of this tensor's shape; may be left out where there is one element.
            retain_graph: keep the graph, so that backward can run again.
            create_graph: make the gradients from ops, so that they can be differentiated in their turn.
            inputs: accumulate into these leaves only.

        Raises:
            RuntimeError: no graph, a missing or misshapen gradient, a second backward through a freed graph, or a
                saved value that was changed in place.
        """
        if gradient is not None and not isinstance(gradient, Variable):
            raise TypeError(f"backward: gradient must be a Tensor or None, got {type(gradient).__name__}")
        backward(self, gradient, retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same values and memory outside the graph."""
        result: Tensor = like(self, self.array)
        result._counter = self.counter
        return result

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Starts or stops recording on this leaf.

        Raises:
            TypeError: not a bool.
            RuntimeError: the tensor is no leaf, or of an integer type.
        """
        if not isinstance(requires_grad, bool):
            raise TypeError(f"requires_grad_(): requires_grad must be bool, not {type(requires_grad).__name__}")
        if self.is_leaf or not requires_grad:
            self.requires_grad = requires_grad
        return self

    def retain_grad(self) -> None:
        """Keeps `.grad` of a tensor that is no leaf; where it is changed in place after, that of the changed values."""
        self.catch_up()
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.is_leaf and not self.retains_grad:
            self.retains_grad = True
            self.watch()

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
        """Calls `hook(grad)` when this tensor's gradient is known; a returned tensor replaces it.

        The gradient is that of the tensor as it is now: a later change in place comes after it.

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        self.catch_up()
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        if self.hooks is None:
            self.hooks = {}
            self.watch()
        return hooked(self.hooks, hook)

    # Types and copies

    def to(
        self, *args: Any, dtype: Dtype | None = None, device: Any = None, copy: bool = False, non_blocking: bool = False
    ) -> Tensor:
        """The tensor as another type or on another device; itself where nothing changes.

        Args:
            args: a dtype, a device, or a tensor that has both.
            copy: a new tensor also where nothing changes.
            non_blocking: accepted: a copy to the GPU is ordered before what uses it either way.

        Raises:
            RuntimeError: no such device, or it is not there.
        """
        from lenetcli.ops.pointwise.clone import cast, move

        dtype, where = wanted_of(args, dtype, device)
        moved = self if where is None else move(self, where.type, where.index)
        if dtype is not None and dtype.numpy != self.array.dtype:
            return cast(moved, dtype.numpy)
        return moved.clone() if copy and moved is self else moved

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the type of another."""
        return self.to(other.dtype)

    def new_tensor(self, data: Any, *, requires_grad: bool = False) -> Tensor:
        """A tensor of this one's type from data, beside it."""
        return of_array(placing.beside(self.array, np.asarray(data, self.array.dtype)), requires_grad)

    def __array_wrap__(self, array: Array, context: Any = None, return_scalar: bool = False) -> Tensor:
        """What NumPy's functions make of their result where a tensor was given; booleans become uint8, as in torch."""
        return from_numpy(array.astype(np.uint8) if array.dtype == np.bool_ else array)

    def __format__(self, spec: str) -> str:
        plain = self.array.ndim == 0 and type(self) is Tensor  # a Parameter prints as one
        return format(self.item(), spec) if plain else object.__format__(self, spec)

    def __repr__(self) -> str:
        return tensor_str(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise RuntimeError("only leaf tensors can be copied with deepcopy; call detach() or clone() first")
        copied = object.__new__(type(self))
        Variable.__init__(copied, self.array.copy(order="K"), self.requires_grad)
        if self.grad is not None:
            copied.grad = like(self, self.grad.array.copy(order="K"))
        if "persistent" in vars(self):  # it is a buffer
            vars(copied)["persistent"] = vars(self)["persistent"]
        memo[id(self)] = copied
        return copied


Tensor.result_class = Tensor


def of_array(array: Array, requires_grad: bool = False) -> Tensor:
    """A tensor around an array, in the array's type and memory."""
    result: Tensor = object.__new__(Tensor)
    result.array = array if type(array) is np.ndarray else placing.as_array(array)
    if requires_grad:
        result.requires_grad = True
    return result


def wanted_of(args: Sequence[Any], dtype: Dtype | None, where: Any) -> tuple[Dtype | None, device | None]:
    """The type and the device that the arguments of `to` ask for: a dtype, a device, or a tensor that has both."""
    for arg in args:
        if isinstance(arg, Tensor):
            dtype, where = arg.dtype, arg.device
        elif isinstance(arg, Dtype):
            dtype = arg
        elif arg is not None:
            where = arg
    return dtype, None if where is None else device(f"cuda:{where}" if isinstance(where, int) else where)


def placed(array: Array, where: Any) -> Array:
    """A new array on the device that was asked for; where it is, if none was."""
    if where is None:
        return array
    wanted = device(where)
    return placing.put(array, wanted.type, wanted.index)


def from_numpy(array: Array) -> Tensor:
    """A tensor that shares memory with a NumPy array.

    Raises:
        TypeError: not an array, or of a type without counterpart.

    Example:
        >>> import numpy as np
        >>> import lenetcli as lenet
        >>> lenet.from_numpy(np.ones(2, dtype=np.float32))
        tensor([1., 1.])
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected np.ndarray, got {type(array).__name__}")
    from_numpy_dtype(array.dtype)
    return of_array(array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("=")))


add_operators(Tensor)
