"""A configuration for data: looked at, told in tables, written once."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lenetcli.data.catalogue import CATALOGUE, present
from lenetcli.errors import ConfigError, DataError, LenetError
from lenetcli.inspection.data.draft import drafted
from lenetcli.inspection.data.proposal import Proposal, proposed
from lenetcli.inspection.data.recognised import Recognised, needed, recognised
from lenetcli.inspection.data.survey import Survey, survey

SCHEMA = "lenet.schema.json"  # as the first line of a configuration names it
ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True)
class Draft:
    """A configuration that is not written yet."""

    target: Path
    found: Survey
    chosen: Proposal
    text: str

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "config": str(self.target), "found": self.found.record(),
            "chosen": [choice._asdict() for choice in self.chosen.choices],
        }  # fmt: skip


def draft(data: Recognised, target: Path) -> Draft:
    """Looks at the data and drafts a configuration for it.

    Raises:
        DataError: the data is not there, or cannot be read.
    """
    check_there(data)
    found = survey(data)
    chosen = proposed(found)
    place = None if data.place is None else _as_seen_from(target.parent, data.place[1])
    more: dict[str, Any] = {
        key: _as_seen_from(target.parent, data.args[key]) for key in ("root", "test") if key in data.args
    }
    told = replace(found, data=replace(data, args={**data.args, **more}))
    return Draft(target, found, chosen, drafted(told, chosen, data.name, place))


def check_there(data: Recognised) -> None:
    """Refuses a data set that has a name and is not there.

    Raises:
        DataError: it is not.
    """
    if data.type in CATALOGUE and data.place is not None and not present(data.type, Path(data.place[1])):
        raise DataError(f"{data.type}: not in {data.place[1]}; get it with: lenet data get {data.type}")


def _as_seen_from(folder: Path, place: str) -> str:
    """A place as a file in a folder names it: absolute ones stay, others lead from there."""
    path = Path(place).expanduser()
    return str(path) if path.is_absolute() else Path(os.path.relpath(path, folder)).as_posix()


def write(target: Path, text: str) -> str:
    """Writes a configuration, and beside it the schema that it names, unless there is one; says so.

    Raises:
        ConfigError: the name is no configuration's, or is taken.
        LenetError: it cannot be written.
    """
    from lenetcli.disk import write_once

    check_name(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_once(target, text.encode())
        return _write_schema(target.parent) if f"$schema={SCHEMA}" in text else ""
    except FileExistsError:
        raise ConfigError(f"{target} exists already; choose another name") from None
    except OSError as error:
        raise LenetError(f"{target} cannot be written: {error.strerror}") from None


def check_name(target: Path) -> None:
    """Refuses a name that is no configuration's, and one that is taken.

    Raises:
        ConfigError: it is.
    """
    if target.suffix not in ENDINGS:
        raise ConfigError(f"{target}: a configuration's name ends in .yaml; try {target}.yaml")
    if target.exists():
        raise ConfigError(f"{target} exists already; choose another name")


def _write_schema(place: Path) -> str:
    import json

    from lenetcli.config.json_schema import schema
    from lenetcli.disk import write_once

    try:
        write_once(place / SCHEMA, json.dumps(schema(), indent=1).encode())
    except FileExistsError:
        return ""
    return f", with {SCHEMA} for editors"


def stands_for_data(what: str) -> Recognised | None:
    """The data that a word in a configuration's place stands for; None where it is a configuration's name or a run.

    Raises:
        ConfigError: it is a folder that holds neither a run nor data.
        DataError: it cannot be read.
    """
    path = Path(what)
    if path.suffix in ENDINGS or (path / "config.yaml").is_file():
        return None
    return needed(what) if path.is_dir() else recognised(what)


def of_same_data(target: Path, data: Recognised) -> bool:
    """Whether a configuration that is there already names this data."""
    from lenetcli import config as configuration
    from lenetcli.build.places import located
    from lenetcli.config import consent

    with consent.under(look=True):
        config = located(configuration.load(str(target)))
    if config.data.type != data.type:
        return False
    if data.place is None:
        return True
    key, place = data.place
    return os.path.realpath(str(config.data.args.get(key, ""))) == os.path.realpath(Path(place).expanduser())
