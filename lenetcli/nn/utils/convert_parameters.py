"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from lenetcli.errors import ShapeError
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors.tensor import Tensor, of_array


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened and one after the other.

    Source: torch.nn.utils.parameters_to_vector.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.utils.parameters_to_vector(lenet.nn.Linear(2, 3).parameters()).shape
        torch.Size([9])
    """
    return cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Gives the parameters the values of a vector, in order; they share its memory.

    Args:
        vec: at least as many elements as the parameters have together; what is left over is ignored.
        parameters: whose `.data` is replaced.

    Raises:
        TypeError: `vec` is no tensor.
        ShapeError: too few elements; nothing is changed.

    Source: torch.nn.utils.vector_to_parameters.

    Example:
        >>> import lenetcli as lenet
        >>> w = lenet.nn.Parameter(lenet.zeros(2))
        >>> lenet.nn.utils.vector_to_parameters(lenet.tensor([1.0, 2.0]), [w])
        >>> w.tolist()
        [1.0, 2.0]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a tensor, but got {type(vec).__name__}")
    targets = list(parameters)
    if vec.array.size < sum(p.array.size for p in targets):
        raise ShapeError(
            f"vector_to_parameters: the parameters have {sum(p.array.size for p in targets)} elements, "
            f"the vector {vec.array.size}"
        )
    place = 0
    for p in targets:
        p.data = of_array(vec.array[place : place + p.array.size].reshape(p.array.shape))
        place += p.array.size
