"""Functions over tensors that give Python values."""

from __future__ import annotations

import lenetcli as lenet


def test_equal_wants_shapes_and_values_to_agree() -> None:
    assert lenet.equal(lenet.ones(2), lenet.ones(2))
    assert not lenet.equal(lenet.ones(2), lenet.ones(2, 1))
    assert not lenet.equal(lenet.ones(2), lenet.zeros(2))


def test_allclose_has_tolerances_and_a_rule_for_nan() -> None:
    nan = lenet.tensor([float("nan")])
    assert lenet.allclose(lenet.ones(2), lenet.ones(2) + 1e-7)
    assert not lenet.allclose(lenet.ones(2), lenet.ones(2) + 1e-3)
    assert lenet.allclose(lenet.ones(2), lenet.ones(2) + 1e-3, atol=1e-2)
    assert not lenet.allclose(nan, nan)
    assert lenet.allclose(nan, nan, equal_nan=True)


def test_numel_and_is_tensor() -> None:
    assert lenet.numel(lenet.zeros(2, 3)) == 6
    assert lenet.is_tensor(lenet.zeros(1))
    assert not lenet.is_tensor([0.0])
