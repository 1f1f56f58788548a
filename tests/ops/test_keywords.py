"""torch's other words for arguments: `axis=`, `keepdims=` and `out=` of the functions that lenetcli offers."""

from __future__ import annotations

import pickle
from types import FunctionType

import numpy as np
import pytest

import lenetcli as lenet


def test_every_function_can_be_pickled_by_its_name() -> None:
    functions = [value for name in lenet.__all__ if isinstance(value := getattr(lenet, name), FunctionType)]
    assert len(functions) > 300
    for function in functions:
        assert pickle.loads(pickle.dumps(function)) is function


def test_numpys_words_mean_torchs() -> None:
    x = lenet.arange(6.0).reshape(2, 3)
    assert lenet.sum(x, axis=0, keepdims=True).tolist() == lenet.sum(x, dim=0, keepdim=True).tolist()
    assert x.amax(axis=1).tolist() == [2.0, 5.0]
    with pytest.raises(TypeError, match="multiple values for argument 'dim'"):
        lenet.sum(x, dim=0, axis=0)


def test_out_takes_the_result() -> None:
    x, z = lenet.arange(6.0).reshape(2, 3), lenet.empty(2, 3)
    assert lenet.add(x, 1, out=z) is z
    np.testing.assert_array_equal(z.numpy(), x.numpy() + 1)
    values, indices = lenet.empty(2), lenet.empty(2, dtype=lenet.int64)
    lenet.max(x, 1, out=(values, indices))
    assert (values.tolist(), indices.tolist()) == ([2.0, 5.0], [2, 2])
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        lenet.mul(x.requires_grad_(), 2, out=lenet.empty(2, 3))
    with pytest.raises(RuntimeError, match="can't be cast to the desired output type"):
        lenet.mul(x.detach(), 2, out=lenet.empty(2, 3, dtype=lenet.int64))
    with pytest.raises(TypeError, match="argument 'out' must be Tensor, not list"):
        lenet.mul(x.detach(), 2, out=[1.0])
