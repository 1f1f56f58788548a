"""Whole nets out in every form. `python -m tests.export.net_table --write` writes docs/exported-nets.md."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import lenetcli as lenet
from lenetcli import nn
from lenetcli.data.inputs import Inputs
from lenetcli.data.transforms import Preprocessing
from lenetcli.export.checked import difference
from lenetcli.export.described import Described
from lenetcli.export.evaluated import evaluated
from lenetcli.export.folder import write_folder
from lenetcli.export.graph import Graph
from lenetcli.export.hub_onnx import NAMES, hub_graph
from lenetcli.export.lowering import lower
from lenetcli.export.onnx_file import Written, runner, to_bytes
from lenetcli.export.python_file import python_source
from lenetcli.export.python_file import runner as python_runner
from lenetcli.export.trace import flat
from lenetcli.export.weights import npz_bytes, read_weights
from tests.export.nets import settled
from tests.export.whole_nets import NETS, Whole

PAGE = Path(__file__).parents[2] / "docs" / "exported-nets.md"
FORMS = ("ONNX", "NPZ", "Python", "hub")
CONFIG = {
    "name": "net", "seed": 0, "model": {"input": [1]}, "data": {"type": "ImageFolder"},
    "loss": {"type": "CrossEntropyLoss"}, "optimizer": {"type": "SGD", "lr": 0.1},
    "train": {"epochs": 1, "batch_size": 1},
}  # fmt: skip

HEAD = """# Whole nets out

Each net leaves as an ONNX file, as NPZ, as one Python file and as a hub's folder, and its outputs are compared with
the engine's, for 1, 3 and 4 random samples: the largest difference. ONNX and the hub's `onnx/model.onnx` are run by
onnxruntime {runtime}; NPZ and `model.safetensors` are read into a net that was made anew. The hub's folder holds
`onnx/model.onnx` where the net takes images. Operators are those of ONNX; outputs have the names that the net gives
them (a dictionary's keys, `model.outputs`). Written by `python -m tests.export.net_table --write`; the tests compute
it again. The nets are those of `tests/export/whole_nets.py`.

| net | operators | {forms} |
|---|---:|{dashes}|
"""


def made(net: Whole) -> nn.Module:
    """The net, with weights that are nothing special."""
    lenet.manual_seed(0)
    return settled(net.make())


def differences(net: Whole) -> tuple[int, list[float]]:
    """How many operators the net has; and the largest difference in each form."""
    model = made(net)
    graph = lower(model, net.sample, net.kind)
    words = [np.arange(np.prod((4, *net.sample))).reshape(4, *net.sample) * 7 % 20] if net.kind.kind == "i" else ()
    run = runner(to_bytes(graph))
    source = python_source(graph, None, "numbers")
    assert run is not None
    found = [difference(each, model, graph, examples=words) for each in (run, python_runner(source))]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.npz"
        path.write_bytes(npz_bytes(model))
        npz = _again(net, path, graph, model, words)
        hub = _hub(net, Path(folder) / "hub", graph, model, words)
    return len(graph.nodes), [found[0], npz, found[1], hub]


def _again(net: Whole, weights: Path, graph: Graph, model: nn.Module, words: Any) -> float:
    """Of a net made anew, with the weights of a file."""
    other = net.make().eval()
    other.load_state_dict(read_weights(weights))

    def run(*inputs: Any) -> Any:
        with lenet.no_grad(), evaluated():
            return [tensor.array for _, tensor in flat("", other(*map(lenet.from_numpy, inputs)))]

    return difference(run, model, graph, examples=words)


def _hub(net: Whole, place: Path, graph: Graph, model: nn.Module, words: Any) -> float:
    """Of a hub's folder: of its weights, and of its ONNX file where there is one."""
    image = len(net.sample) == 3
    size = (net.sample[0], *net.sample[1:])
    inputs = Inputs(size, 255.0, Preprocessing(1 / 255), ()) if image else None
    content = None
    if inputs is not None:
        content = to_bytes(hub_graph(model, inputs, "numbers"), Written(names=NAMES))
    write_folder(place, Described(model, CONFIG, "name: net\n", inputs, None), content)
    found = _again(net, place / "model.safetensors", graph, model, words)
    if content is not None:
        run = runner((place / "onnx" / "model.onnx").read_bytes())
        assert run is not None
        found = max(found, difference(run, model, graph, examples=words))
    return found


def page() -> str:
    """docs/exported-nets.md as of today."""
    import onnxruntime

    text = io.StringIO()
    head = {"forms": " | ".join(FORMS), "dashes": "---:|" * (len(FORMS) - 1) + "---:"}
    text.write(HEAD.format(runtime=onnxruntime.__version__, **head))
    for name, net in NETS.items():
        count, found = differences(net)
        text.write(f"| {name} | {count} | {' | '.join(f'{d:.0e}' if d else '0' for d in found)} |\n")
    return text.getvalue()


def written() -> dict[str, list[str]]:
    """The page's cells, by net."""
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return {name: cells for name, *cells in rows[1:]}


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), "utf-8")
    else:
        print(page())
