"""How a tensor prints: as torch's does, to the character (the digit at the end of grad_fn names aside)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from lenetcli.autograd.dtypes import bool_, from_numpy_dtype, get_default_dtype, int64
from lenetcli.autograd.tape import Array
from lenetcli.kernels.device import on_device, to_host

if TYPE_CHECKING:
    from lenetcli.tensors.tensor import Tensor


@dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000  # elements, above which only the edges are shown
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES: Final = {"default": _Options(), "short": _Options(2, 1000, 2), "full": _Options(threshold=math.inf)}
_options = _Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Changes how tensors print; what is left out stays, but for `sci_mode`, which becomes automatic.

    Args:
        precision: digits behind the point (4).
        threshold: number of elements above which only the edges are shown (1000).
        edgeitems: how many elements an edge has (3).
        linewidth: characters in a line (80).
        profile: "default", "short" or "full", set before the others.
        sci_mode: scientific notation: True, False, or None for where it is needed.

    Source: torch.set_printoptions.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.set_printoptions(precision=2)
        >>> lenet.tensor([1.5, 0.333])
        tensor([1.50, 0.33])
        >>> lenet.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"set_printoptions: profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
        chosen = _PROFILES[profile]
        _options.precision, _options.threshold = chosen.precision, chosen.threshold
        _options.edgeitems, _options.linewidth = chosen.edgeitems, chosen.linewidth
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    for name, value in given.items():
        if value is not None:
            setattr(_options, name, value)
    _options.sci_mode = sci_mode


def tensor_str(tensor: Tensor) -> str:
    """`tensor([1., 2.], requires_grad=True)`: values, then what is not the default."""
    array = to_host(tensor.array)
    kind = from_numpy_dtype(array.dtype)
    default = get_default_dtype()
    suffixes = [f"device='{tensor.device}'"] if on_device(tensor.array) else []
    if not array.size and array.ndim != 1:
        suffixes.append(f"size={array.shape}")
    if kind is not default and (not array.size or kind not in (int64, bool_)):
        suffixes.append(f"dtype={kind}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes(
        "tensor(" + (_values(array, len("tensor(")) if array.size else "[]"), suffixes, len("tensor(")
    )


def _with_suffixes(text: str, suffixes: list[str], indent: int) -> str:
    """Adds the suffixes, each on a new line where it would not fit."""
    used = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if used + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            used = indent + len(suffix)
        else:
            text += ", " + suffix
            used += len(suffix) + 2
    return text + ")"


def _values(array: Array, indent: int) -> str:
    summarise = array.size > _options.threshold
    shown = array
    if summarise:
        for dim in range(array.ndim):
            shown = np.take(shown, _edges(shown.shape[dim]), axis=dim)
    width, write = _number_format(shown)
    return _block(array, indent, summarise, width, write)


def _edges(size: int) -> list[int]:
    """The indices that a summary shows."""
    edge = _options.edgeitems
    return [*range(edge), *range(size - edge, size)] if size > 2 * edge else list(range(size))


def _block(array: Array, indent: int, summarise: bool, width: int, write: Callable[[Any], str]) -> str:
    """One dimension in brackets, its inner ones indented below."""
    if not array.ndim:
        return write(array.item())
    edges = _edges(len(array)) if summarise else list(range(len(array)))
    innermost = array.ndim == 1
    if innermost:
        parts = [write(v) for v in array[edges].tolist()]
    else:
        parts = [_block(array[i], indent + 1, summarise, width, write) for i in edges]
    if len(edges) < len(array):
        parts.insert(_options.edgeitems, " ..." if innermost else "...")
    if not innermost:
        return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
    in_line = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(parts[i : i + in_line]) for i in range(0, len(parts), in_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


def _number_format(array: Array) -> tuple[int, Callable[[Any], str]]:
    """Common width of all numbers, and the function that writes one."""
    width = 1
    if array.dtype.kind != "f":
        width = max(len(str(v)) for v in array.reshape(-1).tolist())
        return width, lambda value: str(value).rjust(width)
    flat = array.reshape(-1).astype(np.float64)
    numbers = flat[np.isfinite(flat) & (flat != 0)]
    scientific = whole = False
    if not numbers.size:
        whole = True
    else:
        whole = bool((numbers == np.ceil(numbers)).all())
        low, high = np.abs(numbers).min(), np.abs(numbers).max()
        with np.errstate(over="ignore"):
            scientific = bool(high > 1000.0 * low or high > 1.0e8 or low < 1.0e-4)
        if _options.sci_mode is not None:
            scientific = _options.sci_mode

    def write(value: float) -> str:
        if scientific:
            text = f"{value:.{_options.precision}e}"
        elif whole:
            text = f"{value:.0f}" + ("." if math.isfinite(value) else "")
        else:
            text = f"{value:.{_options.precision}f}"
        return text.rjust(width)

    width = max((len(write(v)) for v in numbers.tolist()), default=1)
    return width, write
