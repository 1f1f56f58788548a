"""Makes the README's pictures in docs/images from what the commands print today."""

from __future__ import annotations

import io
import os
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


def main() -> None:
    """Runs each command in one directory and saves its output as SVG."""
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


if __name__ == "__main__":
    main()
