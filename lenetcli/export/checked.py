"""Whether an exported model gives what the engine gives, before it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from lenetcli.autograd.modes import no_grad
from lenetcli.errors import CheckFailed
from lenetcli.export.evaluated import evaluated
from lenetcli.export.graph import Array, Graph, Growing, Value
from lenetcli.export.int8_net import IntegerNet
from lenetcli.export.int8_run import run as run_integers
from lenetcli.export.trace import flat
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import from_numpy

NEAR = 1e-4  # what outputs may differ from the engine's, relative to the largest
SAMPLES = (3, 1, 4)  # numbers of samples that are tried


def difference(
    run: Callable[..., Any],
    model: Module,
    graph: Graph,
    samples: Sequence[int] = SAMPLES,
    examples: Sequence[Array] = (),
    then: Callable[[Array], Array] = lambda y: y,
) -> float:
    """The greatest difference between the exported model's outputs and the engine's, for random inputs.

    Args:
        run: the exported model: arrays in, an array or several out.
        samples: numbers of samples; only the first has to be one that the model can do.
        examples: of the inputs, for those of whole numbers; else these are 0.
        then: what the graph does to the model's first output.

    Raises:
        CheckFailed: it is more than rounding.
    """
    greatest, random = 0.0, np.random.default_rng(0)
    model.eval()
    for count in samples if any(isinstance(n, Growing) for value in graph.inputs for n in value.shape) else samples[:1]:
        inputs = [
            _random(random, value, count, examples[i] if examples else None) for i, value in enumerate(graph.inputs)
        ]
        try:
            with no_grad(), evaluated(), np.errstate(all="ignore"):
                results = [tensor.array for _, tensor in flat("", model(*(from_numpy(x.copy()) for x in inputs)))]
        except (RuntimeError, ValueError, IndexError):  # such as statistics of one sample
            if count == samples[0]:
                raise
            continue
        expected = [then(results[0]), *results[1:]]
        found = run(*inputs)
        for number, (got, wanted) in enumerate(zip(found if isinstance(found, (list, tuple)) else [found], expected)):
            greatest = max(greatest, _apart(np.asarray(got), wanted, graph.names[number], count))
    return greatest


def steps_apart(run: Callable[..., Any], net: IntegerNet, count: int, exact: bool) -> int:
    """By how many values of its grid a file's outputs differ from the engine's integers, for random inputs.

    Args:
        run: the file: real inputs in, real outputs out.
        count: of samples.
        exact: they may not differ at all; else by one.

    Raises:
        CheckFailed: they do.
    """
    x, grid = np.random.default_rng(0).standard_normal(net.graph.input.sizes_of(count)), net.grids[net.graph.input.name]
    x = (x * 64 * grid.step).astype(np.float32)
    greatest, found = 0, run(x)
    for value, got, wanted in zip(
        net.graph.outputs, found if isinstance(found, (list, tuple)) else [found], run_integers(net, x)
    ):
        own = net.grids[value.name].of(np.asarray(got).reshape(wanted.shape))
        greatest = max(greatest, int(np.abs(own.astype(np.int32) - wanted).max(initial=0)))
    if greatest > (0 if exact else 1):
        raise CheckFailed(f"the exported model's integers differ from the engine's by {greatest}: not written")
    return greatest


def _apart(got: Array, wanted: Array, name: str, count: int) -> float:
    of = f"{name} of {count} samples"
    if got.shape != wanted.shape:
        raise CheckFailed(
            f"the exported model gives {list(got.shape)}, the engine {list(wanted.shape)} ({of}): not written"
        )
    if wanted.dtype.kind == "b" or not wanted.size:
        if not np.array_equal(got, wanted):
            raise CheckFailed(f"the exported model's outputs differ from the engine's ({of}): not written")
        return 0.0
    same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
    with np.errstate(all="ignore"):
        apart = float(np.where(same, 0, np.abs(got.astype(np.float64) - wanted)).max())
    largest = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
    if not apart <= NEAR * max(1.0, largest):
        raise CheckFailed(f"the exported model's outputs differ from the engine's by {apart:g} ({of}): not written")
    return apart


def _random(random: np.random.Generator, value: Value, count: int, example: Array | None) -> Array:
    shape = value.sizes_of(count)
    if value.kind.kind == "f":
        return random.standard_normal(shape).astype(value.kind)
    if example is None or not example.size:
        return np.zeros(shape, value.kind)
    return np.resize(example, shape)
