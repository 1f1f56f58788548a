"""Weights of Keras 3 for models of the same layers: stored files that Keras has written, with what Keras gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet_library
from lenetcli import nn
from lenetcli.errors import DataError
from lenetcli.export.keras import converted
from lenetcli.formats import keras_weights
from lenetcli.formats.keras_weights import KerasLayer
from tests.cli.conftest import Lenet

pytest.importorskip("h5py")
PLACE = Path(__file__).parent.parent / "onnx_import" / "files"
REST = """
data: {type: Random, shape: [%s], classes: %d}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 1}
"""
LENET = (
    """
model:
  input: [1, 12, 12]
  layers:
    - {type: Conv2d, name: conv1, out_channels: 3, kernel_size: 3}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Conv2d, name: conv2, out_channels: 4, kernel_size: 3}
    - {type: ReLU}
    - {type: Dropout}
    - {type: Flatten}
    - {type: Linear, name: fc1, out_features: 6}
    - {type: ReLU}
    - {type: Linear, name: fc2, out_features: 4}
"""
    + REST % ("1, 12, 12", 4)
)
MOBILE = (
    """
model:
  input: [3, 12, 12]
  layers:
    - {type: ZeroPad2d, padding: [0, 1, 0, 1]}
    - {type: Conv2d, out_channels: 4, kernel_size: 3, stride: 2}
    - {type: BatchNorm2d, eps: 0.001}
    - {type: ReLU6}
    - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, groups: 4}
    - {type: PReLU, num_parameters: 8}
    - {type: Conv2d, out_channels: 8, kernel_size: 3, groups: 8, bias: false}
    - {type: Conv2d, out_channels: 6, kernel_size: 1}
    - {type: AvgPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Linear, out_features: 4}
    - {type: ELU}
    - {type: Linear, out_features: 2}
"""
    + REST % ("3, 12, 12", 2)
)
RESIDUAL = (
    """
model:
  input: [3, 8, 8]
  layers:
    - {type: Conv2d, name: stem, out_channels: 4, kernel_size: 3, padding: 1, bias: false}
    - {type: BatchNorm2d, name: stem_bn, eps: 0.001}
    - {type: ReLU, name: a}
    - {type: Conv2d, name: conv, out_channels: 4, kernel_size: 3, padding: 1}
    - {type: Add, from: [a, conv]}
    - {type: ReLU, name: c}
    - {type: Conv2d, name: side, out_channels: 2, kernel_size: 1}
    - {type: Tanh, name: d}
    - {type: Concat, from: [c, d]}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: AdaptiveAvgPool2d, output_size: 1}
    - {type: Flatten}
    - {type: Linear, name: head, out_features: 3}
    - {type: Softmax, dim: 1}
"""
    + REST % ("3, 8, 8", 3)
)
MLP = (
    """
model:
  input: [6, 1, 1]
  layers:
    - {type: Flatten}
    - {type: Linear, name: a, out_features: 5}
    - {type: BatchNorm1d, name: bn, eps: 0.001}
    - {type: SELU}
    - {type: LayerNorm, name: ln, normalized_shape: 5, eps: 0.001}
    - {type: Linear, name: b, out_features: 2}
    - {type: SiLU}
"""
    + REST % ("6, 1, 1", 2)
)
RECURRENT = (
    """
model:
  input: [1, 5, 4]
  layers:
    - {type: Flatten, end_dim: 2}
    - {type: GRU, hidden_size: 3, batch_first: true, bidirectional: true}
    - {type: Steps}
    - {type: LSTM, hidden_size: 4, batch_first: true}
    - {type: Steps}
    - {type: RNN, hidden_size: 3, batch_first: true}
    - {type: Steps, at: -1}
    - {type: Linear, out_features: 2}
"""
    + REST % ("1, 5, 4", 2)
)
FLAT = (
    """
model:
  input: [2, 6, 5]
  layers:
    - {type: Conv2d, out_channels: 3, kernel_size: 3}
    - {type: LayerNorm, normalized_shape: [3, 4, 3], eps: 0.001}
    - {type: Flatten}
    - {type: BatchNorm1d, eps: 0.001}
    - {type: PReLU, num_parameters: 36}
    - {type: LayerNorm, normalized_shape: 36, eps: 0.001}
    - {type: Linear, out_features: 12}
    - {type: BatchNorm1d, eps: 0.001}
    - {type: ReLU}
    - {type: Unflatten, dim: 1, unflattened_size: [3, 2, 2]}
    - {type: ConvTranspose2d, out_channels: 2, kernel_size: 2}
    - {type: Flatten}
    - {type: Linear, out_features: 3}
"""
    + REST % ("2, 6, 5", 3)
)
CASES = {
    "flat.weights.h5": (FLAT, 1.0),
    "recurrent.weights.h5": (RECURRENT, 1.0),
    "lenet.keras": (LENET, 1.0),
    "mobile.keras": (MOBILE, 255.0),  # its Rescaling is left to the data
    "residual.weights.h5": (RESIDUAL, 1.0),
    "mlp.weights.h5": (MLP, 1.0),
}


@pytest.mark.parametrize("name", CASES)
def test_weights_of_keras_give_what_keras_gives(name: str, lenet: Lenet, place: Path) -> None:
    text, white = CASES[name]
    (place / "own.yaml").write_text(text)
    done = lenet("import", str(PLACE / name), "--config", "own.yaml", "--out", "run")
    assert done.code == 0, done.err
    from lenetcli.runs.open import load_run

    model = load_run(place / "run").model.eval()
    stored = np.load(PLACE / f"{name.partition('.')[0]}.npz")
    x = np.moveaxis(stored["x"], -1, 1) if stored["x"].ndim == 4 else stored["x"]
    x = x.reshape(-1, 6, 1, 1) if x.ndim == 2 else x[:, None] if x.ndim == 3 else x
    with lenet_library.no_grad():
        y = model(lenet_library.from_numpy(np.array(x / np.float32(white), order="C"))).numpy()
    np.testing.assert_allclose(y, stored["y"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_keras_is_shown_as_it_is(name: str, lenet: Lenet) -> None:
    shown = lenet("inspect-params", str(PLACE / name), "--json")
    assert shown.code == 0
    assert shown.err == ""
    assert '"kernel"' not in shown.out
    assert ".kernel" in shown.out
    for option in ("--tree", "--histogram"):
        assert lenet("inspect-params", str(PLACE / name), option).code == 0


def test_a_dense_layer_after_and_before_a_picture_is_reordered() -> None:
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(12, 18)).astype(np.float32), random.normal(size=18).astype(np.float32)
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 18), nn.ReLU(), nn.Unflatten(1, (2, 3, 3)))
    found = converted(model, [KerasLayer("dense", "d", (kernel, bias))], "file", (3, 2, 2))
    model.load_state_dict({key: lenet_library.from_numpy(np.array(a, order="C")) for key, a in found.items()})
    x = random.normal(size=(2, 2, 2, 3)).astype(np.float32)
    wanted = np.maximum(x.reshape(2, -1) @ kernel + bias, 0).reshape(2, 3, 3, 2)
    with lenet_library.no_grad():
        y = model(lenet_library.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))).numpy()
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), wanted, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "arrays", "said"),
    [
        (
            nn.GRU(2, 3),
            ((2, 9), (3, 9), (9,)),
            "g, for : was made with reset_after=False, whose formula is not torch's",
        ),
        (
            nn.GRU(2, 3, 2),
            ((2, 9), (3, 9), (2, 9)),
            "is one layer, and the model's has num_layers 2; write them one by",
        ),
        (nn.GRU(2, 3, bidirectional=True), ((2, 9), (3, 9), (2, 9)), "has 3 arrays, not those of 2 directions"),
        (nn.GRU(2, 3), ((2, 8), (3, 9), (2, 9)), "has 8 columns, not those of 3 gates"),
        (nn.GRU(2, 3), ((2, 12), (3, 9), (2, 9)), r"weight_ih_l0: the file has sizes [12, 2], the model [9, 2]"),
    ],
)
def test_recurrent_layers_that_differ_are_named(layer: nn.Module, arrays: Any, said: str) -> None:
    layers = [KerasLayer("gru", "g", tuple(np.zeros(shape, np.float32) for shape in arrays))]
    with pytest.raises(DataError) as refused:
        converted(layer, layers, "file", (3, 2))
    assert said in str(refused.value)


def test_groups_of_a_flattened_picture_are_refused() -> None:
    """They are other numbers of it, channels last."""
    model = nn.Sequential(nn.Flatten(), nn.GroupNorm(2, 12))
    with pytest.raises(DataError, match="normalises groups of a flattened picture's numbers"):
        converted(model, [KerasLayer("group_normalization", "g", (np.ones(12), np.zeros(12)))], "file", (3, 2, 2))


@pytest.mark.parametrize("kind", ["conv1d_transpose", "conv2d_transpose", "conv1d"])
def test_kernels_of_other_convolutions_are_turned(kind: str) -> None:
    """Against the sum that Keras documents, written out."""
    random = np.random.default_rng(0)
    if kind == "conv1d":
        kernel = random.normal(size=(3, 2, 4)).astype(np.float32)  # (K, I, O)
        layer: Any = nn.Conv1d(2, 4, 3, bias=False)
        x = random.normal(size=(1, 6, 2)).astype(np.float32)
        wanted = sum(x[:, k : k + 4] @ kernel[k] for k in range(3))
    else:
        dims = 2 if "2d" in kind else 1
        kernel = random.normal(size=(2,) * dims + (4, 3)).astype(np.float32)  # (K, L, O, I)
        layer = [nn.ConvTranspose1d, nn.ConvTranspose2d][dims - 1](3, 4, 2, bias=False)
        x = random.normal(size=(1, *(3,) * dims, 3)).astype(np.float32)
        wanted = np.zeros((1, *(4,) * dims, 4), np.float32)
        for place in np.ndindex(*(2,) * dims):
            spread = (slice(None), *(slice(p, p + 3) for p in place))
            wanted[spread] += x @ kernel[place].T
    found = converted(nn.Sequential(layer), [KerasLayer(kind, "c", (kernel,))], "file", (x.shape[-1], *x.shape[1:-1]))
    layer.weight.data = lenet_library.from_numpy(np.array(found["0.weight"], order="C"))
    with lenet_library.no_grad():
        y = layer(lenet_library.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1)))).numpy()
    np.testing.assert_allclose(np.moveaxis(y, 1, -1), wanted, atol=1e-5)


def first(layers: list[KerasLayer], kernel: Any) -> list[KerasLayer]:
    """The layers with another kernel of the first."""
    return [KerasLayer("conv2d", "conv1", (kernel, *layers[0].arrays[1:])), *layers[1:]]


BAD = {
    "other layers": (
        lambda layers: layers[:-1],
        "these weights are not of this model: the model has 2 conv2d, 2 dense; the file 2 conv2d, 1 dense",
    ),
    "other sizes": (
        lambda layers: first(layers, np.zeros((5, 5, 1, 3), np.float32)),
        "these weights are not of this model:\n  conv1.weight: the file has sizes [3, 1, 5, 5], the model [3, 1, 3, 3]",
    ),
    "no bias": (
        lambda layers: [KerasLayer("conv2d", "conv1", layers[0].arrays[:1]), *layers[1:]],
        "these weights are not of this model:\n  conv1 has weight; conv1 has weight, bias",
    ),
    "infinite": (
        lambda layers: first(layers, layers[0].arrays[0] * np.inf),
        "these weights are not of this model:\n  conv1.weight: holds NaN or infinite values",
    ),
    "recurrent": (
        lambda layers: [*layers, KerasLayer("gru", "g", (np.zeros((2, 6), np.float32),))],
        "these weights are not of this model: the model has 2 conv2d, 2 dense; the file 2 conv2d, 2 dense, 1 gru",
    ),
    "a kernel of one dimension": (
        lambda layers: first(layers, np.zeros(3, np.float32)),
        "these weights are not of this model:\n  conv1, for conv1: has a kernel [3], not of 4 dimensions",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_does_not_pair_is_said(case: str) -> None:
    from lenetcli import config as configuration
    from lenetcli.build.model import build_model

    change, said = BAD[case]
    model, _ = build_model(configuration.load("own.yaml", (), LENET))
    with pytest.raises(DataError) as caught:
        converted(model, change(keras_weights.read(PLACE / "lenet.keras")), "file", (1, 12, 12))
    assert str(caught.value) == f"file: {said}"


HDF5 = "is an HDF5 file, as Keras has them"
UNREADABLE = f"{HDF5}, and cannot be read"


def test_links_sizes_and_old_files_are_refused(tmp_path: Path) -> None:
    import h5py

    def refused(make: Any) -> str:
        path = tmp_path / "w.weights.h5"
        with h5py.File(path, "w") as file:
            make(file)
        with pytest.raises(DataError) as caught:
            keras_weights.read(path)
        return str(caught.value).removeprefix(f"{path}: ")

    def outside(file: Any) -> None:
        file.create_group("layers/dense/vars")["0"] = h5py.ExternalLink("/etc/hostname", "/x")

    def large(file: Any) -> None:
        file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 12), "f4", chunks=(1024, 64))

    def elsewhere(file: Any) -> None:
        file.create_dataset("layers/dense/vars/0", (2, 2), "f4", external=[("other.bin", 0, 16)])

    def text(file: Any) -> None:
        file["layers/dense/vars/0"] = b"text"

    assert refused(outside) == f"{UNREADABLE}: '0' is a link to elsewhere, which is not followed"
    assert "more than the file has room for" in refused(large)
    assert refused(elsewhere) == f"{UNREADABLE}: '/layers/dense/vars/0' lies in another file, which is not read"
    assert refused(text) == f"{UNREADABLE}: '/layers/dense/vars/0' is of type object, which is not read"
    old = refused(lambda file: file.attrs.__setitem__("layer_names", [b"a"]))
    assert old == f"{UNREADABLE}: it is a file of Keras 2: load it in Keras 3 and save_weights('NAME.weights.h5')"
    assert refused(lambda file: None) == f"{HDF5}, and holds no layers with weights, as Keras 3 writes them"


def test_a_truncated_file_is_one_line(tmp_path: Path) -> None:
    for name in ("lenet.keras", "mlp.weights.h5"):
        content = (PLACE / name).read_bytes()
        for length in (0, 1, 10, 100, len(content) // 2, len(content) - 30):
            path = tmp_path / name
            path.write_bytes(content[:length])
            with pytest.raises(DataError) as caught:
                keras_weights.read(path)
            assert "\n" not in str(caught.value)
