"""Parameter: a tensor that a module owns and an optimizer changes. Buffer: one that it owns, and no more."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.autograd.dtypes import get_default_dtype
from lenetcli.autograd.tape import Variable
from lenetcli.tensors.tensor import Tensor, of_array


class Parameter(Tensor):
    """A leaf tensor that is registered as a parameter when assigned as attribute of a Module.

    Args:
        data: the values; memory is shared. Nothing unless given.
        requires_grad: whether gradients are wanted.

    Raises:
        AttributeError: `data` is no tensor.
        RuntimeError: integers, which have no gradient, without `requires_grad=False`.

    Source: torch.nn.Parameter.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Parameter(lenet.zeros(2))
        Parameter containing:
        tensor([0., 0.], requires_grad=True)
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True) -> None:
        if data is None:
            data = of_array(np.empty(0, get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise AttributeError(
                f"Parameter: wanted a Tensor, but {type(data).__name__!r} object has no attribute 'detach'; "
                "make one with lenet.tensor"
            )
        Variable.__init__(self, data.array, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        copied = object.__new__(type(self))  # without the gradient, as torch's
        Variable.__init__(copied, self.array.copy(order="K"), self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class _Marked(type(Tensor)):  # type: ignore[misc]  # the metaclass of Tensor
    """Answers `isinstance(tensor, Buffer)`."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and "persistent" in vars(instance)


class Buffer(Tensor, metaclass=_Marked):
    """A tensor that is registered as a buffer when assigned as attribute of a Module.

    Args:
        data: the values; memory is shared. Nothing unless given.
        persistent: whether the module's `state_dict` holds it.

    Raises:
        AttributeError: `data` is no tensor.

    Source: torch.nn.Buffer.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.Module()
        >>> layer.mean = lenet.nn.Buffer(lenet.zeros(2))
        >>> layer.state_dict()["mean"]
        tensor([0., 0.])
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Any:
        if data is None:
            data = of_array(np.empty(0, get_default_dtype().numpy))
        if not isinstance(data, Tensor):
            raise AttributeError(
                f"Buffer: wanted a Tensor, but {type(data).__name__!r} object has no attribute 'detach'; "
                "make one with lenet.tensor"
            )
        marked = of_array(data.array, data.requires_grad)  # a Tensor like any other
        vars(marked)["persistent"] = persistent
        return marked
