"""How linear layers start, and what they refuse; test_module_sweep.py compares them with torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import ShapeError


@pytest.mark.parametrize(
    ("make", "bound"),
    [(lambda: nn.Linear(100, 50), 0.1), (lambda: nn.Bilinear(100, 3, 50), 0.1)],
    ids=["Linear", "Bilinear"],
)
def test_weights_start_uniform(make: Any, bound: float) -> None:
    lenet.manual_seed(0)
    layer = make()
    for parameter in layer.parameters():
        values = parameter.detach().numpy()
        assert np.abs(values).max() <= bound
        assert abs(values.std() - bound / 3**0.5) < 0.2 * bound


def test_inputs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="takes 3 features"):
        nn.Linear(3, 2)(lenet.ones(1, 4))
    for a, b in (((4, 3), (5, 2)), ((4, 2), (4, 3)), ((), (2,))):
        with pytest.raises(ShapeError, match="bilinear"):
            nn.Bilinear(3, 2, 5)(lenet.ones(*a), lenet.ones(*b))
    with pytest.raises(ValueError, match="in1_features"):
        nn.Bilinear(0, 2, 5)
    with pytest.raises(RuntimeError, match="same dtype"):
        nn.Bilinear(3, 2, 5)(lenet.ones(1, 3).double(), lenet.ones(1, 2))
