"""The Python file that needs NumPy only: the same numbers as the engine, in a process that has nothing else."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import nn
from lenetcli.data.inputs import Inputs
from lenetcli.data.transforms import Preprocessing
from lenetcli.export.graph import NotExportable
from lenetcli.export.lowering import lower
from lenetcli.export.python_file import python_source, runner
from tests.export.nets import batch, expected, layer_samples, random_net, settled
from tests.nn.sample import LayerSample


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("sample", layer_samples(), ids=str)
def test_a_layer_gives_what_the_engine_gives(sample: LayerSample) -> None:
    layer = settled(sample.make(nn, lenet.from_numpy))
    try:
        graph = lower(layer, sample.arrays()[0].shape[1:], sample.arrays()[0].dtype)
    except (NotExportable, RuntimeError, ValueError):
        pytest.skip("cannot be exported; tests/export/test_onnx.py says why")
    run = runner(python_source(graph, None, "numbers"))
    for count in (2, 5):
        x = batch(sample, count)
        found, wanted = run(x), expected(layer, x)
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)
        assert found.dtype == wanted.dtype


@pytest.mark.parametrize("seed", range(40))
def test_random_nets_give_what_the_engine_gives(seed: int) -> None:
    model, shape = random_net(seed)
    x = np.random.default_rng(seed).standard_normal((3, *shape), np.float32)
    found = runner(python_source(lower(model, shape), None, "numbers"))(x)
    np.testing.assert_allclose(found, expected(model, x), rtol=1e-5, atol=1e-5)


def test_a_process_with_nothing_but_numpy_gives_the_same_numbers(tmp_path: Path) -> None:
    model, shape = random_net(7)
    (tmp_path / "net.py").write_text(python_source(lower(model, shape), None, "numbers"))
    x = np.random.default_rng(0).standard_normal((3, *shape), np.float32)
    np.save(tmp_path / "x.npy", x)
    code = (
        "import sys\n"
        "class Nothing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in ('lenetcli', 'torch', 'onnx', 'safetensors', 'PIL'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Nothing())\n"
        "import numpy as np, net\n"
        "np.save('y.npy', net.forward(np.load('x.npy')))\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), expected(model, x), rtol=1e-5, atol=1e-5)


INPUTS = [
    Inputs((1, 8, 8), 16.0, Preprocessing(1 / 16, (12, 12), (0.3, 0.4)), ("a", "b", "c")),
    Inputs((3, 10, 12), 255.0, Preprocessing(1 / 255, None, ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])), ("a", "b", "c")),
    Inputs((1, 9, 9), 1.0, Preprocessing(), ()),
]


@pytest.mark.parametrize("inputs", INPUTS)
@pytest.mark.parametrize("size", [(8, 8), (10, 12), (25, 30), (5, 40)])
@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_pictures_are_prepared_as_predict_does_it(inputs: Inputs, size: tuple[int, int], kind: type) -> None:
    c, (h, w) = inputs.shape[0], inputs.size
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, 3)))
    scope: dict[str, object] = {"__name__": "exported"}
    exec(python_source(lower(model, (c, h, w)), inputs, "scores"), scope)
    pixels = np.random.default_rng(0).integers(0, 256, (4, c, *size))
    images = pixels.astype(np.uint8) if kind is np.uint8 else (pixels / 255).astype(np.float32)
    ready = scope["prepare"](images)  # type: ignore[operator]
    np.testing.assert_allclose(ready, inputs(images), rtol=1e-5, atol=1e-5)
    found = scope["predict"](images)  # type: ignore[operator]
    wanted = expected(model, np.ascontiguousarray(inputs(images)))
    if inputs.classes:
        wanted = np.exp(wanted) / np.exp(wanted).sum(1, keepdims=True)
        labels = [label for label, _ in scope["classify"](images)]  # type: ignore[operator]
        assert labels == [inputs.classes[i] for i in wanted.argmax(1)]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [(5, 40), (40, 5), (7, 9), (30, 31)])
def test_every_pixel_of_many_pictures_has_the_grey_level_that_predict_gives_it(size: tuple[int, int]) -> None:
    """A rounded value that lies half-way goes up or down by the last bit: the sums must be the same, in one order."""
    inputs = Inputs((1, 8, 8), 255.0, Preprocessing(), ())
    scope: dict[str, object] = {"__name__": "exported"}
    exec(
        python_source(lower(settled(nn.Sequential(nn.Flatten(), nn.Linear(64, 2))), (1, 8, 8)), inputs, "numbers"),
        scope,
    )
    images = np.random.default_rng(0).integers(0, 256, (2000, 1, *size)).astype(np.uint8)
    np.testing.assert_array_equal(scope["prepare"](images), inputs(images))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("outputs", "last"), [("scores", nn.Identity()), ("logarithms", nn.LogSoftmax(1)), ("probabilities", nn.Softmax(1))]
)
def test_probabilities_are_what_the_loss_takes_the_outputs_for(outputs: str, last: nn.Module) -> None:
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(64, 3), last))
    scope: dict[str, object] = {"__name__": "exported"}
    exec(
        python_source(lower(model, (1, 8, 8)), Inputs((1, 8, 8), 1.0, Preprocessing(), ("a", "b", "c")), outputs), scope
    )
    shares = scope["predict"](np.ones((2, 1, 8, 8), np.float32))  # type: ignore[operator]
    np.testing.assert_allclose(shares.sum(1), 1, rtol=1e-5)
    scores = expected(model[:2], np.ones((2, 1, 8, 8), np.float32))
    np.testing.assert_allclose(shares, np.exp(scores) / np.exp(scores).sum(1, keepdims=True), rtol=1e-5)


def test_the_file_as_a_program_says_in_a_line_what_it_cannot_read(tmp_path: Path) -> None:
    model, inputs = settled(nn.Sequential(nn.Flatten(), nn.Linear(144, 3))), INPUTS[0]
    file = tmp_path / "net.py"
    file.write_text(python_source(lower(model, (1, *inputs.size)), inputs, "scores"))
    np.save(tmp_path / "x.npy", np.zeros((2, 8, 8), np.uint8))
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "last.npy", np.zeros((2, 8, 8, 1), np.uint8))
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    np.save(tmp_path / "cut.npy", np.zeros((2, 8, 8), np.uint8))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:90])
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    np.savez(tmp_path / "more.npz", np.zeros(3))
    (tmp_path / "it's.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(50))
    for words, code, out, err in (
        (["x.npy"], 0, "x.npy[1]\t", ""),
        (["nowhere.npy"], 1, "", "nowhere.npy: [Errno 2] No such file"),
        (["text.npy"], 1, "", "text.npy: wanted an .npy file"),
        (["last.npy"], 0, "last.npy[1]\t", ""),
        (["words.npy"], 1, "", "words.npy: wanted numbers, got an array of <U1"),
        (["cut.npy"], 1, "", "cut.npy: no sound .npy file"),
        (["objects.npy"], 1, "", "objects.npy: no sound .npy file"),
        (["more.npz"], 1, "", "more.npz: wanted an .npy file, as np.save writes it"),
        (
            ["it's.png"],
            1,
            "",
            "it's.png: wanted an .npy file, as np.save writes it; of a picture: np.save('x.npy', np.",
        ),
        (["."], 1, "", ".: [Errno 21]"),
        (["--help"], 1, "", "usage: python net.py FILE.npy"),
    ):
        command = [sys.executable, "net.py", *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == code
        assert out in done.stdout
        assert done.stderr.startswith(err)
        assert done.stderr.count("\n") <= 1


def test_the_file_holds_the_functions_it_uses_and_no_others() -> None:
    source = python_source(lower(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), (2,)), None, "numbers")
    functions = {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}
    assert functions == {"forward", "gemm", "unpack"}


def test_a_title_cannot_break_out_of_the_docstring() -> None:
    title = 'a """ \\ net\n'
    source = python_source(lower(nn.Sequential(nn.ReLU()), (2,)), None, "numbers", title)
    assert (ast.get_docstring(ast.parse(source)) or "").startswith("a ''' / net")


def test_names_of_classes_are_text_only() -> None:
    inputs = Inputs((1, 2, 2), 1.0, Preprocessing(), ('"); import os; ("', "b"))
    source = python_source(lower(nn.Sequential(nn.Flatten()), (1, 2, 2)), inputs, "scores")
    scope: dict[str, object] = {"__name__": "exported"}
    exec(source, scope)
    assert scope["CLASSES"] == inputs.classes
