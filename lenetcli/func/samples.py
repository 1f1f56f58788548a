"""A function of a batch, made of one of a sample."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from lenetcli.autograd.tape import Variable
from lenetcli.func.trees import leaves_of, with_leaves
from lenetcli.ops.shaping.cat import stack

Function = Callable[..., Any]


def vmap(func: Function, in_dims: Any = 0, out_dims: int = 0, randomness: str = "error") -> Function:
    """A function over a batch, made of one over a sample: it is called for one sample after the other.

    What it gives is right and can be differentiated; it is not faster than a loop.

    Args:
        in_dims: the dimension of each argument that counts samples, None for one that all samples share.
        out_dims: where that dimension is in the result.
        randomness: "different" allows what each sample draws for itself; "error" (nothing is drawn) is not checked.

    Raises:
        ValueError: no argument has samples, or they differ in number; `func` gives something else than tensors.

    Source: torch.func.vmap.

    Example:
        >>> import lenetcli as lenet
        >>> slopes = lenet.func.vmap(lenet.func.grad(lambda x: (x**2).sum()))
        >>> slopes(lenet.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[2., 4.],
                [6., 8.]])
    """
    if randomness not in ("error", "different"):
        raise NotImplementedError(f"vmap: randomness={randomness!r} is not supported; use 'different'")

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        dims = in_dims if isinstance(in_dims, (tuple, list)) else (in_dims,) * len(args)
        if len(dims) != len(args):
            raise ValueError(f"vmap: in_dims has {len(dims)} entries for {len(args)} arguments")
        for a, d in zip(args, dims):
            for t in [] if d is None else leaves_of(a):
                if not -t.ndim <= d < t.ndim:
                    raise ValueError(f"vmap: in_dims has {d} for a tensor of {t.ndim} dimensions")
        counts = {t.shape[d] for a, d in zip(args, dims) if d is not None for t in leaves_of(a)}
        if len(counts) != 1:
            raise ValueError(
                f"vmap: expected all tensors to have the same size in the mapped dimension, got sizes {sorted(counts)}"
                if counts
                else "vmap: no argument has a dimension to map over"
            )
        (count,) = counts
        if not count:
            raise ValueError("vmap: there is no sample, and nothing but a sample tells what the function gives")
        results = []
        for n in range(count):
            sample = [
                a if d is None else with_leaves(a, iter([t.select(d, n) for t in leaves_of(a)]))
                for a, d in zip(args, dims)
            ]
            results.append(func(*sample, **kwargs))
            _check_tensors(results[-1])
        columns = zip(*(leaves_of(r) for r in results))
        return with_leaves(results[0], iter([stack(list(column), out_dims) for column in columns]))

    return wrapped


def _check_tensors(result: Any) -> None:
    """Refuses what cannot be put together for all samples, and would be the first one's."""
    if isinstance(result, (Mapping, tuple, list)):
        for part in result.values() if isinstance(result, Mapping) else result:
            _check_tensors(part)
    elif not isinstance(result, Variable):
        raise ValueError(f"vmap: the function must only return tensors, got {type(result).__name__}")
