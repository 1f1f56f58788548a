"""einsum: sums of products, with the dimensions of each operand named by letters.

Every operand is first brought to the same dimensions in the same order: those of the output, then those that are
summed; one that an operand lacks has size 1. Then operands are multiplied pair by pair, from left to right, and a
dimension is summed as soon as no further operand has it, by a batched matrix product.
"""

from __future__ import annotations

import math
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lenetcli.autograd.tape import Variable
from lenetcli.ops.linalg.bmm import bmm
from lenetcli.ops.operands import wanted_tensors
from lenetcli.ops.pointwise.add import mul
from lenetcli.ops.reduction.sum import sum as sum_over
from lenetcli.ops.shaping.diagonal import diagonal
from lenetcli.ops.shaping.permute import permute
from lenetcli.ops.shaping.reshape import ViewOwn, reshape, unsqueeze

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor

ELLIPSIS = "..."
LETTERS = string.ascii_uppercase + string.ascii_lowercase

Label = str | int  # a letter, or the place (counted from the end) of a dimension that the ellipsis covers


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products, with the dimensions of each operand named by letters.

    Formula:
        y[output letters] = sum over all other letters of operand_1[its letters] operand_2[its letters] ...

    Args:
        equation: letters of each operand, a comma between operands, and behind `->` those of the output; a letter
            twice in one operand means its diagonal, `...` all dimensions that have no letter. Without `->` the output
            has the letters that occur once, in alphabetical order.
        operands: the tensors, one by one or as one sequence. The form `einsum(a, [0, 1], b, [1, 2], [0, 2])`, with
            lists of numbers for letters and without an equation, works as well.

    Raises:
        RuntimeError: the equation cannot be read or does not fit the operands, or their sizes or types do not fit.
        ValueError: no operands.

    Source: torch.einsum.

    Example:
        >>> import lenetcli as lenet
        >>> a, b = lenet.ones(2, 3), lenet.ones(3, 4)
        >>> lenet.einsum("ij,jk->ik", a, b).shape
        torch.Size([2, 4])
        >>> lenet.einsum("ij->", a)
        tensor(6.)
    """
    if isinstance(equation, Variable):
        terms, output, tensors = _from_lists((equation, *operands))
    elif isinstance(equation, str):
        terms, output = _from_text(equation)
        tensors = list(operands[0]) if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else list(operands)
    else:
        raise TypeError(f"einsum(): wanted an equation or a tensor first, got {type(equation).__name__}")
    wanted_tensors("einsum", *tensors)
    if not tensors:
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if len(terms) != len(tensors):
        raise RuntimeError(
            f"einsum(): {'more' if len(tensors) > len(terms) else 'fewer'} operands were provided than specified in "
            f"the equation: {len(tensors)} for {len(terms)}"
        )
    labels = [_labels(i, term, x.array.ndim) for i, (term, x) in enumerate(zip(terms, tensors))]
    kept = _output(output, labels)
    order = kept + [n for n in dict.fromkeys(n for names in labels for n in names) if n not in kept]
    tensors = [_with_diagonals(i, x, names) for i, (x, names) in enumerate(zip(tensors, labels))]
    labels = [list(dict.fromkeys(names)) for names in labels]
    _check_sizes(tensors, labels)
    return _contracted([_in_order(x, names, order) for x, names in zip(tensors, labels)], labels, order, len(kept))


def _from_text(equation: str) -> tuple[list[list[str]], list[str] | None]:
    """Letters of each operand and of the output (None where there is no arrow)."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    return [_letters(term) for term in left.split(",")], _letters(right) if arrow else None


def _letters(term: str) -> list[str]:
    before, dots, after = term.partition(ELLIPSIS)
    for letter in before + after:
        if letter not in LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript {letter!r} in {term!r}; subscripts must be in [a-zA-Z], with one '...'"
            )
    return [*before, *([ELLIPSIS] if dots else []), *after]


def _from_lists(arguments: Sequence[Any]) -> tuple[list[list[str]], list[str] | None, list[Any]]:
    """The same from tensors that alternate with lists of numbers; a last list alone is the output's."""
    if len(arguments) < 2:
        raise ValueError("einsum(): must specify at least one operand and its subscripts list")
    output = _named(arguments[-1]) if len(arguments) % 2 else None
    pairs = arguments[: len(arguments) - len(arguments) % 2]
    return [_named(numbers) for numbers in pairs[1::2]], output, list(pairs[::2])


def _named(numbers: Any) -> list[str]:
    if not isinstance(numbers, (list, tuple)):
        raise TypeError(f"einsum(): wanted a list of subscripts, got {type(numbers).__name__}")
    for n in numbers:
        if n is not Ellipsis and (not isinstance(n, (int, np.integer)) or not 0 <= n < len(LETTERS)):
            raise ValueError(f"einsum(): subscript {n!r} is not within the valid range [0, {len(LETTERS)})")
    return [ELLIPSIS if n is Ellipsis else LETTERS[n] for n in numbers]


def _labels(i: int, term: list[str], ndim: int) -> list[Label]:
    """A label for every dimension of an operand."""
    lettered = len(term) - (ELLIPSIS in term)
    if lettered > ndim or (lettered < ndim and ELLIPSIS not in term):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({lettered}) does not match the number of dimensions "
            f"({ndim}) for operand {i}{'' if ELLIPSIS in term else ' and no ellipsis was given'}"
        )
    found: list[Label] = []
    for letter in term:
        found += range(lettered - ndim, 0) if letter == ELLIPSIS else [letter]
    return found


def _output(output: list[str] | None, labels: list[list[Label]]) -> list[Label]:
    """The labels of the result."""
    covered = sorted({n for names in labels for n in names if isinstance(n, int)})
    letters = [n for names in labels for n in names if isinstance(n, str)]
    if output is None:
        return [*covered, *sorted(n for n in letters if letters.count(n) == 1)]
    for letter in output:
        if output.count(letter) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter} appears more than once in the output")
        if letter != ELLIPSIS and letter not in letters:
            raise RuntimeError(f"einsum(): output subscript {letter} does not appear in any input operand")
    found: list[Label] = []
    for letter in output:
        found += covered if letter == ELLIPSIS else [letter]
    return found


def _with_diagonals(i: int, x: Tensor, names: list[Label]) -> Tensor:
    """One dimension for a letter that an operand has twice, in the place of the first."""
    names = list(names)
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            first = names.index(name)
            second = names.index(name, first + 1)
            m, n = x.array.shape[first], x.array.shape[second]
            if m != n:
                raise RuntimeError(
                    f"einsum(): subscript {name} is repeated for operand {i} but the sizes don't match, {n} != {m}"
                )
            x = diagonal(x, 0, first, second)
            last = x.array.ndim - 1
            x = permute(x, [*range(first), last, *range(first, last)])
            del names[second]
    return x


def _check_sizes(tensors: list[Tensor], labels: list[list[Label]]) -> None:
    seen: dict[Label, int] = {}
    for i, (x, names) in enumerate(zip(tensors, labels)):
        for name, size in zip(names, x.array.shape):
            if size != 1 and seen.setdefault(name, size) != size:
                raise RuntimeError(
                    f"einsum(): subscript {name if isinstance(name, str) else ELLIPSIS} has size {size} for operand "
                    f"{i} which does not broadcast with previously seen size {seen[name]}"
                )


def _in_order(x: Tensor, names: list[Label], order: list[Label]) -> Tensor:
    """The operand with one dimension for each label of `order`."""
    for _ in range(len(order) - len(names)):
        x = unsqueeze(x, -1)
    missing = iter(range(len(names), len(order)))
    return permute(x, [names.index(n) if n in names else next(missing) for n in order])


def _contracted(tensors: list[Tensor], labels: list[list[Label]], order: list[Label], kept: int) -> Tensor:
    """The product of all operands, summed over every dimension from `kept` on."""
    if len(tensors) == 1:
        return sum_over(tensors[0], tuple(range(kept, len(order)))) if kept < len(order) else tensors[0]
    last_use = {name: i for i, names in enumerate(labels) for name in names}
    y = tensors[0]
    for i, x in enumerate(tensors[1:], 1):
        y = _summed_product(y, x, [d for d, n in enumerate(order) if d >= kept and max(last_use[n], 1) == i])
    return ViewOwn.apply(y, shape=y.array.shape[:kept]) if kept < len(order) else y


def _summed_product(a: Tensor, b: Tensor, over: list[int]) -> Tensor:
    """a * b, summed over some dimensions, which stay with size 1."""
    summed = []
    for d in over:
        m, n = a.array.shape[d], b.array.shape[d]
        if m == n:
            summed.append(d)
        elif n == 1:
            a = sum_over(a, d, True)
        else:
            b = sum_over(b, d, True)
    if not summed:
        return mul(a, b)
    shape_a, shape_b = a.array.shape, b.array.shape
    rest = [d for d in range(len(shape_a)) if d not in summed]
    batch = [d for d in rest if (shape_a[d] == 1) == (shape_b[d] == 1)]
    only_a = [d for d in rest if shape_a[d] != 1 and d not in batch]
    only_b = [d for d in rest if shape_b[d] != 1 and d not in batch]
    count, inside = math.prod(shape_a[d] for d in batch), math.prod(shape_a[d] for d in summed)
    left = reshape(permute(a, batch + only_a + summed + only_b), count, math.prod(shape_a[d] for d in only_a), inside)
    right = reshape(permute(b, batch + summed + only_b + only_a), count, inside, math.prod(shape_b[d] for d in only_b))
    places = batch + only_a + summed + only_b
    shape = [shape_a[d] for d in batch + only_a] + [1] * len(summed) + [shape_b[d] for d in only_b]
    return permute(reshape(bmm(left, right), shape), [places.index(d) for d in range(len(places))])
