"""Arrays of all memory orders, and comparison of a native twin's results with its reference's."""

from __future__ import annotations

from typing import Any

import numpy as np

from lenetcli.kernels import native
from lenetcli.kernels.layout import images, logical, pixels, stored
from lenetcli.kernels.native.twins import twins

ORDERS = ["rows", "batch_last", "strided", "channels_last"]
BATCHES = [1, 15, 16, 17, 64]


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def ordered(x: np.ndarray, order: str) -> np.ndarray:
    """The same values in another memory order."""
    if order == "batch_last":
        return logical(stored(x))
    if order == "channels_last" and x.ndim > 2:
        return images(pixels(x))
    if order == "strided":
        room = np.zeros(tuple(2 * n for n in x.shape), x.dtype)
        view = room[tuple(slice(None, None, 2) for _ in x.shape)]
        view[...] = x
        return view
    return np.ascontiguousarray(x)


def close(found: Any, wanted: Any, tolerance: float = 2e-5) -> None:
    """Equal to rounding, NaN and infinities in the same places."""
    if wanted is None:
        assert found is None
        return
    assert found.shape == wanted.shape
    assert found.dtype == wanted.dtype
    scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=1)
    kernels = f"kernels {native.target()}"
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance * scale, err_msg=kernels)


def chosen(gradients: Any, needs: tuple[bool, ...]) -> list[Any]:
    """Those of all gradients that are asked for."""
    return [gradient if needed else None for gradient, needed in zip(gradients, needs)]


def normal(random: np.random.Generator, *shape: int) -> np.ndarray:
    return random.standard_normal(shape).astype(np.float32)


def twin(name: str) -> Any:
    return twins()[name]
