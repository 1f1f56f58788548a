"""tf2onnx -> lenet: stored files that tf2onnx has written of nets of Keras, with what Keras gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lenetcli.onnx_import import imported
from tests.onnx_import.nets import apart

PLACE = Path(__file__).parent / "files"
FILES = sorted(PLACE.glob("*.onnx"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_nets_of_keras_come_in(path: Path) -> None:
    stored = np.load(PLACE / f"{path.name.partition('.')[0]}.npz")
    found = imported.read(path)
    assert apart(found, stored["x"], [stored["y"]]) <= 1e-6
    assert found.turned == (stored["x"].ndim == 4)


def test_channels_last_and_names_are_as_layers_have_them() -> None:
    found = imported.read(PLACE / "lenet.tf2onnx18.onnx")
    assert found.model["input"] == [1, 12, 12]
    assert [layer["type"] for layer in found.model["layers"]] == [
        "Conv2d", "ReLU", "MaxPool2d", "Conv2d", "ReLU", "Flatten", "Linear", "ReLU", "Linear"
    ]  # fmt: skip
    assert list(found.weights) == [f"{n}_1.{w}" for n in ("conv1", "conv2", "fc1", "fc2") for w in ("weight", "bias")]
    assert found.notes == ["the file takes pictures with their channels last; the model takes them as C, H, W"]
