"""The native twins by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lenetcli.kernels.native import absent


def twins() -> dict[str, Callable[..., Any]]:
    """The native twins by name; none where the module is absent."""
    if absent is not None:
        return {}
    from lenetcli.kernels.native import (
        attention,
        checksum,
        conv,
        flatten,
        grouped,
        linear,
        norm,
        pointwise,
        pool,
        recurrent,
        resize,
        update,
    )

    families = attention, checksum, conv, flatten, grouped, linear, norm, pointwise, pool, recurrent, resize, update
    return {name: getattr(family, name) for family in families for name in family.__all__}
