"""Configurations gone wrong: mutations of good ones, as trees and as texts."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from lenetcli import nn, optim
from lenetcli.config.catalogue import ROLES
from lenetcli.config.signature import arguments
from tests.config.golden import GOOD
from tests.conftest import ROOT

TEXTS = [GOOD, *(path.read_text("utf-8") for path in sorted((ROOT / "configs").glob("*.yaml")))]
OPTIONS = """\
train:
  epochs: 3
  validation: 0.1
  accumulate: 4
  clip_grad_norm: 1.0
  warmup: {epochs: 2}
  ema: 0.99
  class_weights: balanced
  early_stopping: {patience: 3, metric: accuracy, min_delta: 0.01}
  max_time: 1h30m
  limit_batches: {train: 10, eval: 2}
"""
TREES = [
    {**tree, "train": options}
    for tree in map(yaml.safe_load, TEXTS)
    for options in (tree["train"], yaml.safe_load(OPTIONS)["train"])
]
CLASSES = sorted({name for role in ROLES.values() for name in role.classes})
KEYS = [
    "type",
    "name",
    "layers",
    "kernel_size",
    "out_features",
    "lr",
    "padding",
    "weight",
    "T_max",
    "",
    "0",
    "__class__",
]

numbers = st.one_of(
    st.sampled_from([0, 1, -1, 2, 3, 10, 255, 10**4, 10**6, 10**9, 2**31, 2**63 - 1, 2**64, -(2**63), 10**40]),
    st.integers(-20, 2000),
    st.sampled_from([0.0, -0.0, 0.5, 1.5, 1e-300, 1e38, 1e308, -1.0, float("nan"), float("inf"), float("-inf")]),
    st.floats(),
)
sizes = st.one_of(
    st.integers(0, 12),
    st.integers(0, 12),
    st.sampled_from(
        [-1, 16, 31, 32, 33, 64, 100, 255, 256, 257, 1000, 1024, 4096, 8191, 2**14, 2**15, 2**16, 10**5, 2**20]
    ),
    st.sampled_from([10**6, 2**24, 2**25, 2**26, 2**26 + 1, 10**8, 10**9, 2**31, 2**31 - 1, 2**32, 2**63 - 1]),
)
words = st.one_of(
    st.sampled_from(CLASSES),
    st.sampled_from([*nn.__all__, *optim.__all__]),
    st.sampled_from(
        ["", "same", "mean", "on", "null", "../x.yaml", "/dev/zero", "x.py:Net", "os.py:system", "{}", "\0", "é"]
    ),
    st.text(max_size=10),
)
scalars = st.one_of(numbers, words, st.booleans(), st.none())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=4)), inner, max_size=4),
        st.lists(numbers, max_size=4),
    ),
    max_leaves=6,
)
Path_ = tuple[Any, ...]


def paths(tree: Any, here: Path_ = ()) -> list[Path_]:
    """The path of every value below the top."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return [path for key, value in items for path in [(*here, key), *paths(value, (*here, key))]]


def at(tree: Any, path: Path_) -> Any:
    """The value at a path."""
    for key in path:
        tree = tree[key]
    return tree


def _drop(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    del at(tree, path[:-1])[path[-1]]


def _retype(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    at(tree, path[:-1])[path[-1]] = draw(values)


def _resize(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    """Another number of the same type in place of a number: what the schema lets pass."""
    found = [p for p in paths(tree) if type(at(tree, p)) in (int, float)]
    if found:
        place = draw(st.sampled_from(found))
        kind = type(at(tree, place))
        at(tree, place[:-1])[place[-1]] = draw(sizes) if kind is int else draw(st.floats(allow_nan=False))


def _exchange(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    other = draw(st.sampled_from(paths(tree)))
    at(tree, path[:-1])[path[-1]] = copy.deepcopy(at(tree, other))


def _rename(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    holder = at(tree, path[:-1])
    if isinstance(holder, dict):
        known = st.sampled_from([str(p[-1]) for p in paths(tree)])
        holder[draw(st.one_of(known, st.sampled_from(KEYS), st.text(max_size=8)))] = holder.pop(path[-1])


def _double(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    holder = at(tree, path[:-1])
    if isinstance(holder, list):
        holder.extend(copy.deepcopy(holder[path[-1]]) for _ in range(draw(st.integers(1, 5))))


def _wrap(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    holder = at(tree, path[:-1])
    value = holder[path[-1]]
    for _ in range(draw(st.integers(1, 40))):
        value = [value]
    holder[path[-1]] = value


def _layer(draw: Callable[..., Any], tree: Any, path: Path_) -> None:
    """A layer of another kind, with arguments of the right names and any numbers."""
    role = ROLES["layers"]
    name = draw(st.sampled_from(sorted(role.classes)))
    known = _arguments(name)
    usual = st.one_of(sizes, st.lists(sizes, min_size=1, max_size=4), st.booleans(), values)
    args = draw(st.dictionaries(st.sampled_from(known), usual, max_size=4)) if known else {}
    if draw(st.booleans()):
        args |= {argument: draw(sizes) for argument in known if argument not in args and _required(name, argument)}
    if isinstance(at(tree, ("model", "layers")), list) and at(tree, ("model", "layers")):
        layers = tree["model"]["layers"]
        layers[draw(st.integers(0, len(layers) - 1))] = {"type": name, **args}


def _arguments(name: str) -> list[str]:
    role = ROLES["layers"]
    return [argument.name for argument in arguments(role.classes[name], role.base)]


def _required(name: str, argument: str) -> bool:
    role = ROLES["layers"]
    return any(a.required for a in arguments(role.classes[name], role.base) if a.name == argument)


MUTATIONS = [_drop, _retype, _retype, _exchange, _rename, _double, _wrap, *[_resize] * 6, *[_layer] * 6]


@st.composite
def trees(draw: Any) -> str:
    """The text of a good configuration with one to three mutations of its tree."""
    tree = copy.deepcopy(draw(st.sampled_from(TREES)))
    for _ in range(draw(st.sampled_from([1, 1, 1, 2, 3]))):
        places = paths(tree)
        if places and isinstance(tree.get("model"), dict) and "layers" in tree["model"]:
            draw(st.sampled_from(MUTATIONS))(draw, tree, draw(st.sampled_from(places)))
    return yaml.safe_dump(tree, sort_keys=False, default_flow_style=draw(st.sampled_from([None, True, False])))


CHARACTERS = " \n\t:,-[]{}#&*!|>'\"%@`?.0123456789eE+~=<\\/abcLlTt\0\x1b\ufeff\u2028é💥"


@st.composite
def texts(draw: Any) -> str:
    """A good configuration with characters put in, taken out or replaced, or with lines exchanged."""
    text = draw(st.sampled_from([*TEXTS, *(yaml.safe_dump(tree) for tree in TREES[:4])]))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, max(len(text) - 1, 0)))
        kind = draw(st.sampled_from(["insert", "delete", "replace", "line", "cut"]))
        new = draw(st.text(CHARACTERS, min_size=1, max_size=4))
        if kind == "insert":
            text = text[:start] + new + text[start:]
        elif kind == "delete":
            text = text[:start] + text[start + draw(st.integers(1, 20)) :]
        elif kind == "replace":
            text = text[:start] + new + text[start + len(new) :]
        elif kind == "line":
            lines = text.splitlines(keepends=True)
            if lines:
                lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from(lines)))
            text = "".join(lines)
        else:
            text = text[:start]
    return text


def written(text: str, place: Path) -> Path:
    """The text in a file."""
    path = place / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return path
