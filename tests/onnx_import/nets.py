"""What an imported file gives: its configuration is loaded as from YAML, its model gets the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli.build.model import build_model
from lenetcli.config.writing import text
from lenetcli.onnx_import.imported import Imported
from lenetcli.onnx_import.sections import whole

Array = Any


def model_of(found: Imported, check_loss: bool = False) -> Any:
    """The model of the configuration, with the weights, in evaluation mode."""
    plain = whole(found)
    if not check_loss:
        plain |= {"loss": {"type": "MSELoss"}} if "outputs" not in found.model else {}
    model, _ = build_model(configuration.load("net.yaml", (), text(plain)))
    state = model.state_dict()
    own = {key for key in state if not key.endswith("num_batches_tracked")}
    assert own == set(found.weights)
    for key in own:
        assert tuple(state[key].shape) == found.weights[key].shape, key
        state[key].array[...] = found.weights[key]
    model.load_state_dict(state)
    return model.eval()


def outputs_of(found: Imported, x: Array) -> list[Array]:
    """What the model gives for what the file takes, with the axes that the file gives."""
    given = np.moveaxis(x, -1, 1) if found.turned else x
    with lenet.no_grad():
        y = model_of(found)(lenet.from_numpy(np.array(given, order="C")))
    outputs = [one.numpy() for one in (y if isinstance(y, tuple) else (y,))]
    return [one.transpose(axes or range(one.ndim)) for one, axes in zip(outputs, found.outputs_axes)]


def apart(found: Imported, x: Array, wanted: list[Array]) -> float:
    """The greatest difference of outputs, relative to the largest number where that is above 1."""
    greatest = 0.0
    outputs = outputs_of(found, x)
    assert len(outputs) == len(wanted)
    for y, w in zip(outputs, wanted):
        assert y.shape == w.shape
        sound = np.isfinite(w)
        assert np.array_equal(sound, np.isfinite(y))
        largest = max(1.0, float(np.abs(w[sound]).max(initial=0)))
        greatest = max(greatest, float(np.abs(y - w)[sound].max(initial=0)) / largest)
    return greatest


def written(content: bytes, place: Path) -> Path:
    """A file of this content."""
    path = place / "net.onnx"
    path.write_bytes(content)
    return path
