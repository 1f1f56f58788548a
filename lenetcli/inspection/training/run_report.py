"""Everything about a run, gathered as plain data: what `lenet report` draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lenetcli.errors import ConfigError, DataError
from lenetcli.inspection.data.mistakes import Judged
from lenetcli.inspection.model.feature_maps import FeatureMaps, Filters
from lenetcli.inspection.model.inner_views import InnerMaps
from lenetcli.inspection.record import strict
from lenetcli.inspection.training.checkpoint_history import Flow
from lenetcli.inspection.training.gradient_history import gradient_course
from lenetcli.runs.history import History
from lenetcli.train.evaluate import Evaluation, class_records

T = TypeVar("T")


@dataclass(frozen=True)
class LayerLine:
    """One line of the model's table: where a layer stands, its class, shape of its output, number of parameters."""

    layer: str
    kind: str
    output: list[int]
    parameters: int


@dataclass
class RunReport:
    """A run with everything that can be said of it. What could not be had is None, and `problems` says why.

    Args:
        name: of the configuration.
        place: the run directory, as it was given.
        config: the resolved configuration as YAML.
        input: shape of a sample.
        image: number of the sample whose feature maps there are.
        inside: attention and gates of that sample.
        probabilities: of the classes, for that sample.
        problems: by section.
        output: name of the output that answers, of a model with several.
    """

    name: str
    place: str
    config: str
    input: list[int]
    layers: list[LayerLine]
    parameters: int
    trainable: int
    environment: dict[str, Any] | None = None
    classes: tuple[str, ...] = ()
    history: History | None = None
    judged: Judged | None = None
    filters: Filters | None = None
    maps: FeatureMaps | None = None
    inside: list[InnerMaps] = field(default_factory=list)
    image: int = 0
    picture: Any = None
    target: int | None = None
    probabilities: list[float] | None = None
    flow: Flow | None = None
    problems: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def attempt(self, section: str, make: Callable[[], T]) -> T | None:
        """What `make` gives, or None where the data for that section cannot be had."""
        try:
            return make()
        except (DataError, ConfigError) as error:
            self.problems[section] = str(error)
            return None

    def record(self) -> dict[str, Any]:
        """As `report --json` shows it: everything but pictures."""
        best = None if self.history is None else self.history.best
        ended = None if self.history is None else self.history.ended
        course = None if self.history is None else gradient_course(self.history.gradients)
        found = {
            "name": self.name,
            "run": self.place,
            "parameters": {"total": self.parameters, "trainable": self.trainable},
            "layers": self.layers,
            "best": best,
            "ended": ended,
            "seconds": None if self.history is None else self.history.seconds,
            "evaluation": None if self.judged is None else self._evaluation(self.judged),
            "mistakes": [] if self.judged is None else [m.record(self.classes) for m in self.judged.mistakes],
            "gradients": course,
            "flow": self.flow,
            "environment": self.environment,
            "problems": self.problems,
        }
        plain: dict[str, Any] = strict(found)
        return plain

    def _evaluation(self, judged: Judged) -> dict[str, Any]:
        outputs = judged.evaluation.outputs
        record = {"split": judged.split, **self._figures(judged.evaluation)}
        if outputs is not None:
            record["outputs"] = {name: self._figures(each) for name, each in outputs.items()}
        return record

    def _figures(self, found: Evaluation) -> dict[str, Any]:
        counts = found.counts
        return {
            "loss": found.loss,
            "accuracy": found.accuracy,
            "count": found.count,
            "ignored": found.ignored,
            "calibration_error": found.calibration_error,
            "confusion": None if counts is None else counts.record(),
            "classes": None if counts is None else class_records(found, self.classes),
        }
