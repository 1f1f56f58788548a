"""Where a configuration's files lie: beside the one that names them, or in the working directory; `~` is one's home."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from lenetcli.config import Config
from lenetcli.config.signature import Argument
from lenetcli.disk import may_be_there
from lenetcli.errors import ConfigError


def located(config: Config, shown: bool = False) -> Config:
    """The configuration with absolute names in place of those that say where its data and its first weights lie.

    A relative name is looked for where the file that gives it lies, then in the working directory; one of the command
    line first in the working directory. One that is nowhere stands for a place in the working directory, where
    `download` would put it.

    Args:
        shown: as messages show them: those that were relative stay so, where they lie below the working directory.
    """
    given = _given(config)
    found = {name: _found(config, name, value) for name, value in given.items()}
    changed = {name: str(path) for name, path in found.items() if path is not None}
    if shown:
        changed = {name: str(below(Path.cwd(), given[name], Path(path))) for name, path in changed.items()}
    if config.model.init is not None and not shown:
        config = replace(config, model=replace(config.model, init=str(weights_file(config))))
    return replace(config, data=replace(config.data, args={**config.data.args, **changed})) if changed else config


def weights_file(config: Config) -> Path:
    """Where the weights lie that a new run begins with; the first place to look at, where they are nowhere."""
    assert config.model.init is not None, "the configuration names some"
    looked = _looked(config, ("model", "init"), config.model.init)
    return next(filter(may_be_there, looked), looked[0])


def missing(config: Config) -> str | None:
    """What to say where the data is not there; None where it is, or where a class of the user's own sees to it."""
    if _is_own(config):
        return None
    for name, value in _given(config).items():
        looked = _places(config, name, value)
        if not any(map(may_be_there, looked)):
            first, *others = dict.fromkeys(looked)
            nor = "".join(f", nor is there {other}" for other in others)
            get = "data.download=true gets it; " if any(a.name == "download" for a in config.data.known) else ""
            where = f"data.{name}={'DIR' if name == 'root' else 'FILE'}"
            return f"{first}: cannot be read: it is not there{nor}; {get}if the data lies elsewhere: {where}"
    return None


def ambiguous(config: Config) -> list[str]:
    """What to say where a relative name is found in two places."""
    said = []
    for name, value in _given(config).items():
        there = [place for place in dict.fromkeys(_places(config, name, value)) if may_be_there(place)]
        if len(there) > 1 and not there[0].samefile(there[1]):
            said.append(f"data.{name}: {value} is taken from {there[0].parent}; there is another at {there[1]}")
    return said


def check_words(changes: Iterable[str]) -> None:
    """Refuses words beside a run directory that are no changes.

    Raises:
        ConfigError: there is one.
    """
    for change in changes:
        if "=" not in change:
            raise ConfigError(f"{change}: beside a run only where its data lies may stand, as in data.root=DIR")


def check_changes(config: Config, what: str, changes: Iterable[str]) -> None:
    """Refuses changes of a run's configuration other than of where its data lies.

    Raises:
        ConfigError: there is such a change.
    """
    allowed = [f"data.{name}" for name in names(config)]
    for change in changes:
        if change.partition("=")[0] not in (*allowed, "data.download"):
            may = f"only {', '.join(allowed)} may" if allowed else "its data has no place that could"
            raise ConfigError(f"{change}: {what} is a run directory, whose configuration stays; {may} change here")


def as_changes(config: Config) -> list[str]:
    """Where the data lies now, as changes of a run's configuration that was made from this one."""
    found = {name: _found(config, name, value) for name, value in _given(config).items()}
    return [f"data.{name}={json.dumps(str(path))}" for name, path in found.items() if path is not None]


def names(config: Config) -> list[str]:
    """The arguments of the data that say where it lies."""
    known = {argument.name for argument in config.data.known}
    return [name for name in getattr(config.data.cls, "places", ()) if name in known]


def _given(config: Config) -> dict[str, str]:
    """The places, as the configuration or the class's defaults have them."""
    arguments: dict[str, Argument] = {argument.name: argument for argument in config.data.known}
    values = {name: config.data.args.get(name, arguments[name].default) for name in names(config)}
    return {name: value for name, value in values.items() if isinstance(value, str) and value}


def _found(config: Config, name: str, value: str) -> Path | None:
    """The first place that is there, else the last resort; None where a class of the user's own has to know."""
    looked = _places(config, name, value)
    there = next(filter(may_be_there, looked), None)
    if there is not None or _is_own(config):
        return there
    return _absolute(_expanded(value))


def _places(config: Config, name: str, value: str) -> list[Path]:
    """Where a name of data is looked for, in turn."""
    return _looked(config, ("data", name) if name in config.data.args else None, value)


def _looked(config: Config, key: tuple[str, str] | None, value: str) -> list[Path]:
    """Where a name is looked for, in turn.

    Args:
        key: of the configuration, which gives it; None: a class's default.
    """
    path = _expanded(value)
    document = config.document
    span = None if document is None or key is None else document.place(key)
    beside = document.path.parent if document is not None else Path()
    if span is not None and span.source.is_file:
        beside = span.source.directory
    looked = [_absolute(beside / path), _absolute(path)]
    return looked[::-1] if span is not None and not span.source.is_file else looked


def below(directory: Path, given: str, path: Path) -> Path:
    """A place as messages show it: what was given as a relative name stays so, where it lies below a directory."""
    if given.startswith("~") or Path(given).is_absolute() or not path.is_relative_to(directory):
        return path
    return path.relative_to(directory)


def _expanded(value: str) -> Path:
    try:
        return Path(value).expanduser()
    except RuntimeError:  # there is no such user's home
        return Path(value)


def _absolute(path: Path) -> Path:
    return path.resolve() if ".." in path.parts else path.absolute()


def _is_own(config: Config) -> bool:
    return not config.data.cls.__module__.startswith("lenetcli.")
