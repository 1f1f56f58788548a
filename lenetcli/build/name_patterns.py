"""Layers by their names: patterns with * and ? over the names of a model's modules and parameters.

The names are those that `lenet inspect-params` shows; what is below a module that a pattern matches is meant, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import translate

from lenetcli.config import Config
from lenetcli.config.problems import KeyPath, did_you_mean
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter

NAMED = 12  # names in a hint


@dataclass(frozen=True)
class Names:
    """The names of a model's modules and parameters, to be matched.

    Args:
        below: the numbers of the parameters that each name stands for.
        parameters: all of the model's, each once.
    """

    below: dict[str, list[int]]
    parameters: list[tuple[str, Parameter]]

    @classmethod
    def of(cls, model: Module) -> Names:
        """Those of a model."""
        parameters = list(model.named_parameters())
        numbers = {id(parameter): number for number, (_, parameter) in enumerate(parameters)}
        below: dict[str, list[int]] = {name: [] for name, _ in model.named_modules(remove_duplicate=False) if name}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            for prefix in prefixes(name):
                below.setdefault(prefix, []).append(numbers[id(parameter)])
        return cls(below, parameters)

    def matched(self, pattern: str) -> list[str]:
        """The names that a pattern matches."""
        found = re.compile(translate(pattern)).match
        return [name for name in self.below if found(name)]

    def numbers(self, names: Sequence[str]) -> list[int]:
        """The numbers of the parameters that names stand for, in order."""
        return sorted({number for name in names for number in self.below[name]})


def prefixes(name: str) -> Iterator[str]:
    """A name and those of all that it is in."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def names_of_pattern(config: Config, names: Names, pattern: str, path: KeyPath) -> list[str]:
    """The names that a pattern of the configuration matches.

    Raises:
        ConfigError: it matches none.
    """
    found = names.matched(pattern)
    if not found:
        modules = [name for name in names.below if "." not in name]
        some = ", ".join(modules[:NAMED]) + (", ..." if len(modules) > NAMED else "")
        alike = [name for name in names.below if name.count(".") == pattern.count(".")]
        near: tuple[str, ...] = did_you_mean(pattern, alike) or did_you_mean(pattern, names.below)
        raise config.error(
            path, f"{pattern}: no module or parameter has such a name", *(near or (f"there are {some}",))
        )
    return found
