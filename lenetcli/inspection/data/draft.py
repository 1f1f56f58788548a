"""A proposal as the text of a configuration, with the reason of each choice as a comment."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from lenetcli.errors import plain_text
from lenetcli.inspection.data.proposal import Proposal
from lenetcli.inspection.data.survey import Survey

WIDTH = 116


def drafted(found: Survey, chosen: Proposal, name: str, place: str | None) -> str:
    """The text of the configuration.

    Args:
        name: of its runs.
        place: where the data lies, as the file shall say it.
    """
    where = [] if found.data.place is None else [(found.data.place[0], place)]
    source = [("type", found.data.type), *where, *found.data.args.items(), *chosen.data.items()]
    classes = ", ".join(map(plain_text, found.classes[:20])) + (", ..." if len(found.classes) > 20 else "")
    size = f"{found.total('train'):,} pictures to train on, {found.total('test'):,} to test on"
    head = f"For {size}" + (f", {len(found.classes)} classes: {classes}." if classes else ".")
    lines = [
        "# yaml-language-server: $schema=lenet.schema.json",
        *_comment(head),
        "version: 1",
        f"name: {name}",
        "seed: 0",
        "model:",
        *_comment(chosen.why("input"), "  "),
        f"  input: {_flow(list(chosen.input))}                  # C, H, W of one picture",
        *_comment(chosen.why("net"), "  "),
        "  layers:",
        *(f"    - {layer}" for layer in _layers(chosen)),
        "data:",
        *(f"  {key}: {_flow(value)}" for key, value in source if key not in ("augment", "normalize")),
        *_comment("mean and standard deviation of the pictures to train on, which are 0 to 1 before", "  "),
        f"  normalize: {_flow(chosen.data['normalize'])}",
        *_comment(chosen.why("augmentation"), "  "),
        *([f"  augment: {_flow(chosen.data['augment'])}"] if "augment" in chosen.data else []),
        f"loss: {{type: {chosen.loss}}}",
        "optimizer: {type: AdamW, lr: 2e-3, weight_decay: 0.02}",
        "scheduler: {type: CosineAnnealingLR}     # down to 0 over all epochs",
        "train:",
        f"  epochs: {chosen.epochs}",
        f"  batch_size: {chosen.batch}",
        *_comment(chosen.why("validation"), "  "),
        *([] if chosen.validation is None else [f"  validation: {chosen.validation}"]),
    ]
    if chosen.balanced:
        lines += [*_comment(chosen.why("class weights"), "  "), "  class_weights: balanced"]
        lines += [*_comment(chosen.why("best epoch"), "  "), "  best: f1_macro"]
    return "\n".join(lines) + "\n"


def _layers(chosen: Proposal) -> list[str]:
    """The net: convolutions with batch normalisation after their pooling, which costs less than before it."""
    lines = []
    for i, width in enumerate(chosen.widths, 1):
        lines += [
            f"{{type: Conv2d, name: conv{i}, out_channels: {width}, kernel_size: 3, padding: 1}}",
            "{type: ReLU}",
            "{type: MaxPool2d, kernel_size: 2}",
            f"{{type: BatchNorm2d, name: norm{i}}}",
        ]
    lines.append("{type: Flatten}")
    if not chosen.widths:
        lines += ["{type: Linear, name: fc, out_features: 128}", "{type: ReLU}"]
    return [*lines, "{type: Dropout, p: 0.3}", f"{{type: Linear, name: head, out_features: {chosen.outputs}}}"]


def _comment(text: str, indent: str = "") -> list[str]:
    """Lines of a comment; none for no text."""
    return [f"{indent}# {line}" for line in textwrap.wrap(plain_text(text), WIDTH - len(indent))]


def _flow(value: Any) -> str:
    """A value in YAML's flow style: plain words as they are, other texts quoted as JSON quotes them."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str) and value.isascii() and value.isalpha() and value.lower() not in _WORDS:
        return value
    if isinstance(value, float) and value == 1 / 255:
        return "0.00392156862745098     # 1/255: pixels become 0 to 1"
    return json.dumps(value)


_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")
