"""The keys of a scheduler beside its constructor's arguments: when it steps, and what it watches."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from lenetcli.config.signature import Argument

if TYPE_CHECKING:
    from lenetcli.config.components import Component

Unit = Literal["epoch", "batch"]
Watched = Literal["loss", "accuracy"]

_STEP = "When it steps: after each epoch, or after each batch (each step of the optimizer)."
_WATCH = "What it looks at in each evaluation: by default the loss for mode: min, the accuracy for mode: max."


def keys_of(cls: Any) -> tuple[Argument, ...]:
    """The keys that a config may give to a scheduler beside those of its constructor."""
    from lenetcli.optim.lr_scheduler import ReduceLROnPlateau

    unit = inspect.Parameter.empty if _is_composite(cls) else cls.unit
    found = [Argument("step", Unit, False, unit, _STEP, _is_composite(cls), False, False, False)]
    if issubclass(cls, ReduceLROnPlateau):
        empty = inspect.Parameter.empty
        found.append(Argument("watch", Watched, False, empty, _WATCH, True, False, False, False))
    own = inspect.signature(cls.__init__).parameters
    return tuple(key for key in found if key.name not in own)


def parts_of(spec: Component) -> list[Component]:
    """The schedulers that one is made of."""
    if getattr(spec.cls, "not_imported", False):
        return []
    found = spec.args.get("schedulers", ())
    return list(found) if isinstance(found, (list, tuple)) else [found]


def unit_of(spec: Component) -> Unit | None:
    """When a scheduler steps; None where the config does not say and its parts differ."""
    given: Unit | None = spec.keys.get("step")
    if given is not None:
        return given
    units = set(_units(spec))
    return units.pop() if len(units) == 1 else None


def watched_by(spec: Component) -> Watched | None:
    """What a scheduler looks at; None where it looks at nothing."""
    if not any(key.name == "watch" for key in keys_of(spec.cls)):
        return None
    by_mode: Watched = "accuracy" if spec.args.get("mode") == "max" else "loss"
    return spec.keys.get("watch", by_mode)


def _units(spec: Component) -> Iterator[Unit]:
    if _is_composite(spec.cls):
        for part in parts_of(spec):
            yield from _units(part)
    else:
        yield spec.cls.unit


def _is_composite(cls: Any) -> bool:
    return "schedulers" in inspect.signature(cls.__init__).parameters
