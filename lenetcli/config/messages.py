"""The words of messages: what was wanted, what came instead, and pydantic's errors told in the config's own terms."""

from __future__ import annotations

import inspect
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from lenetcli.config.problems import Hint, KeyPath, Problem, Span, did_you_mean, nearest, quoted
from lenetcli.config.yaml_tree import Node

UNKNOWN = ("unknown key", "unknown argument of")  # how messages of keys begin that nothing takes
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


def remedies(value: Any, want: str) -> tuple[Hint, ...]:
    """What to write instead, where a value shows what was meant."""
    written = _of_text(value.strip().lstrip("= "), want) if isinstance(value, str) else _of_number(value, want)
    if written is None:
        return ()
    return (Hint(f"write {written}, without quotes", written) if written == value else _write(written),)


def _of_text(text: str, want: str) -> str | None:
    """What a text in the place of something else means."""
    word = text.lower()
    if "null" in want and word in ("none", "nil", "nan", "off"):
        return "null"
    if "true or false" in want and word in ("on", "yes", "off", "no", "y", "n", "true", "false"):
        return "true" if word in ("on", "yes", "y", "true") else "false"
    if "cuda" in want and (device := re.fullmatch(r"(?:gpu|cuda)[:_ ]?(\d{1,2})", word)):
        return f"cuda:{device[1]}"
    if "1h30m" in want and re.fullmatch(r"(0*[1-9]\d* *(h|m|s)[a-z]* *)+", word):
        return "".join(f"{count}{unit}" for count, unit in re.findall(r"(\d+) *([hms])", word))
    if want.startswith("letters, digits") and (name := re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-._")):
        return name
    if want.startswith("a list of names") and re.fullmatch(r"\w+", text):
        return f"[{text}]"
    if "list of" in want and (listed := _listed(text)):
        return listed
    if "integer" in want or "number" in want:
        digits = plain_digits(text)
        whole = "integer" in want or re.search("number of (steps|batches)", want)
        return digits if digits is not None and (not whole or re.fullmatch(r"[-+]?\d+", digits)) else None
    return None


def _of_number(value: Any, want: str) -> str | None:
    """What a number, or true, in the place of something else means."""
    if isinstance(value, float) and "integer" in want and math.isfinite(value):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else None
    if not isinstance(value, int):
        return None
    first = re.match(r"a mapping \{(\w+): ", want)
    if first:
        return f"{{{first[1]}: {5 if value is True else value}}}" if value else None
    if isinstance(value, bool):
        return None
    if "true or false" in want and value in (0, 1):
        return "true" if value else "false"
    several = re.search(r"a list of (\d )?integers", want)
    return f"[{', '.join([str(value)] * int(several[1] or 1))}]" if several and value > 0 else None


def _write(text: str) -> Hint:
    return Hint(f"write {text}", write=text)


def plain_digits(text: str) -> str | None:
    """A number as YAML has it, where a text is one: with a decimal comma, groups of thousands, or a sign of percent.

    Example:
        >>> [plain_digits(text) for text in ("0,05", "1,000", "1_000", "1.000,5", "5%", "fast")]
        ['0.05', '1000', '1000', '1000.5', '0.05', None]
    """
    text = text.strip().rstrip(",;")
    if re.fullmatch(r"[-+]?\d+(\.\d*)?%", text):
        return f"{float(text[:-1]) / 100:g}"
    if re.fullmatch(r"[-+]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?", text):  # thousands; a decimal comma leaves other groups
        text = text.replace(",", "")
    elif re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})*,\d+([eE][-+]?\d+)?", text):
        text = text.replace(".", "").replace(",", ".")
    text = text.replace("_", "")
    return text if re.fullmatch(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", text) else None


def _listed(text: str) -> str | None:
    """A list as YAML has it, where a text is one in other signs: (3, 3), 3x3, 3 3.

    Example:
        >>> _listed("(3, 3)"), _listed("28x28"), _listed("same")
        ('[3, 3]', '[28, 28]', None)
    """
    inside = re.fullmatch(r"[(\[]?\s*(-?[\d.]+(?:\s*(?:,|x|\*|\s)\s*-?[\d.]+)+)\s*,?[)\]]?", text.strip())
    parts = re.split(r"[,x*\s]+", inside[1].strip()) if inside else []
    return f"[{', '.join(parts)}]" if parts else None


def unknown_key(key: str, names: Iterable[str], node: Node, owner: str) -> tuple[str, ...]:
    """Hints for a key that does not exist, given those that do and the mapping it stands in."""
    names, span = list(names), node.keys[key]
    word, colon, rest = key.partition(":")
    if colon and word in names:
        return (Hint("put a space after the colon", write=f"{word}: {rest}"),)
    word, equals, rest = key.partition("=")
    if (
        equals
        and word in names
        and span.source.is_file
        and node.mapping is not None
        and node.mapping[key].value is None
    ):
        return (Hint("a colon and a space stand between a key and its value", write=f"{word}: {rest}"),)
    word = key
    if word in ("activation", "act", "nonlinearity") and "type" in names:
        return (Hint("an activation is a layer of its own, after this one: {type: ReLU}", drop=True),)
    near = nearest(key, names)
    if near is not None and near in node.keys and span.source.is_file:
        return (Hint(f"{near} is there already: remove {key}", drop=True),)
    offered = [name for name in names if name not in ("type", "name") or name not in node.keys]
    return did_you_mean(key, names) or (
        f"{owner} takes {', '.join(offered)}" if offered else f"{owner} takes no arguments",
    )


def _split_value(key: str, node: Node, path: KeyPath) -> tuple[str, Problem] | None:
    """A value that YAML took for two, as in {lr: 0,05} or {kernel_size: (3, 3)}, and the key that it is of."""
    assert node.mapping is not None
    at, names = node.keys[key], list(node.mapping)
    before = names[names.index(key) - 1] if key != names[0] else None
    if before is None or node.mapping[key].value is not None or not re.fullmatch(r"[-\d.eE)\s]+", key):
        return None
    start = node.mapping[before].span
    if start.source is not at.source or start.line != at.line or start.column > at.column:
        return None
    text = at.source.lines[at.line][start.column : at.end_column]
    written = plain_digits(text) if "(" not in text else _listed(text)
    if written is None:
        return None
    where = Span(at.source, start.line, start.column, at.end_line, at.end_column)
    message = f"wanted one value, got {text}, which YAML takes for two"
    return before, Problem(where, (*path, before), message, (_write(written),))


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
    problems: list[Problem] = []
    extra = [key for key, found in by_key.items() if found[0]["type"] == "extra_forbidden" and key in node.keys]
    for key in extra:
        taken_apart = _split_value(key, node, path)
        if taken_apart is not None:
            problems.append(taken_apart[1])
            by_key.pop(key)
            by_key.pop(taken_apart[0], None)
    for key, found in by_key.items():
        here = place_of(node, path, key)
        first = found[0]
        if first["type"] == "extra_forbidden" and len(first["loc"]) == 1:
            hints = unknown_key(key, fields, node, owner)
            problems.append(Problem(node.keys[key], here, f"unknown {noun}", hints))
        elif first["type"] == "missing" and len(first["loc"]) == 1:
            near = [k for k in node.keys if k not in fields]
            if not any(did_you_mean(k, [key]) for k in near):  # the misspelt key is a problem of its own
                problems.append(Problem(missing_at, here, f"missing: {owner} needs {wanted(fields[key])}"))
        else:
            assert node.mapping is not None
            value, section = node.mapping[key], section_in(fields[key])
            if section is not None and value.mapping is not None:
                inner = {name: field.annotation for name, field in section.model_fields.items()}
                within = _within(found, section)
                problems += explained(within, value, here, inner, "key", key, value.span)
            else:
                problems.append(_wrong_value(found, value, here, fields[key]))
    return problems


def place_of(node: Node, path: KeyPath, key: str) -> KeyPath:
    """Where a mapping's value stands in the config: under its key, but for one that a block was given."""
    value = node.mapping.get(key) if node.mapping else None
    return (*path, key) if value is None or value.place is None else value.place


def details_of(error: ValidationError) -> list[Any]:
    """What pydantic found, one entry for each mistake."""
    return error.errors(include_url=False, include_input=False)


def _is_section(annotation: Any) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, BaseModel)


def section_in(annotation: Any) -> type[BaseModel] | None:
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
    if isinstance(value, str) and re.fullmatch(r"\$\w+", value):
        return (f"{value} stands for an argument within a block only (model.blocks)",)
    return did_you_mean(value, list(_words(annotation))) if isinstance(value, str) else ()


def _words(annotation: Any) -> Iterator[str]:
    if get_origin(annotation) is Literal:
        yield from (word for word in get_args(annotation) if isinstance(word, str))
    elif not isinstance(annotation, str):
        for part in get_args(annotation):
            yield from _words(part)


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
