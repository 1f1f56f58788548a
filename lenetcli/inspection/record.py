"""What the product shows as plain data, as JSON can hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType
from typing import Any, ClassVar


class Record:
    """A dataclass that is shown with its own fields, in their order.

    Args:
        SHOWN: attributes that are shown instead, properties among them.
        KEYS: other names of fields, where JSON has them; None leaves a field out.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Look(Record):
        ...     KEYS: ClassVar = {"kind": "type"}
        ...     step: int
        ...     norms: list[float]
        ...     kind: str
        >>> Look(3, [1.0, float("nan")], "Linear").record()
        {'step': 3, 'norms': [1.0, None], 'type': 'Linear'}
    """

    SHOWN: ClassVar[tuple[str, ...]] = ()
    KEYS: ClassVar[dict[str, str | None]] = {}

    def record(self) -> dict[str, Any]:
        """As JSON holds it."""
        return _fields(self, self.SHOWN, self.KEYS)


def _fields(value: Any, shown: tuple[str, ...] = (), keys: Mapping[str, str | None] = MappingProxyType({})) -> Any:
    names = shown or [field.name for field in fields(value)]
    named = {keys.get(name, name): getattr(value, name) for name in names}
    return {name: strict(inner) for name, inner in named.items() if name is not None}


def strict(value: Any) -> Any:
    """Plain data as JSON can hold it, records and dataclasses as their fields.

    NaN and infinities, for which JSON has no number, become None.

    Example:
        >>> strict({"loss": float("nan"), "norms": (1.0, float("inf"))})
        {'loss': None, 'norms': [1.0, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: strict(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [strict(inner) for inner in value]
    if hasattr(value, "record"):
        return strict(value.record())
    return _fields(value) if is_dataclass(value) else value
