"""torch.onnx.export -> lenet: ten nets, both exporters; and the forms that torch's options make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.onnx_import import imported
from tests.onnx_import.nets import apart
from tests.onnx_import.torch_nets import export, nets

pytest.importorskip("onnx")
NAMES = (
    "lenet", "batchnorm cnn", "residual", "inception", "u-net", "depthwise", "two heads", "auto-encoder", "mlp",
    "mobilenet",
)  # fmt: skip


@pytest.fixture(scope="module")
def known(torch: Any) -> Any:
    return nets(torch)


def needs(dynamo: bool) -> None:
    if dynamo:
        pytest.importorskip("onnxscript")


def compared(torch: Any, net: Any, shape: tuple[int, ...], path: Path) -> tuple[Any, float]:
    found = imported.read(path)
    x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted = net(x)
    wanted = wanted if isinstance(wanted, tuple) else (wanted,)
    return found, apart(found, x.numpy(), [one.numpy() for one in wanted])


def names(net: Any) -> set[str]:
    return {key for key in net.state_dict() if not key.endswith("num_batches_tracked")}


@pytest.mark.parametrize("dynamo", [False, True], ids=["TorchScript", "dynamo"])
@pytest.mark.parametrize("name", NAMES)
def test_nets_of_torch_come_in(name: str, dynamo: bool, torch: Any, known: Any, tmp_path: Path) -> None:
    needs(dynamo)
    net, shape = known[name]
    path = tmp_path / "net.onnx"
    export(torch, net, shape, path, dynamo)
    found, difference = compared(torch, net, shape, path)
    assert difference <= 1e-6
    folded = {key for key in names(net) if ".bn" in f".{key}" or "running" in key}
    if any("running" in key for key in names(net)):  # torch folds batch norm into the convolution before it
        assert {key.rpartition(".")[0] for key in found.weights} <= {key.rpartition(".")[0] for key in names(net)}
    else:
        assert not folded
        assert set(found.weights) == names(net)
    assert not found.notes


def test_batch_norm_that_is_not_folded_keeps_all_names(torch: Any, known: Any, tmp_path: Path) -> None:
    for name in ("residual", "mobilenet", "batchnorm cnn"):
        net, shape = known[name]
        path = tmp_path / f"{name}.onnx"
        export(torch, net, shape, path, False, training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)
        found, difference = compared(torch, net, shape, path)
        assert difference <= 1e-6
        assert set(found.weights) == names(net)


@pytest.mark.parametrize(
    "words",
    [
        {"dynamo": False, "dynamic_axes": None},
        {"dynamo": False, "opset_version": 11},
        {"dynamo": False, "opset_version": 17, "keep_initializers_as_inputs": True},
        {"dynamo": False, "do_constant_folding": False},
        {"dynamo": False, "export_params": True, "input_names": ["a/b:0"]},
        {"dynamo": True, "dynamic_shapes": None},
        {"dynamo": True, "external_data": True},
        {"dynamo": True, "optimize": False},
        {"dynamo": True, "opset_version": 23},
    ],
    ids=lambda words: " ".join(f"{key}={value}" for key, value in words.items()),
)
def test_every_form_that_options_make(words: dict[str, Any], torch: Any, known: Any, tmp_path: Path) -> None:
    needs(words["dynamo"])
    for name in ["lenet"] if words["dynamo"] else ["lenet", "mobilenet", "u-net", "mlp"]:
        net, shape = known[name]
        path = tmp_path / f"{name}.onnx"
        export(torch, net, shape, path, **words)
        assert compared(torch, net, shape, path)[1] <= 1e-6


def test_half_floats_are_widened(torch: Any, tmp_path: Path) -> None:
    """float16 and bfloat16 in raw bytes, and float16 in a list of integers."""
    onnx = pytest.importorskip("onnx")
    net = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 3)).eval()
    for kind in (torch.float16, torch.bfloat16):
        half = net.to(kind)
        path = tmp_path / "net.onnx"
        export(torch, net.float(), (6,), path, False)
        model = onnx.load(str(path))
        for one in model.graph.initializer:
            array = torch.from_numpy(onnx.numpy_helper.to_array(one).copy()).to(kind)
            one.data_type = onnx.TensorProto.FLOAT16 if kind is torch.float16 else onnx.TensorProto.BFLOAT16
            bits = array.view(torch.int16).numpy().astype(np.uint16)
            if one.name.endswith("bias"):
                one.ClearField("raw_data")
                one.int32_data.extend(bits.reshape(-1).tolist())
            else:
                one.raw_data = bits.tobytes()
        onnx.save(model, str(path))
        found = imported.read(path)
        state = half.to(kind).float().state_dict()
        for key, array in found.weights.items():
            assert array.dtype == np.float32
            np.testing.assert_array_equal(array, state[key].numpy())


def test_residual_nets_become_blocks_under_torchs_names(torch: Any, known: Any, tmp_path: Path) -> None:
    net, shape = known["residual"]
    path = tmp_path / "net.onnx"
    export(torch, net, shape, path, False)
    layers = imported.read(path).model["layers"]
    (layer1,) = [layer for layer in layers if layer.get("name") == "layer1"]
    assert [block["type"] for block in layer1["layers"]] == ["Sequential", "Sequential"]
    last = layer1["layers"][0]["layers"][-2]
    assert last == {"type": "Add", "from": ["conv2", "input"]}
