"""What frozen layers give for a sample, kept between epochs: where nothing random stands before them.

The bits are those of computing it anew: only layers are passed over whose kernels give each sample the same numbers
whatever batch it is in, which the native ones of convolutions, batch norm, max-pooling and elementwise layers do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli import nn
from lenetcli.autograd.composite import use
from lenetcli.autograd.modes import no_grad, switches
from lenetcli.data.dataset import ArrayDataset, Subset, gather
from lenetcli.data.loader import DataLoader
from lenetcli.kernels import dispatch as kernels
from lenetcli.kernels.layout import images, is_channels_last, logical, pixels, stored
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import from_numpy
from lenetcli.train.losses import asks_for_inputs
from lenetcli.train.run import Run

Array = npt.NDArray[Any]

ALIKE: tuple[type[Module], ...] = (  # in every batch, on images
    nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.SyncBatchNorm, nn.MaxPool2d, nn.Identity, nn.ReLU, nn.ReLU6,
    nn.LeakyReLU, nn.ELU, nn.SiLU, nn.GELU, nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh, nn.Sigmoid, nn.Tanh,
    nn.ZeroPad2d,
)  # fmt: skip
JOINS: tuple[type[Module], ...] = (nn.Add, nn.Concat, nn.Multiply)  # alike, too: element by element
BLOCKS: tuple[type[Module], ...] = (nn.Sequential, nn.Residual, nn.Graph)


@dataclass(frozen=True)
class Parts:
    """A model cut in two.

    Args:
        body: frozen layers that give each sample the same numbers always.
        head: what comes after them.
        last: name of the body's last layer.
    """

    body: nn.Sequential
    head: nn.Sequential
    last: str


def parts_of(model: Module) -> Parts | None:
    """The longest such body of a model, with its head; None where its first layers are none."""
    if type(model) is not nn.Sequential or model.has_hooks:
        return None
    body: list[Module] = []
    last = ""
    children = list(model.named_children())
    for number, (name, child) in enumerate(children):
        if _is_alike(child):
            body.append(child)
            last = name
            continue
        inner = parts_of(child)
        rest = [module for _, module in children[number:]]
        if inner is not None:
            body.append(inner.body)
            last, rest[0] = f"{name}.{inner.last}", inner.head
        return Parts(nn.Sequential(*body), nn.Sequential(*rest), last) if body else None
    return None


def _is_alike(module: Module) -> bool:
    """Whether a layer is frozen and gives each sample the same numbers, whatever batch it is in."""
    if module.has_hooks or any(parameter.requires_grad for parameter in module.parameters(recurse=False)):
        return False
    if type(module) in BLOCKS:
        return all(map(_is_alike, module.children()))
    return type(module) in (*ALIKE, *JOINS) and getattr(module, "frozen", True)


class FeatureRows:
    """A data set of what a body gives for the samples of another, each computed when it is first asked for.

    They lie as the body lays them, since the order of a sum may follow that.

    Attributes:
        lays: tells a loader that batches lie in memory as they have to.

    Args:
        dataset: whose samples it is about.
        body: gives images.
        shape: of what it gives for a sample.
    """

    lays = True

    def __init__(self, dataset: Any, body: Module, shape: Sequence[int]) -> None:
        self.dataset, self.body = dataset, body
        self.rows = np.empty((len(dataset), *shape), np.float32)
        self.known = np.zeros(len(dataset), bool)

    def __len__(self) -> int:
        return len(self.dataset)

    def gather(self, indices: npt.NDArray[np.int64]) -> tuple[Array, Array]:
        """Samples by number: what the body gives for them, and their targets."""
        missing = indices[~self.known[indices]]
        if len(missing):
            found = given(self.body, self.dataset, missing)
            if not self.known.any() and is_channels_last(found):
                self.rows = images(np.empty((len(self.rows), *found.shape[2:], found.shape[1]), np.float32))
            self.rows[missing] = found
            self.known[missing] = True
        last = is_channels_last(self.rows)
        found = images(pixels(self.rows)[indices]) if last else logical(stored(self.rows[indices]))
        return found, _targets(self.dataset, indices)


def given(body: Module, dataset: Any, indices: npt.NDArray[np.int64]) -> Array:
    """What the body gives for samples of a data set; once, for which no recording pays."""
    images = gather(dataset, indices)[0]
    with no_grad(), use.off():
        found: Array = body(from_numpy(logical(stored(images)))).array
    return found


def _targets(dataset: Any, indices: npt.NDArray[np.int64]) -> Array:
    while isinstance(dataset, Subset):
        dataset, indices = dataset.dataset, dataset.indices[indices]
    found: Array = dataset.targets[indices]
    return found


class KeptFeatures:
    """The rows of a run's data sets, as far as there is room.

    Args:
        parts: of the run's model.
        run: at its beginning, or where it goes on.

    Attributes:
        bytes: of all rows.
        samples: of those to train on.
    """

    def __init__(self, parts: Parts, run: Run) -> None:
        self.last, self.bytes, self.samples = parts.last, 0, len(run.train_loader.dataset)
        self._loaders: dict[int, tuple[DataLoader, FeatureRows]] = {}
        judged = run.test_loader if run.validation_loader is None else run.validation_loader
        for loader in (run.train_loader, judged):
            if not _is_plain(loader):
                continue
            shape = given(parts.body, loader.dataset, np.zeros(1, np.int64)).shape[1:]
            size = 4 * len(loader.dataset) * math.prod(shape)
            if len(shape) == 3 and self.bytes + size <= run.keep_features:
                with suppress(MemoryError):
                    self._loaders[id(loader)] = loader, FeatureRows(loader.dataset, parts.body, shape)
                    self.bytes += size

    def keeps(self, loader: DataLoader) -> bool:
        """Whether there is room for what a loader gives."""
        return id(loader) in self._loaders

    def loader_of(self, loader: DataLoader) -> DataLoader:
        """The same batches as a loader gives, of what is kept."""
        own, rows = self._loaders[id(loader)]
        return DataLoader(
            rows, own.batch_size, shuffle=own.shuffle, drop_last=own.drop_last, seed=own.seed, part=own.part
        )

    @property
    def description(self) -> str:
        """What is kept, for a reader."""
        return (
            f"model.keep_features: what the layers up to {self.last} give is kept between epochs ({self.samples:,} "
            f"samples, {self.bytes / 1e6:,.1f} MB with those that are evaluated): they are frozen, and nothing random "
            "comes before; the numbers are the same"
        )


def _is_plain(loader: DataLoader) -> bool:
    """Whether a loader's samples are the same in every epoch, as far as that can be told."""
    dataset = loader.dataset
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return type(loader) is DataLoader and loader.augment is None and type(dataset) is ArrayDataset and len(dataset) > 0


def kept_features(run: Run) -> KeptFeatures | None:
    """What a run keeps in the epoch where its progress stands; made when first asked for, dropped when all train."""
    frozen = run.freezing is not None and run.freezing.is_on(run.progress.epoch)
    if not frozen or not run.keep_features or run.device != "cpu" or kernels.twin != "native" or switches.anomaly:
        run.kept = None
        return None
    if run.kept is None:
        parts = None if asks_for_inputs(run.criterion) else parts_of(run.model)
        found = None if parts is None else KeptFeatures(parts, run)
        run.kept = found if found is not None and found.keeps(run.train_loader) else False
        if run.kept:
            run.tell(run.kept.description)
    return run.kept or None
