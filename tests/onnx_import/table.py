"""docs/onnx-in.md's tables: which operators are read, and nets from their writers to lenet with largest differences.

python -m tests.onnx_import.table --write

writes them anew, for which torch and onnxscript have to be installed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lenetcli.export.graph import NotExportable
from lenetcli.export.onnx_file import onnx_model
from lenetcli.onnx_import import imported
from lenetcli.onnx_import.imported import Imported
from lenetcli.onnx_import.lowering import READERS
from lenetcli.onnx_import.net import OWN
from tests.onnx_import.nets import apart, model_of
from tests.onnx_import.torch_nets import export, nets

PAGE = Path(__file__).parent.parent.parent / "docs" / "onnx-in.md"
STORED = Path(__file__).parent / "files"
MOST = 1e-6  # that outputs may differ by, relative to the largest where that is above 1


def operators() -> str:
    """The operators of ONNX that are read, and the layers that are told from several."""
    own = sorted(op for op in READERS if not op.startswith(OWN))
    told = sorted(op.removeprefix(OWN) for op in READERS if op.startswith(OWN))
    return f"Operators: {', '.join(own)}.\n\nLayers told from several operators: {', '.join(told)}.\n"


def differences() -> Iterator[tuple[str, list[str]]]:
    """Each net with its differences by way."""
    import torch

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.onnx"
        for name, (net, shape) in nets(torch).items():
            cells = []
            x = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
            with torch.no_grad():
                y = net(x)
            wanted = [one.numpy() for one in (y if isinstance(y, tuple) else (y,))]
            for dynamo in (False, True):
                export(torch, net, shape, path, dynamo)
                found = imported.read(path)
                cells.append(shown(apart(found, x.numpy(), wanted)))
            cells.append(back(found, x.numpy(), path))
            yield name, cells
    for path in sorted(STORED.glob("*.onnx")):
        stored = np.load(STORED / f"{path.name.partition('.')[0]}.npz")
        yield f"{path.stem} (Keras)", [shown(apart(imported.read(path), stored["x"], [stored["y"]])), "", ""]


def back(found: Imported, x: Any, path: Path) -> str:
    """The imported model, written by lenet and read again."""
    from lenetcli import from_numpy, no_grad

    model = model_of(found)
    try:
        path.write_bytes(onnx_model(model, tuple(found.model["input"])))
    except NotExportable:
        return "not exported"
    with no_grad():
        y = model(from_numpy(x.copy()))
    return shown(apart(imported.read(path), x, [one.numpy() for one in (y if isinstance(y, tuple) else (y,))]))


def shown(difference: float) -> str:
    assert difference <= MOST
    return f"{difference:.0e}"


def table() -> str:
    """The table of differences."""
    rows = ["| net | TorchScript or tf2onnx | torch, dynamo | lenet |", "|---|---|---|---|"]
    rows += [f"| {name} | {' | '.join(cells)} |" for name, cells in differences()]
    return "\n".join(rows) + "\n"


def parts(page: str) -> tuple[str, str]:
    """The two tables as the page has them."""
    first, second = (page.split(f"<!-- {mark} -->\n")[1].split("<!-- end -->")[0] for mark in ("operators", "nets"))
    return first, second


def main() -> None:
    page = PAGE.read_text("utf-8")
    for mark, text in (("operators", operators()), ("nets", table())):
        before, _, rest = page.partition(f"<!-- {mark} -->\n")
        page = f"{before}<!-- {mark} -->\n{text}{rest[rest.index('<!-- end -->') :]}"
    if "--write" in sys.argv:
        PAGE.write_text(page, "utf-8")
    else:
        print(page)


if __name__ == "__main__":
    main()
