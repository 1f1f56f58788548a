"""state.json of a checkpoint: what is no tensor, as strict JSON that vouches for itself and for the files beside it.

    {"format": 2,
     "files": {"model.safetensors": {"bytes": ..., "sha256": ...}, ...},    # everything else in the checkpoint
     "config": {...},       # the configuration as it was, to refuse one that was changed since
     "samples": ...,        # to train on, to notice that the data is another
     "progress": {...},     # fields of `Progress`: epochs, position in the epoch, best figures, counters
     "scheduler": {...},
     "random": {...},       # each stream
     "best": {...},         # which checkpoint holds the best weights, and their hash
     "events": ...,         # bytes of metrics.jsonl that had been written
     "sha256": ...}         # of all the above

The file is untrusted: its hashes find damage, not malice, so every value is checked before it gets anywhere.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

FORMAT = 2
LARGEST = 1 << 24  # bytes of a state.json; most of it is the configuration
_LARGEST_NUMBER = 2**53
_ODD = ("inf", "-inf", "nan")  # floats that JSON has no words for


def encode(state: Mapping[str, Any]) -> bytes:
    """The state as text, with its own hash in it: a line for each of its keys.

    Python's encoder of `indent` leaves objects in a circle, which lie about until they are looked for: two states an
    epoch, and a long run grows by megabytes.
    """
    plain = _plain({"format": FORMAT, **state})
    whole = {**plain, "sha256": _digest(plain)}
    lines = (f"{json.dumps(key)}: {json.dumps(value, allow_nan=False)}" for key, value in whole.items())
    return ("{\n " + ",\n ".join(lines) + "\n}\n").encode()


def decode(text: bytes) -> dict[str, Any]:
    """What `encode` was given.

    Raises:
        ValueError: no JSON, another format, or a hash that does not fit; the message says which.
    """
    try:
        state = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        if not isinstance(state, dict) or state.get("format") != FORMAT:
            found = state.get("format") if isinstance(state, dict) else type(state).__name__
            raise ValueError(f"wanted format {FORMAT}, got {str(found)[:40]}")
        if state.pop("sha256", None) != _digest(state):
            raise ValueError("damaged, its content does not have the hash that it states")
    except RecursionError:
        raise ValueError("nested too deep") from None
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    revived: dict[str, Any] = _revived(state)
    return revived


def plain_state(state: Mapping[str, Any]) -> Any:
    """A state_dict as it comes back from JSON: text as keys, lists for tuples."""
    return _revived(json.loads(json.dumps(_plain(state))))


def check_fields(kind: type, values: Any) -> dict[str, Any]:
    """Values for all fields of a dataclass.

    Raises:
        ValueError: fields missing or unknown, a value of another type, a negative or absurd number.
    """
    hints = get_type_hints(kind)
    names = [field.name for field in dataclasses.fields(kind)]
    if not isinstance(values, dict) or set(values) != set(names):
        raise ValueError(f"wanted {', '.join(names)}")
    for name in names:
        try:
            TypeAdapter(hints[name], config=ConfigDict(strict=True)).validate_python(values[name])
        except ValidationError as error:
            raise ValueError(f"{name}: {error.errors()[0]['msg']}") from None
        if isinstance(values[name], int) and not 0 <= values[name] <= _LARGEST_NUMBER:
            raise ValueError(f"{name}: absurd number")
    return values


def up_to_date(progress: Any) -> Any:
    """A progress with the fields that earlier versions did not save: they weighed an epoch's losses by samples."""
    if isinstance(progress, dict):
        progress = {"epoch_losses": None, "best_metric": None, **progress}
    if isinstance(progress, dict) and "epoch_weight" not in progress and isinstance(progress.get("epoch_count"), int):
        return {**progress, "epoch_weight": float(progress["epoch_count"]), "epoch_ignored": 0}
    return progress


def check_count(value: Any, where: str) -> int:
    """The value, if it is a whole number from 0 on.

    Raises:
        ValueError: it is none; the message names the place.
    """
    if type(value) is not int or not 0 <= value <= _LARGEST_NUMBER:
        raise ValueError(f"{where}: wanted a number from 0 on")
    return value


def check_kind(own: Any, new: Any, where: str) -> None:
    """Refuses a value that cannot take the place of another: other type, other keys, other length.

    Args:
        own: what stands there now.
        new: what is to replace it.
        where: the place, for the message.

    Raises:
        ValueError: they differ in kind; the message names the place.
    """
    if isinstance(own, Mapping):
        if not isinstance(new, Mapping) or set(own) != set(new):
            raise ValueError(f"{where}: wanted the keys {', '.join(map(str, own)) or 'of none'}")
        for key, value in own.items():
            check_kind(value, new[key], f"{where}.{key}")
    elif isinstance(own, (list, tuple)):
        if not isinstance(new, (list, tuple)) or len(own) != len(new):
            raise ValueError(f"{where}: wanted {len(own)} values")
        for i, value in enumerate(own):
            check_kind(value, new[i], f"{where}.{i}")
    elif _is_number(own):
        if not _is_number(new) or (isinstance(new, int) and abs(new) > _LARGEST_NUMBER):
            raise ValueError(f"{where}: wanted a number")
    elif type(own) is not type(new):
        raise ValueError(f"{where}: wanted {type(own).__name__}, got {type(new).__name__}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _digest(plain: Any) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Mappings, lists and scalars that strict JSON holds."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}
    return value


def _revived(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"float"} and value["float"] in _ODD:
            return float(value["float"])
        return {key: _revived(item) for key, item in value.items()}
    return [_revived(item) for item in value] if isinstance(value, list) else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice in an object")
    return found


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")
