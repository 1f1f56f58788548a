"""Where a key belongs that stands where it is unknown: `lr` is `optimizer.lr`, `conv1.out_channels` is the model's."""

from __future__ import annotations

import ast
import difflib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lenetcli.config.catalogue import ROLES
from lenetcli.config.messages import plain_digits
from lenetcli.config.presets import presets
from lenetcli.config.problems import Hint, KeyPath, Problem, Span, dotted, nearest
from lenetcli.config.signature import arguments
from lenetcli.config.vocabulary import bare, meant
from lenetcli.config.yaml_tree import Node

_NEAR = 0.75  # of two words, as difflib counts
_STRAY = 3  # cost of a word of the wrong path that the right one lacks


def settled(problem: Problem, root: Node, plain: dict[str, Any]) -> Problem:
    """The problem of an unknown key, with the place where the key belongs as its hint, if there is one.

    Args:
        root: the tree of the configuration.
        plain: the keys of its sections with fixed keys: a dict for a mapping, None for a value.
    """
    where = problem.where
    if where is None:
        return problem
    known = list(_known(root, plain))
    words = tuple(str(part) for part in problem.path)
    if where.source.is_file:
        found = None if _is_sure(problem) else _found(words, known)
        if found is None or found[:-1] == words[:-1]:
            return problem
        name = ".".join(found)
        value = json.dumps(_value(root, problem.path), default=str)
        hint = Hint(f"it belongs to {dotted(found[:-1])}: {name}", sets=(f"{name}={value}",), drop=True)
        return replace(problem, hints=(hint,))
    key, _, value = where.source.text.partition("=")
    if where.column > len(key):
        return problem  # within the value
    typed = tuple(re.findall(r"[^.\[\]\s]+", key))
    found, end = _found(typed, known), len(key.rstrip())
    if found is None and not _is_sure(problem):
        found, end, value = _found(words, known), where.end_column, ""
    if found is None or (found[:-1] == typed[:-1] and len(typed) > 1 and _has_write(problem)):
        return problem
    return _written(problem, end, found, value)


def _has_write(problem: Problem) -> bool:
    return any(isinstance(hint, Hint) and hint.write is not None for hint in problem.hints)


def _written(problem: Problem, end: int, path: tuple[str, ...], value: str) -> Problem:
    """The problem of an override's key with the right one as its hint; a value that is wrong, too, goes with it."""
    assert problem.where is not None
    source, name = problem.where.source, ".".join(path)
    right = None
    if name == "device" and value.lower() in ("true", "yes", "on", "1", "0", "all"):
        right = "cuda"
    elif len(path) == 1 and name in ROLES and re.fullmatch(r"[\w.-]+", value) and not Path(value).exists():
        right = component(name, value)
    elif re.match(r"[-+]?0?,", value) or "%" in value:
        right = plain_digits(value)
    if right is not None:
        name, end = f"{name}={right}", len(source.text)
    hint = Hint(f"did you mean {name}?", write=name)
    return Problem(Span(source, 0, 0, 0, end), problem.path, problem.message, (hint,))


def _is_sure(problem: Problem) -> bool:
    """A hint that is no guess by letters: the same word written otherwise, or what other tools call so."""
    hint = problem.hints[0]
    if not isinstance(hint, Hint) or (hint.write is None and not hint.drop):
        return False
    return hint.drop or meant(str(problem.path[-1]), [hint.write or ""]) is not None or ": " in (hint.write or "")


def _value(root: Node, path: KeyPath) -> Any:
    node: Node | None = root
    for part in path:
        if node is None:
            return None
        node = node.value[part] if isinstance(node.value, list) and isinstance(part, int) else (
            node.mapping.get(str(part)) if node.mapping else None
        )  # fmt: skip
    return None if node is None else node.plain()


def _known(root: Node, plain: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Every key that this configuration may have: those of plain sections, and of the classes that it names."""
    yield from _flat(plain, ())
    assert root.mapping is not None
    for section, role in ROLES.items():
        if section != "layers":
            yield (section,)
            yield from ((section, name) for name in _arguments(root.mapping.get(section), role))
    model = root.mapping.get("model")
    if model is None or model.mapping is None:
        return
    found = model.mapping.get("blocks")
    blocks = found.mapping or {} if found is not None else {}
    for name, block in blocks.items():
        yield ("model", "blocks", name)
        if block.mapping is not None:
            yield from (("model", "blocks", name, "args", arg) for arg in _block_arguments(block))
            yield from _of_layers(block.mapping.get("layers"), ("model", "blocks", name, "layers"), blocks)
    yield from _of_layers(model.mapping.get("layers"), ("model", "layers"), blocks)


def _of_layers(layers: Node | None, path: tuple[str, ...], blocks: Mapping[str, Node]) -> Iterator[tuple[str, ...]]:
    """The keys of a list of layers, by their numbers and names."""
    for i, layer in enumerate(layers.value if layers is not None and isinstance(layers.value, list) else []):
        named, kind = (layer.mapping.get(key) if layer.mapping else None for key in ("name", "type"))
        places = [str(named.value)] if named is not None and isinstance(named.value, str) else []
        block = blocks.get(kind.value) if kind is not None and isinstance(kind.value, str) else None
        keys = _arguments(layer, ROLES["layers"]) if block is None else [*_block_arguments(block), "repeat"]
        for place in (*places, str(i)):
            yield (*path, place)
            yield from ((*path, place, name) for name in keys)


def _block_arguments(block: Node) -> list[str]:
    args = block.mapping.get("args") if block.mapping else None
    return list(args.mapping or {}) if args is not None else []


def _flat(plain: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for key, inner in plain.items():
        yield (*path, key)
        if inner:
            yield from _flat(inner, (*path, key))


def _arguments(node: Node | None, role: Any) -> list[str]:
    """The arguments of the class that a component names; none where it names none that there is."""
    kind = node.mapping.get("type") if node is not None and node.mapping else None
    if kind is None or not isinstance(kind.value, str) or kind.value not in role.classes:
        return []
    cls = role.classes[kind.value]
    return ["type", *(argument.name for argument in (*arguments(cls, role.base), *role.keys(cls)))]


def _found(words: tuple[str, ...], known: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The known path that the words mean best; None where none is near."""
    best: tuple[Any, tuple[str, ...]] | None = None
    last_first = bare(words[-1]) in ("numclasses", "nclasses", "classes")
    for number, path in enumerate(reversed(known) if last_first else known):
        cost = _cost(words, path)
        if cost is not None and (best is None or (*cost, number) < best[0]):
            best = ((*cost, number), path)
    return None if best is None else best[1]


def _cost(words: tuple[str, ...], path: tuple[str, ...]) -> tuple[int, int] | None:
    """How far the words are from a path; None: too far. The last word counts most, and it must be no guess where
    the words before it lead elsewhere."""
    last = _level(words[-1], path[-1])
    if last is None or (words[-1] == "type" and len(words) == 1):
        return None
    if len(words) == 1 and len(path) > 3 and last == 2:  # nearly some argument of some layer
        return None
    if len(words) == 1 and len(path) > 3 and last == 1 and path[-1] != "out_features":
        return None
    total, at = 0, 0
    for word in words[:-1]:
        levels = [(level, i) for i in range(at, len(path) - 1) if (level := _level(word, path[i])) is not None]
        if levels:
            level, place = min(levels)
            total, at = total + level, place + 1
        elif last > 1:
            return None
        else:
            total += _STRAY
    return 10 * last + total, len(path)


def _level(word: str, name: str) -> int | None:
    """0: the same, but for how it is written; 1: what other tools call so; 2: nearly the same letters."""
    if bare(word) == bare(name):
        return 0
    if meant(word, [name]) is not None:
        return 1
    near = min(len(word), len(name)) > 2 and difflib.SequenceMatcher(None, bare(word), bare(name)).ratio() >= _NEAR
    return 2 if near else None


# Sections that are a word where a mapping or a file should stand


def in_place_of(section: str, name: str, config: Path) -> tuple[Hint, ...]:
    """What to write where a section is a name that is no file.

    Args:
        config: the configuration's file; paths start beside it, or in the working directory.
    """
    if section == "scheduler" and bare(name) in ("none", "null", "off", "no", "false"):
        return (Hint("did you mean null?", write="null"),)
    if section in ("model", "train"):
        if section == "train":
            return (Hint("did you mean {epochs: 10}?", write="{epochs: 10}"),)
        preset = nearest(name, list(presets())) or "cnn"
        return (Hint(f"a model is a list of layers; `lenet init --preset {preset} my.yaml` writes one to start from"),)
    written = _of_files(name, config) if section == "data" else None
    if written is None:
        written = component(section, name)
    return () if written is None else (Hint(f"did you mean {written}?", write=written),)


def _of_files(name: str, config: Path) -> str | None:
    """The data source that a file or a directory stands for."""
    kinds = {".npz": "NPZ", ".csv": "CSV", ".parquet": "Parquet"}
    suffix = Path(name).suffix.lower()
    quoted = json.dumps(name, ensure_ascii=False) if not re.fullmatch(r"[\w./~-]+", name) else name
    if suffix == ".csv":
        return f"{{type: CSV, path: {quoted}, shape: [1, 28, 28]}}"
    if suffix in kinds:
        return f"{{type: {kinds[suffix]}, {'root' if suffix == '.parquet' else 'path'}: {quoted}}}"
    is_place = any(place.is_dir() for place in (config.parent / name, Path(name)))
    return f"{{type: ImageFolder, root: {quoted}}}" if is_place else None


def component(section: str, text: str) -> str | None:
    """A component as a mapping, from its class's name or from a call of it as in Python: Conv2d(1, 6, 3).

    Example:
        >>> component("layers", "nn.conv2d(1, 6, kernel_size=3)"), component("loss", "ce")
        ('{type: Conv2d, in_channels: 1, out_channels: 6, kernel_size: 3}', '{type: CrossEntropyLoss}')
    """
    role = ROLES[section]
    call = re.fullmatch(r"\s*([\w.-]+)\s*(?:\((.*)\)|,(.*=.*))?\s*", text, re.DOTALL)
    name = nearest(call[1], list(role.classes)) if call else None
    if call is None or name is None:
        return None
    known = arguments(role.classes[name], role.base)
    given = _call(f"f({call[2] or call[3] or ''})", [a.name for a in known])
    if given is None:
        return None
    for argument in known:
        if argument.required and argument.name not in given:
            sample = _EXAMPLES.get(argument.name)
            if sample is None:
                return None
            given[argument.name] = sample
    inside = ", ".join([f"type: {name}", *(f"{key}: {json.dumps(value)}" for key, value in given.items())])
    return f"{{{inside}}}"


_EXAMPLES: dict[str, Any] = {  # of arguments that must be given
    "out_features": 10, "out_channels": 16, "kernel_size": 3, "output_size": 1, "num_groups": 1, "step_size": 10,
    "milestones": [10, 20], "gamma": 0.9, "T_0": 10, "max_lr": 0.1, "base_lr": 0.001, "shape": [1, 28, 28],
}  # fmt: skip


def _call(text: str, names: list[str]) -> dict[str, Any] | None:
    """The arguments of a call by name; None where it is no call with plain values."""
    try:
        call = ast.parse(text, mode="eval").body
        assert isinstance(call, ast.Call)
        found = dict(zip(names, map(ast.literal_eval, call.args), strict=False))
        found |= {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg in names}
    except (SyntaxError, ValueError, AssertionError, RecursionError, MemoryError):
        return None
    return found
