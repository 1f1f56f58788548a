"""What a configuration may name: every layer, loss, optimizer, scheduler and data source with its arguments."""

from __future__ import annotations

import inspect
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lenetcli
from lenetcli.config.catalogue import ROLES, takes_layers
from lenetcli.config.messages import wanted
from lenetcli.config.problems import did_you_mean
from lenetcli.config.signature import Argument, arguments
from lenetcli.config.user_code import NoSuchClass
from lenetcli.errors import ConfigError


@dataclass(frozen=True)
class Offer:
    """One class that a configuration may name.

    Args:
        section: where it belongs: layers, loss, optimizer, scheduler or data.
        name: what `type` says.
        arguments: the keys it takes.
        file: its source file, from the directory that holds the package.
        line: where the class begins.
        doc: its docstring.
        block: it takes a list of `layers`.
    """

    section: str
    name: str
    arguments: tuple[Argument, ...]
    file: str
    line: int
    doc: str
    block: bool = False

    @property
    def purpose(self) -> str:
        """The docstring's first line."""
        return self.doc.partition("\n")[0]

    @property
    def call(self) -> str:
        """Its arguments as a configuration gives them: required ones bare, others with their default."""
        found = ["layers"] if self.block else []
        for argument in self.arguments:
            if argument.inferred:
                found.append(f"[{argument.name}]")
            else:
                found.append(argument.name if argument.required else f"{argument.name}={plain(argument.default)}")
        return ", ".join(found)

    def record(self) -> dict[str, Any]:
        """As `--json` shows it."""
        return {
            "section": self.section,
            "name": self.name,
            "file": self.file,
            "line": self.line,
            "purpose": self.purpose,
            "arguments": [
                {
                    "name": a.name,
                    "type": wanted(a.annotation),
                    "required": a.required,
                    "inferred": a.inferred,
                    "default": None if a.default is inspect.Parameter.empty else plain(a.default),
                    "description": a.description,
                }
                for a in self.arguments
            ],
        }


def plain(value: Any) -> str:
    """A default as YAML writes it."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(plain(v) for v in value) + "]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def offers() -> list[Offer]:
    """Everything, section by section, in order of name."""
    root = Path(lenetcli.__file__).parent.parent
    found = []
    for section, role in ROLES.items():
        for name, cls in sorted(role.classes.items()):
            file = Path(inspect.getsourcefile(cls) or "")
            shown = str(file.relative_to(root)) if file.is_relative_to(root) else str(file)
            line = inspect.getsourcelines(cls)[1]
            doc, block = inspect.getdoc(cls) or "", role.kind == "layer" and takes_layers(cls)
            known = (*arguments(cls, role.base), *role.keys(cls))
            found.append(Offer(section, name, known, shown, line, doc, block))
    return found


def offer(name: str) -> Offer:
    """The offer of one name.

    Raises:
        ConfigError: nothing has that name.
    """
    known = {found.name: found for found in offers()}
    if name in known:
        return known[name]
    if name.isidentifier():
        with suppress(NoSuchClass):
            ROLES["layers"].find(name, Path())  # says why, of a class that is there and not for a config
    hints = did_you_mean(name, known) or ("`lenet layers` lists what there is",)
    raise ConfigError("\n   ".join([f"a configuration cannot name {name!r}", *hints]))
