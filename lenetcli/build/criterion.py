"""The loss of a configuration: one or several, with weights of classes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lenetcli.build.data import split_data
from lenetcli.build.model import made
from lenetcli.build.targets import PER_CLASS, check_classes
from lenetcli.config import Component, Config
from lenetcli.data import Source
from lenetcli.nn.module import Module
from lenetcli.train.losses import Losses, Term


def build_criterion(config: Config, source: Source | None = None) -> Module:
    """The loss, with the weights that `train.class_weights` gives the classes.

    Args:
        source: where balanced weights count the samples of each class; without it they are left out.

    Raises:
        ConfigError: an argument is out of range, or the loss takes no such weights.
        DataError: the data cannot be read.
    """
    weights = config.train.class_weights
    parts = [term.loss for term in config.losses if term.target == "label"] if config.losses else [config.loss]
    if weights is not None:
        path = ("train", "class_weights")
        weighed = [loss for loss in parts if issubclass(loss.cls, PER_CLASS)]
        if not weighed:
            names = ", ".join(cls.__name__ for cls in PER_CLASS)
            kind = parts[0].type if parts else config.loss.type
            raise config.error(path, f"{kind} has no weights of classes", f"these losses have: {names}")
        if any(loss.args.get("weight") is not None for loss in weighed):
            raise config.error(path, "weights are given twice: loss.weight stands there, too")
        if weights == "balanced":
            weights = None if source is None else balanced_weights(config, source)

    def one(loss: Component, labels: bool = True) -> Module:
        if weights is not None and labels and issubclass(loss.cls, PER_CLASS):
            loss = replace(loss, args={**loss.args, "weight": weights})
        criterion: Module = made(config, loss)
        return criterion

    if not config.losses:
        return one(config.loss)
    several = len(config.model.outputs) > 1
    return Losses([
        Term(
            name, one(term.loss, term.target == "label"),
            config.model.outputs.index(str(term.output)) if several else None,
            term.weight, "input" if term.target == "input" else "label",
        )
        for name, term in zip(term_names(config), config.losses)
    ])  # fmt: skip


def term_names(config: Config) -> list[str]:
    """What the figures of several losses are told under: the output's name, with the loss's where it has two."""
    last = config.model.layers[-1].name
    outputs = [term.output or last or "output" for term in config.losses]
    kinds = [f"{output}.{term.loss.type.rpartition(':')[2]}" for output, term in zip(outputs, config.losses)]
    found: list[str] = []
    for i, (output, kind) in enumerate(zip(outputs, kinds)):
        name = output if outputs.count(output) == 1 else kind
        found.append(name if name not in found else f"{name}.{i}")
    return found


def balanced_weights(config: Config, source: Source) -> list[float]:
    """A weight for each class, inverse to its share of the samples to train on; their mean over the samples is 1.

    Formula:
        weight = samples / (classes that occur * samples of the class); 1 for classes that do not occur

    Raises:
        ConfigError: the data has no classes.
        DataError: it cannot be read.
    """
    check_classes(config, source)
    data = split_data(config, source)[0]
    targets = source.train.targets if data is source.train else source.train.targets[data.indices]
    counts = np.bincount(targets, minlength=len(source.classes))
    weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    return np.where(counts, weights, 1.0).tolist()
