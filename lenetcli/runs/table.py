"""Runs side by side: what each was made with, how far it came, how well it did; chosen and put in order."""

from __future__ import annotations

import operator
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli import nn
from lenetcli.config.problems import Source, did_you_mean
from lenetcli.config.yaml_tree import compose, read_scalar
from lenetcli.disk import check_regular, is_there, unreadable
from lenetcli.errors import ConfigError, DataError, printable
from lenetcli.runs.directory import read_config_text
from lenetcli.runs.history import LARGEST, read_history
from lenetcli.runs.own_files import SIGNS

RUNNING, KILLED, IMPORTED = "running", "killed", "imported"
SAME = ("name", "version")  # keys that make no other training
COLUMNS = (
    "run", "status", "epoch", "epochs", "accuracy", "loss", "best_epoch", "last_accuracy", "last_loss", "test_accuracy",
    "test_loss", "seconds",
)  # fmt: skip
HIGHEST_FIRST = ("accuracy", "last_accuracy", "test_accuracy")
ABSENT = None  # what a key is that a run does not have


@dataclass(frozen=True)
class Figures:
    """How an epoch did on a split."""

    epoch: int
    split: str
    loss: float
    accuracy: float | None


@dataclass(frozen=True)
class RunRow:
    """A run in the table.

    Args:
        run: its directory.
        config: its configuration, as mappings, lists and scalars.
        status: "finished", "stopped early", "out of time", "interrupted", "pruned", "diverged"; "running" while a
            process trains there, "killed" where one did and is no more; "imported" where weights came from elsewhere.
        epoch: epochs it has been through.
        epochs: those that it is meant to go through.
        best: the best epoch, on the split that decides which one that is; None before the first evaluation.
        test_loss, test_accuracy: of the best epoch on the test split, where a validation split decides.
        seconds: how long it has taken, as far as is known.
        last: the last epoch, on the same split as the best.
    """

    run: str
    config: dict[str, Any]
    status: str
    epoch: int
    epochs: int
    best: Figures | None
    test_loss: float | None
    test_accuracy: float | None
    seconds: float
    last: Figures | None = None

    @property
    def accuracy(self) -> float | None:
        """Of the best epoch."""
        return None if self.best is None else self.best.accuracy

    @property
    def loss(self) -> float | None:
        """Of the best epoch."""
        return None if self.best is None else self.best.loss

    @property
    def best_epoch(self) -> int | None:
        """Its number."""
        return None if self.best is None else self.best.epoch

    @property
    def last_accuracy(self) -> float | None:
        """Of the last epoch."""
        return None if self.last is None else self.last.accuracy

    @property
    def last_loss(self) -> float | None:
        """Of the last epoch."""
        return None if self.last is None else self.last.loss

    def value(self, key: str) -> Any:
        """A column's value, or that of a key of the configuration, as an override addresses it; ABSENT without it."""
        return getattr(self, key) if key in COLUMNS else at(self.config, key)


def find(root: Path) -> list[Path]:
    """Every run directory at or below a place, in order of name; links are not followed.

    Raises:
        ConfigError: there is no such directory.
        Unreadable: the system does not let it be looked at.
    """
    if not root.is_dir():
        hint = "; train one first: lenet train configs/lenet.yaml" if root == Path("runs") else ""
        raise ConfigError(f"{root}: {'a file, no directory' if root.exists() else 'no such directory'}{hint}")
    return sorted(_below(root), key=lambda path: _natural(str(path)))


def _below(root: Path) -> Iterator[Path]:
    places = [root]
    while places:
        place = places.pop()
        try:
            with os.scandir(place) as entries:
                found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
        except (FileNotFoundError, NotADirectoryError):
            continue  # taken away while we looked
        except OSError as error:
            if place == root:
                raise unreadable(place, error) from None
            print(printable(f"left out: {unreadable(place, error)}"), file=sys.stderr)  # not ours to read
            continue
        if "config.yaml" in found and any(sign in found for sign in SIGNS):
            yield place
        else:
            places += [place / name for name, is_directory in found.items() if is_directory]


def _natural(text: str) -> list[tuple[int, str]]:
    """A key that puts 2 before 10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text)]


def read_run(run: Path) -> RunRow:
    """A run from its files. Of one that has not ended, `status` is KILLED: whether it is running is for a lock to say.

    Raises:
        DataError: its configuration or its events are damaged.
    """
    config = _config(run)
    planned = _planned(config)
    path = run / "metrics.jsonl"
    if not is_there(path) or check_regular(path, LARGEST) == 0:
        status = IMPORTED if is_there(run / "model.safetensors") else KILLED
        return RunRow(str(run), config, status, 0, planned, None, None, None, 0.0)
    history = read_history(run, steps=False)
    best, ended = history.best, history.ended
    epoch = max((judged.epoch for judged in history.judged), default=0)
    found, last = (None if e is None else Figures(e.epoch, e.split, e.loss, e.accuracy) for e in (best, history.last))
    tested = ended is not None and found is not None and found.split != "test"
    return RunRow(
        str(run), config, KILLED if ended is None else ended.reason, epoch, planned, found,
        ended.loss if tested and ended else None, ended.accuracy if tested and ended else None, history.seconds, last,
    )  # fmt: skip


def planned_epochs(run: Path) -> int:
    """The epochs that a run is meant to go through; 0 where its configuration does not say."""
    try:
        return _planned(_config(run))
    except DataError:
        return 0


def _planned(config: dict[str, Any]) -> int:
    epochs = at(config, "train.epochs")
    return epochs if isinstance(epochs, int) else 0


def _config(run: Path) -> dict[str, Any]:
    problems: list[Any] = []
    tree = compose(Source(str(run / "config.yaml"), read_config_text(run), resolved=True), problems)
    config = None if tree is None or problems else tree.plain()
    if not isinstance(config, dict):
        raise DataError(f"{run / 'config.yaml'}: not the configuration of a run")
    return config


def at(config: Any, key: str) -> Any:
    """What a configuration has at a key; ABSENT where it has nothing there.

    Example:
        >>> config = {"model": {"layers": [{"type": "Linear", "name": "fc1", "out_features": 5}]}}
        >>> at(config, "model.layers.0.out_features"), at(config, "model.layers.fc1.type"), at(config, "model.depth")
        (5, 'Linear', None)
    """
    for part in re.findall(r"[^.\[\]]+", key):
        if isinstance(config, list):
            names = [item.get("name") if isinstance(item, dict) else None for item in config]
            if part in names:
                config = config[names.index(part)]
            elif re.fullmatch(r"-?\d{1,9}", part) and -len(config) <= int(part) < len(config):
                config = config[int(part)]
            else:
                return ABSENT
        elif isinstance(config, dict) and part in config:
            config = config[part]
        elif isinstance(config, dict) and isinstance(config.get("block"), dict) and part in config["block"]:
            config = config["block"][part]  # what the layer was written as
        else:
            return ABSENT
    return config


def flat(config: Any, path: str = "") -> dict[str, Any]:
    """A configuration with one key for each value.

    Example:
        >>> flat({"optimizer": {"lr": 0.1}, "model": {"layers": [{"type": "ReLU"}], "input": [1, 8]}})
        {'optimizer.lr': 0.1, 'model.layers[0].type': 'ReLU', 'model.input': [1, 8]}
    """
    if isinstance(config, dict) and (config or not path):
        parts = [flat(value, f"{path}.{key}" if path else str(key)) for key, value in config.items()]
    elif isinstance(config, list) and config and all(isinstance(item, dict) for item in config):
        parts = [flat(value, f"{path}[{i}]") for i, value in enumerate(config)]
    else:
        return {path: config}
    return {key: value for part in parts for key, value in part.items()}


def differences(rows: Sequence[RunRow]) -> dict[str, list[Any]]:
    """The keys that not all runs have the same value of, with the value of each run; ABSENT where it lacks the key.

    Models of other layers differ in one key, `model.layers`: the types of the layers. Arguments that only one of two
    optimizers has are no difference beside that of their type, and neither are those that follow from the layer before.
    """
    configs = [flat(row.config) for row in rows]
    layers = [_types(row.config) for row in rows]
    found: dict[str, list[Any]] = {}
    if len(set(layers)) > 1:
        found["model.layers"] = list(layers)
    within = _written_out(configs)
    for key in dict.fromkeys(key for config in configs for key in config):
        others = "model.layers" in found and key.startswith(("model.layers[", "model.blocks."))
        follows = key.startswith("model.layers[") and _follows(key, configs)
        if key in SAME or key.startswith(within) or others or follows:
            continue
        values = [config.get(key, ABSENT) for config in configs]
        having = [value for config, value in zip(configs, values) if key in config]
        if not _alike(having):
            found[key] = values
        elif len(having) < len(rows) and not key.endswith("type"):
            kinds = [config.get(f"{key.rpartition('.')[0]}.type") for config in configs]
            if _alike(kinds):
                found[key] = values
    return found


def _written_out(configs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """The places of layers that were written as a block: what differs is told of the block."""
    marks = {key.partition(".block.")[0] for config in configs for key in config if ".block.type" in key}
    return tuple(f"{place}.layers[" for place in marks)


def _follows(key: str, configs: Sequence[dict[str, Any]]) -> bool:
    """Whether a key of a layer is an argument that is inferred, such as in_channels."""
    layer, _, argument = key.rpartition(".")
    kind = next((config[f"{layer}.type"] for config in configs if f"{layer}.type" in config), None)
    found = getattr(nn, kind, None) if isinstance(kind, str) else None
    return argument in getattr(found, "from_input", ())


def _types(config: dict[str, Any]) -> str:
    layers = at(config, "model.layers")
    kinds = [str(layer.get("type")) for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []
    return " ".join(kinds)


def _alike(values: Sequence[Any]) -> bool:
    return all(value == values[0] and isinstance(value, bool) == isinstance(values[0], bool) for value in values)


# Choosing and sorting

Compare = Callable[[Any, Any], bool]
_SIGNS: dict[str, Compare] = {
    "<=": operator.le, ">=": operator.ge, "!=": operator.ne, "==": operator.eq, "=": operator.eq, "<": operator.lt,
    ">": operator.gt,
}  # fmt: skip
_CONDITION = re.compile(r"\s*([^<>=!]+?)\s*(<=|>=|!=|==|=|<|>)\s*(.*?)\s*")


def chosen(rows: Sequence[RunRow], conditions: Iterable[str]) -> list[RunRow]:
    """The runs for which every condition, such as "optimizer.lr<0.1", holds.

    Raises:
        ConfigError: a condition that cannot be read, or a key that no run has.
    """
    kept = list(rows)
    for condition in conditions:
        parts = _CONDITION.fullmatch(condition)
        if parts is None:
            raise ConfigError(f"--filter {condition!r}: wanted a key, a sign and a value, such as 'optimizer.lr<0.1'")
        key, compare = parts[1], _SIGNS[parts[2]]
        check_key("--filter", key, rows)
        try:
            wanted = read_scalar(parts[3])
        except ValueError as error:
            raise ConfigError(f"--filter {condition[:60]!r}: {error}") from None
        kept = [row for row in kept if _holds(row.value(key), compare, wanted)]
    return kept


def _holds(value: Any, compare: Compare, wanted: Any) -> bool:
    if compare in (operator.eq, operator.ne) or (_is_number(value) and _is_number(wanted)):
        return compare(value, wanted)
    return isinstance(value, str) and isinstance(wanted, str) and compare(value, wanted)


def ordered(rows: Sequence[RunRow], key: str, reverse: bool = False) -> list[RunRow]:
    """The runs in order of a key: accuracy from the highest down, all else from the lowest up; those without it last.

    Raises:
        ConfigError: no run has that key.
    """
    check_key("--sort", key, rows)
    without = [row for row in rows if row.value(key) is None]
    having = [row for row in rows if row.value(key) is not None]
    having.sort(key=lambda row: _rank(row.value(key)), reverse=(key in HIGHEST_FIRST) != reverse)
    return having + without


def _rank(value: Any) -> tuple[int, float, Any]:
    return (0, float(value), []) if _is_number(value) else (1, 0.0, _natural(str(value)))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def check_key(option: str, key: str, rows: Sequence[RunRow]) -> None:
    """Refuses a key that no run has.

    Raises:
        ConfigError: with keys that were perhaps meant.
    """
    if not rows or key in COLUMNS or any(row.value(key) is not None for row in rows):
        return
    known = {name for row in rows for name in flat(row.config)}
    if key in known:  # null in every run
        return
    ends = tuple(name for name in sorted(known) if name.endswith(f".{key}"))[:3]
    hints = tuple(f"did you mean {name}?" for name in ends) or did_you_mean(key, [*COLUMNS, *known])
    raise ConfigError("\n   ".join([f"{option} {key}: no run has that key", *hints]))
