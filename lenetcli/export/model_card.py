"""README.md of a hub's folder, the model card: what the model is, how it did, how it was trained, how it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from lenetcli import __version__
from lenetcli.config.consent import hash_of
from lenetcli.data.inputs import Inputs
from lenetcli.export.described import Described

MARKUP = re.compile(r"[\\`*{}<>#|~!&@\[\]]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//)|(?<=www)\.", re.IGNORECASE)


def model_card(what: Described, has_onnx: bool = False) -> str:
    """README.md: what the model is, how it did, how it was trained, how it is used. Only what the run knows.

    Args:
        has_onnx: onnx/model.onnx lies beside it.
    """
    parts = [_about(what), _results(what), _training(what), _use(what, has_onnx), _code(what)]
    return "\n".join([_front_matter(what), f"# {words(what.name)}", "", *(line for part in parts for line in part)])


def words(text: str) -> str:
    """Text of others on one line of Markdown that shows it as it is: no markup, no HTML, no links, nothing unseen.

    Example:
        >>> print(words("<b>a</b>"), words("x\\ny"), words("T_max"), words("see http://a.b"))
        \\<b\\>a\\</b\\> x\\\\ny T_max see http\\://a.b
    """
    return MARKUP.sub(lambda found: "\\" + found[0], visible(text))


def visible(text: str) -> str:
    """Text with what is no visible character written out, such as \\n."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


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
        names = ", ".join(map(words, what.inputs.classes[:20])) + (", ..." if len(what.inputs.classes) > 20 else "")
        text += ["", f"It tells {len(what.inputs.classes)} classes apart: {names}."]
    lines = [visible(line) for line in repr(what.model).split("\n")]
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", repr(what.model)))])
    return [*text, "", fence, *lines, fence, ""]


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
        f"| {words(str(what.config['data']['type']))} | {f.split}{count} | {f.epoch} | {f.loss:.4f} | {accuracy} |",
        "",
    ]


def _training(what: Described) -> list[str]:
    def shown(section: Mapping[str, Any]) -> str:
        given = ((key, value) for key, value in section.items() if key != "type" and value is not None)
        return ", ".join([words(str(section["type"])), *(f"{words(key)}={_value(value)}" for key, value in given)])

    train = what.config["train"]
    lines = [
        f"- data: {shown(what.config['data'])}",
        f"- loss: {_losses(what.config['loss'], shown)}",
        f"- optimizer: {shown(what.config['optimizer'])}",
        f"- epochs: {train['epochs']}, batches of {train['batch_size']}, seed {what.config['seed']}",
    ]
    if what.config.get("scheduler"):
        lines.insert(3, f"- scheduler: {shown(what.config['scheduler'])}")
    places = [key for key in ("root", "path", "test") if isinstance(what.config["data"].get(key), str)]
    there = "".join(f" data.{key}=..." for key in places)
    where = f", with `{there.strip()}` for where the data lies" if there else ""
    return [
        "## Training",
        "",
        *lines,
        "",
        f"`config.yaml` holds everything: `lenet train config.yaml` repeats the run{where}.",
        "",
    ]


def _losses(given: Any, shown: Callable[[Mapping[str, Any]], str]) -> str:
    """One loss, or several of a net with several outputs."""
    return "; ".join(map(shown, given)) if isinstance(given, list) else shown(given)


def _value(value: Any) -> str:
    """A value of the configuration; brackets of numbers are no markup."""
    text = str(value)
    return text if re.fullmatch(r"[\w\s.,+()\[\]-]*", text, re.ASCII) else words(text)


def _use(what: Described, has_onnx: bool) -> list[str]:
    is_chain = type(what.model).__name__ == "Sequential"
    lines = [_WEIGHTS.format(kind="a `torch.nn.Sequential`" if is_chain else "a module")]
    if what.inputs is not None and has_onnx:
        lines += [_hubs(what.inputs), *_differences(what, what.inputs)]
    elif what.inputs is not None and what.inputs.size != what.inputs.shape[1:]:
        held, seen = _size(what.inputs.shape[1:]), _size(what.inputs.size)
        lines.append(
            f"`lenet predict` brings pictures of another size than {held} to that before they become {seen}.\n"
            "`preprocessor_config.json` can say only the second: its results for such pictures differ.\n"
        )
    return lines


_WEIGHTS = """## Use

```sh
lenet import model.safetensors --config config.yaml --out run
lenet predict run picture.png
```

The keys of `model.safetensors` are torch's: `model.load_state_dict(safetensors.torch.load_file("model.safetensors"))`
fills {kind} of the same layers and names.
"""


def _hubs(inputs: Inputs) -> str:
    """How the folder is used from Hugging Face's libraries, in Python and in JavaScript."""
    mode = {1: "L", 3: "RGB"}.get(inputs.shape[0], "RGBA")
    gray = ".grayscale()" if inputs.shape[0] == 1 else ""
    return f"""In Python, with `transformers` and `onnxruntime` (`transformers` has no class for the net itself):

```python
import onnxruntime
from PIL import Image
from transformers import AutoImageProcessor

processor = AutoImageProcessor.from_pretrained(".")
session = onnxruntime.InferenceSession("onnx/model.onnx")
picture = Image.open("picture.png").convert("{mode}")
pixels = processor(picture, return_tensors="np")["pixel_values"]
logits = session.run(["logits"], {{"pixel_values": pixels}})[0]
```

In JavaScript, with `@huggingface/transformers`, for which the net is of a type that takes pixels and gives logits:

```js
import {{ AutoImageProcessor, AutoModelForImageClassification, RawImage }} from "@huggingface/transformers";

const model = await AutoModelForImageClassification.from_pretrained("THIS FOLDER", {{ dtype: "fp32" }});
const processor = await AutoImageProcessor.from_pretrained("THIS FOLDER");
const picture = (await RawImage.read("picture.png")){gray};
const {{ logits }} = await model(await processor(picture));
```
"""


# By 40 of the digits' test pictures, enlarged, on configs/lenet.yaml after 12 epochs, and transformers.js 4.3.2.
MEASURED = """Of 40 digits of 8 x 8, enlarged four times, 5 became another class there, of 40 of
MNIST's 28 x 28 pixels 11; in Python none."""


def _differences(what: Described, inputs: Inputs) -> list[str]:
    """Where these libraries' results are not those of `lenet predict`."""
    held = _size(inputs.shape[1:])
    lines = []
    if inputs.size != inputs.shape[1:]:
        rows, columns = inputs.size
        lines.append(
            f"The data set's pictures have {held} pixels, and the processor brings all others to that;\n"
            f"`onnx/model.onnx` makes {_size(inputs.size)} of them itself, which the net takes.\n"
            "For `model.safetensors` in torch that is\n"
            f'`torch.nn.functional.interpolate(pixels, ({rows}, {columns}), mode="bilinear")`.\n'
        )
    lines.append(
        f"A picture of {held} gives what `lenet predict` gives. One of another size is resized: in Python as\n"
        "`lenet predict` does it, to a gray level; in JavaScript under Node aligned to the corner, not averaging,\n"
        f"which gives other numbers. {MEASURED}\nSo bring pictures to {held} before, where that matters.\n"
    )
    if what.outputs == "logits" and what.config["model"] and len(inputs.classes) > 2:
        lines.append("Each logit is a class of its own: its probability is its sigmoid, not the softmax of all.\n")
    return lines


def _size(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def _code(what: Described) -> list[str]:
    """What the reader has to know before the model's own Python is run."""
    if not what.own_files:
        return []
    hashes = {name: hash_of(file.read_bytes()) for name, file in what.own_files.items()}
    return [
        "## Code",
        "",
        "The model is made of Python that is not part of lenet; it lies in this folder. To use the model is to run it.",
        "Get it from whom you trust, read it, and compare its hash:",
        "",
        *(f"- {words(name)}, sha256 `{digest}`" for name, digest in hashes.items()),
        "",
        "lenet imports it only where you say so: `lenet import ... --allow-code`, `lenet predict ... --allow-code`, or",
        "after a `lenet train` of yours with the same file.",
        "",
    ]
