"""Weights to torch and back: the same keys, the same bits, the same outputs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.foreign import fitted
from lenetcli.export.weights import npz_bytes, safetensors_bytes
from lenetcli.tensors.serialization import load, load_metadata
from tests.export.nets import expected, settled


def net(package: object) -> object:
    """The same net of either package: convolutions, batch norm, linear."""
    n = package
    return n.Sequential(  # type: ignore[attr-defined]
        n.Conv2d(1, 4, 3), n.BatchNorm2d(4), n.ReLU(), n.MaxPool2d(2), n.Flatten(), n.Linear(36, 5)  # type: ignore[attr-defined]
    )  # fmt: skip


def test_torch_loads_our_safetensors_and_gives_the_same_outputs(torch: Any, tmp_path: Path) -> None:
    safetensors_torch = pytest.importorskip("safetensors.torch")
    ours = settled(net(nn))  # type: ignore[arg-type]
    (tmp_path / "w.safetensors").write_bytes(safetensors_bytes(ours, {"lenet.config": "name: a"}))
    theirs = net(torch.nn)
    print(theirs.load_state_dict(safetensors_torch.load_file(tmp_path / "w.safetensors")))  # type: ignore[attr-defined]
    x = np.random.default_rng(0).standard_normal((3, 1, 8, 8), np.float32)
    with torch.no_grad():
        wanted = theirs.eval()(torch.from_numpy(x)).numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(expected(ours, x), wanted, rtol=1e-5, atol=1e-6)


def test_from_torch_and_back_every_bit_stays(torch: Any, tmp_path: Path) -> None:
    safetensors_torch = pytest.importorskip("safetensors.torch")
    theirs = net(torch.nn)
    theirs(torch.randn(8, 1, 8, 8))  # type: ignore[operator]  # moves the running statistics
    state = theirs.state_dict()  # type: ignore[attr-defined]
    safetensors_torch.save_file(state, tmp_path / "in.safetensors")
    ours = net(nn)
    fit = fitted(ours, load(tmp_path / "in.safetensors"), "in")  # type: ignore[arg-type]
    ours.load_state_dict(fit.tensors)  # type: ignore[attr-defined]
    (tmp_path / "out.safetensors").write_bytes(safetensors_bytes(ours))  # type: ignore[arg-type]
    back = safetensors_torch.load_file(tmp_path / "out.safetensors")
    assert list(fit.told()) == []
    assert back.keys() == state.keys()
    for key, tensor in state.items():
        assert back[key].dtype == tensor.dtype, key
        assert back[key].numpy().tobytes() == tensor.numpy().tobytes(), key


def test_the_text_beside_the_weights_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(safetensors_bytes(nn.Linear(2, 2), {"lenet.config": "name: é"}))
    assert load_metadata(path) == {"format": "pt", "lenet.config": "name: é"}


def test_npz_holds_an_array_for_each_key() -> None:
    model = settled(net(nn))  # type: ignore[arg-type]
    with np.load(io.BytesIO(npz_bytes(model)), allow_pickle=False) as held:
        assert list(held) == list(model.state_dict())
        for key, tensor in model.state_dict().items():
            assert held[key].dtype == tensor.numpy().dtype
            assert np.array_equal(held[key], tensor.numpy()), key


def given(**changes: object) -> dict[str, lenet.Tensor]:
    """The state of a small net, with changes; None takes a key away."""
    state = {key: value.clone() for key, value in nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)).state_dict().items()}
    for key, value in changes.items():
        name = key.replace("_", ".", 1)
        if value is None:
            del state[name]
        else:
            state[name] = value  # type: ignore[assignment]
    return state


def problems(state: dict[str, lenet.Tensor]) -> str:
    with pytest.raises(DataError) as caught:
        fitted(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), state, "w.safetensors")
    return str(caught.value)


def test_all_differences_are_listed_with_the_nearest_names() -> None:
    state = given(**{"0_weight": None, "1_bias": None})
    state["0.wieght"], state["head.bias"] = lenet.zeros(3, 4), lenet.zeros(7)
    state["1.weight"] = lenet.zeros(2, 5)
    assert problems(state) == (
        "w.safetensors: these weights are not of this model:\n"
        "  0.weight [3, 4]: not in the file; the file has 0.wieght [3, 4]\n"
        "  1.weight: the file has shape [2, 5], the model [2, 3]\n"
        "  1.bias [2]: not in the file; the file has head.bias [7]\n"
        "  0.wieght [3, 4]: in the file, not in the model\n"
        "  head.bias [7]: in the file, not in the model\n"
        "  strict: false would take the 1 that fit, and start the others anew"
    )


def test_a_long_list_of_differences_is_cut() -> None:
    state = {f"layer{i}.weight": lenet.zeros(1) for i in range(30)}
    assert problems(state).endswith("\n  ... and 22 more")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod.", "_orig_mod.module."])
def test_a_prefix_of_all_names_is_taken_off(prefix: str) -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    fit = fitted(model, {prefix + key: value for key, value in given().items()}, "w")
    assert list(fit.tensors) == list(given())
    assert fit.notes == (f"names without their prefix {prefix!r}",)


def test_the_weights_of_an_averaged_model_are_taken() -> None:
    state = {"n_averaged": lenet.tensor(3), **{f"module.{key}": value for key, value in given().items()}}
    fit = fitted(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), state, "w")
    assert list(fit.tensors) == list(given())
    assert len(fit.notes) == 2
    assert "n_averaged" in fit.notes[0]


def test_other_floats_are_converted_and_the_loss_is_told() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    state = given(**{"0_weight": lenet.zeros(3, 4, dtype=lenet.float64), "0_bias": lenet.zeros(3, dtype=lenet.float16)})
    assert fitted(model, state, "w").notes == ("1 tensors rounded to float32, 0.weight among them",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lenet.tensor([1, 2, 3]), "0.bias is of type int64, the model's is float32"),
        (lenet.tensor([1.0, float("nan"), 0.0]), "0.bias holds NaN or infinite values"),
        ([1.0], "wanted a flat list of tensors, but '0.bias' is none"),
    ],
)
def test_values_that_no_model_has_are_refused(value: object, message: str) -> None:
    assert problems(given(**{"0_bias": value})) == f"w.safetensors: {message}"


def test_batch_norm_may_lack_its_counter() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    state = {key: value.clone() for key, value in model.state_dict().items() if "tracked" not in key}
    found = fitted(model, state, "w").tensors
    assert found["0.num_batches_tracked"].item() == 0
