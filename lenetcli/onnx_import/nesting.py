"""Layers under the names that their modules had: `layer1.0.conv1` is conv1 in the first of layer1.

A module becomes a block of its own where one value enters it and one leaves it; where that is not so, its layers stand
in the list around it under a longer name, and this is said.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lenetcli.nn import Identity, Sequential
from lenetcli.onnx_import.lowering import INPUT, Layer
from lenetcli.onnx_import.net import Array

_DEEPEST = 20
_FURTHEST = 64  # layers without names behind a block's last one that may belong to it
PASS = -2  # the layer of an entry that gives what it takes, so that those behind it have their numbers


@dataclass
class Entry:
    """A layer, or a block of layers, in a list.

    Args:
        name: None: its number in the list is its name.
        layer: its place among all layers; PASS: one that does nothing; None: a block.
        inputs: places of the layers that give what it takes.
        output: place of the layer that gives its output.
    """

    name: str | None
    layer: int | None
    inputs: list[int]
    output: int
    inner: list[Entry] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)  # names, where they are not just the entry before


class Nest:
    """Puts layers into blocks.

    Args:
        layers: in the order they run, all of use.
        outputs: places of the layers whose values come out.
    """

    def __init__(self, layers: list[Layer], outputs: list[int]) -> None:
        self.layers, self.outputs = layers, outputs
        self.users: dict[int, list[int]] = {}
        for i, layer in enumerate(layers):
            for at in layer.inputs:
                self.users.setdefault(at, []).append(i)
        hints = [tuple(layer.path.split(".")) if layer.path else () for layer in layers]
        containers = {hint[:n] for hint in hints for n in range(1, len(hint))}
        self.paths = [
            (*hint, "") if hint in containers and not layer.weights else hint for hint, layer in zip(hints, layers)
        ]  # a last part that is empty: an operator of the container itself
        self.renamed: list[str] = []
        self.top = self._list(list(range(len(layers))), 0)
        self._wire(self.top, INPUT, {self._entry_of(self.top, at) for at in outputs})

    def state(self) -> Iterator[tuple[str, Array]]:
        """Weights by their names in the model."""
        yield from self._state(self.top, "")

    def output_names(self) -> list[str]:
        """Names of the layers whose values come out."""
        return [self.top[self._entry_of(self.top, at)].name or "" for at in self.outputs]

    def _state(self, entries: list[Entry], prefix: str) -> Iterator[tuple[str, Array]]:
        for i, entry in enumerate(entries):
            name = f"{prefix}{entry.name or i}"
            yield from self._state(entry.inner, f"{name}.")
            if entry.layer is not None and entry.layer >= 0:
                for key, array in self.layers[entry.layer].weights.items():
                    yield f"{name}.{key}", array

    def _list(self, places: list[int], depth: int) -> list[Entry]:
        found: list[Entry] = []
        taken: dict[str, int] = {}
        at = 0
        while at < len(places):
            path = self.paths[places[at]][depth:]
            end = self._block(places, at, depth) if len(path) > 1 and depth < _DEEPEST else 0
            before = found[-1].output if found else None
            if end:
                inside = places[at:end]
                inputs = [next(i for p in inside for i in self.layers[p].inputs if i not in set(inside))]
                entry = Entry(None, None, inputs, inside[-1], self._list(inside, depth + 1))
                self._name(entry, path[0], found, taken, before, True)
                at = end
            else:
                layer = self.layers[places[at]]
                entry = Entry(None, places[at], list(layer.inputs), places[at])
                wanted = "_".join(part for part in path if part)
                if len(path) > 1 and layer.weights:
                    self.renamed.append(".".join(path))
                self._name(entry, wanted, found, taken, before, bool(layer.weights))
                at += 1
            found.append(entry)
        return found

    def _block(self, places: list[int], start: int, depth: int) -> int:
        """The end of the block that begins here; 0 where there is none."""
        first = self.paths[places[start]][depth]
        last = start
        for i in range(start, len(places)):
            rest = self.paths[places[i]][depth:]
            if rest and rest[0] == first:
                if len(rest) == 1:
                    return 0
                last = i
        if any(self._of_other(places[i], depth, first) for i in range(start, last + 1)):
            return 0
        end = last + 1
        while end < min(len(places), last + _FURTHEST) and not self.paths[places[end]][depth:]:
            end += 1
        while end > last:
            if self._is_block(places[start:end]):
                return end
            end -= 1
        return 0

    def _of_other(self, place: int, depth: int, first: str) -> bool:
        rest = self.paths[place][depth:]
        return bool(rest) and rest[0] != first and bool(rest[0])

    def _is_block(self, inside: list[int]) -> bool:
        """One value enters, the last one's leaves."""
        within = set(inside)
        entering = {at for place in inside for at in self.layers[place].inputs if at not in within}
        if len(entering) != 1:
            return False
        for place in inside:
            leaves = place in self.outputs or any(user not in within for user in self.users.get(place, ()))
            if leaves != (place == inside[-1]):
                return False
        return True

    def _name(
        self, entry: Entry, wanted: str, found: list[Entry], taken: dict[str, int], before: int | None, matters: bool
    ) -> None:
        """Gives an entry its name, or its number by putting layers that do nothing before it."""
        if not wanted or not matters:
            return
        if wanted.isdigit():
            number = int(wanted)
            chain = entry.inputs == [before] or (not found and len(entry.inputs) == 1)
            if number - len(found) <= 8 and (chain or number == len(found)):
                while len(found) < number:
                    source = entry.inputs[0]
                    found.append(Entry(None, PASS, [source], source))
            if number == len(found):
                return
            wanted = f"layer{wanted}"
            self.renamed.append(wanted)
        name = wanted if re.match("[A-Za-z_]", wanted) else f"layer_{wanted}"
        entry.name = _free(name[:90], taken)
        if entry.name != wanted:
            self.renamed.append(wanted)

    def _entry_of(self, entries: list[Entry], place: int) -> int:
        """The number of the entry that gives what a layer gives, the last one where several pass it on."""
        return max(i for i, entry in enumerate(entries) if entry.output == place)

    def _wire(self, entries: list[Entry], given: int, outputs: set[int]) -> None:
        """Says what each entry takes, where that is not what the one before gives."""
        taken = {entry.name: 1 for entry in entries if entry.name}
        several = len(outputs) > 1 or (bool(outputs) and max(outputs) != len(entries) - 1)
        for i in sorted(outputs) if several else ():
            self._call(entries[i], taken)
        latest: dict[int, Entry] = {}
        for i, entry in enumerate(entries):
            before = entries[i - 1].output if i else given
            if entry.inputs != [before]:
                for at in entry.inputs:
                    if at == given:
                        entry.sources.append("input")
                    else:
                        entry.sources.append(self._call(latest[at], taken))
            latest[entry.output] = entry
            if entry.inner:
                self._wire(entry.inner, entry.inputs[0], set())

    def _call(self, entry: Entry, taken: dict[str, int]) -> str:
        """The name of an entry, which gets one now if it has none."""
        if entry.name is None:
            kind = "block" if entry.layer is None else self.layers[entry.layer].type if entry.layer >= 0 else "same"
            if entry.inner or (entry.layer is not None and entry.layer >= 0 and self.layers[entry.layer].weights):
                self.renamed.append(f"a {kind} without a name")
            entry.name = _free(kind.lower(), taken)
        return entry.name


def _free(wanted: str, taken: dict[str, int]) -> str:
    """A name that no other entry has, and no module an attribute of.

    Args:
        taken: names that are used, each with the last number that was put behind it.
    """
    name, number = wanted, taken.get(wanted, 1)
    while name in taken or name == "input" or keyword.iskeyword(name) or hasattr(_PLAIN, name):
        number += 1
        name = f"{wanted}_{number}"
    taken[wanted] = number
    taken.setdefault(name, 1)
    return name


_PLAIN = Sequential(Identity())
