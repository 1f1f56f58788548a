"""The course of every parameter's gradient and update through a training, as its metrics.jsonl has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lenetcli.inspection.record import Record
from lenetcli.train.events import FIGURES, Step


@dataclass(frozen=True)
class Course:
    """One parameter; each list has a number for each look, None where there was no gradient.

    Args:
        norm: of the gradient.
        mean, max: of the sizes of its numbers.
        update: norm of the step by norm of the parameter.
    """

    name: str
    norm: list[float | None]
    mean: list[float | None]
    max: list[float | None]
    update: list[float | None]


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


def spread(count: int, most: int) -> list[int]:
    """Which of `count` places to show where there is room for `most`: the first, the last, evenly between them.

    Example:
        >>> spread(3, 5), spread(9, 3)
        ([0, 1, 2], [0, 4, 8])
    """
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]
