"""Markup in every name that a page shows: it stays text, in the page's source and in a browser where there is one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lenetcli.display.png import png
from tests.faults.outcome import Found
from tests.faults.table import Commands

RAN = "document.documentElement.dataset.ran=1"  # what each of them does where it runs
PAYLOADS = (
    f"<script>{RAN}</script>", f"<img src=x onerror={RAN}>", f"<svg onload={RAN}>", f"\"><script>{RAN}</script>",
    f"'><img src=x onerror={RAN}>", f"</script><script>{RAN}</script>", f"</title><script>{RAN}</script>",
    f"</style><script>{RAN}</script>", f"--><script>{RAN}</script>", f"]]><script>{RAN}</script>",
    f"<iframe srcdoc='<script>parent.{RAN}</script>'>", f"<a href=javascript:{RAN}>x</a>",
    f"<details open ontoggle={RAN}>",
    f"\" onmouseover={RAN} x=\"", f"<body onload={RAN}>", f"<input autofocus onfocus={RAN}>",
    f"&lt;script&gt;{RAN}&lt;/script&gt;",
    f"\\u003cscript>{RAN}\\u003c/script>", f"`${{{RAN}}}`",
)  # fmt: skip
CONFIG = """
name: x
model:
  input: [3, 4, 4]
  layers:
    - {{type: Conv2d, name: {name}, out_channels: 2, kernel_size: 3}}
    - {{type: Flatten}}
    - {{type: Linear, out_features: 2}}
data: {{type: ImageFolder, root: {root}}}
loss: {{type: CrossEntropyLoss}}
optimizer: {{type: SGD, lr: 0.1}}
train: {{epochs: 1, batch_size: 2, validation: 0.5}}
"""
PAGES = {
    "report": "report R -o OUT.html", "trace-grad --html": "trace-grad R --html OUT.html",
    "report of two": "report R S -o OUT.html",
    "export html": "export R -o OUT.html",
    "export huggingface": "export R --format huggingface -o OUTDIR",
}  # fmt: skip


def payloads(place: Path, call: Commands, seed: int = 0, stride: int = 1) -> Iterator[Found]:
    """Each of them as a class, a file and a layer, in each page."""
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    for number, payload in enumerate(PAYLOADS[::stride]):
        at = place / f"{number}"
        runs = _trained(payload, at, call)
        for command, line in PAGES.items():
            names = {"R": str(runs[0]), "S": str(runs[1])}
            words = [names.get(word, word.replace("OUT", str(at / "out"))) for word in line.split()]
            done = call(words, place, place)
            wrong = None if done["code"] == 0 else f"exit code {done['code']}: {done['err'][-300:]}"
            page = at / "outDIR" / "README.md" if "OUTDIR" in line else at / "out.html"
            if wrong is None and page.suffix == ".md":
                wrong = _raw(page.read_text("utf-8"))
            elif wrong is None:
                wrong = _runs_in(browser, page) if browser else _raw(page.read_text("utf-8"))
            page.unlink(missing_ok=True)
            shutil.rmtree(at / "outDIR", ignore_errors=True)
            where = "a browser" if browser and page.suffix == ".html" else "its source"
            yield Found("markup in names", command, f"stays text in {where}", wrong, detail=payload)


def _trained(payload: str, at: Path, call: Commands) -> list[Path]:
    """Two runs whose classes, files and layers have this name as far as such may have it."""
    name = payload.replace("/", "\u2215")  # no folder may have a slash
    for number, label in enumerate((name, "other")):
        for file in range(4):
            folder = at / "data" / label
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{file}{name}.png"[-200:]).write_bytes(png(np.full((4, 4), 60 * file + number, np.uint8)))
    config = at / "config.yaml"
    config.write_text(CONFIG.format(name=json.dumps(payload.replace(".", "_")), root=json.dumps(str(at / "data"))))
    runs = [at / f"run{name}"[-200:], at / "second"]
    for run in runs:
        done = call(["train", str(config), "--out", str(run), "--progress", "off"], at, at)
        if done["code"]:  # a layer may not have such a name
            config.write_text(CONFIG.format(name="conv", root=json.dumps(str(at / "data"))))
            done = call(["train", str(config), "--out", str(run), "--progress", "off"], at, at)
        assert done["code"] == 0, done["err"]
    return runs


def _raw(text: str) -> str | None:
    """Markup that the page did not make itself."""
    found = re.search(r"<(script|img|svg|iframe|details|body|input|a)\b[^>]*dataset\.ran", text)
    return f"unescaped: {found[0][:100]}" if found else None


def _runs_in(browser: str, page: Path) -> str | None:
    """Whether something runs when a browser opens it."""
    words = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=2000", "--dump-dom"]
    done = subprocess.run([*words, page.resolve().as_uri()], capture_output=True, text=True, timeout=120)
    if "<html" not in done.stdout:
        return f"the browser shows nothing: {done.stderr[-200:]}"
    return "it ran" if re.search(r"<html[^>]*data-ran", done.stdout) else None
