"""A module as a notebook shows it."""

from __future__ import annotations

from typing import Any

from lenetcli.display.module import Line, module_html


def html(module: Any) -> str:
    """Every module inside with its parameters, as a table."""
    lines = []
    for path, inner in module.named_modules():
        own = list(inner.named_parameters(recurse=False))
        extra = " ".join(inner.extra_repr().split())
        text = f"{type(inner).__name__}({extra})" if extra else type(inner).__name__
        shapes = [(name, tuple(parameter.shape)) for name, parameter in own]
        depth = path.count(".") + 1 if path else 0
        lines.append(Line(path.rpartition(".")[2], depth, text, shapes, sum(p.numel() for _, p in own)))
    parameters = list(module.parameters())
    trainable = sum(p.numel() for p in parameters if p.requires_grad)
    return module_html(lines, sum(p.numel() for p in parameters), trainable)
