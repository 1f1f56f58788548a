"""Bad configurations and the exact message each gets. `python -m tests.config.golden --write` writes today's messages.

bad.txt holds cases: a line `=== what is wrong`, changes of the command line on lines beginning with `+ `, the text of
the configuration (empty: the good one below), a line `---`, and the message.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lenetcli import config as configuration
from lenetcli.build.parts import (
    build_criterion,
    build_data,
    build_model,
    build_optimizer,
    check_output,
    check_samples,
)
from lenetcli.errors import ConfigError, DataError

PAGE = Path(__file__).parent / "bad.txt"

GOOD = """\
version: 1
model:
  input: [1, 8, 8]
  layers:
    - {type: Conv2d, name: conv, out_channels: 4, kernel_size: 3}
    - {type: ReLU}
    - {type: Flatten}
    - {type: Linear, name: fc, out_features: 10}
data: {type: Digits}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.1}
train: {epochs: 1}
"""


@dataclass(frozen=True)
class Case:
    """One bad configuration."""

    title: str
    changes: tuple[str, ...]
    text: str
    message: str

    def __str__(self) -> str:
        return self.title

    def told(self) -> str:
        """The message it gets, with the file called config.yaml."""
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "config.yaml"
            path.write_text(self.text or GOOD, "utf-8")
            try:
                check(path, self.changes)
            except (ConfigError, DataError) as error:
                return str(error).replace(f"{place}/", "") + "\n"
        return "no error\n"


def check(path: Path, changes: Sequence[str]) -> None:
    """Builds what a configuration describes, as far as can be told before training; raises what is wrong with it."""
    config = configuration.load(path, changes)
    model, _ = build_model(config)
    build_optimizer(config, model)
    source = build_data(config)
    check_samples(config, source)
    check_output(config, model, build_criterion(config), source)


def cases() -> list[Case]:
    """Every case of bad.txt."""
    found = []
    for part in re.split(r"^=== ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        given, _, message = part.partition("---\n")
        title, *lines = given.splitlines()
        changes = tuple(line[2:] for line in lines if line.startswith("+ "))
        text = "".join(line + "\n" for line in lines if not line.startswith("+ "))
        found.append(Case(title, changes, text, message))
    return found


if __name__ == "__main__":
    page = ""
    for case in cases():
        page += f"=== {case.title}\n" + "".join(f"+ {c}\n" for c in case.changes) + case.text + "---\n" + case.told()
    if "--write" in sys.argv:
        PAGE.write_text(page, "utf-8")
    else:
        print(page)
