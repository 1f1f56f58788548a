"""Every sample against torch's stored numbers, where torch is not needed."""

from __future__ import annotations

import functools

import numpy as np

import lenetcli as lenet
from tests.cases import each_by_name
from tests.ops.references import FILE, checksum, flat, numbered
from tests.ops.sample import Sample
from tests.ops.test_sweep import backward, call


@functools.cache
def stored() -> dict[str, tuple[int, np.ndarray]]:
    with np.load(FILE) as file:
        ends = np.cumsum(file["sizes"])
        rows = np.split(file["values"], ends[:-1])
        return {str(key): (int(total), row) for key, total, row in zip(file["keys"], file["sums"], rows)}


@each_by_name(numbered(), "numbered_sample", lambda one: one[1].name)
def test_values_and_gradients_equal_what_torch_gave(numbered_sample: tuple[str, Sample]) -> None:
    key, sample = numbered_sample
    assert key in stored(), "a new sample: run python -m tests.ops.references with torch installed"
    total, wanted = stored()[key]
    assert checksum(sample) == total, "the sample has changed: run python -m tests.ops.references with torch installed"
    leaves, outs = call(sample, np.float64)
    if sample.grad:
        backward(outs, lambda seed, out: lenet.tensor(seed, dtype=out.dtype))
    gradients = [None if x.grad is None else x.grad.numpy() for x in leaves]
    found = flat([o.detach().numpy() for o in outs], gradients)
    single = any(o.dtype is lenet.float32 for o in outs)
    tolerance = 10 * sample.tolerance * (1 if single else 1e-5)
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)
