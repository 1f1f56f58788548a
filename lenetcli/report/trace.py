"""A gradient trace as text: the forward chain, the graph as a table, gradients before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from lenetcli._tensor import Tensor
from lenetcli.inspect.trace import Trace, TracedNode
from lenetcli.report.tables import figure, plain_table


def draw(trace: Trace) -> Iterator[RenderableType]:
    """The parts of the picture, top to bottom."""
    yield Text("forward", style="bold")
    yield Text("  " + " -> ".join(trace.forward))
    yield Text(f"\nloss {trace.loss_text}")
    yield Text("\na few steps backward", style="bold")
    for i, name in enumerate(trace.first_steps):
        yield Text("  loss.grad_fn" + ".next_functions[0][0]" * i + f"  {name}")
    yield Text("\nbackward, node by node", style="bold")
    yield _graph(trace.nodes)
    for parameter in trace.parameters:
        yield Text(f"\n{parameter.name}.grad before backward", style="bold")
        yield Text(f"  {_show(parameter.before)}")
        yield Text(f"{parameter.name}.grad after backward", style="bold")
        yield Text(f"  {_show(parameter.after)}")


def _graph(nodes: list[TracedNode]) -> Any:
    table = plain_table()
    table.add_column("id", justify="right")
    table.add_column("node", no_wrap=True)
    table.add_column("module", overflow="fold")
    table.add_column("shape", no_wrap=True)
    table.add_column("|grad|", justify="right")
    table.add_column("next", no_wrap=True)
    for node in nodes:
        below = " ".join("-" if n is None else str(n) for n in node.next)
        table.add_row(
            str(node.id), node.name, node.parameter or node.module, _sizes(node.shape), figure(node.grad_norm), below,
            style="dim" if node.parameter else None,
        )  # fmt: skip
    return table


def _sizes(shape: Any) -> str:
    """A shape in as few columns as can be: [1,16,13,13]."""
    return "[" + ",".join(map(str, shape)) + "]"


def _show(values: Any) -> str:
    if values is None:
        return "None"
    return repr(Tensor(np.asarray(values, np.float32))).replace("\n", "\n  ")
