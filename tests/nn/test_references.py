"""Every layer sample against torch's stored numbers, where torch is not needed."""

from __future__ import annotations

import functools
import warnings

import numpy as np

import lenetcli as lenet
from tests.cases import each_by_name
from tests.nn.references import FILE, numbered, numbers
from tests.nn.sample import LayerSample


@functools.cache
def stored() -> dict[str, np.ndarray]:
    with np.load(FILE) as file:
        rows = np.split(file["values"], np.cumsum(file["sizes"])[:-1])
        return dict(zip(map(str, file["keys"]), rows))


@each_by_name(numbered(), "numbered_sample", lambda one: one[1].name)
def test_outputs_gradients_and_buffers_equal_what_torch_gave(numbered_sample: tuple[str, LayerSample]) -> None:
    key, sample = numbered_sample
    assert key in stored(), "a new sample: run python -m tests.nn.references with torch installed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # deprecated uses, as in torch
        found = numbers(lenet, lenet.from_numpy, sample)
    tolerance = 10 * sample.tolerance
    np.testing.assert_allclose(found, stored()[key], rtol=tolerance, atol=tolerance)
