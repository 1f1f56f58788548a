"""A folder as model hubs have them: config.json, model.safetensors, onnx/model.onnx, README.md with what is known.

config.yaml is lenet's own: with it `lenet import` makes the folder a run again. Nothing in it tells where on this
machine the data lay.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lenetcli import __version__
from lenetcli.data.inputs import Inputs
from lenetcli.disk import read_within, sync_directory, write_new
from lenetcli.display.characters import ERRORS
from lenetcli.errors import ConfigError, LenetError
from lenetcli.export.described import Described as Described
from lenetcli.export.described import Figures as Figures
from lenetcli.export.model_card import model_card as model_card
from lenetcli.export.weights import safetensors_bytes

# A type whose class in @huggingface/transformers only passes pixel_values on and takes logits, as a net wants that only
# ONNX knows; transformers for Python has no such class, and so cannot take these weights for those of another net.
MODEL_TYPE = "mobilenet_v4"
PROCESSOR = "ViTImageProcessor"  # the one that only resizes, rescales and normalises


def write_folder(place: Path, what: Described, onnx: bytes | None = None) -> None:
    """Writes the folder, whole or not at all.

    Args:
        onnx: the model from pictures to logits, as `hub_onnx` makes it, where there is one.

    Raises:
        ConfigError: there is something of that name, and it is not an empty directory.
        LenetError: it cannot be written.
    """
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise ConfigError(f"{place}: exists and is not an empty directory; name another with -o")
    files = {
        "model.safetensors": safetensors_bytes(what.model, what.metadata),
        "config.json": _json(_config(what)),
        "config.yaml": what.config_text.encode(),
        "README.md": model_card(what, onnx is not None).encode("utf-8", ERRORS),
        **{name: _read(file) for name, file in what.own_files.items()},
    }
    if onnx is not None:
        files["onnx/model.onnx"] = onnx
    if what.inputs is not None:
        files["preprocessor_config.json"] = _json(_preprocessor(what.inputs, onnx is not None))
    target = Path(os.path.realpath(place))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            temporary.mkdir(parents=True)
            for name, content in files.items():
                (temporary / name).parent.mkdir(exist_ok=True)
                write_new(temporary / name, content)
            for folder in {(temporary / name).parent for name in files}:
                sync_directory(folder)
            if target.exists():
                target.rmdir()
            os.replace(temporary, target)
            sync_directory(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise LenetError(f"cannot write {place}: {error.strerror or error}; nothing was changed there") from None


def _read(file: Path) -> bytes:
    return read_within(file, 1 << 24)


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _config(what: Described) -> dict[str, Any]:
    """config.json: the net, its classes under the names that hubs show, and where it comes from."""
    classes = () if what.inputs is None else what.inputs.classes
    kind = type(what.model).__name__
    found: dict[str, Any] = {"model_type": MODEL_TYPE, "architectures": [kind], "lenet_version": __version__}
    found["torch_dtype"] = "float32"
    if classes:
        found["id2label"] = {str(i): name for i, name in enumerate(classes)}
        found["label2id"] = {name: i for i, name in enumerate(classes)}
    if what.inputs is not None:
        found["num_channels"], found["image_size"] = what.inputs.shape[0], list(what.inputs.size)
        found["inputs"] = what.inputs.record()
    return found | {key: what.config[key] for key in ("model", "data", "loss", "optimizer", "train", "seed")}


def _preprocessor(inputs: Inputs, goes_on: bool) -> dict[str, Any]:
    """preprocessor_config.json, under the names of Hugging Face's image processors; for pixels from 0 to 255.

    `lenet predict` brings pictures to the data set's own size first, then to the net's. Processors know one size: the
    first where onnx/model.onnx goes on from there, else the second.
    """
    rows, columns = inputs.shape[1:] if goes_on else inputs.size
    steps = inputs.preprocessing
    mean, std = steps.normalize or (0.0, 1.0)

    def each(value: float | Sequence[float]) -> list[float]:
        numbers = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)]
        return numbers if len(numbers) == inputs.shape[0] else numbers * inputs.shape[0]

    return {
        "image_processor_type": PROCESSOR,
        "do_convert_rgb": inputs.shape[0] == 3,
        "do_resize": True,
        "size": {"height": rows, "width": columns},
        "resample": 2,  # bilinear
        "do_rescale": True,
        "rescale_factor": inputs.white / 255 * steps.scale,
        "do_normalize": steps.normalize is not None,
        "image_mean": each(mean),
        "image_std": each(std),
    }
