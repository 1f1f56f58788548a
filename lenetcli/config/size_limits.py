"""How large a layer can become, told from its arguments alone: absurd sizes are refused before memory is asked for.

The counts are upper bounds by the names of arguments, which are torch's, and so the same for all layers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# numbers, of 4 bytes each: what fits into a common machine several times over
MOST_IN_SAMPLE = 2**25
MOST_WEIGHTS = 2**26  # of a model; with gradients, momentum and the file to write, a training takes 1 GiB of them
LIMITS = {
    "weights": MOST_WEIGHTS,
    "places in its window": 2**16,
    "numbers in its result for one sample": MOST_IN_SAMPLE,
    "numbers in its windows over one sample": 2**27,  # as a convolution copies them
    "in one argument": 2**26,
}

_WEIGHTS = (
    "in_features", "out_features", "in1_features", "in2_features", "in_channels", "out_channels", "kernel_size",
    "num_embeddings", "embedding_dim", "num_features", "num_parameters", "num_channels", "normalized_shape",
    "num_positions",
)  # fmt: skip
_WINDOW = ("kernel_size",)
_OUTPUT = ("output_size", "size")
_BORDER = ("padding", "output_padding")


@dataclass(frozen=True)
class TooLarge:
    """What a layer asks for, and cannot have.

    Args:
        what: what there is too much of.
        count: how much.
        most: how much is allowed.
        argument: the argument that contributes most, of those the config gives.
    """

    what: str
    count: int
    most: int
    argument: str | None


def too_large(kind: str, args: Mapping[str, Any], sample: tuple[int, ...], weights: int = 0) -> TooLarge | None:
    """The first limit that a layer may break; None where it keeps to all.

    Args:
        weights: how many the layers before have; see `bounds` for the other arguments.

    Example:
        >>> too_large("Conv2d", {"in_channels": 1, "out_channels": 10**9, "kernel_size": 3}, (1, 28, 28)).what
        'weights'
    """
    for what, count in bounds(kind, args, sample).items():
        more = weights if what == "weights" and count > 1 else 0
        if count + more > LIMITS[what]:
            largest = max(args, key=lambda name: max(_numbers([args[name]]), default=0), default=None)
            before = ", with those of the layers before" if more else ""
            return TooLarge(what + before, count + more, LIMITS[what], largest)
    return None


def bounds(kind: str, args: Mapping[str, Any], sample: tuple[int, ...]) -> dict[str, int]:
    """At most so much, of what LIMITS has a limit for.

    Args:
        kind: the layer's type; its name tells how many axes it works on, and whether strides make it larger.
        args: its arguments, inferred ones too.
        sample: shape of its input, without N.
    """
    dims = next((n for n in (1, 2, 3) if f"{n}d" in kind), max(1, len(sample) - 1))
    places = (*(1,) * dims, *sample)[-dims:]  # a 2d layer takes the batch for rows where a sample has no axis for them
    transposed = "Transpose" in kind
    window = _product(args, _WINDOW, len(places))
    channels = math.prod(sample) // max(math.prod(places), 1)
    weights = _product(args, _WEIGHTS, len(places))
    if isinstance(args.get("num_positions"), int):
        weights += weights // max(args["num_positions"], 1)  # a class token's
    width = next((args[name] for name in ("d_model", "embed_dim") if isinstance(args.get(name), int)), None)
    if isinstance(args.get("hidden_size"), int):  # of each gate, layer and direction
        units, given = args["hidden_size"], sample[-1] if sample else 1
        copies = 8 * (args["num_layers"] if isinstance(args.get("num_layers"), int) else 1)
        weights = copies * units * (units + max(units, given))
        grown, result = 0, 2 * math.prod(sample[:-1]) * units
    elif width is not None:  # of an attention's projections, then of the net behind it
        net = args.get("dim_feedforward", 2048 if "d_model" in args else 0)
        inner = sum(_numbers([net, args.get("kdim"), args.get("vdim")]))
        stacked = [args.get(f"num_{part}coder_layers", 6) for part in ("en", "de")] if kind == "Transformer" else [1]
        weights = sum(_numbers(stacked)) * width * (8 * width + 2 * inner)
        grown, result = 0, math.prod(sample[:-1]) * (4 * width + inner)
    elif isinstance(args.get("out_features"), int):
        grown, result = 0, math.prod(sample[:-1]) * args["out_features"]
    else:
        grown = _places(args, places, transposed)
        result = grown * (args["out_channels"] if isinstance(args.get("out_channels"), int) else channels)
    return {
        "weights": weights,
        "places in its window": window,
        "numbers in its result for one sample": result,
        "numbers in its windows over one sample": grown * channels * window,
        "in one argument": max(_numbers(args.values()), default=0),
    }


def _product(args: Mapping[str, Any], names: tuple[str, ...], dims: int) -> int:
    """The product of the sizes that arguments give; one number for a window counts once for each of its axes."""
    product = 1
    for name in names:
        value = args.get(name)
        sizes = list(_numbers([value]))
        if name in _WINDOW and isinstance(value, int):
            sizes *= dims
        product *= math.prod(max(size, 1) for size in sizes)
    return product


def _places(args: Mapping[str, Any], places: tuple[int, ...], transposed: bool) -> int:
    """At most so many places (rows times columns) in the result."""
    grown = 1
    for axis, size in enumerate(places):
        factor = max(
            1.0, *(_along(args, name, axis) for name in ("scale_factor", *(("stride",) if transposed else ())))
        )
        border = sum(2 * _along(args, name, axis) for name in _BORDER)
        reach = _along(args, "kernel_size", axis) * max(1, _along(args, "dilation", axis)) if transposed else 0
        grown *= math.ceil(min(max(size * factor + border + reach, *(_along(args, n, axis) for n in _OUTPUT)), 2**63))
    return grown * max(1, math.prod(_numbers([args.get("embedding_dim")])))


def _along(args: Mapping[str, Any], name: str, axis: int) -> float:
    """What an argument says about one axis: its one number, or the largest where it has more (as borders may)."""
    value = args.get(name)
    numbers = [abs(number) for number in _numbers([value], whole=False)]
    if isinstance(value, (list, tuple)) and len(numbers) > axis and name not in _BORDER:
        return numbers[axis]
    return max(numbers, default=0)


def _numbers(values: Any, whole: bool = True) -> Iterator[Any]:
    """The numbers in arguments, also those in lists; truth values are none."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _numbers(value, whole)
        elif type(value) is int or (type(value) is float and not whole and math.isfinite(value)):
            yield value
