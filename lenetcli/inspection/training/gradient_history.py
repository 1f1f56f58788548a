"""The course of every parameter's gradient and update through a training, as its metrics.jsonl has it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from lenetcli.inspection.record import Record
from lenetcli.train.events import FIGURES, Step


@dataclass(frozen=True)
class Course:
    """One parameter; each list has a number for each look, None where there was no gradient.

    Args:
        norm: of the gradient.
        mean, max: of the sizes of its numbers.
        update: norm of the step by norm of the parameter.
        dead: how many of its units (places along the first axis) had no gradient but zeros.
    """

    name: str
    norm: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    update: list[float | None]
    dead: list[float | None]


@dataclass(frozen=True)
class GradientCourse(Record):
    """All parameters, in the order of the model.

    Args:
        steps: when the looks were.
    """

    steps: list[int]
    parameters: list[Course]


def gradient_course(events: Iterable[Step]) -> GradientCourse | None:
    """The looks in order; None where there are none. The last one of a step counts.

    Example:
        >>> look = {"norm": 2.0, "mean": 0.5, "max": 1.0, "update": 0.1}
        >>> found = gradient_course([Step(1, 1, 0.7, 0.1, 32, 9e4, {"w": look}), Step(1, 8, 0.6, 0.1, 32, 9e4)])
        >>> found.steps, found.parameters[0].norm, found.parameters[0].update
        ([1], [2.0], [0.1])
    """
    looks = {event.step: event.gradients for event in events if event.gradients}
    if not looks:
        return None
    steps = sorted(looks)
    parameters = []
    for name in dict.fromkeys(name for step in steps for name in looks[step]):
        found = [looks[step].get(name, {}) for step in steps]
        columns = [[figures.get(key) for figures in found] for key in FIGURES]
        parameters.append(Course(name, *columns))
    return GradientCourse(steps, parameters)


def by_layer(course: GradientCourse) -> GradientCourse:
    """The same with a line for each layer: the norm of all its gradients together, otherwise as its first parameter.

    Example:
        >>> weight = {"norm": 3.0, "mean": 0.5, "max": 1.0, "update": 0.1, "dead": 1.0}
        >>> looks = {"fc.weight": weight, "fc.bias": {**weight, "norm": 4.0}}
        >>> found = by_layer(gradient_course([Step(1, 1, 0.7, 0.1, 32, 9e4, looks)]))
        >>> [(layer.name, layer.norm, layer.dead) for layer in found.parameters]
        [('fc', [5.0], [1.0])]
    """
    layers: dict[str, list[Course]] = {}
    for parameter in course.parameters:
        layers.setdefault(parameter.name.rpartition(".")[0] or parameter.name, []).append(parameter)
    found = []
    for name, parts in layers.items():
        norms = [[n for n in at if n is not None] for at in zip(*(part.norm for part in parts))]
        together = [math.hypot(*at) if at else None for at in norms]
        found.append(replace(parts[0], name=name, norm=together))
    return GradientCourse(course.steps, found)


def spread(count: int, most: int) -> list[int]:
    """Which of `count` places to show where there is room for `most`: the first, the last, evenly between them.

    Example:
        >>> spread(3, 5), spread(9, 3)
        ([0, 1, 2], [0, 4, 8])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
