"""What commands are given: a configuration, a run directory or a weights file, as a model ready to use."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lenetcli import config as configuration
from lenetcli.autograd.modes import no_grad
from lenetcli.autograd.random import DROPOUT, Generator, drawing_from
from lenetcli.build.model import follow
from lenetcli.build.parts import build_criterion, build_data, build_run, check_samples, load_config_of, split_data
from lenetcli.config import Config
from lenetcli.data import Source
from lenetcli.data.inputs import NAME, Inputs, read_inputs
from lenetcli.disk import check_inside, is_regular
from lenetcli.errors import ConfigError, DataError
from lenetcli.nn.module import Module
from lenetcli.runs.checkpoint import Checkpoints
from lenetcli.tensors.creation import zeros
from lenetcli.tensors.serialization import load as load_weights
from lenetcli.train.answers import class_names, is_binary
from lenetcli.train.run import Run


@dataclass(frozen=True)
class Loaded:
    """A model with what belongs to it."""

    config: Config
    model: Module
    source: Source
    init_random: Generator  # where the random stream of the initial weights ended

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
        names, training = tuple(self.source.classes), self.model.training
        self.model.eval()
        try:
            with no_grad():
                output = self.model(zeros(1, *self.config.model.input)).array
        finally:
            self.model.train(training)
        if is_binary(output, self.criterion):
            return tuple(class_names(names, 2))
        return tuple(class_names(names, max(len(names), output.shape[1]))) if names and output.ndim == 2 else names

    def split(self, name: str) -> Any:
        """The data set "train", "validation" or "test", as training uses them.

        Raises:
            ConfigError: nothing is held back for validation.
        """
        if name == "test":
            return self.source.test
        train, held_back = split_data(self.config, self.source)
        if name == "validation" and held_back is None:
            raise ConfigError(f"--split {name}: this run holds nothing back for validation (train.validation)")
        return held_back if name == "validation" else train


def load_run(place: Path) -> Loaded:
    """A run's best model and its data.

    Raises:
        ConfigError: no run directory.
        DataError: weights missing, damaged, or of another model.
    """
    loaded = load_config(str(load_config_of(place)), [])
    path = check_inside(place, place / "model.safetensors")
    if not is_regular(path):
        raise DataError(f"{place}: no model.safetensors yet; the run has not finished an epoch")
    try:
        loaded.model.load_state_dict(load_weights(path))
    except RuntimeError as error:
        raise DataError(f"{path}: {error}") from None
    loaded.model.eval()
    return loaded


def load_config(path: str, changes: list[str]) -> Loaded:
    """A configuration's model with its initial weights, and its data.

    Raises:
        ConfigError: the configuration does not work.
    """
    config = configuration.load(path, changes)
    shapes = follow(config)
    with drawing_from(Generator()):
        build_criterion(config)  # refuses what is wrong with it now
    with drawing_from(shapes.random):
        return Loaded(config, shapes.model, build_data(config), shapes.random)


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
        raise DataError(
            f"{place}: {NAME} makes inputs of shape {[found.shape[0], *found.size]}, the model takes {list(wanted)}"
        )
    return found


def load_either(path: str, changes: list[str]) -> Loaded:
    """A run directory or a configuration file.

    Raises:
        ConfigError: overrides for a run directory, or neither a run nor a configuration.
    """
    if Path(path).is_dir():
        _refuse_changes(path, changes)
        return load_run(Path(path))
    return load_config(path, changes)


def load_training(path: str, changes: list[str]) -> tuple[Config, Run]:
    """A training, to look at: of a configuration at its beginning, of a run directory at its newest checkpoint.

    Nothing of it is written.

    Raises:
        ConfigError: overrides for a run directory, or a configuration that does not work.
        DataError: data or checkpoint missing or damaged.
    """
    place = Path(path)
    if not place.is_dir():
        config = configuration.load(path, changes)
        return config, build_run(config)
    _refuse_changes(path, changes)
    config = configuration.load(str(load_config_of(place)), [])
    run = build_run(config)
    checkpoints = Checkpoints(place)
    if checkpoints.exist():
        checkpoints.look(run)
    else:
        run.model.load_state_dict(load_run(place).model.state_dict())
    return config, run


def _refuse_changes(path: str, changes: list[str]) -> None:
    if changes:
        raise ConfigError(f"{path} is a run directory; its configuration cannot be changed here: {' '.join(changes)}")


__all__ = ["Loaded", "check_samples", "inputs_of", "load_config", "load_either", "load_run", "load_training"]
