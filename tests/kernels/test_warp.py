"""Pictures moved and warped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lenetcli.kernels.warp import moved, warped

FILL = np.array([-1.0, 2.0], np.float32)


def pictures(n: int = 5, h: int = 6, w: int = 7) -> np.ndarray:
    """(C, H, W, N)."""
    return np.random.default_rng(0).random((2, h, w, n), dtype=np.float32)


def test_pictures_are_mirrored_and_moved_as_one_by_one() -> None:
    x = pictures()
    down, right = np.array([0, 1, -2, 3, 6]), np.array([0, -3, 2, 0, 1])
    mirrored = np.array([True, False, True, True, False])
    found = moved(x, down, right, mirrored, FILL)
    for i in range(5):
        one = x[:, :, ::-1, i] if mirrored[i] else x[..., i]
        expected = np.broadcast_to(FILL[:, None, None], one.shape).copy()
        for r in range(6):
            for c in range(7):
                if 0 <= r - down[i] < 6 and 0 <= c - right[i] < 7:
                    expected[:, r, c] = one[:, r - down[i], c - right[i]]
        np.testing.assert_array_equal(found[..., i], expected)


def test_the_map_that_changes_nothing_changes_nothing() -> None:
    x = pictures()
    unturned = np.repeat(np.eye(2)[:, :, None], 5, axis=2)
    np.testing.assert_array_equal(warped(x, unturned, np.zeros((2, 5)), FILL), x)


def test_whole_pixels_are_as_moved() -> None:
    x = pictures()
    down, right = np.array([0, 1, -2, 3, 20]), np.array([0, -3, 2, 0, 1])
    matrix = np.repeat(np.diag([1.0, -1.0])[:, :, None], 5, axis=2)
    offset = np.stack([-down, right]).astype(float)
    expected = moved(x, down, right, np.ones(5, np.bool_), FILL)
    np.testing.assert_allclose(warped(x, matrix, offset, FILL), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 7), (1, 1), (9, 2)])
def test_warping_equals_torchs_grid_sample(torch: Any, shape: tuple[int, int]) -> None:
    h, w = shape
    x = pictures(4, h, w)
    rng = np.random.default_rng(1)
    matrix, offset = rng.normal(0, 0.8, (2, 2, 4)), rng.normal(0, 2, (2, 4))
    rows, columns = np.meshgrid(np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2, indexing="ij")
    at = np.einsum("ijn,jp->inp", matrix, np.stack([rows.ravel(), columns.ravel()])) + offset[..., None]
    # grid_sample wants (x, y), with -1 and 1 at the outer borders of the outer pixels
    grid = np.stack([at[1] / (w / 2), at[0] / (h / 2)], axis=-1).reshape(4, h, w, 2)
    images = torch.tensor(x.transpose(3, 0, 1, 2), dtype=torch.float64)
    expected = torch.nn.functional.grid_sample(images, torch.tensor(grid), padding_mode="zeros", align_corners=False)
    found = warped(x, matrix, offset, np.zeros(2, np.float32)).transpose(3, 0, 1, 2)
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)
