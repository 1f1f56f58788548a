"""Makes the pictures in docs/images from what the commands print and write today; that of a page needs Chromium."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURES = {
    "train.svg": "train configs/lenet.yaml --progress plain",
    "eval.svg": "eval runs/lenet/001",
    "inspect-params.svg": "inspect-params configs/lenet.yaml",
    "trace-grad.svg": "trace-grad configs/tutorial.yaml",
}
PAGE = ("trace-page.png", "trace-grad configs/tutorial.yaml --html page.html")


def main() -> None:
    """Runs each command in one directory and saves its output as SVG, and a page as a browser shows it."""
    place = Path(tempfile.mkdtemp())
    (place / "configs").symlink_to(ROOT / "configs")
    environment = {**os.environ, "COLUMNS": "100", "FORCE_COLOR": "1", "PYTHONPATH": str(ROOT)}
    for name, line in PICTURES.items():
        command = [sys.executable, "-m", "lenetcli", *line.split()]
        shown = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=True).stdout
        console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True)
        console.print(Text(f"$ lenet {line}", style="bold"))
        console.print(Text.from_ansi(shown))
        console.save_svg(str(ROOT / "docs" / "images" / name), title=f"lenet {line.split()[0]}")
        print(name)
    name, line = PAGE
    subprocess.run([sys.executable, "-m", "lenetcli", *line.split()], cwd=place, env=environment, check=True)
    browser = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        sys.exit(f"{name}: left as it was, there is no Chromium here")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1120,640"]
    options += [f"--user-data-dir={place / 'browser'}", f"--screenshot={ROOT / 'docs' / 'images' / name}"]
    subprocess.run([browser, *options, (place / "page.html").as_uri()], check=True, capture_output=True)
    print(name)


if __name__ == "__main__":
    main()
