"""The rule of each operation as a formula: what forward computes, and what backward sends to each operand.

Both stand with the operation (`formula` and `gradient` of autograd/op.py) or in the docstring of its public function.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli
from lenetcli.autograd.tape import Node


@dataclass(frozen=True)
class Rule:
    """What an operation does.

    Args:
        forward: y from the operands.
        backward: for each operand that can take a gradient, its gradient from that of y.
    """

    forward: str
    backward: dict[str, str]


def rule_of(node: Node, parameters: Mapping[str, Any], operands: Mapping[str, Any]) -> Rule:
    """The rule of an operation, its parameters filled in; a pointer to the source where no formula is written down."""
    cls: type = type(node)
    words, place = _words(parameters, operands), source(cls)
    member = getattr(cls, "formula", None)
    forward = stated(cls, "Formula") if member is None else _filled(member, words)
    if not forward:
        forward = f"{cls.__name__}({', '.join(operands)}), see {place}"
    lines = {_operand(line): _filled(line, words) for line in getattr(cls, "gradient", None) or ()}
    backward = {}
    for name, value in operands.items():
        if name in lines and value is not None:
            backward[name] = lines[name]
        elif "arrays" in lines:
            backward[name] = lines["arrays"].replace("d_arrays", f"d_{name}", 1)
        elif isinstance(value, np.ndarray) and value.dtype.kind == "f":
            slope = stated(cls, "Gradient") if len(operands) == 1 else ""
            text = f"({slope})" if " " in slope else slope
            backward[name] = f"d_{name} = grad · {text or f'∂y/∂{name}, computed in {place}'}"
    return Rule(forward if forward.startswith("y") else f"y = {forward}", backward)


def mentioned(cls: type) -> str:
    """The operation's formula with its parameters in braces; empty where it has none as a member."""
    return getattr(cls, "formula", None) or ""


@cache
def stated(cls: type, title: str) -> str:
    """What stands under "Formula:" or "Gradient:" in the docstring of an operation's public function; empty if nothing.

    That is the function of the class's file named as the class in small letters: `LeakyRelu` is `leaky_relu`.
    """
    for kind in cls.__mro__:
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
        function = getattr(sys.modules.get(kind.__module__), name, None)
        text = inspect.getdoc(function) if inspect.isfunction(function) else None
        found = re.search(rf"\b{title}:\s+(.+?)(?:\.(?=\s)|\n\s*\n|\.?\Z)", text or "", re.DOTALL)
        if found is not None:
            return " ".join(found[1].split())
    return ""


def _operand(line: str) -> str:
    """The operand whose gradient a line gives: x of "d_x[n,c] = ..."."""
    found = re.match(r"d_(\w+)", line, re.ASCII)
    assert found is not None, f"a line of a gradient begins with d_ and an operand, got {line!r}"
    return found[1]


def _filled(text: str, words: Mapping[str, Any]) -> str:
    """With the parameters in place of their names; a factor of 1 is left out."""
    return re.sub(r"(?<![\w.\-])1 (?:· )?(?=(?:grad|[abcΣ])(?![a-z]))", "", text.format_map(words))


def _words(parameters: Mapping[str, Any], operands: Mapping[str, Any]) -> dict[str, Any]:
    """What the braces of a rule may name: the parameters, and what is said in words about some."""
    words = dict(parameters)
    reduction = words.get("reduction")
    words["share"] = " / count" if reduction == "mean" else ""
    words["reduction"] = "the values" if reduction == "none" else reduction
    words["of_whom"] = "of the batch" if words.get("training") else "as tracked in training"
    words["weight_times"] = "" if operands.get("weight") is None else "weight · "
    words["and_bias"] = "" if operands.get("bias") is None else " + bias"
    words["arriving"] = "(grad − mean(grad) − x̂ · mean(grad · x̂))" if words.get("training") else "grad"
    if "key" in words:
        words["key"] = ", ".join(map(_place, words["key"] if isinstance(words["key"], tuple) else (words["key"],)))
    if "dim" in words and words["dim"] is None:
        words["dim"] = "all"
    return words | _window(words, operands) if "groups" in words and "stride" in words else words


def _place(key: Any) -> str:
    """A part of a subscript as it is written: 1:3, None, ..."""
    if not isinstance(key, slice):
        return "..." if key is Ellipsis else str(key)
    start, stop = ("" if end is None else str(end) for end in (key.start, key.stop))
    return f"{start}:{stop}" + ("" if key.step in (None, 1) else f":{key.step}")


def source(cls: type) -> str:
    """Where a class is written, as in lenetcli/ops/nn/conv2d.py:22."""
    if cls not in _SOURCES:
        _SOURCES[cls] = _written(cls)
    return _SOURCES[cls]


_SOURCES: dict[type, str] = {}  # Python reads a whole file to find a class in it


def _written(cls: type) -> str:
    try:
        file, line = Path(inspect.getsourcefile(cls) or ""), inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):
        return cls.__name__  # made in an interpreter's session
    root = Path(lenetcli.__file__).parent.parent
    return f"{file.relative_to(root) if file.is_relative_to(root) else file}:{line}"


def code(cls: type, method: str) -> str:
    """The text of a method; empty where there is none to be had."""
    try:
        return inspect.cleandoc("\n" + inspect.getsource(getattr(cls, method)))
    except (OSError, TypeError, AttributeError):
        return ""


def _window(parameters: Mapping[str, Any], operands: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a convolution's formula that depend on its geometry."""
    dims = operands["weight"].ndim - 2
    places, offsets, window = "pq"[-dims:], "kl"[-dims:], []
    geometry = [parameters[name][-dims:] for name in ("stride", "dilation", "padding")]
    for place, offset, stride, dilation, padding in zip(places, offsets, *geometry):
        text = f"{stride if stride > 1 else ''}{place}+{dilation if dilation > 1 else ''}{offset}"
        window.append(text + (f"−{padding}" if padding else ""))
    bias = operands.get("bias")
    return {
        "places": ",".join(places),
        "offsets": ",".join(offsets),
        "window": ",".join(window),
        "plus_bias": "" if bias is None else "bias[o] + ",
    }
