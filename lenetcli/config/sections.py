"""What a whole config holds: the keys of its top and of its plain sections, as pydantic checks them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lenetcli.config.components import Component
from lenetcli.config.document import Document
from lenetcli.config.losses import LossTerm
from lenetcli.config.messages import Said
from lenetcli.config.problems import InvalidConfig, KeyPath, Problem
from lenetcli.config.signature import Boolean, Integer, Number, String
from lenetcli.config.user_code import NotImported

VERSION = 1  # of the config's format; the first
_UNITS = {"h": 3600, "m": 60, "s": 1}


def in_seconds(duration: str) -> int:
    """A duration in seconds.

    Example:
        >>> in_seconds("1h30m")
        5400
    """
    return sum(int(count) * _UNITS[unit] for count, unit in re.findall("([0-9]+)([hms])", duration))


def _some_time(duration: str) -> str:
    if in_seconds(duration) == 0:
        raise ValueError("no time at all")
    return duration


Count = Annotated[Integer, Field(ge=1)]
Extent = Annotated[Integer, Field(ge=1, le=2**20)]
Positive = Annotated[Number, Field(gt=0)]
Steps = Annotated[Count, Said("a number of steps")]
Batches = Annotated[Count, Said("a number of batches")]
Seconds = Annotated[Positive, Said("a number of seconds")]
Duration = Annotated[
    String,
    Field(pattern="^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$"),
    AfterValidator(_some_time),
    Said("a text such as 30m, 2h or 1h30m"),
]
Weights = Annotated[
    list[Annotated[Number, Field(ge=0)]], Field(min_length=1), Said("a list of numbers that are at least 0")
]
Device = (
    Annotated[Literal["cpu", "cuda", "auto"], Said("cpu, cuda, auto")]
    | Annotated[String, Field(pattern=r"^cuda:[0-9]{1,2}$"), Said("cuda:1")]
)
WeightsFile = Annotated[String, Field(min_length=1)]
Patterns = list[Annotated[String, Field(min_length=1)]]
Metric = Literal[
    "loss", "accuracy", "balanced_accuracy", "f1", "f1_macro", "f1_micro", "f1_weighted", "precision",
    "precision_macro", "recall", "recall_macro", "top_3", "top_5", "average_precision", "roc_auc", "matthews",
    "subset_accuracy", "hamming_loss", "r2", "mae", "mse", "rmse",
]  # fmt: skip
Name = Annotated[String, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]


class Section(BaseModel):
    """A section with fixed keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class Header(Section):
    """The keys beside the sections."""

    version: Integer = VERSION
    """Version of the config's format."""
    name: Name | None = None
    """Name of the runs: they go to runs/<name>/<NNN>. Default: the file's name."""
    seed: Annotated[Integer, Field(ge=0, le=2**64 - 1)] = 0
    """Where all random numbers start: initial weights, order of samples, dropout."""
    device: Device = "cpu"
    """Where a training runs: cpu, cuda (a GPU, by the extra cuda), cuda:1 (another one), or auto: a GPU where there is
    one, else the CPU. Commands that look into a model run on the CPU."""


class Unfreeze(Section):
    """When frozen layers begin to train."""

    epoch: Annotated[Integer, Field(ge=2, le=10**6)]
    """The first epoch in which they do; epochs count from 1."""


class ModelKeys(Section):
    """The model, but for its layers."""

    input: Annotated[list[Extent], Field(min_length=1, max_length=4)]
    """Shape of one sample: [C, H, W] for images, [features] for vectors."""
    outputs: Annotated[list[String], Field(min_length=1), Said("a list of names of layers")] | None = None
    """Names of the layers whose outputs the model gives, in this order; by default the last layer's."""
    init: WeightsFile | None = None
    """File of weights that a new run begins with: .pt, .pth, .safetensors or .npz, relative to this file. Their names
    and shapes are the model's, as `lenet import` wants them."""
    strict: Boolean = True
    """Every tensor of the file fits the model, and the other way round; false: what does not fit is left, and what the
    model then lacks starts anew, such as a head of another number of classes."""
    rename: dict[String, String | None] = {}
    """Beginnings of the file's names, and what stands in their place: {"module.": "", "backbone.": "features."}; one
    after the other, each once; null is nothing, as "" is. "" is the beginning of all."""
    freeze: Patterns = []
    """Layers that do not train, by names of modules or parameters, with * and ?: [conv1, "layer1.*"]. Their batch norms
    stay in evaluation mode."""
    unfreeze: Unfreeze | None = None
    """From which epoch on they train after all: {epoch: 3}."""
    keep_features: Boolean | Annotated[Integer, Field(ge=1, le=2**20)] = True
    """Keep what frozen layers give for a sample between epochs, where nothing random comes before: true (up to 1024
    MB), false, or up to how many MB. The numbers are the same."""


class Warmup(Section):
    """A warm-up counted in epochs."""

    epochs: Positive
    """Epochs, or a share of one."""


class LimitBatches(Section):
    """Batches to use, and no more."""

    train: Count | None = None
    """Of each epoch's training data."""
    eval: Count | None = None
    """Of the data that the model is evaluated on."""


class EarlyStopping(Section):
    """When to stop before all epochs are done."""

    patience: Count
    """Epochs in a row without improvement, after which the run stops."""
    metric: Metric = "loss"
    """What has to improve, on the validation split or, without one, the test split: loss, accuracy, or a metric of the
    task, such as f1_macro, top_5, average_precision, roc_auc, r2 or mae."""
    min_delta: Annotated[Number, Field(ge=0)] = 0.0
    """How much better is an improvement."""


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
    keep_checkpoints: Annotated[Integer, Field(ge=1, le=10**6)] = 3
    """How many of the newest checkpoints stay on disk; the one with the best weights stays as well."""
    validation: Annotated[Number, Field(gt=0, lt=1)] | None = None
    """Share of the training data, drawn by the seed and of each class alike, that is held back: it then decides which
    epoch is best and when to stop early, and the test split is left for the end."""
    accumulate: Annotated[Integer, Field(ge=1, le=2**20)] = 1
    """Batches whose gradients make one step, as one batch of all their samples would."""
    clip_grad_norm: Positive | None = None
    """Greatest Euclidean norm of all gradients together; longer ones are scaled down."""
    clip_grad_value: Positive | None = None
    """Greatest size of each number in a gradient; larger ones are cut."""
    warmup: Steps | Warmup | None = None
    """Steps (or epochs, as {epochs: 2}) in which the learning rate rises from near 0 to what the schedule says."""
    ema: Annotated[Number, Field(gt=0, lt=1)] | None = None
    """Decay of a moving average of the weights, such as 0.999: the average is evaluated and kept as the best."""
    sync_batchnorm: Boolean = False
    """Where several processes train (mpiexec), batch norm takes the mean and variance of whole batches; otherwise those
    of each process's part."""
    log_gradients: Literal["epoch"] | Steps | None = "epoch"
    """When to write down figures of each parameter's gradient and update: at the first step, and every so many steps or
    at the end of each epoch; null: never."""
    best: Metric | None = None
    """What makes an epoch the best: a metric as for early_stopping; by default the accuracy, where there is one, else
    the loss."""
    class_weights: Literal["balanced"] | Weights | None = None
    """Weight of each class in the loss: a list, or balanced, which makes all classes weigh the same, common or rare."""
    early_stopping: EarlyStopping | None = None
    """Stop before all epochs are done, when there is no improvement."""
    max_time: Seconds | Duration | None = None
    """Longest time of the run, resumed parts counted in: seconds, or a text such as 30m, 2h or 1h30m. The step is
    finished, the model evaluated and saved."""
    limit_batches: Batches | LimitBatches | None = None
    """Batches of each epoch and of each evaluation to use, for a quick try: one number, or {train: 100, eval: 10}.
    Of an epoch the first in its order are taken; an evaluation takes samples of each class alike, drawn by the seed."""

    @property
    def max_seconds(self) -> float | None:
        """`max_time` in seconds."""
        return float(in_seconds(self.max_time)) if isinstance(self.max_time, str) else self.max_time

    @property
    def limits(self) -> LimitBatches:
        """`limit_batches` with both of its numbers."""
        limit = self.limit_batches
        return limit if isinstance(limit, LimitBatches) else LimitBatches(train=limit, eval=limit)


@dataclass(frozen=True)
class Model:
    """The model section; `unfreeze` is the epoch."""

    input: tuple[int, ...]
    layers: tuple[Component, ...]
    outputs: tuple[str, ...] = ()
    blocks: dict[str, Any] = field(default_factory=dict, compare=False)  # as given: layers have them written out
    init: str | None = None
    strict: bool = True
    rename: Mapping[str, str] = field(default_factory=dict)
    freeze: tuple[str, ...] = ()
    unfreeze: int | None = None
    keep_features: bool | int = True


@dataclass(frozen=True)
class Config:
    """A checked config: every key is known, every value has its type, every class exists.

    Whether the parts fit together (shapes, ranges) is for `lenetcli.build.parts` to see.

    Args:
        begun: it is a run directory's: its weights lie there, and `model.init` has done its part.
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
    device: str = "cpu"
    document: Document | None = field(default=None, compare=False, repr=False)
    losses: tuple[LossTerm, ...] = ()  # where the section is a list; `loss` is the first one's then
    begun: bool = field(default=False, compare=False, repr=False)

    def strangers(self) -> list[NotImported]:
        """What names Python that was only looked at and not imported, since nobody has agreed to it."""
        losses = [term.loss for term in self.losses] or [self.loss]
        parts = (*self.model.layers, self.data, *losses, self.optimizer, self.scheduler)
        return [found for part in parts if part is not None for found in part.strangers()]

    def error(self, path: KeyPath, message: str, *hints: str, more: str = "") -> InvalidConfig:
        """The error that says what is wrong with the value at a path, pointing at its place in the text."""
        where = self.document.place(path) if self.document is not None else None
        return InvalidConfig([Problem(where, path, message, tuple(hint for hint in hints if hint))], more)


def defaults(section: type[Section]) -> dict[str, Any]:
    """Keys of a section that may be left out, with what they then are."""
    return {name: f.default for name, f in section.model_fields.items() if not f.is_required()}
