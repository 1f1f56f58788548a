"""What commands are given: a configuration, a run directory or a weights file, as a model ready to use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli import config as configuration
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.build.freezing import Freezing
from lenetcli.build.model import follow, under_own_names
from lenetcli.build.notes import notes_of
from lenetcli.build.parts import build_criterion, build_data, build_run, check_samples, config_of_run, split_data
from lenetcli.build.places import check_changes, check_words
from lenetcli.build.targets import classes_in
from lenetcli.config import Config, consent
from lenetcli.data import Source
from lenetcli.data.inputs import NAME, Inputs, read_inputs
from lenetcli.disk import Unreadable, check_inside, is_regular
from lenetcli.errors import ConfigError, DataError
from lenetcli.nn.module import Module
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.tensors.creation import zeros
from lenetcli.tensors.serialization import load as load_weights
from lenetcli.train.answers import class_name, class_names, is_binary
from lenetcli.train.losses import Term, main_term
from lenetcli.train.run import Run


@dataclass(frozen=True)
class Loaded:
    """A model with what belongs to it."""

    config: Config
    model: Module
    source: Source
    init_random: Generator  # where the random stream of the initial weights ended
    trained: tuple[str, ...] = ()  # the classes that a run was trained on, where it has written them down
    notes: tuple[str, ...] = ()  # what should be known of the weights that it begins with
    freezing: Freezing | None = None

    @cached_property
    def criterion(self) -> Module:
        """The loss; balanced weights of classes need the data."""
        with drawing_from(self.init_random):
            return build_criterion(self.config, self.source)

    @cached_property
    def random(self) -> Generator:
        """What the model draws from in use, where layers of the user's own draw there, too."""
        return Generator().begin(self.config.seed, DROPOUT)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the model's outputs tell apart, or numbers where the data has no names for them.

        Empty where its targets are no classes.
        """
        names, output = tuple(self.source.classes), self._output
        if is_binary(output, self.answering.criterion):
            return tuple(class_names(names, 2))
        return tuple(class_names(names, max(len(names), output.shape[1]))) if names and output.ndim == 2 else names

    @cached_property
    def answering(self) -> Term:
        """What its answers are read by: the loss or, of several, the main one with the output that it takes."""
        return main_term(self.criterion)

    @cached_property
    def _output(self) -> Any:
        """What the model gives for a sample of zeros, (1, ...)."""
        training = self.model.training
        self.model.eval()
        try:
            with no_grad(), drawing_from(Generator()):
                return self.answering.of(self.model(zeros(1, *self.config.model.input))).array
        finally:
            self.model.train(training)

    @property
    def has_validation(self) -> bool:
        """Whether a validation split, held back or the data's own, decides which epoch is best."""
        own = getattr(self.source, "has_validation", False)  # a class of the user's own may not know
        return self.config.train.validation is not None or bool(own)

    def split(self, name: str) -> Any:
        """The data set "train", "validation" or "test", as training uses them.

        Raises:
            ConfigError: nothing is held back for validation, or samples that the model does not take.
            DataError: the data cannot be read, or its classes are not those that the model was trained on.
        """
        check_samples(self.config, self.source, name)
        self._check_classes(self.source.test if name == "test" else self.source.train)
        if name == "test":
            return self.source.test
        train, held_back = split_data(self.config, self.source)
        if name == "validation" and held_back is None:
            raise ConfigError(f"--split {name}: this run holds nothing back for validation (train.validation)")
        return held_back if name == "validation" else train

    def _check_classes(self, data: Any) -> None:
        """Refuses data of other classes than the model's: what is counted would be wrong."""
        names, kind = tuple(self.source.classes), self.config.data.type
        for number, (now, then) in enumerate(zip(names, self.trained)):
            if now != then:
                raise DataError(
                    f"{kind}: class {number} of this data is {now!r}, the run was trained on {then!r}: "
                    f"its classes are {_listed(self.trained)}, those of the data {_listed(names)}"
                )
        targets = getattr(data, "targets", None)
        if not isinstance(targets, np.ndarray) or self._output.ndim != 2:
            return
        counts, outputs = classes_in(targets, self.answering.criterion), self._output.shape[1]
        if counts is not None and len(counts) > outputs:
            which = class_name(names, len(counts) - 1)
            raise DataError(f"{kind}: the data has the class {which!r}; the model tells {outputs} classes apart")


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")


def load_run(place: Path, changes: Sequence[str] = ()) -> Loaded:
    """A run's best model and its data.

    Args:
        changes: of where its data lies, such as data.root=DIR.

    Raises:
        ConfigError: no run directory, or another change.
        DataError: weights missing, damaged, or of another model.
    """
    loaded = load_unfinished(place, changes)
    path = check_inside(place, place / "model.safetensors")
    if not is_regular(path):
        raise DataError(f"{place}: no model.safetensors yet; the run has not finished an epoch")
    try:
        loaded.model.load_state_dict(under_own_names(loaded.model, load_weights(path)))
    except RuntimeError as error:
        raise DataError(f"{path}: {error}") from None
    if loaded.freezing is not None:
        loaded.freezing.apply(loaded.model, Checkpoints(place).epochs())
    loaded.model.eval()
    return loaded


def load_unfinished(place: Path, changes: Sequence[str] = ()) -> Loaded:
    """As `load_run`, with the initial weights: of a run that has none of its own yet.

    Raises:
        ConfigError: no run directory, or a change other than of where its data lies.
    """
    check_words(changes)
    loaded = _loaded(config_of_run(place, changes))
    check_changes(loaded.config, str(place), changes)
    try:
        inputs = read_inputs(place)
    except Unreadable:
        raise
    except DataError:  # whoever needs it says so
        inputs = None
    return replace(loaded, trained=() if inputs is None else inputs.classes)


def load_config(path: str, changes: list[str]) -> Loaded:
    """A configuration's model with its initial weights, and its data.

    Raises:
        ConfigError: the configuration does not work.
    """
    return _loaded(configuration.load(path, changes))


def _loaded(config: Config) -> Loaded:
    shapes = follow(config)
    with drawing_from(Generator()):
        build_criterion(config)  # refuses what is wrong with it now
    with drawing_from(shapes.random):
        return Loaded(
            config, shapes.model, build_data(config), shapes.random, (), notes_of(config, shapes), shapes.freezing
        )


def inputs_of(place: Path, loaded: Loaded) -> Inputs:
    """How pictures become what a run's model takes: as its inputs.json says or, without one, as its data does.

    Raises:
        ConfigError: its samples are no images.
        DataError: inputs.json is damaged, or there is none and the data cannot be read.
    """
    found = read_inputs(place) or Inputs.of(loaded.source)
    if found is None:
        raise ConfigError(f"{place}: this run's samples are no pictures")
    wanted = tuple(loaded.config.model.input)
    if (found.shape[0], *found.size) != wanted:
        what = f"{NAME} makes inputs" if (place / NAME).exists() else "its data makes inputs"
        raise DataError(f"{place}: {what} of shape {[found.shape[0], *found.size]}, the model takes {list(wanted)}")
    return found


def load_training(path: str, changes: list[str]) -> tuple[Config, Run]:
    """A training, to look at: of a configuration at its beginning, of a run directory at its newest checkpoint.

    Nothing of it is written.

    Raises:
        ConfigError: changes of a run other than of where its data lies, or a configuration that does not work.
        DataError: data or checkpoint missing or damaged.
    """
    place = Path(path)
    if not place.is_dir():
        config = configuration.load(path, changes)
        return config, build_run(config)
    check_words(changes)
    config = config_of_run(place, changes)
    check_changes(config, path, changes)
    run = build_run(config)
    checkpoints = Checkpoints(place)
    if checkpoints.exist():
        found = checkpoints.look(run)
        if "; " in found:
            consent.tell_once(f"{path}: looking at checkpoint {found}")
    else:
        run.model.load_state_dict(load_run(place).model.state_dict())
    return config, run


__all__ = ["Loaded", "check_samples", "inputs_of", "load_config", "load_run", "load_training"]
