"""The page that a net becomes, in a real browser: drawing, pictures, maps, sums, a step of training, keys, phone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lenetcli as lenet
from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_model
from lenetcli.data.dataset import ArrayDataset
from lenetcli.data.inputs import Inputs
from lenetcli.data.pictures import decode_picture
from lenetcli.data.transforms import Preprocessing
from lenetcli.export.html_file import About, page
from lenetcli.export.html_file.program import Program
from lenetcli.export.html_file.samples import chosen
from lenetcli.export.lowering import lower
from tests.export.nets import settled
from tests.report.live_page import Page, browser, new_page

pytestmark = pytest.mark.skipif(browser() is None, reason="no Chromium here")
HOSTILE = "</script><img src=x onerror=alert(1)>\"'&{{data}}"
INPUTS = Inputs((1, 8, 8), 16.0, Preprocessing(1 / 16, (12, 10), (0.3, 0.4)), ("zero", "one", HOSTILE))


def net(shape: tuple[int, ...] = (1, 12, 10), classes: int = 3) -> nn.Sequential:
    """A small net with what pages show: maps, pools, units."""
    layers = [nn.Conv2d(shape[0], 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 2), nn.ReLU()]
    flat = 5 * ((shape[1] - 2) // 2 - 1) * ((shape[2] - 2) // 2 - 1)
    layers += [nn.Flatten(), nn.Linear(flat, 7), nn.Tanh(), nn.Linear(7, classes)]
    model = settled(nn.Sequential(*layers))
    assert isinstance(model, nn.Sequential)
    return model


def data(inputs: Inputs, count: int = 30) -> ArrayDataset:
    """Test samples of that form: whole numbers up to white."""
    random = np.random.default_rng(3)
    images = random.integers(0, int(inputs.white) + 1, (count, *inputs.shape)).astype(np.float32)
    return ArrayDataset(images, np.arange(count) % max(len(inputs.classes), 1), inputs.preprocessing)


def written(place: Path, model: nn.Module, inputs: Inputs, name: str = "net", **words: Any) -> Path:
    """The page of a model in a file."""
    shape = (inputs.shape[0], *inputs.size)
    about = About(name, inputs, inputs.classes, "scores", loss="CrossEntropyLoss", rate=0.1)
    about = replace(about, **{"samples": chosen(data(inputs), model, inputs, None), **words})
    file = place / f"net{len(name)}.html"
    file.write_text(page(Program(lower(model, shape, batch=1), model), about), "utf-8")
    return file


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with new_page(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def opened(chromium: Page, tmp_path: Path) -> Iterator[Page]:
    """The small net's page; when it is left, nothing was complained about and nothing asked for."""
    chromium.problems = []
    chromium.open(written(tmp_path, net(), INPUTS), height=2000)
    chromium.wait("byId('verdict').textContent !== ''")
    yield chromium
    assert chromium.problems == []


def shown(page: Page, id: str) -> str:
    return str(page.value(f"byId({json.dumps(id)}).textContent"))


def floats(page: Page, script: str) -> Any:
    """A Float32Array of the page, to the bit."""
    text = page.value(
        f"(() => {{ const u = new Uint8Array(Float32Array.from({script}).buffer); let s = '';"
        " for (const v of u) s += String.fromCharCode(v); return btoa(s); })()"
    )
    return np.frombuffer(base64.b64decode(text), np.float32)


def drag(page: Page, selector: str, *places: tuple[float, float]) -> None:
    """Draws with the mouse; places are shares of the element's sides."""
    box = page.value(
        f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
        " return [b.x, b.y, b.width, b.height]; })()"
    )
    points = [(box[0] + x * box[2], box[1] + y * box[3]) for x, y in places]
    kinds = ["mousePressed", *["mouseMoved"] * (len(points) - 1)]
    for kind, (x, y) in zip(kinds, points):
        page.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)
    page.ask("Input.dispatchMouseEvent", type="mouseReleased", x=points[-1][0], y=points[-1][1], button="left")
    page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def test_a_test_sample_gives_the_engines_scores(opened: Page) -> None:
    model, samples = net(), data(INPUTS)
    numbers = opened.value("stored.numbers")
    assert len(numbers) == 30
    for place in (0, 7, 29):
        opened.value(f"takeSample({place}); refresh()")
        x, _ = samples.gather(np.array([numbers[place]]))
        np.testing.assert_array_equal(floats(opened, "state.input"), x.ravel())
        with lenet.no_grad():
            scores = model(lenet.from_numpy(np.ascontiguousarray(x))).numpy()[0]
        np.testing.assert_allclose(floats(opened, "net.values[net.output.value]"), scores, rtol=1e-5, atol=1e-5)
        assert f"Test sample {numbers[place]}, class " in shown(opened, "said")


@pytest.mark.parametrize(
    "inputs",
    [
        INPUTS,
        Inputs((3, 9, 7), 255.0, Preprocessing(1 / 255, (12, 10), ([0.1, 0.2, 0.3], [0.5, 0.6, 0.7])), ("a", "b", "c")),
        Inputs((1, 12, 10), 1.0, Preprocessing(), ("a", "b", "c")),
    ],
    ids=str,
)
@pytest.mark.parametrize("size", [(12, 10), (31, 5), (4, 40)], ids=str)
def test_pictures_are_prepared_to_the_bit_as_predict_does_it(
    chromium: Page, tmp_path: Path, inputs: Inputs, size: tuple[int, int]
) -> None:
    from PIL import Image

    c = inputs.shape[0]
    chromium.open(written(tmp_path, net((c, 12, 10)), inputs))
    pixels = np.random.default_rng(5).integers(0, 256, (*size, 3)).astype(np.uint8)
    file = tmp_path / "picture.png"
    Image.fromarray(pixels).save(file)
    node = chromium.ask("DOM.querySelector", nodeId=chromium.ask("DOM.getDocument")["root"]["nodeId"], selector="#file")
    chromium.value("byId('swap').value = 'no'")
    chromium.ask("DOM.setFileInputFiles", files=[str(file)], nodeId=node["nodeId"])
    chromium.wait("byId('said').textContent.includes('picture.png')")
    wanted = inputs(decode_picture(file.read_bytes(), "picture", c)[None])
    np.testing.assert_array_equal(floats(chromium, "state.input"), np.ascontiguousarray(wanted).ravel())
    chromium.value("byId('swap').value = 'yes'; byId('swap').dispatchEvent(new Event('change'))")
    swapped = inputs(255 - decode_picture(file.read_bytes(), "picture", c)[None])
    np.testing.assert_array_equal(floats(chromium, "state.input"), np.ascontiguousarray(swapped).ravel())
    assert chromium.problems == []


def test_a_light_picture_is_swapped_where_the_datas_are_dark(chromium: Page, tmp_path: Path) -> None:
    from PIL import Image

    model = net()
    samples = chosen(data(INPUTS), model, INPUTS, None)
    assert samples is not None
    samples["border"] = 0.0
    chromium.open(written(tmp_path, model, INPUTS, samples=samples))
    document = chromium.ask("DOM.getDocument")["root"]["nodeId"]
    for light, name in ((False, "dark.png"), (True, "light.png")):
        Image.fromarray(np.full((20, 20), 255 if light else 0, np.uint8)).save(tmp_path / name)
        node = chromium.ask("DOM.querySelector", nodeId=document, selector="#camera")["nodeId"]
        chromium.ask("DOM.setFileInputFiles", files=[str(tmp_path / name)], nodeId=node)
        chromium.wait(f"byId('said').textContent.includes('{name}')")
        assert ("swapped: its border is light" in shown(chromium, "said")) == light
    (tmp_path / "text.png").write_text("no picture")
    chromium.ask("DOM.setFileInputFiles", files=[str(tmp_path / "text.png")], nodeId=node)
    chromium.wait("byId('said').textContent.startsWith('text.png: no picture that this browser reads')")


def test_drawing_moves_everything(opened: Page) -> None:
    opened.click("#clear")
    before = floats(opened, "net.values[net.output.value]")
    drag(opened, "#pad", (0.2, 0.2), (0.5, 0.5), (0.8, 0.3))
    after = floats(opened, "net.values[net.output.value]")
    assert not np.array_equal(before, after)
    assert shown(opened, "said").startswith("Drawn 280 × 280 pixels, gray. Made 8 × 8 as the data's pictures are")
    opened.value("byId('pad').focus()")
    opened.key("ArrowRight")
    opened.key(" ")
    opened.key("ArrowDown")
    opened.key("ArrowDown")
    opened.wait(f"net.values[net.output.value][0] !== {float(after[0])!r}")


def test_a_click_on_a_number_shows_the_sum_that_made_it(opened: Page) -> None:
    opened.click(".card:nth-child(2) canvas")
    detail = "byId('detail').textContent"
    assert "Conv2d, Conv: the sum of inputs times weights, plus the bias" in opened.value(detail)
    at = opened.value("state.chosen.at")
    total = opened.value("net.explain(state.chosen.value, state.chosen.at).sum")
    assert total == pytest.approx(float(floats(opened, "net.values[state.chosen.value]")[at]), rel=1e-4, abs=1e-5)
    opened.click("#detail td .from")
    assert "A number of the picture" in opened.value(detail)
    opened.value("[...document.querySelectorAll('#detail button')].find((b) => b.textContent === 'Back').click()")
    assert "Conv2d" in opened.value(detail)
    opened.key("Escape")
    assert opened.value("state.chosen") is None


def test_everything_can_be_done_with_keys(opened: Page) -> None:
    opened.value("document.querySelectorAll('.card canvas')[1].focus()")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        opened.key(key)
    width = opened.value("cards[1].layout.w")
    assert opened.value("state.chosen.at") == width + 1
    before = floats(opened, "net.values[net.output.value]")
    opened.key("o")
    opened.wait("cards[1].off.textContent === '1 off: 0'")
    assert not floats(opened, "net.values[cards[1].value].subarray(0, 80)").any()
    assert not np.array_equal(before, floats(opened, "net.values[net.output.value]"))
    opened.click("#all-on")
    np.testing.assert_array_equal(before, floats(opened, "net.values[net.output.value]"))
    opened.value("document.querySelector('#samples > div').focus()")
    opened.key("ArrowRight")
    assert opened.value("state.source.number") == 1


@pytest.mark.parametrize("name", ["lenet", "residual", "attention", "separable", "unet"])
def test_every_number_is_the_sum_of_what_it_is_said_to_come_from(chromium: Page, tmp_path: Path, name: str) -> None:
    config = configuration.load(f"configs/{name}.yaml")
    model = settled(build_model(config)[0])
    program = Program(lower(model, tuple(config.model.input), batch=1), model)
    file = tmp_path / "net.html"
    file.write_text(page(program, About(name, None, (), "numbers")), "utf-8")
    chromium.open(file)
    found = chromium.value(
        """(() => {
          net.run(state.input.map((_, i) => Math.sin(i)));
          const wrong = [];
          let count = 0;
          for (const step of net.steps) {
            const y = net.values[step.out];
            for (let k = 0; k < 7; k++) {
              const at = Math.floor((k * (y.length - 1)) / 6), e = net.explain(step.out, at);
              const size = e.rows.reduce((t, row) => Math.max(t, Math.abs(row.product)), 1);
              if (e.sum !== null && !(Math.abs(e.sum - y[at]) <= 1e-5 * size)) wrong.push([step.op, at, e.sum, y[at]]);
              if (step.op === "maxPool" && e.rows[e.best].x !== y[at]) wrong.push([step.op, at]);
              count += e.says.length > 0;
            }
          }
          return [count, wrong];
        })()"""
    )
    assert found[0] == 7 * len(program.steps)
    assert found[1] == []
    assert chromium.problems == []


def test_a_step_of_training_is_the_engines_and_can_be_undone(opened: Page) -> None:
    model, samples = net(), data(INPUTS)
    opened.value("takeSample(4); refresh()")
    number, label = opened.value("stored.numbers[4]"), opened.value("stored.labels[4]")
    first = {name: parameter.array.copy() for name, parameter in model.named_parameters()}
    x, _ = samples.gather(np.array([number]))
    inputs, target = lenet.from_numpy(np.ascontiguousarray(x)), lenet.tensor([label])
    losses = [nn.functional.cross_entropy(model(inputs), target)]
    losses[0].backward()
    optimizer = lenet.optim.SGD(model.parameters(), lr=0.25)
    optimizer.step()
    losses.append(nn.functional.cross_entropy(model(inputs), target))
    opened.value("byId('rate').value = '0.25'")
    opened.click("#step")
    after = {w["name"]: i for i, w in enumerate(opened.value("net.trained().map((w) => ({name: w.name}))"))}
    assert set(after) == set(first)
    for name, parameter in model.named_parameters():
        found = floats(opened, f"net.trained()[{after[name]}].values")
        np.testing.assert_allclose(found, parameter.detach().numpy().ravel(), rtol=1e-5, atol=1e-6, err_msg=name)
    said = shown(opened, "phases")
    for loss in losses:
        assert f"{float(f'{loss.item():.4g}'):g}" in said
    opened.click("#undo")
    for name, values in first.items():
        np.testing.assert_array_equal(floats(opened, f"net.trained()[{after[name]}].values"), values.ravel())
    assert opened.value("byId('undo').disabled")
    opened.value("byId('rate').value = '-1'")
    opened.click("#step")
    assert "has to be a number, 0 or more" in shown(opened, "phases")


def test_gradients_and_reasons_are_shown(opened: Page) -> None:
    opened.click("#show-grads")
    norms = opened.value("[...inView].map((card) => card.norm.textContent)")
    assert len(norms) > 1
    assert all(text.startswith("|grad| ") and "–" not in text for text in norms)
    opened.click("#scores button:nth-child(2)")
    assert "the score of one" in shown(opened, "saliency-says")
    assert "maps of 5 ReLU speak for one" in shown(opened, "cam-says")


def test_names_of_a_stranger_are_only_names(chromium: Page, tmp_path: Path) -> None:
    model: Any = nn.Sequential(nn.Flatten())
    model.add_module(HOSTILE.replace(".", ""), nn.Linear(120, 3))
    chromium.problems = []
    chromium.open(written(tmp_path, settled(model), INPUTS, HOSTILE))
    chromium.wait("byId('verdict').textContent !== ''")
    assert chromium.value("document.images.length") == 0
    assert chromium.value("document.scripts.length") == 3
    assert shown(chromium, "name") == HOSTILE
    assert HOSTILE in chromium.value("[...document.querySelectorAll('#scores .class')].map((c) => c.textContent)")
    assert HOSTILE in chromium.value("document.querySelector('.card:last-child h3').textContent")
    assert chromium.problems == []


def test_rows_of_numbers_have_layers_and_sums_but_no_pad(chromium: Page, tmp_path: Path) -> None:
    model = settled(nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 3)))
    rows = lenet.data.TensorDataset(lenet.randn(20, 6), lenet.arange(20) % 3)
    about = About("rows", None, ("a", "b", "c"), "scores", samples=chosen(rows, model, None, None))
    file = tmp_path / "rows.html"
    file.write_text(page(Program(lower(model, (6,), batch=1), model), about), "utf-8")
    chromium.problems = []
    chromium.open(file)
    chromium.wait("byId('verdict').textContent !== ''")
    assert chromium.value("byId('own').hidden && document.querySelector('.why').hidden")
    number = chromium.value("stored.numbers[0]")
    with lenet.no_grad():
        scores = model(rows.tensors[0][number : number + 1]).numpy()[0]
    np.testing.assert_allclose(floats(chromium, "net.values[net.output.value]"), scores, rtol=1e-5, atol=1e-6)
    chromium.click("#scores button:nth-child(2)")
    assert "Linear, Gemm: the sum of inputs times weights" in shown(chromium, "detail")
    assert chromium.problems == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_fits_a_phone(chromium: Page, tmp_path: Path, dark: bool) -> None:
    chromium.open(written(tmp_path, net(), INPUTS, "phone"), 390, 844, dark, touch=True)
    chromium.wait("byId('verdict').textContent !== ''")
    assert not chromium.is_wider_than_the_window()
    chromium.value("document.querySelectorAll('.card canvas')[1].scrollIntoView({block: 'center'})")
    chromium.wait("inView.has(cards[1])")
    chromium.tap(".card:nth-child(2) canvas")
    chromium.wait("state.chosen !== null")
    assert not chromium.is_wider_than_the_window()
    chromium.value("window.scrollTo(0, 0)")
    chromium.value("closeDetail()")
    chromium.tap("#pad")
    chromium.wait("state.source.kind === 'drawn'")
    ink = chromium.value("getComputedStyle(document.body).backgroundColor")
    assert (ink == "rgb(16, 21, 28)") == dark
    chromium.click("#theme")
    assert (chromium.value("getComputedStyle(document.body).backgroundColor") == "rgb(16, 21, 28)") != dark


@pytest.mark.parametrize(
    ("meaning", "outputs", "classes"),
    [
        ("logits", 1, ("no", "yes")),
        ("probabilities", 1, ("no", "yes")),
        ("logarithms", 3, ("a", "b", "c")),
        ("numbers", 2, ()),
    ],
)
def test_other_outputs_are_read_as_the_loss_takes_them(
    chromium: Page, tmp_path: Path, meaning: str, outputs: int, classes: tuple[str, ...]
) -> None:
    end = {"probabilities": [nn.Sigmoid()], "logarithms": [nn.LogSoftmax(1)]}.get(meaning, [])
    model = settled(nn.Sequential(nn.Flatten(), nn.Linear(120, outputs), *end))
    inputs = replace(INPUTS, classes=classes)
    chromium.problems = []
    chromium.open(written(tmp_path, model, inputs, meaning=meaning))
    chromium.wait("byId('scores').children.length > 0")
    x = lenet.from_numpy(floats(chromium, "state.input").reshape(1, 1, 12, 10).copy())
    y = model(x)
    shares = {"logits": lambda: lenet.sigmoid(y), "probabilities": lambda: y, "logarithms": y.exp, "numbers": lambda: y}
    values = shares[meaning]().detach().numpy().ravel()
    wanted = [1 - values[0], values[0]] if len(classes) == 2 else values
    if not classes:
        assert chromium.value("byId('learn-box').hidden")
        return
    found = chromium.value("shares(net.values[net.output.value], data.meaning)")
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    criterion: Any = {"logits": nn.BCEWithLogitsLoss(), "probabilities": nn.BCELoss(), "logarithms": nn.NLLLoss()}[
        meaning
    ]
    for label in range(len(classes)):
        target = lenet.tensor([label]) if outputs > 1 else lenet.tensor([[float(label)]])
        y = model(x).detach().requires_grad_()
        loss = criterion(y, target)
        loss.backward()
        value, gradient = chromium.value(f"lossOf(net.values[net.output.value], {label}, data.meaning)")
        assert value == pytest.approx(loss.item(), rel=1e-5)
        np.testing.assert_allclose(gradient, y.grad.numpy().ravel(), rtol=1e-5, atol=1e-6)
    assert chromium.problems == []
