"""What to say of a run before it trains: where its weights come from, what is frozen, which layers have own options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lenetcli.build.initial_weights import unused_keys
from lenetcli.build.model import Shapes
from lenetcli.build.name_patterns import Names
from lenetcli.build.parameter_groups import numbers_of_groups
from lenetcli.config import Config
from lenetcli.config.parameter_groups import groups_of
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter

if TYPE_CHECKING:
    from lenetcli.train.run import Freezing


def notes_of(config: Config, shapes: Shapes) -> tuple[str, ...]:
    """What should be known of the weights that the model begins with, and of keys that are without effect."""
    initial = () if shapes.initial is None else shapes.initial.notes
    return (*initial, *unused_keys(config), *_too_late(config))


def _too_late(config: Config) -> list[str]:
    until, epochs = config.model.unfreeze, config.train.epochs
    if until is None or until <= epochs or not config.model.freeze:
        return []
    return [f"model.unfreeze: epoch {until} does not come: training ends with epoch {epochs}"]


def fine_tuning(config: Config, model: Module, freezing: Freezing | None) -> list[str]:
    """What is frozen, and which layers have options of their own; nothing where that is so of none."""
    return [*_frozen(model, freezing), *_groups(config, model)]


def _frozen(model: Module, freezing: Freezing | None) -> list[str]:
    if freezing is None:
        return []
    named = dict(model.named_parameters())
    frozen = [named[name] for name in freezing.parameters]
    until = "" if freezing.until is None else f" before epoch {freezing.until}"
    told = (
        f"model.freeze: {len(frozen)} of {len(named)} tensors ({_count(frozen)} of {_count(named.values())} parameters)"
    )
    norms = len(freezing.norms)
    kept = f"; {norms} batch norm{'s stay' if norms > 1 else ' stays'} in evaluation mode" if norms else ""
    return [f"{told} do not train{until}{kept}"]


def _groups(config: Config, model: Module) -> list[str]:
    groups, names = groups_of(config.optimizer), Names.of(model)
    found = []
    for group, numbers in zip(groups, numbers_of_groups(config, names) if groups else ()):
        own = [names.parameters[number][1] for number in numbers]
        options = ", ".join(f"{key} {_shown(value)}" for key, value in group.items() if key != "match") or "as all"
        tensors = f"{len(own)} tensor{'s' if len(own) > 1 else ''}"
        found.append(f"optimizer.groups: {group['match']}: {options} ({tensors}, {_count(own)} parameters)")
    return found


def _count(parameters: Iterable[Parameter]) -> str:
    return f"{sum(parameter.numel() for parameter in parameters):,}"


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
