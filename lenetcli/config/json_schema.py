"""The JSON Schema of configurations (Draft 7), for editors: `# yaml-language-server: $schema=lenet.schema.json`."""

from __future__ import annotations

import ast
import inspect
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter

from lenetcli.config.blocks import MOST_REPEATS
from lenetcli.config.catalogue import ROLES, Role, takes_layers
from lenetcli.config.sections import Header, ModelKeys, Section, Train
from lenetcli.config.signature import Argument, arguments


def schema() -> dict[str, Any]:
    """The schema of a whole configuration, with every class that it may name."""
    header, model = _section(Header), _section(ModelKeys)
    model["properties"]["layers"] = {"type": "array", "minItems": 1, "items": _ref("layers")}
    model["properties"]["blocks"] = {"type": "object", "additionalProperties": _BLOCK, "description": _BLOCKS}
    model["required"] = [*model["required"], "layers"]
    model |= {"if": {"required": ["blocks"]}, "else": {"properties": {"layers": {"items": _ref("only_classes")}}}}
    sections: dict[str, Any] = {key: _ref(key) for key in ROLES if key != "layers"}
    several = {"type": "array", "minItems": 1, "items": _ref("loss"), "description": "Losses that are added up."}
    sections["loss"] = {"anyOf": [_ref("loss"), several]}
    whole = {"model": model, **sections, "train": _section(Train)}
    header["properties"] |= {key: {"anyOf": [value, _FILE]} for key, value in whole.items()}
    header["properties"]["scheduler"]["anyOf"].append({"type": "null"})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "lenet configuration",
        **header,
        "required": ["model", "data", "loss", "optimizer", "train"],
        "definitions": {**{key: _role(role) for key, role in ROLES.items()}, "only_classes": _only_classes()},
    }


_BLOCKS = "Named lists of layers with arguments; a layer's type may be such a name."
_BLOCK: dict[str, Any] = {
    "type": "object",
    "required": ["layers"],
    "properties": {
        "args": {"type": ["object", "null"], "description": "Arguments with their defaults; null: has to be given."},
        "layers": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["type"]},  # with $name in the place of any value
            "description": "The layers; $name stands for an argument's value.",
        },
    },
    "additionalProperties": False,
}
_NAME = {"type": "string", "description": "The layer's name in the model."}
_FROM = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}],
    "description": "Names of the earlier layers whose outputs it takes; `input`: what enters the list of layers.",
}


def _ref(definition: str) -> dict[str, str]:
    return {"$ref": f"#/definitions/{definition}"}


def _types(role: Role) -> dict[str, Any]:
    """What `type` may be: a class that there is, or one of the user's own."""
    own = {"type": "string", "pattern": r"\.py:", "description": "A class of your own: my_nets.py:Net"}
    return {"anyOf": [{"enum": sorted(role.classes)}, own]}


def _use() -> dict[str, Any]:
    """A layer that is a block: its type is no class's name."""
    repeat = {"type": "integer", "minimum": 1, "maximum": MOST_REPEATS, "description": "So many, in a list."}
    block = {"name": _NAME, "from": _FROM, "repeat": repeat}
    return {"if": {"properties": {"type": _types(ROLES["layers"])}}, "else": {"properties": block}}


def _only_classes() -> dict[str, Any]:
    """A layer of a model without blocks: its type is a class's name, and those of the layers within it."""
    return {"properties": {"type": _types(ROLES["layers"]), "layers": {"items": _ref("only_classes")}}}


_TERM: dict[str, Any] = {
    "output": {"type": "string", "description": "Of several losses: the model's output that it takes."},
    "target": {"enum": ["label", "input"], "description": "What the output is compared with; label by default."},
}
_WEIGHT = {"description": "Of several losses: what it counts in their sum. A list: of the classes."}


_FILE = {"type": "string", "description": "Path of a YAML file that holds just this section, relative to this file."}


def _section(section: type[Section]) -> dict[str, Any]:
    """The schema of a section with fixed keys."""
    found = section.model_json_schema()
    _add_meanings(section, found)
    found = draft7(_inlined(found))
    return {
        "type": "object",
        "properties": found["properties"],
        "required": found.get("required", []),
        "additionalProperties": False,
    }


def _add_meanings(section: type[Section], found: dict[str, Any]) -> None:
    """Puts what the source says below each key into pydantic's schema of a section and of those within it."""
    sections = {each.__name__: each for each in Section.__subclasses__()}
    for name, part in {section.__name__: found, **found.get("$defs", {})}.items():
        lines = ast.parse(inspect.getsource(sections[name])).body[0].body  # type: ignore[attr-defined]  # a class
        for key, text in pairwise(lines):
            if isinstance(key, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(key.target, ast.Name):
                meaning = inspect.cleandoc(ast.literal_eval(text.value))
                part["properties"][key.target.id]["description"] = meaning


def _role(role: Role) -> dict[str, Any]:
    """A component: its `type` decides which keys there are."""
    is_layer = role.kind == "layer"
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": {"type": "string"} if is_layer else _types(role)},
        "allOf": [
            *(
                {"if": {"properties": {"type": {"const": name}}}, "then": _class(role, name, cls)}
                for name, cls in sorted(role.classes.items())
            ),
            *([_use()] if is_layer else []),
        ],
    }


def _class(role: Role, name: str, cls: Any) -> dict[str, Any]:
    """The keys of one class."""
    purpose = (inspect.getdoc(cls) or "").partition("\n")[0]
    properties: dict[str, Any] = {"type": {"const": name, "description": purpose}}
    if role.kind == "layer":
        properties |= {"name": _NAME, "from": _FROM}
    known = (*arguments(cls, role.base), *role.keys(cls))
    properties |= {argument.name: _argument(argument, role) for argument in known}
    if role.kind == "loss":
        weight = properties.get("weight", {})
        own = [weight] if weight else []
        properties |= {**_TERM, "weight": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, *own], **_WEIGHT}}
    required = [argument.name for argument in known if argument.required]
    if role.kind == "layer" and takes_layers(cls):
        properties["layers"] = {"type": "array", "minItems": 1, "items": _ref("layers")}
        properties["block"] = {"type": "object", "description": "The block that the layers were written as; a note."}
        required.append("layers")
    return {"properties": properties, "required": required, "additionalProperties": False}


def _argument(argument: Argument, role: Role) -> dict[str, Any]:
    """One key, with its meaning and default."""
    if argument.nested:
        one = _ref(role.section.rpartition(".")[2])
        found: dict[str, Any] = {"anyOf": [one, {"type": "array", "items": one}]}
    else:
        found = dict(_of_type(argument.annotation))
    if argument.description:
        found["description"] = argument.description
    if isinstance(argument.default, (bool, int, float, str, list, tuple)):
        found["default"] = list(argument.default) if isinstance(argument.default, tuple) else argument.default
    return found


@cache
def _of_type(annotation: Any) -> dict[str, Any]:
    """The schema of a type: 600 arguments have about 60 of them."""
    found: dict[str, Any] = draft7(_inlined(TypeAdapter(annotation).json_schema()))
    return found


def _inlined(found: dict[str, Any]) -> dict[str, Any]:
    """pydantic's schema with each nested section or record in the place where it is used."""
    sections = found.get("$defs", {})

    def put(part: Any) -> Any:
        if isinstance(part, list):
            return [put(item) for item in part]
        if isinstance(part, dict):
            inner = sections[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
            return {key: put(value) for key, value in inner.items() if key != "$defs"}
        return part

    return put(found)


def draft7(found: Any) -> Any:
    """pydantic's schema (2020-12) in the words of Draft 7."""
    if isinstance(found, list):
        return [draft7(part) for part in found]
    if not isinstance(found, dict):
        return found
    words = {key: draft7(value) for key, value in found.items() if key != "title" or not isinstance(value, str)}
    if "prefixItems" in words:
        words["items"] = words.pop("prefixItems")
        words["additionalItems"] = False
    return words
