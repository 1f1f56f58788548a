"""A run as its newest checkpoint has it, while another process trains it: filters, feature maps, the next step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.errors import ConfigError, DataError, DivergedError
from lenetcli.inspection.data.mistakes import shown
from lenetcli.inspection.graph.step_traces import traces
from lenetcli.inspection.graph.trace import Trace
from lenetcli.inspection.model.feature_maps import FeatureMaps, Filters, feature_maps, first_filters
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.runs.open import load_training
from lenetcli.train.answers import answered
from lenetcli.train.losses import main_term
from lenetcli.train.run import Run


@dataclass(frozen=True)
class Look:
    """What is seen at one checkpoint; what cannot be had is None.

    Args:
        step: optimizer steps that the run had made.
        filters: of the first layer.
        maps, picture: what each layer makes of a sample of the test split, and that sample.
        probabilities: of the classes, for that sample; target: its class.
        trace: of the step that comes next, on the very batch that it is made with.
    """

    step: int
    filters: Filters | None
    maps: FeatureMaps
    picture: Any
    probabilities: list[float] | None
    target: int | None
    trace: Trace | None


class Newest:
    """Looks at the newest checkpoint of a run directory, as often as there is a new one. Nothing is written.

    Args:
        places: where its data lies now, as data.root=DIR.
        image: number of the sample of the test split that is shown.
    """

    def __init__(self, place: Path, places: Iterable[str] = (), image: int = 0) -> None:
        self.place, self.places, self.image = place, list(places), image
        self.look: Look | None = None
        self.problem = ""
        self._run: Run | None = None
        self._seen = ""

    def look_on(self) -> bool:
        """Looks, where there is a checkpoint that has not been looked at; True where there is something new.

        Raises:
            ConfigError: the sample that is wanted is not there, or other changes than of where data lies.
        """
        checkpoints = Checkpoints(self.place)
        names = checkpoints.names()
        if not names or names[-1] == self._seen:
            return False
        self._seen = names[-1]
        try:
            if self._run is None:
                self._run = load_training(str(self.place), self.places)[1]
            else:
                checkpoints.look(self._run)
            self.look, self.problem = self._looked(self._run), ""
        except DataError as error:  # taken away while it was read, or the data is not here
            self.problem = str(error)
        return True

    def _looked(self, run: Run) -> Look:
        data = run.test_loader.dataset
        if self.image >= len(data):
            raise ConfigError(f"--image {self.image}: the test split has {len(data):,} samples, numbered from 0")
        inputs, target = data[self.image]
        model, term, step = run.shown_model, main_term(run.criterion), run.progress.step
        model.eval()
        maps = feature_maps(model, inputs.array, output=term.index)
        rows, names = answered(np.atleast_1d(maps.output)[None], term.criterion, run.classes)
        known = bool(run.classes) and np.size(target) == 1
        return Look(
            step,
            first_filters(model, tuple(inputs.array.shape)),
            maps,
            shown(inputs.array, getattr(data, "preprocessing", None)),
            rows[0].tolist() if names else None,
            int(float(np.asarray(target).reshape(())) + 0.5) if known else None,
            self._trace(run),
        )

    def _trace(self, run: Run) -> Trace | None:
        trained = [name for name, parameter in run.model.named_parameters() if parameter.requires_grad]
        try:
            return next(traces(run, trained[:1]))
        except DivergedError:
            return None
