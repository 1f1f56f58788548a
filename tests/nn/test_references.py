"""Every layer sample against torch's stored numbers, where torch is not needed."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest

import lenetcli as lenet
from tests.nn.references import FILE, numbered, numbers
from tests.nn.sample import LayerSample


@functools.cache
def stored() -> dict[str, np.ndarray]:
    with np.load(FILE) as file:
        rows = np.split(file["values"], np.cumsum(file["sizes"])[:-1])
        return dict(zip(map(str, file["keys"]), rows))


@pytest.mark.parametrize(("key", "sample"), numbered(), ids=lambda v: v if isinstance(v, str) else "")
def test_outputs_gradients_and_buffers_equal_what_torch_gave(key: str, sample: LayerSample) -> None:
    assert key in stored(), "a new sample: run python -m tests.nn.references with torch installed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # deprecated uses, as in torch
        found = numbers(lenet, lenet.from_numpy, sample)
    tolerance = 10 * sample.tolerance
    np.testing.assert_allclose(found, stored()[key], rtol=tolerance, atol=tolerance)
