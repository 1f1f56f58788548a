"""What stands between the brackets of x[...], read by torch's rules.

Integers, slices, None and `...` come first and make a view; integer and boolean tensors then choose from that view.
NumPy differs in one thing: there an integer beside an array counts as an array too, so that
`x[0, :, [0, 1]]` of shape (2, 3, 4) is (2, 3) in NumPy and (3, 2) here.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from lenetcli.autograd.tape import Variable
from lenetcli.kernels.device import as_array, beside, is_array
from lenetcli.kernels.layout import Array

SELECT, SLICE, UNSQUEEZE = "select", "slice", "unsqueeze"


class Subscript(NamedTuple):
    """An index made ready for one shape.

    steps: what is done one after the other to get the view: the kind of step and NumPy's key for it.
    chosen: NumPy's key into that view made of index arrays (copies) and `:`; None where the view itself is meant.
    masked: one boolean mask chooses, so that every element is taken at most once.
    """

    steps: tuple[tuple[str, tuple[Any, ...]], ...]
    chosen: tuple[Any, ...] | None
    masked: bool

    def view(self, x: Array) -> Array:
        """The part that integers, slices, None and `...` leave."""
        for _, key in self.steps:
            x = x[key]
        return x

    def read(self, x: Array) -> Array:
        """x[...]"""
        part = self.view(x)
        return part if self.chosen is None else as_array(part[self._key(x)])

    def write(self, x: Array, values: Any) -> None:
        """x[...] = values

        Raises:
            ValueError: the values do not broadcast to what they replace.
        """
        self.view(x)[... if self.chosen is None else self._key(x)] = values

    def _key(self, x: Array) -> tuple[Any, ...]:
        """`chosen`, with index arrays where `x` lives."""
        assert self.chosen is not None, "the caller has checked"
        if type(x) is np.ndarray:
            return self.chosen
        return tuple(beside(x, part) if is_array(part) else part for part in self.chosen)


def read_subscript(index: Any, shape: tuple[int, ...]) -> Subscript:
    """An index as the user wrote it, for a tensor of `shape`.

    Raises:
        IndexError: out of range, too many indices, a mask of another shape, or something that is no index.
        ValueError: a slice with a step below 1.
    """
    parts = [_part(p) for p in _as_tuple(index)]
    wanted = sum(_dimensions(p) for p in parts)
    if wanted > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}: got {wanted}")
    steps: list[tuple[str, tuple[Any, ...]]] = []
    chosen: list[Any] = []
    kinds = []
    left = list(shape)
    dim = 0
    for part in parts:
        before = (slice(None),) * dim
        if part is Ellipsis:
            dim += len(shape) - wanted
            continue
        if part is None or isinstance(part, bool):
            if dim > len(left):
                raise IndexError(f"Dimension out of range: a new dimension {dim} in {len(left)} dimensions")
            steps.append((UNSQUEEZE, (*before, None)))
            left.insert(dim, 1)
            if part is not None:
                kinds.append("mask")
                _choose(chosen, dim, (np.zeros(int(part), np.int64),))
            dim += 1
            continue
        if dim >= len(left):
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        if isinstance(part, int):
            if not -left[dim] <= part < left[dim]:
                raise IndexError(f"index {part} is out of bounds for dimension {dim} with size {left[dim]}")
            steps.append((SELECT, (*before, part, ...)))
            del left[dim]
        elif isinstance(part, slice):
            bounds = _bounds(part, left[dim])
            steps.append((SLICE, (*before, bounds)))
            left[dim] = len(range(bounds.start, bounds.stop, bounds.step))
            dim += 1
        elif part.dtype == np.bool_:
            if part.shape != tuple(left[dim : dim + part.ndim]):
                raise IndexError(
                    f"The shape of the mask {list(part.shape)} does not match the shape of the indexed tensor "
                    f"{list(left)} from dimension {dim} on"
                )
            kinds.append("mask")
            _choose(chosen, dim, part.nonzero())
            dim += part.ndim
        else:
            kinds.append("array")
            _choose(chosen, dim, (part,))
            dim += 1
    return Subscript(tuple(steps), tuple(chosen) if chosen else None, kinds == ["mask"])


def _as_tuple(index: Any) -> tuple[Any, ...]:
    if isinstance(index, tuple):
        return index
    if isinstance(index, list) and any(
        p is None or p is Ellipsis or isinstance(p, (slice, Variable, Sequence, np.ndarray)) for p in index
    ):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated: "
            "use x[tuple(seq)] instead of x[seq], or x[lenet.tensor(seq)] for one index of several dimensions",
            UserWarning,
            stacklevel=5,
        )
        return tuple(index)
    return (index,)


def _part(part: Any) -> Any:
    """One index as bool, int, slice, None, `...`, or an array of booleans or int64."""
    if part is None or part is Ellipsis or isinstance(part, (bool, slice)):
        return part
    if isinstance(part, (int, np.integer)):
        return int(part)
    if isinstance(part, Variable):
        array = part.array
        if array.dtype.kind == "f" or array.dtype in (np.int8, np.int16):
            raise IndexError(f"tensors used as indices must be int64, int32, uint8 or bool tensors, got {array.dtype}")
    elif isinstance(part, (np.ndarray, list, tuple, range)):
        array = np.asarray([_number(p) for p in part] if isinstance(part, (list, tuple)) else part)
        if not array.size and array.dtype.kind == "f":
            array = array.astype(np.int64)
    else:
        array = None
    if array is None or array.dtype.kind not in "iub":
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and integer or boolean tensors, arrays and lists are "
            f"valid indices (got {type(part).__name__}{'' if array is None else ' of ' + str(array.dtype)})"
        )
    if array.dtype == np.uint8:
        warnings.warn(
            "indexing with dtype uint8 is deprecated, please use bool: the elements that are not 0 are taken",
            UserWarning,
            stacklevel=6,
        )
        array = array != 0
    if not array.ndim:
        return array.item()
    return array if array.dtype == np.bool_ else array.astype(np.int64)


def _number(item: Any) -> Any:
    """Items of a list of indices: tensors of one element are numbers, lists are lists of them."""
    if isinstance(item, Variable):
        return item.array
    return [_number(i) for i in item] if isinstance(item, (list, tuple)) else item


def _dimensions(part: Any) -> int:
    """How many dimensions of the tensor an index speaks for."""
    if part is None or part is Ellipsis or isinstance(part, bool):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == np.bool_ else 1


def _bounds(part: slice, size: int) -> slice:
    start, stop, step = part.indices(size)
    if step < 1:
        raise ValueError(f"step must be greater than zero, got {step}")
    return slice(start, stop, step)


def _choose(chosen: list[Any], dim: int, arrays: Sequence[Array]) -> None:
    """Notes index arrays for the dimensions from `dim` on, with `:` for those passed over."""
    chosen.extend([slice(None)] * (dim - len(chosen)))
    chosen.extend(arrays)
