"""The learning-rate schedule of a configuration: its lengths follow from the training's, or have to fit them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from lenetcli import optim
from lenetcli.build.model import made, refusals
from lenetcli.build.parameter_groups import stand_ins
from lenetcli.config import Component, Config, dotted
from lenetcli.config.problems import Hint
from lenetcli.config.scheduling import parts_of, unit_of
from lenetcli.config.user_code import told
from lenetcli.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    OneCycleLR,
    PolynomialLR,
    ReduceLROnPlateau,
    SequentialLR,
)

LEAST = {
    **dict.fromkeys(("T_max", "T_0", "T_mult", "step_size", "step_size_up", "step_size_down"), 1),
    **dict.fromkeys(("total_steps", "epochs", "steps_per_epoch"), 1),
    **dict.fromkeys(("total_iters", "patience", "cooldown"), 0),
}
SOME_STEPS = 1000  # of an epoch, where nobody has looked how many there are


def with_lengths(config: Config, steps: int | None = None) -> Config:
    """The config with the lengths written in that its schedule leaves out, as far as they are known.

    Args:
        steps: optimizer steps of an epoch; None where the data has not been looked at.
    """
    if config.scheduler is None:
        return config
    return replace(config, scheduler=_filled(config, config.scheduler, _total(config, steps)))


def build_scheduler(config: Config, optimizer: optim.Optimizer, steps: int | None = None) -> Any:
    """The scheduler, or None where the config has none.

    Args:
        steps: optimizer steps of an epoch; None where the data has not been looked at: then what is given for a try has
            lengths that may be made up.

    Raises:
        ConfigError: an argument is out of range, or the schedule does not fit the training.
    """
    spec = config.scheduler
    if spec is None:
        return None
    _check_unit(config, spec)
    _check_sizes(config, spec)
    spec = with_lengths(config, steps).scheduler
    assert spec is not None
    known = _total(config, steps)
    whole = _filled(config, spec, SOME_STEPS * config.train.epochs) if known is None else spec
    _try(config, whole)
    scheduler = _made(config, whole, optimizer)
    if known is not None:
        for part, need, _ in _spans(spec, known):
            _check_length(config, part, need)
    return scheduler


def hints(config: Config, steps: int | None = None) -> list[str]:
    """What a schedule that can be followed does, and hardly anybody wants: it is not over, or over too soon."""
    spec = config.scheduler
    total = None if spec is None else _total(config, steps)
    if spec is None or total is None or not total:
        return []
    found = []
    for part, _, span in _spans(spec, total):
        name, length = _length(part)
        if length is None or length == span or span < 1:
            continue
        given, units = f"{part.type} is made for {name}: {length}", f"{span} {_units(config, span)}"
        if length > span:
            found.append(f"{given}, but goes on for {units}: the learning rate does not come down to its end")
        elif issubclass(part.cls, CosineAnnealingLR):
            found.append(f"{given}, but goes on for {units}: the learning rate rises again")
        elif issubclass(part.cls, PolynomialLR):
            found.append(f"{given}, but goes on for {units}: the learning rate is 0 for the rest")
    return [f"scheduler: {text}; without {_length(part)[0]} it follows the training" for text in found]


def _total(config: Config, steps: int | None) -> int | None:
    """How often the scheduler steps in the whole training; None where that is not known."""
    assert config.scheduler is not None
    epochs = config.train.epochs
    if unit_of(config.scheduler) == "epoch":
        return epochs
    return None if steps is None else epochs * steps


def _units(config: Config, count: int) -> str:
    assert config.scheduler is not None
    unit = "epoch" if unit_of(config.scheduler) == "epoch" else "step"
    return unit if count == 1 else f"{unit}s"


def _spans(spec: Component, total: int | None) -> Iterator[tuple[Component, int, int]]:
    """Schedulers that are not made of others, the steps that each must be able to make, and those that are its own."""
    for part, need, span in _parts(spec, total):
        if parts_of(part):
            for inner, inner_need, inner_span in _spans(part, span):
                yield inner, min(need, inner_need), inner_span
        else:
            yield part, need, span


def _parts(spec: Component, total: Any) -> Iterator[tuple[Component, Any, Any]]:
    """The schedulers that one is made of, or itself, with its steps."""
    parts = parts_of(spec)
    if not parts:
        yield spec, total, total
    elif issubclass(spec.cls, SequentialLR):
        marks = list(spec.args.get("milestones", ()))
        for part, begin, end in zip(parts, [0, *marks], [*marks, total]):
            last = end is total
            span = None if total is None and last else (min(end, total) if total is not None else end) - begin
            yield part, span if last or span is None else span - 1, span
    else:
        for part in parts:
            yield part, total, total


def _filled(config: Config, spec: Component, total: int | None) -> Component:
    """A scheduler with the lengths that its config leaves out, where it makes so many steps (None: not known)."""
    parts = parts_of(spec)
    if parts:
        spans = [span for _, _, span in _parts(spec, total)]
        inner = [_filled(config, part, span) for part, span in zip(parts, spans)]
        inner += parts[len(inner) :]  # of a wrong number of milestones: SequentialLR says so
        return replace(spec, args={**spec.args, "schedulers": inner})
    if total is None:
        return spec
    args = dict(spec.args)
    epochs, each = args.get("epochs"), args.get("steps_per_epoch")
    if issubclass(spec.cls, OneCycleLR) and args.get("total_steps") is None and (epochs or each):
        span = max(1, total // config.train.epochs)
        args |= {"epochs": epochs or config.train.epochs, "steps_per_epoch": each or span}
        return replace(spec, args=args)
    for name in getattr(spec.cls, "from_training", ()):
        if args.get(name) is None:
            args[name] = max(1, total)
    return replace(spec, args=args)


def _made(config: Config, spec: Component, optimizer: optim.Optimizer) -> Any:
    """A scheduler, and first those it is made of."""
    parts = parts_of(spec)
    if parts:
        spec = replace(spec, args={**spec.args, "schedulers": [_made(config, part, optimizer) for part in parts]})
    return made(config, spec) if issubclass(spec.cls, ChainedScheduler) else made(config, spec, optimizer)


def _try(config: Config, spec: Component) -> None:
    """Refuses a schedule that cannot make its first step, such as one of no length. It is tried on nothing."""
    if any(a.is_function for part, *_ in _spans(spec, 1) for a in part.known):
        return  # a function of the user's own is called for the training alone
    optimizer: optim.Optimizer = made(config, config.optimizer, stand_ins(config))
    scheduler = _made(config, spec, optimizer)
    optimizer._opt_called = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            scheduler.step(1.0) if isinstance(scheduler, ReduceLROnPlateau) else scheduler.step()
    except refusals(spec) as error:
        raise config.error(spec.path, f"{spec.type}: its first step fails: {told(error)}") from error


def _check_unit(config: Config, spec: Component) -> None:
    """Refuses to guess when a scheduler of different parts steps, and what cannot step after a batch."""
    unit = unit_of(spec)
    if unit is None:
        units = ", ".join(f"{part.type}: {unit_of(part) or 'either'}" for part in parts_of(spec))
        message = f"the parts of {spec.type} are meant to step after different things ({units})"
        raise config.error(
            spec.path, message, Hint("say step: epoch or step: batch", sets=(_set(spec, "step: epoch"),))
        )
    if unit == "batch" and issubclass(spec.cls, ReduceLROnPlateau):
        message = f"{spec.type} looks at an evaluation, and there is one after each epoch"
        raise config.error((*spec.path, "step"), message, Hint("write step: epoch, or leave it out", write="epoch"))
    if spec.keys.get("watch") == "accuracy" and spec.args.get("mode", "min") == "min":
        hint = Hint("write mode: max", sets=(_set(spec, "mode: max"),))
        raise config.error((*spec.path, "watch"), "accuracy should rise, and mode: min wants a fall", hint)


def _set(spec: Component, entry: str) -> str:
    """The change of the command line that writes `key: value` into a component."""
    key, _, value = entry.partition(": ")
    return f"{dotted((*spec.path, key))}={value}"


def _check_sizes(config: Config, spec: Component) -> None:
    """Refuses lengths that are none. A scheduler would take many of them, and give rates that nobody means."""
    if not spec.cls.__module__.startswith("lenetcli."):
        return
    for name, least in LEAST.items():
        given = spec.args.get(name)
        if given is not None and given < least:
            raise config.error((*spec.path, name), f"wanted at least {least}, got {given}")
    marks = list(spec.args.get("milestones", ()))
    if issubclass(spec.cls, SequentialLR) and any(b <= a for a, b in zip([0, *marks], marks)):
        message = f"wanted rising numbers from 1, where the next scheduler begins, got {marks}"
        raise config.error((*spec.path, "milestones"), message)
    for part in parts_of(spec):
        _check_sizes(config, part)


def _check_length(config: Config, spec: Component, need: int) -> None:
    """Refuses a OneCycleLR that has fewer steps than it is asked for: it would end the training with an error."""
    if not issubclass(spec.cls, OneCycleLR):
        return
    _, length = _length(spec)
    if length is not None and length < need:
        message = f"{spec.type} is over after {length} {_units(config, length)} and would have to last for {need}"
        text = f"total_steps: {need} would fit, or leave it out"
        raise config.error(spec.path, message, Hint(text, sets=(_set(spec, f"total_steps: {need}"),)))


def _length(spec: Component) -> tuple[str, int | None]:
    """What says how long a schedule is, and how long; None where it has no length of its own."""
    args = spec.args
    if issubclass(spec.cls, OneCycleLR) and args.get("total_steps") is None:
        if args.get("epochs") is None or args.get("steps_per_epoch") is None:
            return "total_steps", None
        return "epochs and steps_per_epoch", args["epochs"] * args["steps_per_epoch"]
    return next(((name, args.get(name)) for name in getattr(spec.cls, "from_training", ())), ("", None))
