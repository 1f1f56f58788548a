"""Ten trained nets as pages: all their test samples in a browser, held to the engine.

python -m tests.export.html_nets --write

puts the table into docs/html-file.md. MNIST and Fashion-MNIST lie where LENET_TEST_DATA says; Chromium is needed.
"""

from __future__ import annotations

import base64
import copy
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli.runs.open import Loaded, load_run
from tests.commands import run
from tests.report.live_page import Page, new_page

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "html-file.md"
AT_ONCE, GRADIENTS, FORWARDS, NEAR = 250, 100, 200, 1e-5

# a run of samples -> scores; one sample and its class -> loss and gradients; both as base64 of float32
# tied: a window of a pool has two numbers that are the same but for rounding, which decides where the gradient goes
SCRIPT = """
globalThis.coded = (numbers) => {
  const bytes = new Uint8Array(numbers.buffer), parts = [];
  for (let i = 0; i < bytes.length; i += 8192) parts.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return btoa(parts.join(""));
};
globalThis.input = (values) => {
  const [c, h, w] = shape;
  return prepared({ c, h, w, values }, data.inputs, data.inputs.stored);
};
globalThis.numbers = (text, floats) => (floats ? new Float32Array(decoded(text).buffer) : decoded(text));
globalThis.scores = (text, floats) => {
  const all = numbers(text, floats), size = shape[0] * shape[1] * shape[2], found = [];
  for (let at = 0; at < all.length; at += size) found.push(...net.run(input(all.subarray(at, at + size))));
  return coded(Float32Array.from(found));
};
globalThis.slopes = (text, floats, label) => {
  net.run(input(numbers(text, floats)));
  const [loss, gradient] = lossOf(net.values[net.output.value], label, data.meaning, data.smoothing);
  net.backward([[net.output.value, Float32Array.from(gradient)]]);
  const parts = [net.grads[0], ...net.trained().map((w) => w.grad)];
  const found = new Float32Array(1 + parts.reduce((t, part) => t + part.length, 0));
  found[0] = loss;
  let at = 1;
  for (const part of parts) { found.set(part, at); at += part.length; }
  return coded(found);
};
globalThis.tied = () => net.steps.some((step) => {
  if (step.op !== "maxPool") return false;
  const x = net.values[step.in[0]], g = net.grads[step.out];
  let found = false;
  eachWindow(step, (at, places) => {
    const best = largest(x, places), room = 1e-6 * Math.abs(x[best]);
    found ||= g[at] !== 0 && places.some((place) => place !== best && x[best] - x[place] <= room);
  });
  return found;
});
globalThis.forward = (count) => {
  const times = [];
  for (let i = 0; i < count; i++) {
    const begin = performance.now();
    net.again();
    times.push(performance.now() - begin);
  }
  return times.sort((a, b) => a - b)[count >> 1];
};
"""

MNIST = "data: {type: MNIST, root: MNIST, normalize: [0.1307, 0.3081]}\n"
END = "loss: {type: CrossEntropyLoss}\noptimizer: {type: Adam, lr: 2e-3}\ntrain: {epochs: 1, batch_size: 64}\n"
OWN = {
    "LeNet-5, tanh and average pools": """
    - {type: Conv2d, out_channels: 6, kernel_size: 5, padding: 2}
    - {type: Tanh}
    - {type: AvgPool2d, kernel_size: 2}
    - {type: Conv2d, out_channels: 16, kernel_size: 5}
    - {type: Tanh}
    - {type: AvgPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Linear, out_features: 120}
    - {type: Tanh}
    - {type: Linear, out_features: 84}
    - {type: Tanh}
    - {type: Linear, out_features: 10}
""",
    "batch norms": """
    - {type: Conv2d, out_channels: 8, kernel_size: 3, padding: 1, bias: false}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Conv2d, out_channels: 16, kernel_size: 3, padding: 1, bias: false}
    - {type: BatchNorm2d}
    - {type: ReLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: Flatten}
    - {type: Dropout, p: 0.3}
    - {type: Linear, out_features: 10}
""",
    "units only (MLP)": """
    - {type: Flatten}
    - {type: Linear, out_features: 128}
    - {type: ReLU}
    - {type: Linear, out_features: 64}
    - {type: ReLU}
    - {type: Linear, out_features: 10}
""",
    "strides and a mean of all": """
    - {type: Conv2d, out_channels: 8, kernel_size: 5, stride: 2, padding: 2}
    - {type: GELU}
    - {type: AvgPool2d, kernel_size: 3, stride: 2, padding: 1}
    - {type: Conv2d, out_channels: 24, kernel_size: 3, padding: 1}
    - {type: GELU}
    - {type: AdaptiveAvgPool2d, output_size: 1}
    - {type: Flatten}
    - {type: Linear, out_features: 10}
""",
}
COLOURS = """version: 1
name: colours
model:
  input: [3, 24, 24]
  layers:
    - {type: Conv2d, out_channels: 8, kernel_size: 3}
    - {type: SiLU}
    - {type: MaxPool2d, kernel_size: 2}
    - {type: GroupNorm, num_groups: 2}
    - {type: Conv2d, out_channels: 12, kernel_size: 3}
    - {type: LeakyReLU}
    - {type: Flatten}
    - {type: Linear, out_features: 3}
data: {type: ImageFolder, root: colours, resize: [24, 24], normalize: [[0.5, 0.4, 0.3], [0.2, 0.2, 0.3]]}
loss: {type: CrossEntropyLoss}
optimizer: {type: Adam, lr: 3e-3}
train: {epochs: 8, batch_size: 16}
"""


@dataclass(frozen=True)
class Held:
    """A page beside the engine: how large, how many samples, and the largest differences.

    Args:
        others: samples of which it says another class.
        exact: how far scores are at most from the engine's of float64.
        largest: score.
        tied: of the samples whose gradients are compared, those that get another one since rounding decides where a
            pool's goes; of them, gradients of the weights only are compared.
    """

    name: str
    data: str
    size: int
    samples: int
    others: int
    scores: float
    exact: float
    largest: float
    gradients: float
    tied: int
    milliseconds: float
    problems: tuple[str, ...]

    def row(self) -> str:
        """A line of the table."""
        same = f"{self.samples:,}" if not self.others else f"{self.samples - self.others:,} of {self.samples:,}"
        return (
            f"| {self.name} | {self.data} | {self.size / 1000:.0f} kB | {same} | {self.largest:.3g} "
            f"| {self.scores:.1e} | {self.exact:.1e} | {self.gradients:.1e} | {self.tied} "
            f"| {self.milliseconds:.2g} ms |"
        )


def nets(real: Path, place: Path) -> list[tuple[str, str, list[str]]]:
    """Name, configuration and changes of each net."""
    mnist, fashion = f"data.root={real / 'mnist'}", f"data.root={real / 'fashion-mnist'}"
    found = [("LeNet", "configs/lenet-mnist.yaml", [mnist, "train.epochs=1"])]
    for name, layers in OWN.items():
        word = re.sub("[^a-z0-9]+", "-", name.lower()).strip("-")
        file = place / f"{word}.yaml"
        text = f"version: 1\nname: {word}\nmodel:\n  input: [1, 28, 28]\n  layers:{layers}{MNIST}{END}"
        file.write_text(text, "utf-8")
        found.append((name, str(file), [mnist]))
    fashion_changes = ["data.type=FashionMNIST", fashion, "train.epochs=1"]
    found.append(("LeNet on Fashion-MNIST", "configs/lenet-mnist.yaml", fashion_changes))
    for name, config in (("residual", "residual"), ("depthwise", "separable"), ("attention", "attention")):
        found.append((name, f"configs/{config}.yaml", ["train.epochs=3"]))
    _draw_colours(place / "colours")
    (place / "colours.yaml").write_text(COLOURS, "utf-8")
    found.append(("own pictures in colour", str(place / "colours.yaml"), [f"data.root={place / 'colours'}"]))
    return found


def _draw_colours(place: Path) -> None:
    """Pictures of three kinds: squares, rings and stripes in random colours and sizes."""
    from PIL import Image

    random = np.random.default_rng(0)
    for split, count in (("train", 80), ("test", 60)):
        for kind in ("ring", "square", "stripes"):
            folder = place / split / kind
            folder.mkdir(parents=True)
            for i in range(count):
                h, w = random.integers(20, 60, 2)
                y, x = (np.arange(n)[:, None] / n - 0.5 for n in (h, w))
                far = np.hypot(y, x.T)
                inside = {
                    "ring": (far > 0.2) & (far < 0.4), "square": (abs(y) < 0.3) & (abs(x.T) < 0.3),
                    "stripes": np.broadcast_to(np.arange(w) // 5 % 2 == 0, (h, w)),
                }[kind]  # fmt: skip
                ink, paper = random.integers(120, 256, 3), random.integers(0, 120, 3)
                pixels = np.where(inside[..., None], ink, paper) + random.integers(0, 20, (h, w, 3))
                Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / f"{i}.png")


def held(real: Path, place: Path, samples: int | None = None) -> Iterator[Held]:
    """Trains each net, writes its page and holds it to the engine.

    Args:
        real: where MNIST and Fashion-MNIST are.
        samples: how many of the test samples; all where that is None.
    """
    with new_page(place / "browser") as browser:
        for name, config, changes in nets(real, place):
            there, file = place / f"run {name}", place / f"{name}.html"
            for words in (
                ["train", config, *changes, "--progress", "off", "--out", str(there)],
                ["export", str(there), "-o", str(file)],
            ):
                done = run(words, ROOT)
                assert done.code == 0, (words, done.err)
            loaded = load_run(there)
            yield compared(browser, name, file, loaded, samples)


def compared(browser: Page, name: str, file: Path, loaded: Loaded, most: int | None = None) -> Held:
    """A page's scores of test samples, and its gradients of some, beside the engine's."""
    data, model = loaded.split("test"), loaded.model
    count = min(len(data), most or len(data))
    raw = np.asarray(data.images[np.arange(count)])
    floats = bool((raw != raw.astype(np.uint8)).any())
    raw = raw.astype(np.float32 if floats else np.uint8)
    browser.problems = []
    browser.open(file)
    browser.wait("byId('scores').children.length > 0")
    browser.value(SCRIPT)
    others, worst, exact, largest = 0, 0.0, 0.0, 0.0
    double = copy.deepcopy(model).double()
    for first in range(0, count, AT_ONCE):
        x, _ = data.gather(np.arange(first, min(first + AT_ONCE, count)))
        with lenet.no_grad():
            wanted = model(lenet.from_numpy(np.ascontiguousarray(x))).numpy()
            precise = double(lenet.from_numpy(x.astype(np.float64))).numpy()
        got = _numbers(browser, f"scores('{_text(raw[first : first + AT_ONCE])}', {str(floats).lower()})")
        got = got.reshape(wanted.shape)
        others += int((got.argmax(1) != wanted.argmax(1)).sum())
        exact = max(exact, float(np.abs(got - precise).max()))
        worst = max(worst, float(np.abs(got - wanted).max()))
        largest = max(largest, float(np.abs(wanted).max()))
    slopes = [_slopes(browser, loaded, raw[i : i + 1], i, floats) for i in range(min(GRADIENTS, count))]
    slope, tied = max(found for found, _ in slopes), sum(tie for _, tie in slopes)
    time = browser.value(f"forward({FORWARDS})")
    kind = loaded.config.data.type
    apart = (others, worst, exact, largest, slope)
    return Held(name, kind, file.stat().st_size, count, *apart, tied, time, tuple(browser.problems))


def _slopes(browser: Page, loaded: Loaded, raw: Any, number: int, floats: bool) -> tuple[float, bool]:
    """The largest difference of the loss's gradients by the input and all weights; whether the input's is tied."""
    x, target = loaded.split("test").gather(np.array([number]))
    inputs = lenet.from_numpy(np.ascontiguousarray(x)).requires_grad_()
    loaded.model.zero_grad()
    loaded.criterion(loaded.model(inputs), lenet.from_numpy(np.asarray(target))).backward()
    names = browser.value("net.trained().map((w) => w.name)")
    parameters = dict(loaded.model.named_parameters())
    assert set(names) == set(parameters)
    tensors = [inputs, *(parameters[name] for name in names)]
    wanted = np.concatenate([tensor.grad.numpy().ravel() for tensor in tensors if tensor.grad is not None])
    got = _numbers(browser, f"slopes('{_text(raw)}', {str(floats).lower()}, {int(target[0])})")
    apart = np.abs(got[1:] - wanted)
    tied = bool(apart.max() > NEAR and browser.value("tied()"))
    return float(apart[inputs.numel() if tied else 0 :].max()), tied


def _text(array: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def _numbers(browser: Page, script: str) -> Any:
    return np.frombuffer(base64.b64decode(browser.value(script)), np.float32)


HEAD = """| net | data | page | same class | largest score | scores | float64 | gradients | ties | forward |
|---|---|---:|---:|---:|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Prints the table; with --write it goes into the page of the documentation."""
    real = Path(os.environ.get("LENET_TEST_DATA", ROOT.parent / "shared" / "data"))
    rows = []
    with tempfile.TemporaryDirectory() as place:
        for found in held(real, Path(place)):
            print(found.row(), *found.problems, flush=True)
            rows.append(found.row())
    if "--write" in sys.argv:
        text = PAGE.read_text("utf-8")
        PAGE.write_text(
            re.sub(r"^\| net \|.*?(?=^$|\Z)", HEAD + "\n".join(rows) + "\n", text, flags=re.M | re.S), "utf-8"
        )


if __name__ == "__main__":
    main()
