"""What a run has written down, as a notebook shows it."""

from __future__ import annotations

from dataclasses import dataclass

from lenetcli.report.training.notebook import run_html, summary
from lenetcli.runs.history import History


@dataclass(frozen=True, repr=False)
class RunHistory(History):
    """Steps, evaluations and end of a run; see `inspect.metrics.History`. A notebook shows it as curves."""

    @classmethod
    def of(cls, history: History) -> RunHistory:
        """The same with a picture."""
        return cls(**vars(history))

    def __repr__(self) -> str:
        return summary(self)

    def _repr_html_(self) -> str:
        return run_html(self)
