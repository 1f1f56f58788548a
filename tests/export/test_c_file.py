"""The C file that needs math.h only: the engine's numbers, compiled without a warning, clean in every byte."""

from __future__ import annotations

import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import lenetcli as lenet
import lenetcli.nn.functional as F
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_model
from lenetcli.data.inputs import Inputs
from lenetcli.data.transforms import Preprocessing
from lenetcli.export.c_compiled import STANDARD, compiler, runner
from lenetcli.export.c_file import c_source, identifier
from lenetcli.export.c_operators import walk
from lenetcli.export.graph import NotExportable
from lenetcli.export.lowering import lower
from tests.export.nets import batch, expected, layer_samples, random_net, settled
from tests.nn.sample import LayerSample

pytestmark = pytest.mark.skipif(compiler() is None, reason="no C compiler is here")
QUICK = tuple("-O0" if word == "-O2" else word for word in STANDARD)
CHECKED = (*QUICK, "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CONFIGS = sorted(Path("configs").glob("*.yaml"))
ONE_EACH = {sample.name: sample for sample in reversed(layer_samples())}.values()


@pytest.fixture(autouse=True)
def _silence() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


def compiled(model: nn.Module, shape: tuple[int, ...], options: tuple[str, ...] = QUICK) -> list[np.ndarray]:
    """What the model gives and what its C file gives, of one sample each."""
    graph = lower(model, shape, batch=1)
    run = runner(c_source(graph, None, "net"), "net", [value.sizes_of(1) for value in graph.outputs], options)
    assert run is not None
    x = np.random.default_rng(0).standard_normal((1, *shape), np.float32)
    return [expected(model, x), run(x)[0]]


@pytest.mark.parametrize("sample", ONE_EACH, ids=str)
def test_a_layer_gives_what_the_engine_gives(sample: LayerSample) -> None:
    layer = settled(sample.make(nn, lenet.from_numpy))
    x = batch(sample, 1)
    try:
        graph = lower(layer, x.shape[1:], x.dtype, batch=1)
        source = c_source(graph, None, "net")
    except (NotExportable, RuntimeError, ValueError):
        pytest.skip("cannot be exported")
    run = runner(source, "net", [value.sizes_of(1) for value in graph.outputs], QUICK)
    assert run is not None
    np.testing.assert_allclose(run(x)[0], expected(layer, x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_random_nets_give_what_the_engine_gives(seed: int) -> None:
    model, shape = random_net(seed)
    try:
        wanted, found = compiled(model, shape)
    except NotExportable:
        pytest.skip("cannot be exported")
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


SMALL = [path for path in CONFIGS if path.stem not in ("mobilenetv2", "resnet18", "resnet34", "cnn")]


@pytest.mark.parametrize("path", SMALL, ids=lambda path: path.stem)
def test_the_nets_of_the_configurations_are_clean_in_every_byte(path: Path) -> None:
    """No number is read or written outside of its array, none is used before it is there, no integer overflows."""
    config = configuration.load(path)
    model = settled(build_model(config)[0])
    graph = lower(model, tuple(config.model.input), batch=1)
    run = runner(c_source(graph, None, "net"), "net", [v.sizes_of(1) for v in graph.outputs], CHECKED)
    assert run is not None
    x = np.random.default_rng(1).standard_normal((1, *config.model.input), np.float32)
    with lenet.no_grad():
        wanted = model(lenet.from_numpy(x))
    for got, tensor in zip(run(x), [wanted] if isinstance(wanted, lenet.Tensor) else wanted, strict=True):
        np.testing.assert_allclose(got, tensor.numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
@pytest.mark.parametrize("bias", [True, False])
def test_recurrent_layers_go_both_ways(kind: str, bias: bool) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = getattr(nn, kind)(4, 3, 2, bias=bias, bidirectional=True, batch_first=True)

        def forward(self, x: lenet.Tensor) -> lenet.Tensor:
            y, last = self.layer(x)
            return lenet.cat([y.flatten(1), (last[1] if kind == "LSTM" else last).transpose(0, 1).flatten(1)], 1)

    wanted, found = compiled(settled(Net()), (5, 4), CHECKED)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_what_is_between_takes_the_room_of_what_nobody_reads_any_more() -> None:
    model = settled(nn.Sequential(*[layer for _ in range(6) for layer in (nn.Linear(30, 30), nn.Tanh())]))
    assert "_SCRATCH 60 " in c_source(lower(model, (30,), batch=1), None, "net")


def test_what_has_no_words_in_c_is_refused_by_name() -> None:
    model = nn.Sequential(nn.Identity(), nn.Upsample(scale_factor=2, mode="bilinear")).eval()
    with pytest.raises(
        NotExportable, match=r"^1: Resize: resizing by linear has no words in C here; a C file cannot be"
    ):
        c_source(lower(model, (1, 3, 3), batch=1), None, "net")


INPUTS = [
    Inputs((1, 8, 8), 16.0, Preprocessing(1 / 16, (12, 13), (0.3, 0.4)), ("a", 'b"\\', "ü?")),
    Inputs((3, 5, 6), 255.0, Preprocessing(1 / 255, None, ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])), ("a", "b", "c")),
    Inputs((1, 9, 9), 1.0, Preprocessing(), ()),
]


@pytest.mark.parametrize("inputs", INPUTS, ids=lambda inputs: str(inputs.shape))
def test_pictures_are_prepared_as_predict_does_it(inputs: Inputs, tmp_path: Path) -> None:
    c, (h, w) = inputs.shape[0], inputs.size
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(c * h * w, 3)))
    (tmp_path / "net.c").write_text(c_source(lower(model, (c, h, w), batch=1), inputs, "net", "*/ of \\ \u00fc ??/"))
    command = [*(compiler() or []), *CHECKED, "-DNET_MAIN", "net.c", "-o", "net", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    pictures = np.random.default_rng(0).integers(0, 256, (5, *inputs.shape)).astype(np.uint8)
    wanted = expected(model, np.ascontiguousarray(inputs(pictures)))
    said = subprocess.run(tmp_path / "net", input=pictures.tobytes(), capture_output=True, check=True).stdout.decode()
    for line, row in zip(said.splitlines(), wanted, strict=True):
        words = line.split(" ")
        np.testing.assert_allclose([float(word) for word in words[-3:]], row, rtol=1e-4, atol=1e-5)
        assert words[:-3] == ([inputs.classes[row.argmax()]] if inputs.classes else [])


@pytest.mark.parametrize("name", ["2nd", "while", "ä", "a b", "conv", "-", "class", ""])
def test_any_name_of_a_file_becomes_a_name_of_c(name: str) -> None:
    model = settled(nn.Sequential(nn.Linear(3, 2)))
    graph = lower(model, (3,), batch=1)
    assert runner(c_source(graph, None, identifier(name)), identifier(name), [(1, 2)], QUICK) is not None


@pytest.mark.parametrize("name", ["room", "out", "exp", "static", "conv", "predict", "relu", "net"])
def test_any_name_of_a_weight_becomes_a_name_of_c(name: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(1, 2, 3)
            setattr(self, name, nn.Parameter(lenet.ones(2, 1, 1)))

        def forward(self, x: lenet.Tensor) -> lenet.Tensor:
            return F.relu(self.layer(x) * getattr(self, name)).exp() + 1

    wanted, found = compiled(settled(Net()), (1, 5, 5))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("words", ["'", "no-such-compiler", "'no such' -O2"])
def test_a_compiler_that_is_not_there_is_not_used(words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", words)
    assert (compiler() or ["cc"])[0] in ("cc", "gcc", "clang")


def test_a_compiler_that_takes_too_long_leaves_the_file_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenetcli.export.c_compiled.PATIENCE", 1e-9)
    assert runner("int main(void) { return 0; }", "net", [(1, 1)], QUICK) is None


def test_arrays_of_too_many_dimensions_are_refused() -> None:
    with pytest.raises(NotExportable, match="more than 8 dimensions"):
        walk([2] * 9, [2**i for i in range(9)], [3 * 2**i for i in range(8, -1, -1)])
