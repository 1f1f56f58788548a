"""Parameters and buffers without a shape yet, and Lazy, the base of layers that have them until their first call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, ClassVar

from lenetcli.autograd.dtypes import dtype as Dtype
from lenetcli.autograd.dtypes import get_default_dtype
from lenetcli.autograd.tape import Variable
from lenetcli.nn.module import ForPython, Module
from lenetcli.nn.parameter import Parameter
from lenetcli.nn.tables import changes
from lenetcli.tensors import creation
from lenetcli.tensors.device import CPU
from lenetcli.tensors.device import device as Device
from lenetcli.tensors.tensor import Tensor, wanted_of


class Uninitialized(Tensor):
    """A tensor that knows its type and its device; whatever asks for its shape or its values is refused."""

    cls_to_become: ClassVar[type[Tensor]]

    def __init__(self, requires_grad: bool = False, device: Any = None, dtype: Dtype | None = None) -> None:
        own = vars(self)
        own["_requires_grad"] = requires_grad
        own["kind"], own["place"] = dtype or get_default_dtype(), CPU if device is None else Device(device)

    def _no_array(self) -> Any:
        raise ValueError(
            f"Attempted to use an uninitialized parameter: this {type(self).__name__} belongs to a lazy layer, whose "
            "sizes come from its first input. Call the model with a batch before that."
        )

    array: Any = property(_no_array)

    @property
    def shape(self) -> Any:
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This happens in `load_state_dict` when an "
            "uninitialized parameter is loaded into an initialized one. Call `forward` to initialize the parameters."
        )

    dtype = property(lambda self: vars(self)["kind"], doc="Type that the elements will have.")
    device = property(lambda self: vars(self)["place"], doc="Where the values will be.")
    is_cuda = property(lambda self: vars(self)["place"].type == "cuda", doc="True for a GPU.")

    @property
    def data(self) -> Any:
        return self

    @data.setter
    def data(self, other: Any) -> None:
        vars(self).update(kind=other.dtype, place=other.device)

    def detach(self) -> Tensor:
        """Itself."""
        return self

    def is_floating_point(self) -> bool:
        """True."""
        return True

    def to(self, *args: Any, dtype: Any = None, device: Any = None, **how: Any) -> Tensor:
        """One of another type or on another device."""
        dtype, where = wanted_of(args, dtype, device)
        return type(self)(self.requires_grad, where or self.device, dtype or self.dtype)

    def materialize(self, shape: Any, device: Any = None, dtype: Dtype | None = None) -> None:
        """Becomes a tensor of a shape, whose values are whatever the memory held."""
        made = creation.empty(*shape, device=device or self.device, dtype=dtype or self.dtype)
        changes.count += 1
        required = self.requires_grad
        vars(self).clear()
        self.__class__ = type(self).cls_to_become  # type: ignore[assignment]
        Variable.__init__(self, made.array, required)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        memo[id(self)] = copied = type(self)(self.requires_grad, self.device, self.dtype)
        return copied

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(Uninitialized, Parameter):
    """A parameter whose shape is not known yet; `materialize(shape)` makes a Parameter of it.

    Source: torch.nn.parameter.UninitializedParameter.

    Example:
        >>> import lenetcli as lenet
        >>> p = lenet.nn.UninitializedParameter()
        >>> p
        <UninitializedParameter>
        >>> p.materialize((2, 3))
        >>> type(p).__name__, p.shape
        ('Parameter', torch.Size([2, 3]))
    """

    cls_to_become = Parameter

    def __init__(self, requires_grad: bool = True, device: Any = None, dtype: Dtype | None = None) -> None:
        super().__init__(requires_grad, device, dtype)


class UninitializedBuffer(Uninitialized):
    """A buffer whose shape is not known yet; `materialize(shape)` makes a tensor of it.

    Source: torch.nn.parameter.UninitializedBuffer.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.UninitializedBuffer(dtype=lenet.float64).dtype
        torch.float64
    """

    cls_to_become = Tensor


class Lazy(ForPython):
    """What all lazy layers share: the first call gives them their sizes and makes them layers of `cls_to_become`.

    Until then all their floating-point parameters and buffers are uninitialized. The initial values are drawn at that
    call, as the layer that they become draws them. An optimizer may hold the parameters before.

    Raises:
        ValueError: a parameter is used before the first call.
    """

    takes = "its sizes from the first input"
    _arguments: dict[str, Any]  # of the constructor, but for type and device
    cls_to_become: ClassVar[type[Module]]
    other_defaults: ClassVar[dict[str, Any]] = {}  # than those of the class that it becomes

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "cls_to_become" in vars(cls):
            cls.__init__ = _constructor(cls)  # type: ignore[method-assign]

    def reset_parameters(self) -> None:
        """Draws new initial values; of nothing before the first call."""
        if not self.has_uninitialized_params() and getattr(self, self._size_name()):
            super().reset_parameters()  # type: ignore[misc]

    @classmethod
    def _size_name(cls) -> str:
        (name,) = cls.cls_to_become.from_input
        return name

    def size_of(self, input: Tensor) -> int:
        """The size that the layer takes from an input."""
        raise NotImplementedError

    def has_uninitialized_params(self) -> bool:
        """Whether parameters or buffers have no shape yet."""
        return any(isinstance(t, Uninitialized) for t in (*self._parameters.values(), *self._buffers.values()))

    def initialize_parameters(self, input: Tensor) -> None:
        """Takes the sizes from an input, and draws initial values where none were loaded."""
        size = self.size_of(input)
        waiting = {n: t for n, t in {**self._parameters, **self._buffers}.items() if isinstance(t, Uninitialized)}
        if waiting:
            first = next(iter(waiting.values()))
            words = {**self._arguments, "device": first.device, "dtype": first.dtype}
            become: Any = self.cls_to_become
            made = become(size, **words)
            for name, tensor in waiting.items():
                tensor.materialize(getattr(made, name).shape)
                tensor.data = getattr(made, name).data
        setattr(self, self._size_name(), size)

    def forward(self, input: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(input)
        del self._arguments
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        changes.count += 1
        return self.forward(input, *args, **kwargs)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, tensor in self._own_tensors().items():
            given = state_dict.get(prefix + name)
            if isinstance(tensor, Uninitialized) and given is not None:
                if isinstance(given, Uninitialized):
                    state_dict[prefix + name] = tensor  # neither has values
                else:
                    tensor.materialize(given.shape)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _take(self, name: str, own: Tensor, key: str, given: Any, assign: bool) -> str | None:
        return None if given is own else super()._take(name, own, key, given, assign)


def _constructor(cls: type[Lazy]) -> Callable[..., None]:
    """The constructor of the class that a lazy one becomes, without the size."""
    made: Any = cls.cls_to_become.__init__
    own, _, *others = inspect.signature(made).parameters.values()
    defaults = cls.other_defaults
    others = [p.replace(default=defaults[p.name]) if p.name in defaults else p for p in others]
    signature = inspect.Signature([own, *others])

    @functools.wraps(made)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        made(self, 0, **arguments)
        self._arguments = {name: value for name, value in arguments.items() if name not in ("device", "dtype")}
        for table, kind in ((self._parameters, UninitializedParameter), (self._buffers, UninitializedBuffer)):
            for name, tensor in table.items():
                if tensor is not None and tensor.is_floating_point():
                    table[name] = kind(tensor.requires_grad, tensor.device, tensor.dtype)

    __init__.__signature__ = signature  # type: ignore[attr-defined]
    return __init__
