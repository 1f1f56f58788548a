"""Frozen layers: `model.freeze` and `model.unfreeze`. Frozen parameters stay in the optimizer and get no gradient.

Which are frozen follows from the epoch alone, so that a run that is resumed goes on as if never stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from lenetcli.build.name_patterns import Names, names_of_pattern, prefixes
from lenetcli.config import Config
from lenetcli.config.problems import Hint
from lenetcli.nn.module import Module

if TYPE_CHECKING:
    from lenetcli.nn.batchnorm import ChannelNorm

ROOM = 1 << 30  # bytes


@dataclass(frozen=True)
class Freezing:
    """What of a model is frozen.

    Args:
        parameters: names of those that do not train.
        norms: names of batch norms that stay in evaluation mode: all that they learn is frozen.
        until: the first epoch, counted from 1, in which they train after all; None: they never do.
    """

    parameters: tuple[str, ...]
    norms: tuple[str, ...]
    until: int | None = None

    def is_on(self, epochs: int) -> bool:
        """Whether they are frozen after so many epochs."""
        return self.until is None or epochs + 1 < self.until

    def apply(self, model: Module, epochs: int) -> None:
        """Freezes them, or lets them train, as it has to be after so many epochs."""
        frozen = self.is_on(epochs)
        for name in self.parameters:
            parameter = model.get_parameter(name)
            if parameter.requires_grad is frozen:
                parameter.requires_grad_(not frozen)
                parameter.grad = None
        for name in self.norms:
            norm = cast("ChannelNorm", model.get_submodule(name))
            norm.frozen = frozen
            norm.train(norm.training)


def freezing_of(config: Config, model: Module) -> Freezing | None:
    """What the configuration freezes of its model, which `apply` does; None where that is nothing.

    Raises:
        ConfigError: a pattern that matches nothing, nothing that is left to train, or `unfreeze` of nothing.
    """
    patterns, until = config.model.freeze, config.model.unfreeze
    if not patterns:
        if until is not None:
            hint = Hint("model.freeze says what, as in freeze: [conv1]")
            raise config.error(("model", "unfreeze"), "nothing is frozen", hint)
        return None
    names = Names.of(model)
    matched: set[str] = set()
    for i, pattern in enumerate(patterns):
        matched.update(names_of_pattern(config, names, pattern, ("model", "freeze", i)))
    frozen = [names.parameters[i] for i in names.numbers(list(matched))]
    known = {id(parameter) for _, parameter in frozen}
    if not any(parameter.requires_grad and id(parameter) not in known for _, parameter in names.parameters):
        raise config.error(("model", "freeze"), "nothing is left to train: these patterns match every parameter")
    learning = tuple(name for name, parameter in frozen if parameter.requires_grad)
    return Freezing(learning, tuple(_norms(model, known, matched)), until)


def room_for_features(config: Config) -> int:
    """Bytes of what frozen layers give that may be kept between epochs."""
    given = config.model.keep_features
    if not config.model.freeze or given is False:
        return 0
    return ROOM if given is True else given << 20


def _norms(model: Module, frozen: set[int], matched: set[str]) -> Iterator[str]:
    """The batch norms of which all that learns is frozen; one that learns nothing, where its name or a module's that
    it is in is matched."""
    from lenetcli.nn.batchnorm import ChannelNorm

    for name, module in model.named_modules():
        if isinstance(module, ChannelNorm):
            own = list(module.parameters(recurse=False))
            if all(id(p) in frozen for p in own) if own else not matched.isdisjoint(prefixes(name)):
                yield name
