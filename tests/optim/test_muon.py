"""Muon beyond the sweeps: copies, what is no matrix, NaN, what bfloat16 rounds, and a net of matrices in YAML."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import optim
from lenetcli.optim.muon import orthogonalized
from tests.commands import run

ROOT = Path(__file__).parent.parent.parent
COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def matrix(*shape: int) -> Any:
    return lenet.from_numpy(np.random.default_rng(0).standard_normal(shape).astype(np.float32)).requires_grad_()


def test_what_does_not_fit_is_refused() -> None:
    w = matrix(2, 3)
    for options, words in (
        ({"lr": -1.0}, "Learning rate should be >= 0 but is: -1.0"),
        ({"momentum": -1.0}, "momentum should be >= 0 but is: -1.0"),
        ({"weight_decay": float("nan")}, "weight decay should be >= 0 but is: nan"),
        ({"adjust_lr_fn": "adam"}, "Adjust learning rate function adam is not supported; use 'original'"),
        ({"ns_coefficients": (1.0, 2.0)}, "exactly 3 values"),
        ({"ns_steps": 100}, "less than 100"),
        ({"lr": lenet.ones(2)}, "Tensor lr must be 1-element"),
    ):
        with pytest.raises(ValueError, match=words):
            optim.Muon([w], **options)
    optimizer = optim.Muon([w])
    with pytest.raises(ValueError, match=r"Muon only supports 2D parameters .* torch.Size\(\[3\]\); give it the matr"):
        optimizer.add_param_group({"params": [lenet.ones(3, requires_grad=True)]})
    assert len(optimizer.param_groups) == 1


def test_a_copy_steps_alike_and_what_has_no_gradient_stays() -> None:
    w, still = matrix(3, 2), matrix(2, 2)
    before = still.tolist()
    optimizer = optim.Muon([w, still], lr=0.1)
    w.grad = matrix(3, 2).detach()
    optimizer.step()
    other = copy.deepcopy(optimizer)
    for one in (optimizer, other):
        one.param_groups[0]["params"][0].grad = lenet.ones(3, 2)
        one.step(lambda: None)
    assert other.param_groups[0]["params"][0].tolist() == w.tolist()
    assert still.tolist() == before


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (40, 100), (120, 84)])
def test_singular_values_come_near_one(torch: Any, shape: tuple[int, int]) -> None:
    from torch.optim._muon import _zeropower_via_newtonschulz as reference

    x = matrix(*shape).detach().numpy()
    found = orthogonalized(x, COEFFICIENTS, 5, 1e-7)
    wanted = reference(torch.from_numpy(x), COEFFICIENTS, 5, 1e-7).float().numpy()
    np.testing.assert_allclose(found, wanted, atol=0.01)  # bfloat16 has eight bits, and large sums another order
    assert np.array_equal(found, wanted) or x.size > 100
    values = np.linalg.svd(found, compute_uv=False)
    assert values.max() < 1.3
    assert values.min() > 0.3


def test_nan_and_infinity_spread_as_in_torch(torch: Any) -> None:
    for bad in (np.nan, np.inf, 1e30, 0.0):
        x = np.float32([[bad, 1.0], [2.0, 3.0], [0.0, -1.0]])
        ours, theirs = matrix(3, 2), torch.from_numpy(matrix(3, 2).detach().numpy().copy()).requires_grad_()
        ours.grad, theirs.grad = lenet.from_numpy(x), torch.from_numpy(x)
        optim.Muon([ours], lr=0.1).step()
        torch.optim.Muon([theirs], lr=0.1).step()
        np.testing.assert_allclose(ours.detach().numpy(), theirs.detach().numpy(), rtol=1e-6, err_msg=str(bad))


def test_a_config_of_matrices_trains_and_one_with_biases_says_what_is_wrong(tmp_path: Path) -> None:
    muon, config = "optimizer={type: Muon, lr: 0.02}", str(ROOT / "configs" / "mlp.yaml")
    run(["validate", config, muon], tmp_path).assert_refused(2, "optimizer: Muon: Muon only supports 2D parameters")
    layers = "model.layers=[{type: Flatten}, {type: Linear, out_features: 10, bias: false}]"
    done = run(["train", config, muon, layers, "train.epochs=1", "--out", "runs/1"], tmp_path)
    assert done.code == 0, done.err
    shown = run(["step", "runs/1"], tmp_path)
    assert shown.code == 0, shown.err
    assert "Muon, by one number" in shown.out
