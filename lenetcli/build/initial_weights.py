"""Weights that a new run begins with: the file of `model.init`, as `model.strict` and `model.rename` say."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli.build.places import below, weights_file
from lenetcli.config import Config
from lenetcli.disk import is_there
from lenetcli.errors import DataError
from lenetcli.nn.module import Module

BLOCK = 1 << 20  # bytes, hashed at a time


@dataclass(frozen=True)
class InitialWeights:
    """What a model was given.

    Args:
        path: of the file.
        notes: what should be known of it: what starts anew, what is not used.
    """

    path: Path
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """The file and its hash, for environment.json."""
        return {"file": str(self.path), "sha256": sha256_of(self.path)}


def given_weights(config: Config, model: Module) -> InitialWeights | None:
    """Puts the weights that the configuration names into its model; None where it names none.

    A run directory's configuration names those that its training began with: they are in the directory.

    Raises:
        DataError: the file cannot be read, or is of another model.
    """
    if config.model.init is None or config.begun:
        return None
    from lenetcli.build.foreign_weights import weights_for  # only where there is such a file
    from lenetcli.export.foreign import fitted

    path = weights_file(config)
    shown = below(Path.cwd(), config.model.init, path)
    if not is_there(path):
        raise DataError(f"model.init: {shown}: cannot be read: it is not there{_kept(path, config)}")
    try:
        given, notes = weights_for(model, shown, config.model.input, config.model.rename)
        fit = fitted(model, given, str(shown), config.model.strict, config.model.rename)
    except DataError as error:
        raise DataError(f"model.init: {error}") from None
    model.load_state_dict(fit.tensors)
    told = (*notes, *fit.told())
    if not fit.anew:
        told = (f"all {len(fit.tensors)} tensors are those of {path.name}", *told)
    return InitialWeights(path, tuple(f"model.init: {line}" for line in told))


def _kept(path: Path, config: Config) -> str:
    """Where a run keeps what it began with, for one who trains again from its config.yaml."""
    beside = None if config.document is None else config.document.path.parent / "initial.safetensors"
    if beside is None or beside == path or not beside.is_file():
        return ""
    return f"; the run keeps what it began with: model.init={beside}"


def sha256_of(path: Path) -> str:
    """The hash of a file's content.

    Raises:
        DataError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    return digest.hexdigest()


def unused_keys(config: Config) -> list[str]:
    """What to say of keys that are about a file of weights where the configuration names none."""
    model = config.model
    given = [f"model.{key}" for key, is_given in (("strict", not model.strict), ("rename", model.rename)) if is_given]
    if not given or model.init is not None:
        return []
    verb = "are" if len(given) > 1 else "is"
    return [f"{' and '.join(given)} {verb} about the file of model.init, and there is none; lenet import uses it, too"]
