"""Pictures in another size have the same bits on every machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from lenetcli.data.pictures import shrink
from lenetcli.data.transforms import Preprocessing, resize
from lenetcli.export import numpy_ops
from lenetcli.kernels.layout import Array
from lenetcli.kernels.rescale import pixel_weights, rescaled

SIZES = [(20, 35), (9, 12), (40, 7), (28, 28), (13, 1)]


def digest() -> str:
    """Of pictures in many sizes, by all ways on which the product makes them."""
    pixels = np.random.default_rng(0).integers(0, 256, (70, 2, 28, 26)).astype(np.uint8)
    found = hashlib.sha256()
    for size in SIZES:
        for x in (resize(pixels, size), shrink(pixels, size), Preprocessing(1 / 255, size, (0.1, 0.3))(pixels)):
            found.update(np.ascontiguousarray(x, "<f4").tobytes())
    return found.hexdigest()[:16]


def test_a_resized_picture_has_these_bits_on_every_machine() -> None:
    assert digest() == "6cfbda637e8518b5"


@pytest.mark.parametrize("core", ["Nehalem", "Haswell"])
def test_the_kind_of_processor_that_blas_sees_does_not_matter(core: str) -> None:
    code = "from tests.kernels.test_rescale import digest; print(digest())"
    environment = {**os.environ, "OPENBLAS_CORETYPE": core, "OPENBLAS_VERBOSE": "0", "LENET_KERNELS": "numpy"}
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    if core == "Haswell" and child.returncode < 0:
        pytest.skip("this processor has no AVX2")
    assert (child.stdout.strip(), child.stderr) == (digest(), "")


@pytest.mark.parametrize(("size", "out"), [(8, 32), (32, 8), (28, 20), (5, 1), (1, 5), (7, 7), (301, 3), (3, 301)])
def test_weights_add_up_to_one_and_a_plain_picture_stays_plain(size: int, out: int) -> None:
    for width in {1.0, max(size / out, 1)}:
        places, weights = pixel_weights(size, out, width)
        assert places.shape == weights.shape
        assert places.min() >= 0
        assert places.max() < size
        np.testing.assert_allclose(weights.sum(0), 1, rtol=1e-6)
        np.testing.assert_allclose(rescaled(np.full((2, size), 7, np.float32), 1, places, weights), 7, rtol=1e-6)


def dense(x: Array, axis: int, out: int, width: float) -> Array:
    """The same as a matrix product in double precision."""
    size = x.shape[axis]
    centre = (np.arange(out) + 0.5) * (size / out) - 0.5
    centre = np.clip(centre, 0, size - 1) if width == 1 else centre
    weights = np.clip(1 - np.abs(np.arange(size) - centre[:, None]) / width, 0, None)
    weights /= weights.sum(1, keepdims=True)
    return np.moveaxis(np.moveaxis(x.astype(np.float64), axis, -1) @ weights.T, -1, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("out", [1, 4, 9, 23])
def test_it_is_a_product_with_the_weights_of_all_pixels(axis: int, out: int) -> None:
    x = np.random.default_rng(0).random((9, 10, 11)).astype(np.float32)
    for width in {1.0, max(x.shape[axis] / out, 1)}:
        found = rescaled(x, axis, *pixel_weights(x.shape[axis], out, width))
        np.testing.assert_allclose(found, dense(x, axis, out, width), rtol=1e-5)


def test_an_exported_file_has_the_very_same_functions() -> None:
    assert numpy_ops.rescaled is rescaled
    assert numpy_ops.pixel_weights is pixel_weights
