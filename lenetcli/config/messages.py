"""The words of messages: what was wanted, what came instead, and pydantic's errors told in the config's own terms."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lenetcli.config.problems import KeyPath, Problem, Span, did_you_mean, quoted
from lenetcli.config.yaml_tree import Node

_ONE = {
    int: "an integer",
    float: "a number",
    bool: "true or false",
    str: "a string",
    type(None): "null",
    dict: "a mapping",
}
_MANY = {int: "integers", float: "numbers", bool: "true or false", str: "strings", dict: "mappings", list: "lists"}


@dataclass(frozen=True)
class Said:
    """What messages call the values of an annotated type, in place of words made of its parts.

    Example:
        >>> wanted(Annotated[int, Said("a number of steps")])
        'a number of steps'
    """

    words: str


def wanted(annotation: Any) -> str:
    """An annotation in words.

    Example:
        >>> wanted(int | tuple[int, int])
        'an integer or a list of 2 integers'
    """
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return next((note.words for note in inner[1:] if isinstance(note, Said)), wanted(inner[0]))
    if origin in (Union, UnionType):
        return _either(wanted(member) for member in inner)
    if origin is Literal:
        return _either(value if isinstance(value, str) else json.dumps(value) for value in inner)
    if origin is list:
        return f"a list of {_plural(inner[0])}"
    if origin is tuple:
        if inner[-1] is Ellipsis:
            return f"a list of {_plural(inner[0])}"
        if len(set(map(str, inner))) == 1:
            return f"a list of {len(inner)} {_plural(inner[0])}"
        return f"a list of {len(inner)}: {', '.join(wanted(part) for part in inner)}"
    if _is_section(annotation):
        return f"a mapping {{{', '.join(f'{key}: ...' for key in annotation.model_fields)}}}"
    return _ONE.get(origin or annotation, "a value")


def _plural(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _plural(inner[0])
    if origin in (list, tuple):
        return wanted(annotation).replace("a list", "lists", 1)
    return _MANY.get(origin or annotation) or ("values" if annotation is Any else f"entries, each {wanted(annotation)}")


def _either(words: Iterable[str]) -> str:
    *first, last = dict.fromkeys(words)
    return f"{', '.join(first)} or {last}" if first else last


def got(value: Any) -> str:
    """A value in words.

    Example:
        >>> [got(value) for value in ("on", True, None, 3, {})]
        ['the string "on"', 'true', 'null', '3', 'a mapping']
    """
    if isinstance(value, str):
        return f"the string {quoted(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "infinity"
    text = (
        json.dumps(value, default=lambda _: "{...}")
        if not isinstance(value, int) or value < 10**30
        else "a huge number"
    )
    return text if len(text) <= 60 else "a long list"


def remedies(value: Any, want: str) -> tuple[str, ...]:
    """What to write instead, where a value shows what was meant."""
    if isinstance(value, str):
        if "true or false" in want and value.lower() in ("on", "yes", "off", "no", "y", "n", "true", "false"):
            return (f"write {'true' if value.lower() in ('on', 'yes', 'y', 'true') else 'false'}",)
        if "integer" in want or "number" in want:
            digits = value.strip().replace("_", "").replace(",", "")
            if re.fullmatch(r"[-+]?\d+" if "number" not in want else r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", digits):
                return (f"write {digits}, without quotes" if digits == value else f"write {digits}",)
    if (
        isinstance(value, float)
        and "integer" in want
        and math.isfinite(value)
        and value == int(value)
        and abs(value) < 1e15
    ):
        return (f"write {int(value)}",)
    return ()


def unknown_key(key: str, names: Iterable[str], given: Iterable[str], owner: str) -> tuple[str, ...]:
    """Hints for a key that does not exist, given those that do and those that are there already."""
    word, colon, _ = key.partition(":")
    if colon and word in names:
        return ("put a space after the colon",)
    left = [name for name in names if name not in given]
    hints = did_you_mean(key, left) or did_you_mean(key, names)
    if hints:
        return hints
    return (f"{owner} takes {', '.join(left or names)}" if names else f"{owner} takes no arguments",)


def explained(
    details: Sequence[Any],
    node: Node,
    path: KeyPath,
    fields: Mapping[str, Any],
    noun: str,
    owner: str,
    missing_at: Span,
) -> list[Problem]:
    """pydantic's errors about one flat mapping as problems, one for each key.

    Args:
        details: what pydantic found, see `details_of`.
        node: the mapping.
        path: its path.
        fields: its keys and their annotations.
        noun: what a key is, as in "argument of Conv2d".
        owner: whose keys they are, as in "Conv2d".
        missing_at: where to point when a key is missing.
    """
    by_key: dict[str, list[Any]] = {}
    for detail in details:
        by_key.setdefault(str(detail["loc"][0]), []).append(detail)
    problems = []
    for key, found in by_key.items():
        here = (*path, key)
        first = found[0]
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            hints = unknown_key(key, fields, node.keys, owner)
            problems.append(Problem(node.keys[key], here, f"unknown {noun}", hints))
        elif first["type"] == "missing" and len(first["loc"]) == 1:
            near = [k for k in node.keys if k not in fields]
            if not did_you_mean(key, near):  # the misspelt key is a problem of its own
                problems.append(Problem(missing_at, here, f"missing: {owner} needs {wanted(fields[key])}"))
        else:
            assert node.mapping is not None
            value, section = node.mapping[key], _section_in(fields[key])
            if section is not None and value.mapping is not None:
                inner = {name: field.annotation for name, field in section.model_fields.items()}
                within = _within(found, section)
                problems += explained(within, value, here, inner, "key", key, value.span)
            else:
                problems.append(_wrong_value(found, value, here, fields[key]))
    return problems


def details_of(error: ValidationError) -> list[Any]:
    """What pydantic found, one entry for each mistake."""
    return error.errors(include_url=False, include_input=False)


def _is_section(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The fixed keys that a value may have when it is a mapping."""
    return next((part for part in (annotation, *get_args(annotation)) if _is_section(part)), None)


def _within(details: Iterable[Any], section: type[BaseModel]) -> list[Any]:
    """What was found inside a value that is a mapping; of a union's branches only the section's own counts."""
    found = []
    for detail in details:
        at = 2 if detail["loc"][1:2] == (section.__name__,) else 1
        if len(detail["loc"]) > at and detail["loc"][at] in {*section.model_fields, *_unknown(detail, at)}:
            found.append({**detail, "loc": detail["loc"][at:]})
    return found


def _unknown(detail: Any, at: int) -> tuple[Any, ...]:
    return (detail["loc"][at],) if detail["type"] == "extra_forbidden" else ()


def _wrong_value(details: list[Any], node: Node, path: KeyPath, annotation: Any) -> Problem:
    """One problem for everything that pydantic said about one value.

    pydantic's locations also name the branches of unions; the tree has no such places, so the walk skips them.
    """
    first = details[0]
    if len({detail["loc"] for detail in details}) == 1:
        for part in first["loc"][1:]:
            if isinstance(part, int) and isinstance(node.value, list) and part < len(node.value):
                node, path = node.value[part], (*path, part)
                annotation = _TYPES.get(first["type"], annotation)
    limits = {name: _plainly(limit) for name, limit in first.get("ctx", {}).items()}
    want = _CONSTRAINTS[first["type"]].format(**limits) if first["type"] in _CONSTRAINTS else wanted(annotation)
    value = node.plain()
    return Problem(
        node.span, path, f"wanted {want}, got {got(value)}", remedies(value, want) or _near(value, annotation)
    )


def _plainly(limit: Any) -> Any:
    """0 for 0.0."""
    return int(limit) if isinstance(limit, float) and limit.is_integer() else limit


def _near(value: Any, annotation: Any) -> tuple[str, ...]:
    """The nearest of the words that a Literal (also inside a union) allows."""
    words = [
        word
        for part in (annotation, *get_args(annotation))
        if get_origin(part) is Literal
        for word in get_args(part)
        if isinstance(word, str)
    ]
    return did_you_mean(value, words) if isinstance(value, str) else ()


_TYPES = {"int_type": int, "float_type": float, "bool_type": bool, "string_type": str, "list_type": list[Any]}
_CONSTRAINTS = {
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "finite_number": "a finite number",
    "string_pattern_mismatch": "letters, digits, '.', '_' and '-', beginning with a letter or digit",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
}
