"""Weights from elsewhere, such as torch's, for a model of ours: names and shapes are compared before anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from lenetcli.errors import DataError
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor

SHOWN = 12  # differences in a message
AVERAGED = "n_averaged"  # how many models torch's AveragedModel has averaged, beside their weights
COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and nothing but training looks at it


def fitted(model: Module, given: Mapping[Any, Any], name: str) -> tuple[dict[str, Tensor], list[str]]:
    """The tensors under the model's own names, and what had to be done for it (to be told the user).

    A prefix that all names share, such as "module." or "_orig_mod.", is taken off where the rest then fits.

    Args:
        given: what the file holds.
        name: of the file, for messages.

    Raises:
        DataError: names or shapes differ; the message lists how, with the nearest names.
    """
    own = model.state_dict()
    strange = [str(key) for key, value in given.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    if strange:
        raise DataError(f"{name}: wanted a flat list of tensors, but {strange[0]!r} is none")
    notes: list[str] = []
    if AVERAGED in given and AVERAGED not in own:
        given = {key: tensor for key, tensor in given.items() if key != AVERAGED}
        notes.append(f"{AVERAGED}, which counts averaged models, is left out")
    prefix = _prefix(own, given)
    if prefix:
        given = {key.removeprefix(prefix): tensor for key, tensor in given.items()}
        notes.append(f"names without their prefix {prefix!r}")
    problems = _problems(own, given)
    if problems:
        more = f"\n  ... and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        listed = "".join(f"\n  {problem}" for problem in problems[:SHOWN])
        raise DataError(f"{name}: these weights are not of this model:{listed}{more}")
    found = {key: given.get(key, tensor) for key, tensor in own.items()}
    notes += _check_values(own, found, name)
    return found, notes


def _prefix(own: Iterable[str], given: Iterable[str]) -> str:
    """What all given names begin with, "module._orig_mod." for one; empty where the rest does not fit then."""
    own, given = set(own), list(given)
    parts = given[0].split(".") if given else []
    for length in range(1, len(parts)):
        prefix = ".".join(parts[:length]) + "."
        if not all(key.startswith(prefix) for key in given):
            break
        rest = {key.removeprefix(prefix) for key in given}
        if rest <= own and all(key in rest or key.endswith(COUNTER) for key in own):
            return prefix
    return ""


def _problems(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """Every difference in names and shapes, one line each."""
    spare = {key: _shape(tensor) for key, tensor in given.items() if key not in own}
    found = []
    for key, tensor in own.items():
        shape = _shape(tensor)
        if key in given:
            there = _shape(given[key])
            if there != shape:
                found.append(f"{key}: the file has shape {list(there)}, the model {list(shape)}")
        elif not key.endswith(COUNTER):
            near = _nearest(key, shape, spare)
            hint = f"; the file has {near} {list(spare[near])}" if near else ""
            found.append(f"{key} {list(shape)}: not in the file{hint}")
    found += [f"{key} {list(shape)}: in the file, not in the model" for key, shape in spare.items()]
    return found


def _nearest(key: str, shape: tuple[int, ...], spare: Mapping[str, tuple[int, ...]]) -> str | None:
    """The unused name that is most like this one, of the same shape where there is one."""
    same = [other for other, there in spare.items() if there == shape]
    for names, cutoff in ((same, 0.3), (list(spare), 0.6)):
        close = difflib.get_close_matches(key, names, 1, cutoff)
        if close:
            return close[0]
    return same[0] if len(same) == 1 else None


def _check_values(own: Mapping[str, Tensor], found: Mapping[str, Tensor], name: str) -> list[str]:
    """Notes on types that change; refuses values that no model has.

    Raises:
        DataError: integers for floats or the reverse, NaN or infinity.
    """
    rounded = []
    for key, tensor in found.items():
        wanted, there = own[key].array.dtype, tensor.array.dtype
        if wanted.kind != there.kind and {wanted.kind, there.kind} != {"i", "u"}:
            raise DataError(f"{name}: {key} is of type {there}, the model's is {wanted}")
        if there.kind == "f" and not np.isfinite(tensor.array).all():
            raise DataError(f"{name}: {key} holds NaN or infinite values")
        if there.kind == "f" and there.itemsize > wanted.itemsize:
            rounded.append(key)
    return [f"{len(rounded)} tensors rounded to float32, {rounded[0]} among them"] if rounded else []


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(int(n) for n in tensor.shape)
