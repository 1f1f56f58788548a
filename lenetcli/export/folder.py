"""A folder as model hubs have them: config.json, model.safetensors, README.md with what is known of the model.

config.yaml is lenet's own: with it `lenet import` makes the folder a run again.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lenetcli import __version__
from lenetcli.config.user_code import made_of
from lenetcli.data.inputs import Inputs
from lenetcli.disk import sync_directory, write_new
from lenetcli.display.characters import ERRORS
from lenetcli.errors import ConfigError, LenetError
from lenetcli.export.weights import safetensors_bytes
from lenetcli.nn.module import Module


@dataclass(frozen=True)
class Figures:
    """How a run's best model did, as far as the run says: on which split, at which epoch."""

    split: str
    epoch: int
    loss: float
    accuracy: float | None
    count: int | None = None


@dataclass(frozen=True)
class Described:
    """A model with all that is known of it.

    Args:
        config: the resolved configuration as plain data; `config_text` is its YAML.
        figures: how it did; None where nothing is known.
    """

    model: Module
    config: Mapping[str, Any]
    config_text: str
    inputs: Inputs | None
    figures: Figures | None

    @property
    def name(self) -> str:
        """The configuration's name."""
        return str(self.config["name"])

    @property
    def metadata(self) -> dict[str, str]:
        """As text, for formats that keep text beside the weights."""
        found = {"lenet.version": __version__, "lenet.config": self.config_text}
        if self.inputs is not None:
            found["lenet.inputs"] = json.dumps(self.inputs.record())
        return found


def write_folder(place: Path, what: Described) -> None:
    """Writes the folder, whole or not at all.

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
        "README.md": model_card(what).encode("utf-8", ERRORS),
    }
    if what.inputs is not None:
        files["preprocessor_config.json"] = _json(_preprocessor(what.inputs))
    target = Path(os.path.realpath(place))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            temporary.mkdir(parents=True)
            for name, content in files.items():
                write_new(temporary / name, content)
            sync_directory(temporary)
            if target.exists():
                target.rmdir()
            os.replace(temporary, target)
            sync_directory(target.parent)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    except OSError as error:
        raise LenetError(f"cannot write {place}: {error.strerror or error}; nothing was changed there") from None


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _config(what: Described) -> dict[str, Any]:
    """config.json: the net, its classes under the names that hubs show, and where it comes from."""
    classes = () if what.inputs is None else what.inputs.classes
    found: dict[str, Any] = {"model_type": "lenet", "architectures": ["Sequential"], "lenet_version": __version__}
    found["torch_dtype"] = "float32"
    if classes:
        found["id2label"] = {str(i): name for i, name in enumerate(classes)}
        found["label2id"] = {name: i for i, name in enumerate(classes)}
    if what.inputs is not None:
        found["num_channels"], found["image_size"] = what.inputs.shape[0], list(what.inputs.size)
        found["inputs"] = what.inputs.record()
    return found | {key: what.config[key] for key in ("model", "data", "loss", "optimizer", "train", "seed")}


def _preprocessor(inputs: Inputs) -> dict[str, Any]:
    """preprocessor_config.json, under the names of Hugging Face's image processors; for pixels from 0 to 255."""
    steps = inputs.preprocessing
    mean, std = steps.normalize or (0.0, 1.0)

    def each(value: float | Sequence[float]) -> list[float]:
        numbers = [float(v) for v in value] if isinstance(value, Sequence) else [float(value)]
        return numbers if len(numbers) == inputs.shape[0] else numbers * inputs.shape[0]

    return {
        "do_rescale": True,
        "rescale_factor": inputs.white / 255 * steps.scale,
        "do_resize": True,
        "size": {"height": inputs.size[0], "width": inputs.size[1]},
        "resample": 2,  # bilinear
        "do_normalize": steps.normalize is not None,
        "image_mean": each(mean),
        "image_std": each(std),
    }


# The model card


def model_card(what: Described) -> str:
    """README.md: what the model is, how it did, how it was trained, how it is used. Only what the run knows."""
    return "\n".join(
        [
            _front_matter(what),
            f"# {what.name}",
            "",
            *_about(what),
            *_results(what),
            *_training(what),
            _USE,
            *_code(what),
        ]
    )


def _front_matter(what: Described) -> str:
    """What hubs read: YAML between dashes. JSON is YAML."""
    is_classifier = what.inputs is not None and bool(what.inputs.classes)
    lines = [
        "library_name: lenet",
        f"tags: {json.dumps(['lenet', *(['image-classification'] if is_classifier else [])])}",
    ]
    if is_classifier:
        lines.append("pipeline_tag: image-classification")
    if what.figures is not None and what.figures.accuracy is not None:
        data = str(what.config["data"]["type"])
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"name": data, "type": data.lower(), "split": what.figures.split},
            "metrics": [{"type": "accuracy", "value": what.figures.accuracy}],
        }
        lines += ["metrics: [accuracy]", f"model-index: {json.dumps([{'name': what.name, 'results': [result]}])}"]
    return "\n".join(["---", *lines, "---", ""])


def _about(what: Described) -> list[str]:
    count = sum(parameter.numel() for parameter in what.model.parameters())
    shape = " x ".join(map(str, what.config["model"]["input"]))
    text = [f"A net of {count:,} parameters for inputs of {shape}, trained with lenet {__version__}."]
    if what.inputs is not None and what.inputs.classes:
        names = ", ".join(what.inputs.classes[:20]) + (", ..." if len(what.inputs.classes) > 20 else "")
        text += ["", f"It tells {len(what.inputs.classes)} classes apart: {names}."]
    return [*text, "", "```", repr(what.model), "```", ""]


def _results(what: Described) -> list[str]:
    if what.figures is None:
        return ["## Results", "", "None are recorded.", ""]
    f = what.figures
    count = "" if f.count is None else f" ({f.count:,} samples)"
    accuracy = "" if f.accuracy is None else f"{f.accuracy:.4f}"
    return [
        "## Results",
        "",
        "| data | split | epoch | loss | accuracy |",
        "|---|---|---|---|---|",
        f"| {what.config['data']['type']} | {f.split}{count} | {f.epoch} | {f.loss:.4f} | {accuracy} |",
        "",
    ]


def _training(what: Described) -> list[str]:
    def shown(section: Mapping[str, Any]) -> str:
        return ", ".join(
            [str(section["type"]), *(f"{k}={v}" for k, v in section.items() if k != "type" and v is not None)]
        )

    train = what.config["train"]
    lines = [
        f"- data: {shown(what.config['data'])}",
        f"- loss: {shown(what.config['loss'])}",
        f"- optimizer: {shown(what.config['optimizer'])}",
        f"- epochs: {train['epochs']}, batches of {train['batch_size']}, seed {what.config['seed']}",
    ]
    if what.config.get("scheduler"):
        lines.insert(3, f"- scheduler: {shown(what.config['scheduler'])}")
    return [
        "## Training",
        "",
        *lines,
        "",
        "`config.yaml` holds everything: `lenet train config.yaml` repeats the run.",
        "",
    ]


def _code(what: Described) -> list[str]:
    """What the reader has to know before the model's own Python is run."""
    files = made_of(what.config)
    if not files:
        return []
    names = [re.sub(r"[^\w./ -]", "?", file.name) for file in files]
    lines = [f"- `{name}`, sha256 `{file.sha256}`" for name, file in zip(names, files)]
    return [
        "## Code",
        "",
        "The model is made of Python that is not part of lenet nor in this folder; `config.yaml` says where it lay.",
        "To use the model is to run that Python. Get it from whom you trust, read it, and compare its hash:",
        "",
        *lines,
        "",
        "lenet imports it only where you say so: `lenet import ... --allow-code`, `lenet predict ... --allow-code`, or",
        "after a `lenet train` of yours with the same file.",
        "",
    ]


_USE = """## Use

```sh
lenet import model.safetensors --config config.yaml --out run
lenet predict run picture.png
```

The keys of `model.safetensors` are torch's: `model.load_state_dict(safetensors.torch.load_file("model.safetensors"))`
fills a `torch.nn.Sequential` of the same layers and names.
"""
