"""What a whole config holds: the keys of its top and of its plain sections, as pydantic checks them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from lenetcli.config.components import Component
from lenetcli.config.derive import Boolean, Integer, String
from lenetcli.config.document import Document
from lenetcli.config.explain import InvalidConfig, KeyPath, Problem

VERSION = 1  # of the config's format

Count = Annotated[Integer, Field(ge=1)]
Extent = Annotated[Integer, Field(ge=1, le=2**20)]
Name = Annotated[String, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class Section(BaseModel):
    """A section with fixed keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)


class Header(Section):
    """The keys beside the sections."""

    version: Integer = VERSION
    """Version of the config's format."""
    name: Name | None = None
    """Name of the runs: they go to runs/<name>/<NNN>. Default: the file's name."""
    seed: Annotated[Integer, Field(ge=0, le=2**64 - 1)] = 0
    """Where all random numbers start: initial weights, order of samples, dropout."""


class ModelKeys(Section):
    """The model, but for its layers."""

    input: Annotated[list[Extent], Field(min_length=1, max_length=4)]
    """Shape of one sample: [C, H, W] for images, [features] for vectors."""


class Train(Section):
    """How the training runs."""

    epochs: Annotated[Integer, Field(ge=1, le=10**6)]
    """Passes over the training data."""
    batch_size: Annotated[Integer, Field(ge=1, le=2**20)] = 64
    """Samples in a step."""
    shuffle: Boolean = True
    """Draw a new order of the samples each epoch."""
    drop_last: Boolean = False
    """Leave out the last batch of an epoch when it is smaller than the others."""
    eval_batch_size: Annotated[Integer, Field(ge=1, le=2**20)] = 256
    """Samples at a time when the model is evaluated; changes speed and memory only."""


@dataclass(frozen=True)
class Model:
    """The model section."""

    input: tuple[int, ...]
    layers: tuple[Component, ...]


@dataclass(frozen=True)
class Config:
    """A checked config: every key is known, every value has its type, every class exists.

    Whether the parts fit together (shapes, ranges) is for `lenetcli.build` to see.
    """

    name: str
    seed: int
    model: Model
    data: Component
    loss: Component
    optimizer: Component
    train: Train
    scheduler: Component | None = None
    version: int = VERSION
    document: Document | None = field(default=None, compare=False, repr=False)

    def error(self, path: KeyPath, message: str, *hints: str, more: str = "") -> InvalidConfig:
        """The error that says what is wrong with the value at a path, pointing at its place in the text."""
        where = self.document.place(path) if self.document is not None else None
        return InvalidConfig([Problem(where, path, message, tuple(hint for hint in hints if hint))], more)


def defaults(section: type[Section]) -> dict[str, Any]:
    """Keys of a section that may be left out, with what they then are."""
    return {name: f.default for name, f in section.model_fields.items() if not f.is_required()}
