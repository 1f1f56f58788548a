"""The course of every parameter's gradient and update through a training, as its metrics.jsonl has it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from lenetcli.inspect.figures import strict
from lenetcli.train.events import Gradient


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
class GradientCourse:
    """All parameters, in the order of the model.

    Args:
        steps: when the looks were.
    """

    steps: list[int]
    parameters: list[Course]

    def record(self) -> dict[str, Any]:
        """As `inspect-params RUN --gradients --json` prints it."""
        found: dict[str, Any] = strict(asdict(self))
        return found


def gradient_course(events: Iterable[Gradient]) -> GradientCourse | None:
    """The looks in order; None where there are none. The last one of a step counts.

    Example:
        >>> found = gradient_course([Gradient(1, 1, "w", 2.0, 0.5, 1.0, 0.1), Gradient(1, 8, "w", 1.0, 0.5, 1.0, None)])
        >>> found.steps, found.parameters[0].norm, found.parameters[0].update
        ([1, 8], [2.0, 1.0], [0.1, None])
    """
    by_name: dict[str, dict[int, Gradient]] = {}
    for event in events:
        by_name.setdefault(event.parameter, {})[event.step] = event
    steps = sorted({step for looks in by_name.values() for step in looks})
    if not steps:
        return None
    parameters = []
    for name, looks in by_name.items():
        found = [looks.get(step) for step in steps]
        columns = [[None if e is None else getattr(e, key) for e in found] for key in ("norm", "mean", "max", "update")]
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
