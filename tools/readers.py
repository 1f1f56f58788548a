"""Which readers of .onnx files give the engine's numbers: every layer that is exported, in every reader that is here.

    python tools/readers.py write FOLDER [--opset N]        # with lenet and its tests: a file and its answers per layer
    PYTHON tools/readers.py read FOLDER READER ...          # in an environment that has the readers
    node tools/readers.mjs FOLDER                           # the readers of JavaScript, where npm has put them
    python tools/readers.py table FOLDER > docs/readers.md  # what they made of it

The same for whole nets, in float32 and in integers:

    python tools/readers.py write FOLDER --nets
    PYTHON tools/readers.py read FOLDER READER ...
    python tools/readers.py nets FOLDER > docs/readers-of-nets.md
    python tools/readers.py check FOLDER                    # the same as docs/readers-of-nets.md says, by version

Readers crash now and then; so each file is read in a process of its own. Not part of CI: it takes
minutes.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

NEAR = 1e-4  # of the largest output
Array = Any

PACKAGES = {
    "onnxruntime": "onnxruntime", "reference": "onnx", "openvino": "openvino", "opencv": "opencv-python-headless",
    "onnx2torch": "onnx2torch", "ncnn": "pnnx", "mnn": "MNN", "tinygrad": "tinygrad", "tract": "tract",
    "tvm": "apache-tvm", "iree": "iree-base-compiler",
}  # fmt: skip
NETS = (
    "mnist-99", "lenet", "lenet5", "mlp", "residual", "inception", "separable", "sequence", "attention", "unet",
)  # fmt: skip  # of configs/
AHEAD = {"onnx2torch": ["onnx2torch"], "tvm": ["tvm.relax.frontend.onnx"], "iree": ["iree.compiler"]}  # take long


def write(folder: Path, opset: int) -> None:
    """A file and its answers for each sample of a layer, for a batch of one."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import warnings

    import lenetcli as lenet
    from lenetcli import nn
    from lenetcli.export.graph import NotExportable
    from lenetcli.export.lowering import lower
    from lenetcli.export.onnx_file import Written, to_bytes
    from tests.export.nets import batch, expected, layer_samples, settled

    warnings.simplefilter("ignore")
    folder.mkdir(parents=True, exist_ok=True)
    seen = set()
    for sample in layer_samples():
        layer = settled(sample.make(nn, lenet.from_numpy))
        x = batch(sample, 1)
        try:
            y = expected(layer, x)
            content = to_bytes(lower(layer, x.shape[1:], x.dtype), Written(opset, 1))
        except (NotExportable, RuntimeError, ValueError, ZeroDivisionError):
            continue
        if content in seen or not np.isfinite(y).all():
            continue
        seen.add(content)
        name = f"{len(seen):03}"
        (folder / f"{name}.onnx").write_bytes(content)
        case = {"layer": sample.name, "sample": str(sample), "shape": list(x.shape), "type": str(x.dtype)}
        case |= {"x": x.ravel().tolist(), "y": y.ravel().tolist(), "opset": opset, "output": list(y.shape)}
        (folder / f"{name}.json").write_text(json.dumps(case))
    print(f"{len(seen)} files")


def write_nets(folder: Path, opset: int) -> None:
    """The nets of small configurations and a residual one of colours, in float32 and, where they can, in integers."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import lenetcli as lenet
    from lenetcli import config as configuration
    from lenetcli.build.parts import build_model
    from lenetcli.export.graph import NotExportable
    from lenetcli.export.int8_net import integer_net
    from lenetcli.export.int8_onnx import qdq_graph
    from lenetcli.export.int8_run import run
    from lenetcli.export.lowering import lower
    from lenetcli.export.onnx_file import Written, to_bytes
    from lenetcli.export.trace import flat
    from tests.export.nets import settled
    from tests.export.whole_nets import NETS as MORE

    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in NETS:
        config = configuration.load(Path(__file__).parents[1] / "configs" / f"{name}.yaml")
        found[name] = settled(build_model(config)[0]), tuple(config.model.input)
    whole = MORE["residual (ResNet)"]
    found["ResNet of colours"] = settled(whole.make()), whole.sample
    for number, (name, (model, sample)) in enumerate(found.items()):
        samples = np.random.default_rng(number).standard_normal((32, *sample), np.float32)
        graph = lower(model, sample)
        forms = {"float32": to_bytes(graph, Written(opset, 1))}
        answers, near = {}, {}
        x = samples[:1]
        with lenet.no_grad():
            answers["float32"] = next(tensor.numpy() for _, tensor in flat("", model(lenet.from_numpy(x))))
        try:
            net = integer_net(graph, [samples])
            forms["int8"] = to_bytes(qdq_graph(net, opset), Written(opset, 1))
            answers["int8"], near["int8"] = net.real(run(net, x))[0], net.grids[graph.output.name].step
        except NotExportable:
            pass
        for form, content in forms.items():
            place = folder / f"{number:02}-{form}"
            place.with_suffix(".onnx").write_bytes(content)
            y = answers[form]
            case = {"layer": name, "sample": form, "shape": list(x.shape), "type": str(x.dtype), "near": near.get(form)}
            case |= {"x": x.ravel().tolist(), "y": y.ravel().tolist(), "opset": opset, "output": list(y.shape)}
            place.with_suffix(".json").write_text(json.dumps(case))
    print(f"{len(found)} nets")


# Readers: each takes a file and an input, and gives the output


def onnxruntime(path: str, x: Array) -> Array:
    import onnxruntime

    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, {"input": x})[0]


def reference(path: str, x: Array) -> Array:
    from onnx.reference import ReferenceEvaluator

    return ReferenceEvaluator(path).run(None, {"input": x})[0]


def openvino(path: str, x: Array) -> Array:
    import openvino

    model = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return model(x)[0]


def opencv(path: str, x: Array) -> Array:
    import cv2

    net = cv2.dnn.readNetFromONNX(path)
    net.setInput(x)
    return net.forward()


def onnx2torch(path: str, x: Array) -> Array:
    import onnx
    import torch
    from onnx2torch import convert

    with torch.no_grad():
        return convert(onnx.load(path)).eval()(torch.from_numpy(x)).numpy()


def ncnn(path: str, x: Array) -> Array:
    """Through pnnx, the converter of its authors; ncnn knows no batch."""
    import ncnn

    sizes = ",".join(map(str, x.shape)) + {"float32": "f32", "int64": "i64"}[str(x.dtype)]
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place, "net.onnx")
        copy.write_bytes(Path(path).read_bytes())
        done = subprocess.run(["pnnx", copy, f"inputshape=[{sizes}]", "fp16=0"], capture_output=True, text=True)
        if not Path(place, "net.ncnn.param").exists():
            raise RuntimeError(done.stderr[-200:])
        with ncnn.Net() as net:
            net.opt.use_fp16_packed = net.opt.use_fp16_storage = net.opt.use_fp16_arithmetic = False
            if net.load_param(str(Path(place, "net.ncnn.param"))) or net.load_model(str(Path(place, "net.ncnn.bin"))):
                raise RuntimeError("ncnn cannot load what pnnx has written")
            with net.create_extractor() as run:
                run.input("in0", ncnn.Mat(np.ascontiguousarray(x[0])))
                return np.array(run.extract("out0")[1])[None]


def mnn(path: str, x: Array) -> Array:
    import MNN

    with tempfile.TemporaryDirectory() as place:
        target = str(Path(place, "net.mnn"))
        command = ["mnnconvert", "-f", "ONNX", "--modelFile", path, "--MNNModel", target, "--bizCode", "x"]
        done = subprocess.run(command, capture_output=True, text=True)
        if not Path(target).exists():
            raise RuntimeError((done.stdout + done.stderr)[-200:])
        net = MNN.nn.load_module_from_file(target, ["input"], ["output"])
        given = MNN.expr.placeholder(
            list(x.shape), MNN.expr.NCHW, MNN.expr.int if x.dtype == np.int64 else MNN.expr.float
        )
        given.write(x.astype(np.int32) if x.dtype == np.int64 else x)
        return np.array(MNN.expr.convert(net.forward(given), MNN.expr.NCHW).read())


def tinygrad(path: str, x: Array) -> Array:
    os.environ.setdefault("DEV", "PYTHON")
    from tinygrad import Tensor
    from tinygrad.nn.onnx import OnnxRunner

    return OnnxRunner(path)({"input": Tensor(x)})["output"].numpy()


def tract(path: str, x: Array) -> Array:
    import tract

    return tract.onnx().load(path).into_model().into_runnable().run([x])[0].to_numpy()


def tvm(path: str, x: Array) -> Array:
    import onnx
    import tvm
    from tvm import relax
    from tvm.relax.frontend.onnx import from_onnx

    machine = relax.VirtualMachine(tvm.compile(from_onnx(onnx.load(path)), "llvm"), tvm.cpu())
    return machine["main"](tvm.runtime.tensor(x)).numpy()


def iree(path: str, x: Array) -> Array:
    import iree.compiler as compiler
    import iree.runtime as runtime

    with tempfile.TemporaryDirectory() as place:
        text = Path(place, "net.mlir")
        subprocess.run(
            [sys.executable, "-m", "iree.compiler.tools.import_onnx", path, "-o", text], check=True, capture_output=True
        )
        flat = compiler.compile_file(
            str(text), input_type="onnx", target_backends=["llvm-cpu"], extra_args=["--iree-llvmcpu-target-cpu=generic"]
        )
        config = runtime.Config("local-sync")
        module = runtime.VmModule.copy_buffer(config.vm_instance, flat)
        return np.array(runtime.load_vm_module(module, config)["lenet"](x).to_host())


READERS: dict[str, Callable[[str, Array], Array]] = {
    name: globals()[name] for name in PACKAGES
}  # each under the name that is typed


def judged(reader: str, path: Path, answer: Any) -> None:
    """Puts what a reader made of a file into `answer`: "ok", "differs" or why it was refused."""
    case = json.loads(path.with_suffix(".json").read_text())
    x = np.array(case["x"], case["type"]).reshape(case["shape"])
    y = np.array(case["y"], np.float32)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1, 2)
    try:
        found = READERS[reader](str(path), x)
    except BaseException as error:
        answer.put(f"refused: {type(error).__name__}: {' '.join(str(error).split())[:300]}")
        return
    most = case.get("near") or NEAR * max(1, np.abs(y).max(initial=0))
    near = found.size == y.size and np.abs(found.ravel() - y).max(initial=0) <= most
    answer.put("ok" if near else "differs")


def read(folder: Path, readers: list[str]) -> None:
    """FOLDER/READER.result.json for each reader: its version, and what it made of each file."""
    process = multiprocessing.get_context("fork")
    for reader in readers:
        for module in AHEAD.get(reader, ()):
            importlib.import_module(module)
        found: dict[str, Any] = {"version": importlib.metadata.version(PACKAGES[reader]), "files": {}}
        for path in sorted(folder.glob("*.onnx")):
            answer = process.Queue()
            worker = process.Process(target=judged, args=(reader, path, answer))
            worker.start()
            worker.join(120)
            if worker.is_alive():
                worker.kill()
            found["files"][path.stem] = "crashed" if answer.empty() else answer.get()
        key = f"{reader}-{found['version']}"
        (folder / f"{key}.result.json").write_text(json.dumps(found, indent=1))
        values = list(found["files"].values())
        print(f"{key}: {values.count('ok')} of {len(values)}, {values.count('differs')} differ", flush=True)


def table(folder: Path) -> None:
    """The page: a row for each layer, a column for each reader."""
    cases = {path.stem: json.loads(path.with_suffix(".json").read_text()) for path in sorted(folder.glob("*.onnx"))}
    results = {
        path.name.removesuffix(".result.json"): json.loads(path.read_text())
        for path in sorted(folder.glob("*.result.json"))
    }
    layers: dict[str, list[str]] = {}
    for name, case in cases.items():
        layers.setdefault(case["layer"], []).append(name)
    opset = next(iter(cases.values()))["opset"]
    print(HEAD.format(count=len(cases), layers=len(layers), opset=opset))
    print(
        "| reader | version | gives the engine's numbers | gives others | refuses or crashes |\n"
        "|---|---|---:|---:|---:|"
    )
    for key, result in results.items():
        values = list(result["files"].values())
        right, other = values.count("ok"), values.count("differs")
        name = key.removesuffix(f"-{result['version']}")
        print(f"| {name} | {result['version']} | {right} | {other} | {len(values) - right - other} |")
    print("\nThe layers that are not read right by all of them, and how many of their files were:\n")
    labels = [f"{key.removesuffix('-' + results[key]['version'])} {results[key]['version'][:4]}" for key in results]
    print(f"| layer | files | {' | '.join(labels)} |")
    print(f"|---|---:|{'---|' * len(results)}")
    for layer, names in sorted(layers.items()):
        cells = []
        for result in results.values():
            values = [result["files"].get(name, "not tried") for name in names]
            right, other = values.count("ok"), values.count("differs")
            cells.append(("all" if right == len(names) else str(right)) + (f", {other} other" if other else ""))
        if set(cells) != {"all"}:
            print(f"| {layer} | {len(names)} | {' | '.join(cells)} |")


def cells(folder: Path) -> dict[str, dict[str, str]]:
    """For each reader with its version what it made of each net, in float32 and, where that can be, in integers."""
    cases = {path.stem: json.loads(path.with_suffix(".json").read_text()) for path in sorted(folder.glob("*.onnx"))}
    found: dict[str, dict[str, str]] = {}
    for path in sorted(folder.glob("*.result.json")):
        result = json.loads(path.read_text())
        words = {}
        for stem, case in cases.items():
            said = result["files"].get(stem, "not tried")
            word = {"ok": "yes", "differs": "other numbers"}.get(said, said.split(":")[0])
            before = words.get(case["layer"])
            words[case["layer"]] = word if before is None else f"{before}, {word}"
        name = path.name.removesuffix(f"-{result['version']}.result.json")
        found[f"{name} {result['version']}"] = words
    return found


def nets(folder: Path) -> None:
    """The page of whole nets."""
    found = cells(folder)
    names = list(next(iter(found.values())))
    print(NETS_HEAD + f"\n| net | {' | '.join(found)} |\n|---|{'---|' * len(found)}")
    for name in names:
        print(f"| {name} | {' | '.join(words[name] for words in found.values())} |")


def check(folder: Path) -> None:
    """Each reader that was run made of the nets what the page says of this version.

    Raises:
        SystemExit: it did not.
    """
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("|")]
    head, *rest = ([cell.strip() for cell in row] for row in rows if not row[0].startswith("---"))
    pages = {reader: {row[0]: row[at] for row in rest} for at, reader in enumerate(head) if at}
    wrong = []
    for reader, words in cells(folder).items():
        if reader not in pages:
            print(f"{reader}: the page does not know this version; {', '.join(f'{k}: {v}' for k, v in words.items())}")
            continue
        bad = [f"{reader}: {net}: {word}, the page says {pages[reader].get(net)}" for net, word in words.items()
               if pages[reader].get(net) != word]  # fmt: skip
        print("\n".join(bad) or f"{reader}: as the page says")
        wrong += bad
    if wrong:
        sys.exit("python tools/readers.py nets FOLDER > docs/readers-of-nets.md makes the page anew")


PAGE = Path(__file__).parents[1] / "docs" / "readers-of-nets.md"
NETS_HEAD = """# Whole nets in other programs

What other programs make of `lenet export -o net.onnx` and of the same with `--int8`: the nets of `configs/`, with
random weights, one sample each, opset 18, a batch of one. A cell says first what becomes of float32 (yes: the engine's
outputs to 1e-4 of the largest), then of integers (yes: within one step of the [engine's integers](int8.md)), where the
net can become such. Made by `tools/readers.py`;
which layer works where says [what reads the exported ONNX files](readers.md).
"""

HEAD = """# Readers of exported ONNX files

What other programs make of `lenet export -o net.onnx`: {count} files of {layers} layers, each in its variants (the
samples of `tests/nn/samples`), opset {opset}, a batch of one, in one reader after the other. A file is read where
the outputs are the engine's to 1e-4 of the largest. Made by `tools/readers.py`, which CI does not run.
"""


def main() -> None:
    """As the module says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("write", "read", "table", "nets", "check"):
        one = commands.add_parser(name)
        one.add_argument("folder", type=Path)
        if name == "write":
            one.add_argument("--opset", type=int, default=18)
            one.add_argument("--nets", action="store_true")
        if name == "read":
            one.add_argument("readers", nargs="*", choices=[[], *READERS], default=[])
    given = parser.parse_args()
    if given.command == "write":
        (write_nets if given.nets else write)(given.folder, given.opset)
    elif given.command == "read":
        read(given.folder, given.readers or list(READERS))
    else:
        {"table": table, "nets": nets, "check": check}[given.command](given.folder)


if __name__ == "__main__":
    main()
