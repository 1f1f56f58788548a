"""One `{type: ..., ...}` entry of a config: a layer, a loss, an optimizer, a scheduler, a data source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lenetcli.config import consent, user_code
from lenetcli.config.blocks import DEEPEST, MOST_LAYERS, Block, used
from lenetcli.config.catalogue import ROLES, Role, is_stand_in, takes_layers
from lenetcli.config.messages import details_of, explained, got, place_of
from lenetcli.config.problems import Hint, KeyPath, Problem, Span, did_you_mean, nearest
from lenetcli.config.signature import Argument, NotFromConfig, String, arguments, schema_of
from lenetcli.config.suggestions import component
from lenetcli.config.wires import check, sources
from lenetcli.config.yaml_tree import Node


@dataclass(frozen=True)
class Component:
    """A class and the arguments that the config gives for it.

    Args:
        type: the class's name; for a user's own class the file's absolute path, a colon and the name.
        args: the arguments given, checked: lists are tuples where the constructor wants tuples, integers are floats
            where it wants floats. A nested component is a Component.
        name: the layer's name in the model; None where the config gives none.
        layers: the layers of a block, such as Sequential.
        keys: what the config says beside the class's arguments, such as when a scheduler steps.
        cls: the class.
        path: the place in the config: the keys that lead there.
        role: what it is in the config.
        inputs: names of the layers whose outputs a layer takes, as `from` gives them; none: the one before it.
        places: where arguments stand that are not at `path`: those that a block was given.
        block: what a block's layers were written as: its name as `type`, and its arguments; nothing follows from it.
        serial: tells layers of one place apart, such as those of a block that is used twice.
    """

    type: str
    args: dict[str, Any]
    name: str | None = None
    layers: tuple[Component, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)
    cls: Any = field(default=None, compare=False, repr=False)
    path: KeyPath = field(default=(), compare=False, repr=False)
    role: Role = field(default=ROLES["layers"], compare=False, repr=False)
    inputs: tuple[str, ...] = ()
    places: Mapping[str, KeyPath] = field(default_factory=dict, compare=False, repr=False)
    serial: int = field(default=0, compare=False, repr=False)
    block: dict[str, Any] | None = field(default=None, compare=False, repr=False)

    def at(self, name: str) -> KeyPath:
        """The place of an argument in the config."""
        return self.places.get(name, (*self.path, name))

    @property
    def known(self) -> tuple[Argument, ...]:
        """The arguments that a config may give to the class."""
        return arguments(self.cls, self.role.base)

    def strangers(self) -> Iterator[user_code.NotImported]:
        """What of it names Python that was only looked at and not imported, with what it is made of."""
        inner = [part for value in self.args.values() for part in (value if isinstance(value, list) else [value])]
        for part in (*self.layers, *inner):
            if isinstance(part, Component):
                yield from part.strangers()
        functions = [name for argument in self.known for name in argument.functions(self.args.get(argument.name))]
        for name in functions + [self.type] * is_stand_in(self.cls):
            try:
                user_code.function(name)
            except user_code.NotImported as error:
                yield error


class TooMany(Exception):
    """More layers than a model may have, blocks counted as often as they are used."""

    def __init__(self, span: Span, path: KeyPath) -> None:
        super().__init__()
        hint = "a block that is repeated within a repeated block counts for all of them"
        self.problem = Problem(span, path, f"the model has more than {MOST_LAYERS:,} layers", (hint,))


class ComponentReader:
    """Reads components out of the tree; problems are collected, and a component that has some is None.

    Args:
        directory: where the paths of users' files start.
        problems: the list to add to.
    """

    def __init__(self, directory: Path, problems: list[Problem]) -> None:
        self.directory, self.problems = directory, problems
        self.blocks: Mapping[str, Block | None] = {}  # None: one with problems
        self._within: list[str] = []  # names of the blocks that are being read
        self._depth = 0  # of layers within layers
        self._serial = 0

    def read(self, node: Node, path: KeyPath, role: Role) -> Component | None:
        """The component that a mapping describes."""
        if role.kind == "layer":
            self._serial += 1
            if self._serial > MOST_LAYERS:
                raise TooMany(node.span, path)
        before = len(self.problems)
        used_block = self._block(node) if role.kind == "layer" else ""
        if not isinstance(used_block, str):
            return None if used_block is None else self._used(used_block, node, path, role)
        found = self._class(node, path, role)
        if found is None:
            return None
        type_node, name, cls = found
        assert node.mapping is not None
        layers: tuple[Component, ...] = ()
        holds_layers = role.kind == "layer" and takes_layers(cls)
        extra = {
            "type": String,
            **({"name": String, "from": String | list[String]} if role.kind == "layer" else {}),
            **({"layers": list, "block": dict} if holds_layers else {}),
        }
        if holds_layers and "layers" not in node.mapping:
            self.problems.append(
                Problem(type_node.span, (*path, "layers"), f"missing: {cls.__name__} needs a list of layers")
            )
        elif holds_layers:
            layers = self._inner(node.mapping["layers"], (*path, "layers"), role)
        known, keys = arguments(cls, role.base), role.keys(cls)
        values = {key: child.plain() for key, child in node.mapping.items() if key not in extra}
        for argument in known:
            child = node.mapping.get(argument.name)
            if argument.nested and child is not None and child.value is not None:
                one = child.mapping is not None
                inner = (*path, argument.name)
                values[argument.name] = (
                    self.read(child, inner, role.within) if one else list(self.read_list(child, inner, role.within))
                )
        try:
            args = schema_of(cls, role.base, keys).validate_python(values)
        except ValidationError as error:
            fields = {**{argument.name: argument.annotation for argument in (*known, *keys)}, **extra}
            noun = f"argument of {cls.__name__}"
            self.problems += explained(details_of(error), node, path, fields, noun, cls.__name__, type_node.span)
        label = self._label(node, path) if "name" in extra else None
        inputs = sources(node, path, self.problems) if "from" in extra else ()
        if len(self.problems) == before:
            self._find_functions(known, args, node, path)
        if len(self.problems) > before:
            return None
        given = {key.name: args.pop(key.name) for key in keys if key.name in args}
        places = {key: child.place for key, child in node.mapping.items() if child.place is not None}
        block = node.mapping.get("block") if holds_layers else None
        if block is not None and block.mapping is None:
            self.problems.append(Problem(block.span, (*path, "block"), f"wanted a mapping, got {got(block.plain())}"))
            return None
        kept = None if block is None else block.plain()
        return Component(name, args, label, layers, given, cls, path, role, inputs, places, self._serial, kept)

    def _inner(self, node: Node, path: KeyPath, role: Role) -> tuple[Component, ...]:
        """The layers within a layer."""
        if self._depth >= DEEPEST:
            self.problems.append(Problem(node.span, path, f"layers within layers deeper than {DEEPEST} levels"))
            return ()
        self._depth += 1
        try:
            return self.read_list(node, path, role)
        finally:
            self._depth -= 1

    def _block(self, node: Node) -> Block | str | None:
        """The block that a layer names, None for one with problems; a text where it names none."""
        kind = node.mapping.get("type") if node.mapping else None
        return self.blocks.get(kind.value, "") if kind is not None and isinstance(kind.value, str) else ""

    def _used(self, block: Block, node: Node, path: KeyPath, role: Role) -> Component | None:
        """A block in the place of a layer: a Sequential of its layers or, where it is repeated, of so many of these."""
        from lenetcli.nn import Sequential

        before, serial = len(self.problems), self._serial
        use = used(block, node, path, self._within, self.problems)
        label, inputs = self._label(node, path), sources(node, path, self.problems)
        if use is None:
            return None
        self._within.append(block.name)
        once = (*block.path, "layers")
        try:
            if use.repeat is None:
                layers = self._inner(use.layers, once, role)
            else:
                self._depth += 1
                layers = tuple(
                    Component("Sequential", {}, None, self._inner(use.layers, once, role), {}, Sequential, path, role)
                    for _ in range(use.repeat)
                    if len(self.problems) == before
                )
                self._depth -= 1
        finally:
            self._within.pop()
        if len(self.problems) > before:
            return None
        kept = {"type": block.name, **use.args, **({} if use.repeat is None else {"repeat": use.repeat})}
        return Component("Sequential", {}, label, layers, {}, Sequential, path, role, inputs, {}, serial, kept)

    def _find_functions(self, known: Sequence[Argument], args: dict[str, Any], node: Node, path: KeyPath) -> None:
        """Sees to it that functions which arguments name are there; their names become independent of the place."""
        assert node.mapping is not None
        for argument in known:
            name = argument.name
            names = argument.functions(args.get(name))
            if not names:
                continue
            try:
                for one in names:
                    user_code.function(one, self.directory)
            except user_code.NotImported as error:
                if not consent.rules().look:
                    self.problems.append(Problem(node.mapping[name].span, (*path, name), str(error), error.hints))
                    return
            except user_code.NoSuchClass as error:
                hints = (*error.hints, f"or {', '.join(argument.words)}") if argument.words else error.hints
                self.problems.append(Problem(node.mapping[name].span, (*path, name), str(error), hints))
                return
            places = [user_code.absolute(one, self.directory) for one in names]
            args[name] = places if isinstance(args[name], list) else places[0]

    def read_list(
        self, node: Node, path: KeyPath, role: Role, outputs: Mapping[str, tuple[Node, KeyPath]] | None = None
    ) -> tuple[Component, ...]:
        """The components of a list; their names must differ.

        Args:
            outputs: of layers, names of those whose outputs come out, with their places; None: the last one's does.
        """
        if not isinstance(node.value, list) or not node.value:
            what = "an empty list" if node.value == [] else got(node.plain())
            self.problems.append(Problem(node.span, path, f"wanted a list of {role.kind}s, got {what}"))
            return ()
        seen: dict[Any, Node] = {}
        for i, child in enumerate(node.value):
            name = child.mapping.get("name") if child.mapping and role.kind == "layer" else None
            if name is not None and isinstance(name.value, str):
                first = seen.setdefault(name.value, name)
                if first is not name:
                    message = f"name {name.value} given twice; first at {first.span}"
                    self.problems.append(Problem(name.span, (*path, i, "name"), message))
        if role.kind == "layer":
            self.problems += check(node.value, path, outputs or {})
        read = [self.read(child, (*path, i), role) for i, child in enumerate(node.value)]
        return tuple(component for component in read if component is not None)

    def _class(self, node: Node, path: KeyPath, role: Role) -> tuple[Node, str, Any] | None:
        if node.mapping is None:
            section = role.section.rpartition(".")[2]
            written = component(section, node.value) if isinstance(node.value, str) else None
            hints = (Hint(f"write {written}", write=written),) if written else ()
            if node.value is False and role.kind == "scheduler":
                hints = (Hint("write null", write="null"),)
            message = f"wanted a {role.kind} like {{type: ...}}, got {got(node.plain())}"
            self.problems.append(Problem(node.span, path, message, hints))
            return None
        type_node = node.mapping.get("type")
        if type_node is None:
            misspelt = next((key for key in node.mapping if did_you_mean(key, ["type"])), None)
            if misspelt is None:
                message = f"missing: wanted the name of a {role.kind}"
                self.problems.append(Problem(node.span, (*path, "type"), message, _typed(node, role)))
            else:
                where = node.keys[misspelt]
                hint = Hint("did you mean type?", write="type")
                self.problems.append(Problem(where, (*path, misspelt), "unknown key", (hint,)))
            return None
        name = type_node.value
        if not isinstance(name, str):
            message = f"wanted the name of a {role.kind}, got {got(type_node.plain())}"
            self.problems.append(Problem(type_node.span, (*path, "type"), message))
            return None
        try:
            cls = role.find(name, self.directory)
        except (user_code.NoSuchClass, NotFromConfig) as error:
            blocks = did_you_mean(name, self.blocks) if role.kind == "layer" else ()
            found = blocks or getattr(error, "hints", ())
            self.problems.append(Problem(type_node.span, (*path, "type"), str(error), found))
            return None
        return type_node, user_code.absolute(name, self.directory) if user_code.is_own(name) else name, cls

    def _label(self, node: Node, path: KeyPath) -> str | None:
        """The `name` of a layer: it becomes an attribute of the model and part of its weights' names."""
        name = node.mapping.get("name") if node.mapping else None
        if name is None:
            return None
        if isinstance(name.value, str) and re.fullmatch(r"[A-Za-z_]\w{0,99}", name.value, re.ASCII):
            from lenetcli.nn import Graph, Sequential

            if not (hasattr(Sequential(), name.value) or hasattr(Graph, name.value)):
                return name.value
            message = f"{name.value} is taken: every module has an attribute of that name"
        else:
            message = f"wanted a name of letters, digits and '_', got {got(name.plain())}"
        self.problems.append(Problem(name.span, place_of(node, path, "name"), message))
        return None


def _typed(node: Node, role: Role) -> tuple[Hint, ...]:
    """What to write for a mapping whose one key is a class: {Linear: 10}, {ReLU: }, {Linear: {out_features: 10}}."""
    if node.mapping is None or len(node.mapping) != 1:
        return ()
    (name, value), section = next(iter(node.plain().items())), role.section.rpartition(".")[2]
    if isinstance(value, dict):
        words = [f"{key}={item!r}" for key, item in value.items() if key.isidentifier()]
    else:
        words = [] if value is None else [repr(item) for item in (value if isinstance(value, list) else [value])]
        cls = role.classes.get(nearest(name, list(role.classes)) or "")
        if words and cls is not None and getattr(cls, "from_input", {}):
            skipped = [a.name for a in arguments(cls, role.base) if a.inferred]
            rest = [a.name for a in arguments(cls, role.base) if a.name not in skipped]
            words = [f"{key}={word}" for key, word in zip(rest, words)]
    written = component(section, f"{name}({', '.join(words)})")
    return (Hint(f"write {written}", write=written),) if written else ()
