"""Expressions of several operators, told by their form: x * sigmoid(x), in whatever order a writer has it.

A template is made of `X`, which stands for any one value, of `Op`, `Mul` and `Add`. Products and sums may be nested,
their parts may stand in any order, dividing by a constant is multiplying, subtracting is adding.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lenetcli.onnx_import.net import Net, Node

Bound = dict[str, Any]  # what the names of a template stand for: a value's name, a number, a node
_MOST_PARTS, _MOST_FORMS = 5, 24
_NEAR = 2e-5  # constants are rounded to float32, and written by hand


class X:
    """Any value that is no constant; the same one everywhere in a template that it has the same name in."""

    def __init__(self, name: str = "x") -> None:
        self.name = name


class Number:
    """A constant of one element: this one, or any under a name."""

    def __init__(self, value: float | str) -> None:
        self.value = value


class Any_:
    """Any constant array, under a name."""

    def __init__(self, name: str) -> None:
        self.name = name


class Op:
    """An operator, by its name (or one of several), whose inputs have these forms; inputs beyond them do not matter.

    Args:
        key: the name that the node gets among what is bound.
    """

    def __init__(self, op: str, *inputs: Any, key: str = "") -> None:
        self.ops, self.inputs, self.key = op.split("|"), inputs, key


class Mul:
    """A product: its constant factor, which may have a name, and its parts."""

    def __init__(self, factor: float | str, *parts: Any) -> None:
        self.factor, self.parts = factor, parts


class Add:
    """A sum: its constant term, which may have a name, and its parts."""

    def __init__(self, term: float | str, *parts: Any) -> None:
        self.term, self.parts = term, parts


@dataclass
class Matcher:
    """Looks for templates in a net."""

    net: Net
    makers: dict[str, Node]
    work: int = 1 << 26  # numbers that may be worked out to tell layers, in all
    steps: int = 1 << 20  # values that may be looked at, in all; a net of 200 layers takes some 20,000

    _products: dict[str, list[tuple[float, tuple[str, ...]]]] = field(default_factory=dict)
    _sums: dict[str, list[tuple[float, tuple[tuple[float, str], ...]]]] = field(default_factory=dict)

    def may(self, count: int) -> bool:
        """Whether so many numbers may still be worked out; a net of usual layers never comes near the end."""
        self.work -= count
        return self.work >= 0

    def match(self, template: Any, value: str, bound: Bound) -> Iterator[Bound]:
        """Every way in which a value has the template's form, as what its names then stand for."""
        self.steps -= 1
        if self.steps < 0:
            return
        if isinstance(template, X):
            if value not in self.net.constants and bound.get(template.name, value) == value:
                yield {**bound, template.name: value}
        elif isinstance(template, Any_):
            if value in self.net.constants:
                yield {**bound, template.name: value}
        elif isinstance(template, Number):
            number = self.net.scalar(value)
            if number is not None:
                yield from self._number(template.value, number, bound)
        elif isinstance(template, Op):
            yield from self._op(template, value, bound)
        elif isinstance(template, Mul):
            for factor, parts in self.products(value):
                if len(parts) == len(template.parts):
                    for found in self._number(template.factor, factor, bound):
                        yield from self._parts(template.parts, parts, found)
        else:
            for term, terms in self.sums(value):
                if len(terms) == len(template.parts):
                    for found in self._number(template.term, term, bound):
                        yield from self._terms(template.parts, terms, found)

    def _number(self, wanted: float | str, number: float, bound: Bound) -> Iterator[Bound]:
        known = bound.get(wanted) if isinstance(wanted, str) else wanted
        if known is None:
            yield {**bound, str(wanted): number}
        elif math.isclose(known, number, rel_tol=_NEAR, abs_tol=1e-12):
            yield bound

    def _op(self, template: Op, value: str, bound: Bound) -> Iterator[Bound]:
        node = self.makers.get(value)
        if node is None or node.op not in template.ops or len(node.inputs) < len(template.inputs):
            return
        states = iter([{**bound, template.key: node} if template.key else bound])
        orders = [node.inputs]
        if node.op in ("Min", "Max", "Or", "And", "Equal") and len(template.inputs) == 2:
            orders = [node.inputs, node.inputs[::-1]]
        kept = list(states)
        for order in orders:
            found = kept
            for part, name in zip(template.inputs, order):
                found = [after for before in found for after in self.match(part, name, before)]
            yield from found

    def _parts(self, templates: tuple[Any, ...], values: tuple[str, ...], bound: Bound) -> Iterator[Bound]:
        for order in itertools.permutations(values):
            found = [bound]
            for part, name in zip(templates, order):
                found = [after for before in found for after in self.match(part, name, before)]
            yield from found

    def _terms(self, templates: tuple[Any, ...], terms: tuple[tuple[float, str], ...], bound: Bound) -> Iterator[Bound]:
        for order in itertools.permutations(terms):
            found = [bound]
            for part, (sign, name) in zip(templates, order):
                found = [after for before in found for after in self._signed(part, sign, name, before)]
            yield from found

    def _signed(self, template: Any, sign: float, value: str, bound: Bound) -> Iterator[Bound]:
        """A term of a sum, which may be subtracted."""
        if sign == 1:
            yield from self.match(template, value, bound)
        elif isinstance(template, Mul):
            for factor, parts in self.products(value):
                if len(parts) == len(template.parts):
                    for found in self._number(template.factor, sign * factor, bound):
                        yield from self._parts(template.parts, parts, found)

    def products(self, value: str) -> list[tuple[float, tuple[str, ...]]]:
        """A value as a product, in every way from itself alone to all factors apart."""
        if value not in self._products:  # stays true: a value gets another node only when all that take it are done
            self._products[value] = list(self._forms(value, self._factors))
        return self._products[value]

    def _forms(self, value: str, split: Any) -> Iterator[tuple[float, tuple[str, ...]]]:
        queue: list[tuple[float, tuple[str, ...]]] = [(1.0, (value,))]
        seen = set(queue)
        while queue:
            form = queue.pop(0)
            yield form
            if len(seen) > _MOST_FORMS:
                continue
            for i, part in enumerate(form[1]):
                for factor, parts in split(part):
                    new = (form[0] * factor, (*form[1][:i], *parts, *form[1][i + 1 :]))
                    if new not in seen and len(new[1]) <= _MOST_PARTS:
                        seen.add(new)
                        queue.append(new)

    def _factors(self, value: str) -> Iterator[tuple[float, tuple[str, ...]]]:
        node = self.makers.get(value)
        if node is None:
            return
        if node.op == "Neg":
            yield -1.0, (node.inputs[0],)
        if node.op in ("Mul", "Div") and len(node.inputs) == 2:
            a, b = node.inputs
            left, right = self.net.scalar(a), self.net.scalar(b)
            if node.op == "Div":
                if right:
                    yield 1 / right, (a,)
            elif right is not None:
                yield right, (a,)
            elif left is not None:
                yield left, (b,)
            else:
                yield 1.0, (a, b)
        if node.op == "Pow" and self.net.scalar(node.inputs[1]) in (2.0, 3.0):
            yield 1.0, (node.inputs[0],) * int(self.net.scalar(node.inputs[1]) or 0)

    def sums(self, value: str) -> list[tuple[float, tuple[tuple[float, str], ...]]]:
        """A value as a sum: its constant, and its terms with their signs."""
        if value not in self._sums:
            self._sums[value] = list(self._all_sums(value))
        return self._sums[value]

    def _all_sums(self, value: str) -> Iterator[tuple[float, tuple[tuple[float, str], ...]]]:
        queue: list[tuple[float, tuple[tuple[float, str], ...]]] = [(0.0, ((1.0, value),))]
        seen = set(queue)
        while queue:
            form = queue.pop(0)
            yield form
            if len(seen) > _MOST_FORMS:
                continue
            for i, (sign, part) in enumerate(form[1]):
                for term, terms in self._summands(part):
                    inner = tuple((sign * each, name) for each, name in terms)
                    new = (form[0] + sign * term, (*form[1][:i], *inner, *form[1][i + 1 :]))
                    if new not in seen and len(new[1]) <= _MOST_PARTS:
                        seen.add(new)
                        queue.append(new)

    def _summands(self, value: str) -> Iterator[tuple[float, tuple[tuple[float, str], ...]]]:
        node = self.makers.get(value)
        if node is None or node.op not in ("Add", "Sub", "Neg"):
            return
        if node.op == "Neg":
            yield 0.0, ((-1.0, node.inputs[0]),)
            return
        a, b = node.inputs
        sign = -1.0 if node.op == "Sub" else 1.0
        left, right = self.net.scalar(a), self.net.scalar(b)
        if right is not None:
            yield sign * right, ((1.0, a),)
        elif left is not None:
            yield left, ((sign, b),)
        else:
            yield 0.0, ((1.0, a), (sign, b))
