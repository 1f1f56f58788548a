"""Weights from elsewhere, such as torch's, for a model of ours: names and shapes are compared before anything."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from lenetcli.errors import DataError
from lenetcli.nn.module import Module
from lenetcli.tensors.tensor import Tensor

SHOWN = 12  # differences in a message
NAMED = 6  # tensors in a note
MOST_RENAMED = 10_000  # tensors that other prefixes are tried on
AVERAGED = "n_averaged"  # how many models torch's AveragedModel has averaged, beside their weights
COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and nothing but training looks at it


@dataclass(frozen=True)
class Fit:
    """A file's tensors beside a model's.

    Args:
        tensors: all of the model's, by its names: the file's, and its own where the file has none that fits.
        anew: what starts anew, by name, and why: "" or the shape that the file has.
        unused: what the file has besides.
        notes: what had to be done, for the user to know.
    """

    tensors: dict[str, Tensor]
    anew: dict[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def told(self) -> Iterator[str]:
        """Everything to know of it, a line each."""
        yield from self.notes
        count = len(self.tensors) - len(self.anew)
        if self.anew:
            names = _listed([name + why for name, why in self.anew.items()])
            yield f"{count} of {len(self.tensors)} tensors are the file's; start anew: {names}"
        if self.unused:
            yield f"of the file, {len(self.unused)} are not used: {_listed(self.unused)}"


def fitted(
    model: Module, given: Mapping[Any, Any], name: str, strict: bool = True, rename: Mapping[str, str] | None = None
) -> Fit:
    """The tensors under the model's own names, and what had to be done for it.

    A prefix that all names share, such as "module." or "_orig_mod.", is taken off where the rest then fits.

    Args:
        given: what the file holds.
        name: of the file, for messages.
        strict: every tensor fits, and none is left; False: what does not fit starts anew, or is not used.
        rename: beginnings of names, and what stands in their place: one after the other, each once.

    Raises:
        DataError: names or shapes differ; the message lists how, with the nearest names.

    Example:
        >>> from lenetcli import nn
        >>> net, other = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), nn.Sequential(nn.Linear(4, 3))
        >>> list(fitted(net, other.state_dict(), "other.pth", strict=False).anew)
        ['1.weight', '1.bias']
    """
    own = model.state_dict()
    strange = [str(key) for key, value in given.items() if not isinstance(key, str) or not isinstance(value, Tensor)]
    if strange:
        raise DataError(f"{name}: wanted a flat list of tensors, but {strange[0]!r} is none")
    notes: list[str] = []
    if AVERAGED in given and AVERAGED not in own:
        given = {key: tensor for key, tensor in given.items() if key != AVERAGED}
        notes.append(f"{AVERAGED}, which counts averaged models, is left out")
    idle: list[str] = []
    for old, new in (rename or {}).items():
        if not any(key.startswith(old) for key in given):
            idle.append(old)
        given = _renamed(given, old, new, name)
    prefix = _prefix(own, given, strict)
    if prefix:
        given = {key.removeprefix(prefix): tensor for key, tensor in given.items()}
        notes.append(f"names without their prefix {prefix!r}")
    notes += [f"rename: no name begins with {old!r}" for old in idle]
    unfit = _Unfit(own, given)
    if unfit.count and (strict or unfit.is_hopeless):
        raise DataError(unfit.message(name, idle, strict))
    found = {key: tensor if key in unfit.anew else given.get(key, tensor) for key, tensor in own.items()}
    notes += _check_values(own, found, name)
    return Fit(found, unfit.anew, tuple(unfit.spare), tuple(notes))


def _renamed(given: Mapping[str, Tensor], old: str, new: str, name: str) -> dict[str, Tensor]:
    """The tensors, with another beginning of the names that begin so."""
    found: dict[str, Tensor] = {}
    for key, tensor in given.items():
        now = new + key.removeprefix(old) if key.startswith(old) else key
        if now in found:
            raise DataError(f"{name}: with rename {old!r} -> {new!r} two tensors would be called {now!r}")
        found[now] = tensor
    return found


def _prefix(own: Iterable[str], given: Iterable[str], strict: bool) -> str:
    """What all given names begin with, "module._orig_mod." for one; empty where the rest does not fit then.

    Args:
        strict: all of the rest fits; False: the prefix with which most does, if more than without.
    """
    own, given = set(own), list(given)
    parts = given[0].split(".") if given else []
    best, most = "", len(own.intersection(given))
    for length in range(1, len(parts)):
        prefix = ".".join(parts[:length]) + "."
        if not all(key.startswith(prefix) for key in given):
            break
        rest = {key.removeprefix(prefix) for key in given}
        if rest <= own and all(key in rest or key.endswith(COUNTER) for key in own):
            return prefix
        if not strict and len(rest & own) > most:
            best, most = prefix, len(rest & own)
    return best


class _Unfit:
    """In what names and shapes differ: what of the model is not in the file, and what of the file not in the model.

    Args:
        own: the model's tensors.
        given: the file's.
    """

    def __init__(self, own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
        self.own, self.given = own, given
        self.spare = {key: _shape(tensor) for key, tensor in given.items() if key not in own}
        self.anew: dict[str, str] = {}
        for key, tensor in own.items():
            if key not in given and not key.endswith(COUNTER):
                self.anew[key] = ""
            elif key in given and _shape(given[key]) != _shape(tensor):
                self.anew[key] = f" (the file has {list(given[key].shape)}, the model {list(tensor.shape)})"
        self.count = len(self.anew) + len(self.spare)
        self.fits = sum(not key.endswith(COUNTER) for key in own if key in given and key not in self.anew)

    @property
    def is_hopeless(self) -> bool:
        """Nothing fits at all."""
        return self.fits == 0

    def message(self, name: str, idle: Sequence[str], strict: bool) -> str:
        """Every difference, a line each, and what would help."""
        lines = [f"rename: no name of the file begins with {old!r}" for old in idle]
        lines += islice(self._lines(), SHOWN)
        more = len(idle) + self.count - len(lines)
        lines += [f"... and {more} more"] if more > 0 else []
        what = "these weights are not of this model" if strict else "none of these weights fits this model"
        return "\n  ".join([f"{name}: {what}:", *lines, *self._hints(strict)])

    def _lines(self) -> Iterator[str]:
        spare = dict(self.spare)
        for key in self.anew:
            shape = _shape(self.own[key])
            if key in self.given:
                yield f"{key}: the file has shape {list(_shape(self.given[key]))}, the model {list(shape)}"
            else:
                near = _nearest(key, shape, spare)
                hint = f"; the file has {near} {list(spare[near])}" if near else ""
                yield f"{key} {list(shape)}: not in the file{hint}"
        for key, shape in self.spare.items():
            yield f"{key} {list(shape)}: in the file, not in the model"

    def _hints(self, strict: bool) -> Iterator[str]:
        """Which rename would make more of it fit; that strict: false would do."""
        change = self._rename()
        if change is not None:
            old, new, count = change
            yield f"rename: {{{_quoted(old)}: {_quoted(new)}}} would make {count} of {len(self.own)} fit"
        elif strict and self.fits:
            yield f"strict: false would take the {self.fits} that fit, and start the others anew"

    def _rename(self) -> tuple[str, str, int] | None:
        """The change of a prefix with which most tensors fit; None where none makes more fit than fit as they are."""
        best, most = None, self.fits
        if len(self.given) > MOST_RENAMED:
            return None
        ends = {key.rpartition(".")[2] for key in self.own}
        new = {_outer(key) for key in self.anew} | {""}
        old = {_outer(key) for key in self.spare if key.rpartition(".")[2] in ends} | {""}
        for before in sorted(old)[:NAMED]:
            for after in sorted(new)[:NAMED]:
                if before == after:
                    continue
                named = {after + key.removeprefix(before): key for key in self.given if key.startswith(before)}
                named = {key: key for key in self.given if not key.startswith(before)} | named
                count = sum(
                    not key.endswith(COUNTER) and key in named and _shape(self.given[named[key]]) == _shape(tensor)
                    for key, tensor in self.own.items()
                )
                if count > most:
                    best, most = (before, after, count), count
        return best


def _outer(key: str) -> str:
    """The first part of a name, with its dot; empty where it has one part only."""
    first, dot, _ = key.partition(".")
    return first + dot if dot else ""


def _quoted(text: str) -> str:
    return f'"{text}"'


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _nearest(key: str, shape: tuple[int, ...], spare: Mapping[str, tuple[int, ...]]) -> str | None:
    """The unused name that is most like this one, of the same shape where there is one."""
    same = [other for other, there in spare.items() if there == shape]
    for names, cutoff in ((same, 0.3), (list(spare), 0.6)):
        close = difflib.get_close_matches(key, names[:2000], 1, cutoff)
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
