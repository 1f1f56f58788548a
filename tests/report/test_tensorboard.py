"""`--tensorboard`: what stands in the event files, read back record by record."""

from __future__ import annotations

import struct
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

import lenetcli as lenet
from lenetcli.cli.training import resume_run, start_run
from lenetcli.runs.history import read_history
from tests.train.small import at, difference, train, write_config

BIG = "model={input: [1, 8, 8], layers: [{type: Conv2d, name: conv, out_channels: 2, kernel_size: 3}, {type: Flatten}, {type: Linear, out_features: 3}]}"  # noqa: E501
IMAGES = "data={type: Random, shape: [1, 8, 8], classes: 3, train: 14, test: 4}"


@pytest.fixture(autouse=True)
def installed() -> None:
    pytest.importorskip("tensorboardX")


def records(run: Path) -> list[Any]:
    """The events of all files, in order; each record's checksums are right."""
    from tensorboardX.crc32c import crc32c
    from tensorboardX.proto.event_pb2 import Event

    def masked(data: bytes) -> int:
        value = crc32c(data)
        return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF

    found = []
    for file in sorted((run / "tensorboard").iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,), (check,) = struct.unpack_from("<Q", data, at), struct.unpack_from("<I", data, at + 8)
            assert check == masked(data[at : at + 8])
            body = data[at + 12 : at + 12 + length]
            assert struct.unpack_from("<I", data, at + 12 + length) == (masked(body),)
            found.append(Event.FromString(body))
            at += 16 + length
    return found


def values(run: Path) -> dict[str, list[tuple[int, Any]]]:
    """Step and value of every summary, by tag."""
    found: dict[str, list[tuple[int, Any]]] = defaultdict(list)
    for event in records(run):
        for value in event.summary.value:
            found[value.tag].append((event.step, value))
    return found


def scalars(found: dict[str, list[tuple[int, Any]]], tag: str) -> list[tuple[int, float]]:
    return [(step, value.simple_value) for step, value in found[tag]]


def test_every_figure_of_the_run_is_there(tmp_path: Path) -> None:
    run = tmp_path / "run"
    assert start_run(str(write_config(tmp_path)), [], run, "off", tensorboard=True) == 0
    found, history = values(run), read_history(run)
    steps = history.steps
    assert scalars(found, "train/loss_of_a_step") == [
        (int(step), pytest.approx(loss)) for step, loss in zip(steps.step, steps.loss)
    ]
    assert scalars(found, "train/learning_rate")[-1] == (12, pytest.approx(steps.lr[-1]))
    assert scalars(found, "test/loss") == [(e.step, pytest.approx(e.loss)) for e in history.judged]
    assert scalars(found, "test/accuracy") == [(e.step, pytest.approx(e.accuracy)) for e in history.judged]
    assert [step for step, _ in found["train/images_per_second"]] == [4, 8, 12]


def test_weights_and_gradients_have_histograms(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start_run(str(write_config(tmp_path)), ["train.ema=0.9"], run, "off", tensorboard=True)
    found = values(run)
    (step, value) = found["weights/fc1/weight"][-1]
    weight = lenet.load(run / "checkpoints" / "000012" / "model.safetensors")["fc1.weight"].numpy()
    assert (step, value.histo.num, value.histo.min) == (12, weight.size, pytest.approx(weight.min()))
    assert sum(value.histo.bucket) == weight.size
    assert len(found["gradients/fc2/bias"]) == 3


def test_the_data_is_shown(tmp_path: Path) -> None:
    run = tmp_path / "run"
    start_run(str(write_config(tmp_path)), [BIG, IMAGES], run, "off", tensorboard=True)
    pictures = {tag: seen[0][1].image for tag, seen in values(run).items() if tag.startswith("data/")}
    assert list(pictures) == ["data/0", "data/1", "data/2", "data/3"]
    assert (pictures["data/0"].height, pictures["data/0"].width, pictures["data/0"].colorspace) == (8, 8, 1)
    assert pictures["data/0"].encoded_image_string.startswith(b"\x89PNG")


def test_the_graph_leads_from_parameters_and_data_to_the_loss(tmp_path: Path) -> None:
    from tensorboardX.proto.graph_pb2 import GraphDef

    run = tmp_path / "run"
    start_run(str(write_config(tmp_path)), [BIG, IMAGES], run, "off", tensorboard=True)
    (graph,) = [GraphDef.FromString(event.graph_def) for event in records(run) if event.graph_def]
    nodes = {node.name: node for node in graph.node}
    assert len(nodes) == len(graph.node)
    assert all(source in nodes for node in graph.node for source in node.input)
    assert nodes["conv/weight"].op == "Parameter"
    (conv,) = [node for node in graph.node if node.op == "Convolution"]
    assert conv.name.startswith("conv/")
    assert list(conv.input) == ["data", "conv/weight", "conv/bias"]
    shape = conv.attr["_output_shapes"].list.shape[0]
    assert [dim.size for dim in shape.dim] == [2, 2, 6, 6]
    reached, waiting = set(), [graph.node[0].name]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += [source for source in nodes[name].input if source not in reached]
    assert reached == set(nodes)


def test_looking_changes_nothing(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    train(path, tmp_path / "plain")
    start_run(str(path), [], tmp_path / "seen", "off", tensorboard=True)
    assert difference(tmp_path / "plain", tmp_path / "seen") is None
    lenet.Trainer(path, out=tmp_path / "python").fit(progress="off", tensorboard=True)
    assert difference(tmp_path / "plain", tmp_path / "python") is None
    assert (tmp_path / "python" / "tensorboard").is_dir()


def test_a_run_that_goes_on_takes_back_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    path, run = write_config(tmp_path), tmp_path / "run"

    def die() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        start_run(str(path), [], run, "off", also=at(7, die), tensorboard=True)
    resume_run(run, [], "off", tensorboard=True)
    marks = [event.step for event in records(run) if event.HasField("session_log") and event.session_log.status == 1]
    assert marks == [5]  # steps from 5 on are those of the second file
    steps = read_history(run).steps
    last = dict(scalars(values(run), "train/loss_of_a_step"))  # a later value of a step takes the place of an earlier
    assert last == {int(step): pytest.approx(loss) for step, loss in zip(steps.step, steps.loss)}
