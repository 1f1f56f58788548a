"""Pages of the documentation site that are made, not written: the README as its first page, and the reference."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
REFERENCE = {  # page: title, the module whose public names it lists
    "tensor": ("Tensors and operations", "lenetcli"),
    "autograd": ("Autograd", "lenetcli.autograd"),
    "nn": ("Layers and losses", "lenetcli.nn"),
    "functional": ("nn.functional", "lenetcli.nn.functional"),
    "optim": ("Optimizers", "lenetcli.optim"),
    "lr_scheduler": ("Learning-rate schedules", "lenetcli.optim.lr_scheduler"),
    "data": ("Data", "lenetcli.data"),
}


def on_files(files: Files, config: Any) -> Files:
    """Adds the made pages to those of docs/; mkdocs calls this by its name."""
    files.append(File.generated(config, "index.md", content=first_page()))
    for name, (title, module) in REFERENCE.items():
        files.append(File.generated(config, f"reference/{name}.md", content=reference(title, module)))
    return files


def first_page() -> str:
    """The README with its links seen from docs/; files that are no pages are named, not linked."""
    text = re.sub(r"\]\(docs/", "](", (ROOT / "README.md").read_text("utf-8"))
    return re.sub(r"(?<!!)\[([^\]]*)\]\(((?!https?:|#)[^)]*)\)", _kept_if_page, text)


def _kept_if_page(link: re.Match[str]) -> str:
    return link[0] if (ROOT / "docs" / link[2].partition("#")[0]).is_file() else f"{link[1]} (`{link[2]}`)"


def reference(title: str, module: str) -> str:
    """A page that lists every public function and class of a module, each from where it is defined."""
    home, lines, shown = importlib.import_module(module), [f"# {title}", ""], set()
    for name in sorted(dir(home) if not hasattr(home, "__all__") else home.__all__, key=str.lower):
        value = getattr(home, name)
        value = inspect.unwrap(value) if callable(value) else value  # of a function that also takes out=, the function
        place = f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', '')}"
        if not (inspect.isfunction(value) or inspect.isclass(value)) or name.startswith("_") or place in shown:
            continue
        if place.startswith("lenetcli.") and inspect.getdoc(value):
            shown.add(place)
            lines += [f"::: {place}", ""]
    return "\n".join(lines)
