"""`lenet import NET.onnx`: a run of a net from elsewhere, with a configuration of its own or a given one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet_library
from lenetcli import nn
from lenetcli.export.onnx_file import Written, onnx_model
from tests.cli.conftest import Lenet
from tests.export.nets import settled
from tests.formats.bad_onnx import CASES, net, node

onnx = pytest.importorskip("onnx")
STORED = Path(__file__).parent.parent / "onnx_import" / "files"


def small() -> nn.Module:
    return settled(
        nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4), nn.LogSoftmax(1)
        )
    )


def test_a_net_becomes_a_run_that_trains_on(lenet: Lenet, place: Path) -> None:
    model = small()
    (place / "net.onnx").write_bytes(onnx_model(model, (1, 8, 8)))
    done = lenet("import", "net.onnx", "--out", "run")
    assert done.code == 0, done.err
    assert done.out == "net.onnx: 9 tensors, 321 numbers; run directory run\n"
    assert "outputs differ from the file's by" in done.err or "outputs were not compared" in done.err
    state = lenet_library.load(place / "run" / "model.safetensors")
    for key, tensor in model.state_dict().items():
        np.testing.assert_array_equal(state[key].numpy(), tensor.numpy())
    text = (place / "run" / "config.yaml").read_text()
    assert "type: NLLLoss" in text
    assert "name: net\n" in text
    assert lenet("train", "--resume", "run", "--progress", "off").code == 0
    assert lenet("eval", "run").code == 0


def test_a_run_comes_back_with_what_its_pictures_go_through(lenet: Lenet, place: Path) -> None:
    assert lenet("train", "configs/mlp.yaml", "train.limit_batches=2", "train.epochs=1", "--out", "run").code == 0
    assert lenet("export", "run", "-o", "net.onnx").code == 0
    done = lenet("import", "net.onnx", "--out", "again")
    assert done.code == 0, done.err
    before, after = (json.loads((place / run / "inputs.json").read_text()) for run in ("run", "again"))
    assert before == after
    first, second = (lenet_library.load(place / run / "model.safetensors") for run in ("run", "again"))
    assert {k: v.tolist() for k, v in first.items()} == {k: v.tolist() for k, v in second.items()}
    images = np.random.default_rng(0).random((2, *before["shape"])).astype(np.float32)
    np.save(place / "x.npy", images)
    one, other = (json.loads(lenet("predict", run, "x.npy", "--json").out) for run in ("run", "again"))
    assert [p["probability"] for p in one] == pytest.approx([p["probability"] for p in other])


def test_a_given_configuration_gets_the_weights_by_name_or_in_order(lenet: Lenet, place: Path) -> None:
    assert lenet("train", "configs/lenet.yaml", "train.limit_batches=1", "train.epochs=1", "--out", "run").code == 0
    assert lenet("export", "run", "-o", "net.onnx").code == 0
    done = lenet("import", "net.onnx", "--config", "configs/lenet.yaml", "--out", "named")
    assert done.code == 0, done.err
    text = (place / "configs" / "lenet.yaml").read_text().replace("name: fc1,", "name: first,")
    (place / "other.yaml").write_text(text)
    done = lenet("import", "net.onnx", "--config", "other.yaml", "--out", "ordered")
    assert done.code == 0, done.err
    assert "names differ from the model's; the weights were taken in order" in done.err
    done = lenet("import", "net.onnx", "--config", "configs/lenet5.yaml", "--out", "new")
    assert done.code == 3
    assert (
        "these weights are not of this model:\n  conv1.weight: the file has shape [6, 1, 3, 3], the model" in done.err
    )
    assert "without --config its own model is made" in done.err
    assert not (place / "new").exists()


SQUARE = """
model: {input: [1, 4, 4], layers: [{type: Flatten}, {type: Linear, out_features: 16}]}
data: {type: Random, shape: [1, 4, 4], classes: 16, train: 16, test: 8}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.01}
train: {epochs: 1}
"""


@pytest.mark.parametrize("turned", [False, True])
def test_training_begins_with_a_net_of_onnx_as_torch_has_it(turned: bool, lenet: Lenet, place: Path) -> None:
    """A square matrix fits whichever way it lies, so that its size does not tell."""
    weight = np.random.default_rng(0).normal(0, 1, (16, 16)).astype(np.float32)
    made = net(
        onnx, onnx.helper.make_node("Flatten", ["x"], ["f"], axis=1),
        onnx.helper.make_node("Gemm", ["f", "w", "b"], ["h"], transB=int(turned)), node(onnx, "Identity", "h"),
        shape=(1, 1, 4, 4), constants={"w": weight, "b": np.ones(16, np.float32)},
    )  # fmt: skip
    (place / "net.onnx").write_bytes(made.SerializeToString())
    (place / "net.yaml").write_text(SQUARE)
    done = lenet("train", "net.yaml", "model.init=net.onnx", "--out", "run", "--progress", "off")
    assert done.code == 0, done.err
    found = lenet_library.load(place / "run" / "initial.safetensors")["1.weight"].numpy()
    np.testing.assert_array_equal(found, weight if turned else weight.T)


def test_training_begins_with_a_net_of_keras(lenet: Lenet, place: Path) -> None:
    pytest.importorskip("h5py")
    assert lenet("import", str(STORED / "lenet.tf2onnx18.onnx"), "--out", "run").code == 0
    wanted = lenet_library.load(place / "run" / "model.safetensors")
    for name in ("lenet.keras", "lenet.tf2onnx13.onnx"):
        init = f"model.init={STORED / name}"
        done = lenet("train", "run/config.yaml", init, "train.limit_batches=1", "--out", name, "--progress", "off")
        assert done.code == 0, done.err
        found = lenet_library.load(place / name / "initial.safetensors")
        assert {key: t.tolist() for key, t in found.items()} == {key: t.tolist() for key, t in wanted.items()}


@pytest.mark.parametrize(
    ("shape", "first"),
    [((16,), "{type: Flatten}"), ((2, 16), "{type: Flatten, start_dim: 2}")],
    ids=["vectors", "rows"],
)
def test_a_net_of_vectors_says_how_it_trains(shape: tuple[int, ...], first: str, lenet: Lenet, place: Path) -> None:
    """No data source gives such samples; the hint, followed to the letter, makes it a run that trains."""
    net = settled(
        nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * shape[0] if shape[1:] else 16, 3))
    )
    (place / "net.onnx").write_bytes(onnx_model(net, shape))
    sample = [*shape, 1, 1][:3]
    hint = f"input: {sample} and {first} as the first layer"
    done = lenet("import", "net.onnx", "--out", "run")
    assert (done.code, hint in done.err) == (0, True), done.err
    done = lenet("train", "--resume", "run")
    assert (done.code, f"{hint} would fit" in done.err) == (2, True), done.err
    text = (place / "run" / "config.yaml").read_text()
    text = text.replace(f"input: {list(shape)}", f"input: {sample}").replace("layers:\n", f"layers:\n  - {first}\n", 1)
    (place / "own.yaml").write_text(text)
    done = lenet("import", "net.onnx", "--config", "own.yaml", "--out", "fits")
    assert done.code == 0, done.err
    assert "outputs differ from the file's by" in done.err or "outputs were not compared" in done.err
    assert lenet("train", "--resume", "fits", "--progress", "off").code == 0


def test_strict_and_rename_are_heard_or_refused(lenet: Lenet, place: Path) -> None:
    (place / "net.onnx").write_bytes(onnx_model(settled(nn.Sequential(nn.Flatten(), nn.Linear(16, 5))), (1, 4, 4)))
    (place / "net.yaml").write_text(SQUARE)
    for option in (["--no-strict"], ["--rename", "a=b"]):
        done = lenet("import", "net.onnx", *option, "--out", "new")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert f"{option[0]}: not for net.onnx: the net is the file's own" in done.err
        done = lenet("import", str(STORED / "lenet.keras"), "--config", "net.yaml", *option, "--out", "new")
        assert (done.code, done.err.count("\n")) == (2, 1)
    assert not (place / "new").exists()
    (place / "deeper.yaml").write_text(
        SQUARE.replace("out_features: 16}", "out_features: 5}, {type: Linear, out_features: 16}")
    )
    done = lenet("import", "net.onnx", "--config", "deeper.yaml", "--no-strict", "--out", "head")
    assert done.code == 0, done.err
    assert "2 of 4 tensors are the file's; start anew: 2.weight, 2.bias" in done.err
    done = lenet("import", "net.onnx", "--config", "deeper.yaml", "--rename", "1.=3.", "--out", "new")
    assert done.code == 3
    assert 'rename: {"3.": "1."} would make' in done.err


def test_data_can_be_named_at_once(lenet: Lenet, place: Path) -> None:
    (place / "net.onnx").write_bytes(onnx_model(small(), (1, 8, 8)))
    done = lenet(
        "import", "net.onnx", "data={type: Digits, resize: [8, 8]}", "loss.type=CrossEntropyLoss", "--out", "run"
    )
    assert done.code == 2
    assert "10 classes" in done.err or "Digits" in done.err  # the net has four outputs
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    (place / "net.onnx").write_bytes(onnx_model(model, (1, 8, 8)))
    done = lenet("import", "net.onnx", "data={type: Digits, resize: [8, 8]}", "--out", "run")
    assert done.code == 0, done.err
    assert (place / "run" / "inputs.json").is_file()
    assert lenet("eval", "run").code == 0


def test_a_file_that_is_not_there_is_said(lenet: Lenet) -> None:
    for name in ("none.onnx", "none.keras", "none.weights.h5"):
        done = lenet("import", name)
        assert done.code == 3
        assert name in done.err


def test_open_sizes_come_from_the_configuration(lenet: Lenet, place: Path) -> None:
    made = onnx.load_from_string(onnx_model(small(), (1, 8, 8)))
    for size in made.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_param = "any"
    (place / "net.onnx").write_bytes(made.SerializeToString())
    done = lenet("import", "net.onnx", "--out", "new")
    assert done.code == 3
    assert "has open sizes [N, 1, any, any]; give them in a configuration with --config" in done.err


def test_a_net_of_keras_comes_in(lenet: Lenet, place: Path) -> None:
    done = lenet("import", str(STORED / "residual.tf2onnx15.onnx"), "--out", "run")
    assert done.code == 0, done.err
    assert "the file takes pictures with their channels last; the model takes them as C, H, W" in done.err


def test_half_and_two_heads_come_in(lenet: Lenet, place: Path) -> None:
    """A net of two outputs, and one for a batch of one."""
    made = net(
        onnx, onnx.helper.make_node("Gemm", ["x", "w"], ["a"], name="/digit/Gemm"),
        onnx.helper.make_node("Gemm", ["x", "v"], ["h"], name="/parity/Gemm"), node(onnx, "Sigmoid", "h"),
        shape=(1, 3), constants={"w": np.ones((3, 4), np.float32), "v": np.ones((3, 1), np.float32)},
    )  # fmt: skip
    made.graph.output.insert(0, onnx.helper.make_tensor_value_info("a", 1, None))
    (place / "net.onnx").write_bytes(made.SerializeToString())
    done = lenet("import", "net.onnx", "--out", "run")
    assert done.code == 0, done.err
    text = (place / "run" / "config.yaml").read_text()
    assert "outputs: [digit, sigmoid]" in text
    assert "type: BCELoss" in text


class Heads(nn.Module):
    """A picture in; what each head makes of it out."""

    def __init__(self, *heads: nn.Module) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, x: lenet_library.Tensor) -> tuple[lenet_library.Tensor, ...]:
        return tuple(head(x) for head in self.heads)


def head(count: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, count))


PICTURE = nn.Conv2d(1, 1, 3, padding=1)


@pytest.mark.parametrize(
    "heads",
    [(head(10), head(2)), (head(5), PICTURE), (PICTURE, head(5)), (PICTURE, nn.Conv2d(1, 1, 1)), (head(1),)],
    ids=["two numbers of classes", "then a picture", "a picture first", "pictures", "one number"],
)
def test_what_comes_in_trains_on_its_stand_in(heads: tuple[nn.Module, ...], lenet: Lenet, place: Path) -> None:
    model = settled(Heads(*heads) if len(heads) > 1 else heads[0])
    (place / "net.onnx").write_bytes(onnx_model(model, (1, 8, 8)))
    assert lenet("import", "net.onnx", "--out", "run").code == 0
    done = lenet("train", "--resume", "run", "--progress", "off")
    assert done.code == 0, done.err


def test_a_file_in_training_mode_comes_in_though_it_gives_other_outputs(lenet: Lenet, place: Path) -> None:
    made = onnx.load_from_string(onnx_model(nn.Sequential(nn.BatchNorm2d(1), nn.ReLU()).eval(), (1, 4, 4)))
    made.graph.node.remove(next(n for n in made.graph.node if n.op_type == "BatchNormalization"))
    given, relu = made.graph.input[0].name, made.graph.node[-1]
    made.graph.ClearField("initializer")
    for name in "smbv":
        made.graph.initializer.append(onnx.numpy_helper.from_array(np.full(1, 2, np.float32), name))
    batch = onnx.helper.make_node("BatchNormalization", [given, *"smbv"], ["y", "m2", "v2"], training_mode=1)
    relu.input[0] = "y"
    made.graph.node.insert(0, batch)
    (place / "net.onnx").write_bytes(made.SerializeToString())
    done = lenet("import", "net.onnx", "--out", "run")
    assert done.code == 0, done.err
    assert "outputs were not compared with the file's: it gives what the net gives in training" in done.err


@pytest.mark.parametrize("command", ["import", "inspect-params"])
@pytest.mark.parametrize("name", ["net.onnx", "mlp.weights.h5", "lenet.keras"])
def test_a_cut_file_is_called_damaged(name: str, command: str, lenet: Lenet, place: Path) -> None:
    """Its content does not tell any more what it was; its name does."""
    if name == "net.onnx":
        whole = onnx_model(small(), (1, 8, 8))
    else:
        pytest.importorskip("h5py")
        whole = (STORED / name).read_bytes()
    (place / name).write_bytes(whole[: len(whole) // 2])
    done = lenet(command, name)
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "damaged" in done.err or "not sound" in done.err


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html><html>", b"GGUF" + bytes(99)])
def test_what_is_wrong_with_a_file_comes_before_what_its_model_is(content: bytes, lenet: Lenet, place: Path) -> None:
    (place / "net.pth").write_bytes(content)
    done = lenet("import", "net.pth")
    assert done.code == 3
    assert "which model" not in done.err


def test_the_file_itself_is_shown(lenet: Lenet, place: Path) -> None:
    model = small()
    (place / "net.onnx").write_bytes(onnx_model(model, (1, 8, 8), Written(13)))
    shown = lenet("inspect-params", "net.onnx", "--json")
    assert (shown.code, shown.err) == (0, "")
    rows = {row["name"]: row["shape"] for row in json.loads(shown.out)["parameters"]}
    assert rows["0.weight"] == [2, 1, 3, 3]
    assert {key for key in model.state_dict() if "num_batches" not in key} == set(rows)


@pytest.mark.parametrize("case", ["a circle", "a quantized net", "arrays at a place of the system", "two inputs"])
def test_what_cannot_be_read_leaves_nothing(case: str, lenet: Lenet, place: Path) -> None:
    make, said = CASES[case]
    (place / "net.onnx").write_bytes(make(onnx, place).SerializeToString())
    done = lenet("import", "net.onnx", "--out", "new")
    assert (done.code, done.out) == (3, "")
    assert said in done.err
    assert done.err.count("\n") == 1
    assert not (place / "new").exists()
