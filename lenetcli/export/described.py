"""A model with all that is known of it, for whoever gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.nn.module import Module


@dataclass(frozen=True)
class Figures:
    """How a run's best model did, as far as the run says: on which split, at which epoch."""

    split: str
    epoch: int
    loss: float
    accuracy: float | None
    count: int | None = None


@dataclass(frozen=True)
class Described:
    """A model with all that is known of it.

    Args:
        config: the resolved configuration as plain data that may leave the machine; `config_text` is its YAML.
        figures: how it did; None where nothing is known.
        own_files: the user's own files that the configuration names, by the names it has for them.
        outputs: what the model's numbers are, as `nn.loss.Outputs` says.
    """

    model: Module
    config: Mapping[str, Any]
    config_text: str
    inputs: Inputs | None
    figures: Figures | None
    own_files: Mapping[str, Path] = field(default_factory=dict)
    outputs: str = "scores"

    @property
    def name(self) -> str:
        """The configuration's name."""
        return str(self.config["name"])

    @property
    def metadata(self) -> dict[str, str]:
        """As text, for formats that keep text beside the weights."""
        found = {"lenet.version": __version__, "lenet.config": self.config_text}
        if self.inputs is not None:
            found["lenet.inputs"] = json.dumps(self.inputs.record())
        return found
