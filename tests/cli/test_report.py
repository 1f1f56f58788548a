"""`lenet report`: the page of a real run, and what it says where something is missing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli.cli.training import start_run
from tests.cli.conftest import Lenet
from tests.report.browser import browse, check

SMALL = """
name: small
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, name: conv1, out_channels: 4, kernel_size: 3}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Dropout, p: 0.2}
    - {type: Linear, name: fc1, out_features: 10}
data: {type: Digits}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1, momentum: 0.9}
train: {epochs: 3, batch_size: 64}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small convolutional net, trained for three epochs."""
    place = tmp_path_factory.mktemp("trained")
    (place / "small.yaml").write_text(SMALL)
    assert start_run(str(place / "small.yaml"), [], place / "run", "off") == 0
    return place / "run"


@pytest.fixture
def run(trained: Path, place: Path) -> Path:
    """The run, copied so that a test may break it."""
    shutil.copytree(trained, place / "run")
    return place / "run"


def test_the_numbers_on_the_page_are_those_of_eval(lenet: Lenet, run: Path) -> None:
    judged = json.loads(lenet("eval", "run", "--json").out)
    done = lenet("report", "run")
    assert (done.code, done.err) == (0, "")
    found = check((run / "report.html").read_text())
    for figure in ("loss", "accuracy", "calibration_error"):
        assert f"{judged[figure]:.4f}" in found.text, figure
    cells = [a for a in found.all("td") if "heat" in (a.get("class") or "") and "title" in a]
    assert len(cells) == 100
    record = json.loads(lenet("report", "run", "--json").out)
    for key in ("loss", "accuracy", "count", "confusion", "calibration_error", "classes"):
        assert record["evaluation"][key] == judged[key], key
    for entry in judged["classes"]:
        row = f"{entry['class']}{entry['count']}{entry['precision']:.4f}{entry['recall']:.4f}{entry['f1']:.4f}"
        assert row in found.text


def test_the_mistakes_are_the_surest_wrong_predictions(lenet: Lenet, run: Path) -> None:
    from lenetcli.nn import functional as F
    from lenetcli.runs.open import load_run

    record = json.loads(lenet("report", "run", "--json", "--images", "5").out)
    loaded = load_run(run)
    inputs, targets = loaded.source.test.gather(np.arange(len(loaded.source.test)))
    from lenetcli import from_numpy

    shares = F.softmax(loaded.model(from_numpy(inputs)), 1).detach().numpy()
    wrong = np.flatnonzero(shares.argmax(1) != targets)
    surest = np.sort(shares.max(1)[wrong])[::-1][:5]  # not which: two that are as sure change places by rounding
    assert [m["confidence"] for m in record["mistakes"]] == pytest.approx(surest.tolist(), rel=1e-5)
    assert {m["index"] for m in record["mistakes"]} <= set(wrong.tolist())
    for mistake in record["mistakes"]:
        i = mistake["index"]
        assert (mistake["class"], mistake["predicted"]) == (str(targets[i]), str(shares[i].argmax()))
        assert mistake["confidence"] == pytest.approx(float(shares[i].max()), rel=1e-5)


def test_the_flow_is_that_of_the_checkpoints(lenet: Lenet, run: Path) -> None:
    from lenetcli import load

    flow = json.loads(lenet("report", "run", "--json").out)["flow"]
    assert flow["steps"] == [0, 23, 46, 69]
    assert [layer["layer"] for layer in flow["layers"]] == ["conv1", "1", "fc1"]
    a, b = (load(run / "checkpoints" / f"{step:06d}" / "model.safetensors") for step in (23, 46))
    keys = ("fc1.weight", "fc1.bias")
    before = np.concatenate([a[key].numpy().ravel() for key in keys]).astype(float)
    after = np.concatenate([b[key].numpy().ravel() for key in keys]).astype(float)
    change = np.linalg.norm(after - before) / np.linalg.norm(before)
    assert flow["layers"][2]["changes"][1] == pytest.approx(change)
    assert all(gradient > 0 for layer in flow["layers"] for gradient in layer["gradients"])


def test_the_gradients_written_down_while_training_are_drawn(lenet: Lenet, run: Path) -> None:
    record = json.loads(lenet("report", "run", "--json").out)["gradients"]
    assert record == json.loads(lenet("inspect-params", "run", "--gradients", "--json").out)
    assert record["steps"] == [1, 23, 46, 69]
    lenet("report", "run")
    found = check((run / "report.html").read_text())
    cells = [rect for rect in found.all("rect") if (rect.get("class") or "").startswith("cell")]
    updates = [value for p in record["parameters"] for value in p["update"] if value is not None]
    assert len(cells) == 6 * 4 + len(updates) + 2 * 24  # norms, updates, two scales
    norms = [value for p in record["parameters"] for value in p["norm"]]
    for value in norms:
        assert f": {value:.3g}" in found.text
    shares = [float(str(cell["style"]).removeprefix("--share:")) for cell in cells[:24]]
    assert np.argmax(shares) == np.argmax(norms)
    assert (min(shares), max(shares)) == (0.0, 1.0)


def test_a_run_without_gradients_says_so(lenet: Lenet, run: Path) -> None:
    path = run / "metrics.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(e | {"gradients": None}) + "\n" for e in events))
    assert json.loads(lenet("report", "run", "--json").out)["gradients"] is None
    lenet("report", "run")
    assert "written down no gradients" in check((run / "report.html").read_text()).text


def test_the_gradients_are_those_of_torch(torch: Any, lenet: Lenet, run: Path) -> None:
    from safetensors.torch import load_file

    from lenetcli.data import DataLoader
    from lenetcli.runs.open import load_run

    (run / "config.yaml").write_text((run / "config.yaml").read_text().replace("p: 0.2", "p: 0.0"))
    flow = json.loads(lenet("report", "run", "--json").out)["flow"]
    assert flow["steps"] == [0, 23, 46, 69]
    data = load_run(run).source.train
    inputs, targets = next(DataLoader(data, 64, shuffle=True, seed=0).batches(0))
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Flatten(),
        torch.nn.Linear(36, 10),
    )  # fmt: skip
    weights = load_file(run / "checkpoints" / "000069" / "model.safetensors")
    net.load_state_dict({k.replace("conv1", "0").replace("fc1", "5"): v for k, v in weights.items()})
    output = net(torch.tensor(np.ascontiguousarray(inputs.numpy())))
    torch.nn.functional.cross_entropy(output, torch.tensor(targets.numpy())).backward()
    for layer, module in zip(flow["layers"], (net[0], net[1], net[5])):
        norm = torch.cat([p.grad.ravel().double() for p in module.parameters()]).norm().item()
        assert layer["gradients"][3] == pytest.approx(norm, rel=1e-4), layer["layer"]


def test_the_options_choose_what_is_shown(lenet: Lenet, run: Path, place: Path) -> None:
    done = lenet("report", "run", "-o", "page.html", "--images", "2", "--image", "7", "--split", "train")
    assert done.code == 0
    assert done.out.startswith("page.html: ")
    assert not (run / "report.html").exists()
    found = check((place / "page.html").read_text())
    assert "train sample 7, class" in found.text
    assert "1,442 samples" in found.text
    assert len([a for a in found.all("img") if "taken for" in str(a["alt"])]) <= 2


@pytest.mark.parametrize("name", ["mlp", "tutorial"])
def test_runs_of_other_kinds_have_a_page(lenet: Lenet, place: Path, name: str) -> None:
    lenet("train", f"configs/{name}.yaml", "train.epochs=1", "--out", "other", "--progress", "off")
    done = lenet("report", "other")
    assert (done.code, done.err) == (0, "")
    found = check((place / "other" / "report.html").read_text())
    sections = [s["id"] for s in found.all("section")]
    assert [each for each in sections if each in ("classes", "metrics")] == ["classes" if name == "mlp" else "metrics"]
    assert json.loads(lenet("report", "other", "--json").out)["evaluation"]["loss"] == pytest.approx(
        json.loads(lenet("eval", "other", "--json").out)["loss"], abs=0
    )


def test_without_its_data_a_run_still_has_a_page(lenet: Lenet, place: Path) -> None:
    stream = np.random.default_rng(0)
    arrays = {f"x_{s}": stream.random((40, 1, 8, 8), np.float32) for s in ("train", "test")}
    arrays |= {f"y_{s}": np.arange(40) % 3 for s in ("train", "test")}
    np.savez(place / "own.npz", **arrays)
    lenet("train", "configs/mlp.yaml", "data={type: NPZ, path: own.npz}", "train.epochs=2", "--out", "run")
    (place / "own.npz").unlink()
    done = lenet("report", "run")
    assert (done.code, done.err.count("\n")) == (0, 1)
    assert done.err.startswith("left out (maps, judged, gradients): ")
    found = check((place / "run" / "report.html").read_text())
    assert found.text.count("own.npz: cannot be read") >= 3
    assert "best test accuracy" in found.text
    assert len([s for s in found.all("svg") if s.get("class") == "chart"]) >= 3
    record = json.loads(lenet("report", "run", "--json").out)
    assert record["evaluation"] is None
    assert record["flow"]["layers"][0]["gradients"] == [None, None, None]
    assert all(change > 0 for change in record["flow"]["layers"][0]["changes"])


def test_broken_files_are_said_on_the_page(lenet: Lenet, run: Path) -> None:
    (run / "model.safetensors").write_bytes(b"\0" * 100)
    (run / "environment.json").write_text("[]")
    (run / "metrics.jsonl").write_text("nothing\n")
    (run / "checkpoints" / "000046" / "model.safetensors").write_bytes(b"\0" * 100)
    done = lenet("report", "run")
    assert done.code == 0
    said = [line.partition(":")[0] for line in done.err.splitlines()]
    assert said == ["left out (environment)", "left out (history)", "left out (weights)"]
    found = check((run / "report.html").read_text())
    assert "no line in it is an event of a run" in found.text
    assert "wanted a JSON object" in found.text
    assert "Not evaluated:" in found.text
    assert "000046" in found.text
    assert json.loads(lenet("report", "run", "--json").out)["flow"]["steps"] == [0, 23, 69]


def test_a_model_of_nan_has_a_page(lenet: Lenet, run: Path) -> None:
    from lenetcli import load, save

    weights = load(run / "model.safetensors")
    for tensor in weights.values():
        if tensor.is_floating_point():
            tensor.array[...] = np.nan
    save(weights, run / "model.safetensors")
    done = lenet("report", "run")
    assert (done.code, done.err) == (0, "")
    check((run / "report.html").read_text())
    assert json.loads(lenet("report", "run", "--json").out)["evaluation"]["loss"] is None


def test_hostile_files_stay_text(lenet: Lenet, run: Path) -> None:
    attack = "</style></pre><script>alert(1)</script><img src=x onerror=alert(1)>"
    (run / "environment.json").write_text(json.dumps({attack: {attack: [attack]}, "command": [attack, "\ud800"]}))
    text = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(f"# {attack}\n{text}")
    done = lenet("report", "run")
    assert (done.code, done.err) == (0, "")
    assert check((run / "report.html").read_text()).text.count(attack) >= 4


def test_a_link_in_the_run_directory_is_not_followed_out_of_it(lenet: Lenet, run: Path, place: Path) -> None:
    (place / "mine.txt").write_text("mine")
    (run / "report.html").symlink_to(place / "mine.txt")
    done = lenet("report", "run")
    assert done.code == 3
    assert (place / "mine.txt").read_text() == "mine"


def test_the_report_changes_nothing_else_in_the_run(lenet: Lenet, run: Path) -> None:
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    lenet("report", "run")
    after = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    assert set(after) - set(before) == {run / "report.html"}
    assert all(after[p] == content for p, content in before.items())


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nowhere"], 2, "not a run directory"),
        (["run", "--split", "dev"], 2, "wanted train, validation or test"),
        (["run", "--split", "validation"], 2, "holds nothing back"),
        (["run", "--image", "355"], 2, "the test split has 355 samples"),
        (["run", "-o", "nowhere/page.html"], 2, "its directory does not exist"),
        (["run", "-o", "run"], 2, "a directory"),
    ],
)
def test_wrong_input_is_one_message(lenet: Lenet, run: Path, words: list[str], code: int, message: str) -> None:
    lenet("report", *words).assert_refused(code, message)


def test_a_browser_loads_the_page_without_complaint(lenet: Lenet, run: Path) -> None:
    lenet("report", "run")
    dom, complaints, picture = browse(run / "report.html")
    assert complaints == []
    assert dom.count("<section") == 10
    assert len(picture) > 50_000


def test_the_worst_mistakes_name_their_files(lenet: Lenet, place: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(0)
    for name in ("cat", "dog & <b>"):
        (place / "pictures" / name).mkdir(parents=True)
        for number in range(10):
            pixels = random.integers(0, 255, (8, 8), np.uint8)
            image.fromarray(pixels).save(place / "pictures" / name / f"{number}.png")
    config = SMALL.replace("{type: Digits}", "{type: ImageFolder, root: pictures, channels: 1}").replace("10}", "2}")
    (place / "own.yaml").write_text(config)
    for changes in ([], ["train.validation=0.3"]):
        out = f"run{len(changes)}"
        assert lenet("train", "own.yaml", *changes, "--out", out, "--progress", "off").code == 0
        split = "validation" if changes else "train"
        record = json.loads(lenet("report", out, "--split", split, "--images", "30", "--json").out)
        assert record["mistakes"]
        for mistake in record["mistakes"]:
            file = Path(mistake["file"])
            assert file.is_file()
            assert file.parent.name == mistake["class"]
        lenet("report", out, "--split", split)
        found = check((place / out / "report.html").read_text())
        assert record["mistakes"][0]["file"] in [span["title"] for span in found.all("span") if span.get("title")]
    assert "file" not in json.loads(lenet("report", "run0", "--json").out)["evaluation"]
