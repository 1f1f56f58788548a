"""Parameters with options of the optimizer of their own: `optimizer.groups`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lenetcli.build.model import made
from lenetcli.build.name_patterns import Names, names_of_pattern
from lenetcli.config import Config
from lenetcli.config.parameter_groups import groups_of
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.tensors.creation import zeros


def parameter_groups(config: Config, model: Module) -> list[Any]:
    """What the optimizer is made of: all parameters, or groups of them where the configuration has some.

    A parameter is in the first group whose pattern matches it; what none takes comes first, with the options of all.

    Raises:
        ConfigError: a pattern that matches nothing, or only what groups before it have taken; options out of range.
    """
    groups = groups_of(config.optimizer)
    if not groups:
        return list(model.parameters())
    names = Names.of(model)
    numbers = numbers_of_groups(config, names)
    made_of: list[dict[str, Any]] = []
    for i, (group, own) in enumerate(zip(groups, numbers)):
        made_of.append({"params": [names.parameters[n][1] for n in own], **options_of(config, i, group)})
    taken = {number for own in numbers for number in own}
    rest = [parameter for number, (_, parameter) in enumerate(names.parameters) if number not in taken]
    return [{"params": rest}, *made_of] if rest else made_of


def rates(config: Config, model: Module) -> dict[str, float]:
    """The learning rate that each parameter's training begins with, by name; empty where all have the same."""
    if not config.model.freeze and not groups_of(config.optimizer):
        return {}
    optimizer = made(config, config.optimizer, parameter_groups(config, model))
    found = {id(p): group["lr"] for group in optimizer.param_groups if "lr" in group for p in group["params"]}
    return {name: float(found[id(p)]) for name, p in model.named_parameters() if id(p) in found}


def numbers_of_groups(config: Config, names: Names) -> list[list[int]]:
    """The numbers of the parameters that each group takes.

    Raises:
        ConfigError: a pattern that matches nothing, or only what groups before it have taken.
    """
    taken: dict[int, int] = {}
    found = []
    for i, group in enumerate(groups_of(config.optimizer)):
        path, pattern = (*config.optimizer.path, "groups", i, "match"), group["match"]
        numbers = names.numbers(names_of_pattern(config, names, pattern, path))
        own = [number for number in numbers if number not in taken]
        if not own:
            what = f"matches what groups[{taken[numbers[0]]}] has already" if numbers else "has no parameters"
            hint = "the first pattern that matches a parameter counts: put the narrower one first" if numbers else ""
            raise config.error(path, f"{pattern}: {what}", hint)
        taken |= dict.fromkeys(own, i)
        found.append(own)
    return found


def options_of(config: Config, number: int, group: dict[str, Any]) -> dict[str, Any]:
    """All options of a group, in the optimizer's own order, checked by it.

    Raises:
        ConfigError: one that is out of range.
    """
    spec = config.optimizer
    own = {name: value for name, value in group.items() if name != "match"}
    trial = replace(spec, args={**spec.args, **own}, path=(*spec.path, "groups", number))
    defaults: dict[str, Any] = made(config, trial, [Parameter(zeros(1, 1))]).defaults
    return defaults


def stand_ins(config: Config) -> list[Any]:
    """Parameters in as many groups as the optimizer may have, with their options, to try a scheduler on."""
    groups = [{key: value for key, value in group.items() if key != "match"} for group in groups_of(config.optimizer)]
    return [{"params": [Parameter(zeros(1, 1))], **group} for group in [{}, *groups]]
