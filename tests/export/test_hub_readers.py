"""The exported folder in Hugging Face's libraries, Python's and JavaScript's: what `lenet predict` says of pictures.

Python's needs `transformers`, JavaScript's a folder that npm has put `@huggingface/transformers` in, named by
LENET_NODE_MODULES, and node. What is not there is skipped; the last part of .ci/run brings both.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.cli.training import start_run
from tests.cli.conftest import Lenet, lenet, place  # noqa: F401  # fixtures
from tests.conftest import ROOT

pytest.importorskip("onnx")
Image = pytest.importorskip("PIL.Image")

SIZES = {"gray": (8, 8), "colour": (20, 24)}  # rows and columns of the data set's own pictures
RANDOM = np.random.default_rng(0)


def pictures(kind: str, where: Path) -> list[Path]:
    """Pictures of the data set's own size, of larger ones, of smaller and other shapes."""
    rows, columns = SIZES[kind]
    found = []
    for i, (h, w) in enumerate([(rows, columns), (rows, columns), (28, 28), (5, 7), (60, 45), (rows * 4, columns * 4)]):
        coarse = RANDOM.integers(0, 256, (4, 4) if kind != "colour" else (4, 4, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC)
        found.append(where / f"{i}.png")
        picture.save(found[-1])
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of gray pictures, which are enlarged, and one of coloured ones in folders."""
    home = tmp_path_factory.mktemp("runs")
    for label in ("<b>cat</b>", "dog"):
        folder = home / "pets" / label.replace("/", "-")
        folder.mkdir(parents=True)
        for i in range(10):
            pixels = RANDOM.integers(0, 256, (20, 24, 3)).astype(np.uint8) // (1 + (label == "dog"))
            Image.fromarray(pixels).save(folder / f"{i}.png")
    data = f"data={{type: ImageFolder, root: {home}/pets, resize: [20, 24], normalize: [[0.4, 0.5, 0.6], 0.2]}}"
    conv = "{type: Conv2d, out_channels: 4, kernel_size: 3}"
    layers = f"model.layers=[{conv}, {{type: ReLU}}, {{type: Flatten}}, {{type: Linear, out_features: 2}}]"
    short = ["train.epochs=1", "train.limit_batches=8"]
    config = str(ROOT / "configs" / "lenet.yaml")
    assert start_run(config, short, home / "gray", "off") == 0
    assert start_run(config, [*short, data, "model.input=[3, 20, 24]", layers], home / "colour", "off") == 0
    return home


def predicted(lenet: Lenet, run: Path, files: list[Path]) -> list[list[float]]:  # noqa: F811
    done = lenet("predict", str(run), *map(str, files), "--top", "100", "--json")
    assert done.code == 0, done.err
    rows = [{entry["label"]: entry["probability"] for entry in found["top"]} for found in json.loads(done.out)]
    return [[row[label] for label in sorted(row)] for row in rows]


def softmax(logits: Any) -> Any:
    shares = np.exp(logits - np.max(logits))
    return shares / shares.sum()


def exported(lenet: Lenet, run: Path, target: Path) -> Path:  # noqa: F811
    done = lenet("export", str(run), "--format", "huggingface", "-o", str(target))
    assert (done.code, done.err) == (0, "")
    return target


@pytest.mark.parametrize("kind", ["gray", "colour"])
def test_python_reads_the_folder_as_predict_does(kind: str, lenet: Lenet, runs: Path, tmp_path: Path) -> None:  # noqa: F811
    transformers = pytest.importorskip("transformers")
    runtime = pytest.importorskip("onnxruntime")
    hub = exported(lenet, runs / kind, tmp_path / "hub")
    files = pictures(kind, tmp_path)
    processor = transformers.AutoImageProcessor.from_pretrained(hub)
    session = runtime.InferenceSession(hub / "onnx" / "model.onnx")
    for file, wanted in zip(files, predicted(lenet, runs / kind, files)):
        pixels = processor(Image.open(file), return_tensors="np")["pixel_values"]
        (logits,) = session.run(["logits"], {"pixel_values": pixels})
        np.testing.assert_allclose(softmax(logits[0]), wanted, atol=0.01, err_msg=file.name)


@pytest.mark.parametrize("kind", ["gray", "colour"])
def test_javascript_reads_the_folder(kind: str, lenet: Lenet, runs: Path, tmp_path: Path) -> None:  # noqa: F811
    """Pictures of the data set's size as predict; others only to what its resizing makes of them, as the card says."""
    modules, node = os.environ.get("LENET_NODE_MODULES"), shutil.which("node")
    if not modules or not node:
        pytest.skip("LENET_NODE_MODULES names no folder with @huggingface/transformers, or there is no node")
    hub = exported(lenet, runs / kind, tmp_path / "hub")
    files = pictures(kind, tmp_path)
    script = Path(__file__).with_name("hub.mjs")
    command = [node, script, modules, hub, str(int(kind == "gray")), *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    labels = json.loads((hub / "config.json").read_text())["id2label"]
    for i, (answer, wanted) in enumerate(zip(found, predicted(lenet, runs / kind, files))):
        shares = softmax(np.array(answer["logits"]))
        assert answer["pipeline"][0]["label"] == labels[str(shares.argmax())]
        if i < 2:
            np.testing.assert_allclose(shares, wanted, atol=1e-5)
