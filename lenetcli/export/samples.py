"""Two traces of a model, with other values and one more sample, as one: what depends on the number of samples is told.

What is the same in both is a constant. A size or whole number that is not grows with the number of samples. Anything
else that is not would be wrong for other inputs, and is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lenetcli.export.graph import LOWERINGS, Array, Growing, NotExportable
from lenetcli.export.places import Place
from lenetcli.export.trace import Constant, Ref, Step, Trace


@dataclass(frozen=True)
class Spread:
    """A constant that is repeated for every sample: one repetition, and the sizes of the whole."""

    array: Array
    shape: tuple[int, ...]


class Different(Exception):
    """Two values are not the same; the message says what they are."""


def merged(one: Trace, two: Trace, counted: bool) -> Trace:
    """The steps that the outputs need, with sizes that may grow.

    Args:
        one, two: traces of the same model.
        counted: the second one has a sample more.

    Raises:
        NotExportable: an op that has no form, or one that depends on values or on the number of samples.
    """
    first, second = _needed(one), _needed(two)
    for a, b in zip(first, second):
        if a.op is b.op and len(a.results) != len(b.results):
            counts = f"{len(a.results)} tensors here and {len(b.results)} for other inputs"
            raise _refused(a.place, f"{a.name} gives {counts}")
        if (a.op, a.place.path, a.results) != (b.op, b.place.path, b.results):
            raise _refused(a.place, f"for other inputs it runs {b.name} ({b.place}) instead of {a.name}")
    if len(first) != len(second) or one.outputs.keys() != two.outputs.keys():
        longest = max(first, second, key=len)
        place = longest[min(len(first), len(second))].place if len(first) != len(second) else Place()
        raise _refused(place, "for other inputs it runs other ops")
    found = Trace(one.inputs, kinds=one.kinds, shapes=one.shapes)
    try:
        found.shapes = [_same(a, b, counted) for a, b in zip(one.shapes, two.shapes)]
        found.outputs = {name: _same(value, two.outputs[name], counted) for name, value in one.outputs.items()}
    except Different as difference:
        raise _refused(Place(), str(difference)) from None
    for a, b in zip(first, second):
        rule = LOWERINGS.get(a.op)
        if rule is None:
            raise _refused(a.place, f"{a.name} has no form in a graph of ONNX's operators")
        try:
            arguments = {
                name: _same(a.arguments[name], b.arguments[name], counted)
                for name in a.arguments
                if name in rule.parameters
            }
        except Different as difference:
            raise _refused(a.place, f"{a.name} takes {difference}") from None
        found.steps.append(Step(a.op, arguments, a.results, a.place))
    return found


def _refused(place: Place, reason: str) -> NotExportable:
    return NotExportable(f"{place}: cannot be exported: {reason}")


def _needed(trace: Trace) -> list[Step]:
    """The steps whose results come out, or are taken by those that do."""
    wanted: set[int] = set()
    _collect(trace.outputs, wanted)
    found = []
    for step in reversed(trace.steps):
        if wanted.intersection(step.results):
            found.append(step)
            rule = LOWERINGS.get(step.op)
            names = step.arguments if rule is None else rule.parameters
            _collect({name: step.arguments[name] for name in names if name in step.arguments}, wanted)
    return found[::-1]


def _collect(value: Any, wanted: set[int]) -> None:
    if isinstance(value, Ref):
        wanted.add(value.number)
    elif isinstance(value, dict):
        for v in value.values():
            _collect(v, wanted)
    elif isinstance(value, (list, tuple)):
        for v in value:
            _collect(v, wanted)


def _same(a: Any, b: Any, counted: bool) -> Any:
    """Both values as one.

    Raises:
        Different: they are not the same.
    """
    if isinstance(a, Constant) and isinstance(b, Constant):
        return _same_array(a.array, b.array, counted)
    if type(a) is not type(b):
        raise Different(f"{_shown(a)} here and {_shown(b)} for other inputs")
    if isinstance(a, (list, tuple)):
        if len(a) != len(b):
            raise Different(f"{len(a)} values here and {len(b)} for other inputs")
        parts = [_same(x, y, counted) for x, y in zip(a, b)]
        return type(a)(*parts) if hasattr(a, "_fields") else tuple(parts) if isinstance(a, tuple) else parts
    if isinstance(a, slice):
        return slice(*(_same(getattr(a, n), getattr(b, n), counted) for n in ("start", "stop", "step")))
    if isinstance(a, dict):
        return {key: _same(value, b.get(key), counted) for key, value in a.items()}
    if a is b or a == b or (isinstance(a, float) and a != a and b != b):
        return a
    if isinstance(a, int) and not isinstance(a, bool):
        if counted and b > a:
            return Growing(a, b - a)
        raise Different(f"the number {a} here and {b} for other inputs: it depends on the values")
    raise Different(f"{_shown(a)} here and {_shown(b)} for other inputs")


def _same_array(a: Array, b: Array, counted: bool) -> Any:
    if a is b or (a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")):
        return Constant(a)
    differ = [axis for axis in range(a.ndim) if a.ndim == b.ndim and a.shape[axis] != b.shape[axis]]
    if counted and differ:
        thin_a, thin_b = (_thinned(x, differ) for x in (a, b))
        if thin_a is not None and thin_b is not None and np.array_equal(thin_a, thin_b):
            return Spread(thin_a, tuple(_same(m, n, counted) for m, n in zip(a.shape, b.shape)))
    hint = "" if a.shape == b.shape else ", or depends on the number of samples (give that with --batch)"
    raise Different(
        f"a tensor of shape {list(a.shape)} that no op made of the input and that is not the same for other inputs: it "
        f"is random, came out of Python's or NumPy's hands, or is what a mask leaves (use where() for that){hint}"
    )


def _thinned(x: Array, axes: list[int]) -> Array | None:
    """One of the repetitions along these axes; None where they are none."""
    for axis in axes:
        one = np.take(x, [0], axis)
        if not np.array_equal(np.broadcast_to(one, x.shape), x):
            return None
        x = one
    return x


def _shown(value: Any) -> str:
    if isinstance(value, Constant):
        return f"a constant of shape {list(value.array.shape)}"
    return "a value that depends on the input" if isinstance(value, Ref) else repr(value)
