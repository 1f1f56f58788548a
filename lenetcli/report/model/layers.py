"""A model's layers with shapes and counts, and its parameters as a tree, as text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.text import Text

from lenetcli.errors import plain_text
from lenetcli.inspection.model.summary import LayerSummary, Summary
from lenetcli.inspection.model.tree import Branch
from lenetcli.report.columns import Column, Columns
from lenetcli.report.tables import sizes

FORK, LAST, DOWN, BLANK = "├─ ", "└─ ", "│  ", "   "


def draw_summary(found: Summary) -> Iterator[RenderableType]:
    """A row for each call of a module; those inside others set in."""
    layers = [layer for layer in found.layers if layer.depth] or found.layers
    yield Columns(
        [
            Column("layer", [_name(layer) for layer in layers], fold=True),
            Column("type", [layer.kind for layer in layers], 1, fold=True),
            Column("input", [sizes(layer.input) for layer in layers], 2),
            Column("output", [sizes(layer.output) for layer in layers]),
            Column("parameters", [_parameters(layer) for layer in layers], right=True),
            Column("multiply-adds", [_count(layer.multiply_adds) for layer in layers], right=True),
        ],
        [None if layer.leaf else "dim" for layer in layers],
    )
    yield Text(f"\n{found.parameters:,} parameters ({found.trainable:,} trainable), {_size(found.bytes)}")
    yield Text(f"{found.multiply_adds:,} multiply-adds for one sample, in products and convolutions")
    yield Text(f"{found.activations:,} activations of one sample")


def _name(layer: LayerSummary) -> str:
    own = layer.path.rpartition(".")[2] or layer.kind
    return "  " * max(layer.depth - 1, 0) + plain_text(own)


def _count(count: int) -> str:
    return f"{count:,}" if count else "-"


def _parameters(layer: LayerSummary) -> str:
    if layer.reused:
        return f"{layer.parameters:,} + reused" if layer.parameters else "reused"
    return _count(layer.parameters)


def _size(count: int) -> str:
    """Bytes as people write them.

    Example:
        >>> _size(324776)
        '324.8 kB'
    """
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.4g} {unit}"
        size /= 1000
    return f"{size:,.4g} GB"


def draw_tree(root: Branch, trained: bool = True) -> Iterator[RenderableType]:
    """The tree with counts.

    Args:
        trained: say what is trained; a weights file does not know.
    """
    names, kinds, counts, styles = zip(*_lines(root, "", ""))
    yield Columns(
        [
            Column("module", names, fold=True),
            Column("type, shape", kinds),
            Column("parameters", counts, right=True),
        ],
        styles,
    )
    share = f", {root.trainable:,} trainable" if trained else ""
    yield Text(f"\n{root.count:,} parameters{share}")


def _lines(branch: Branch, before: str, below: str) -> Iterator[tuple[str, str, str, str | None]]:
    """A line for each module and each tensor."""
    yield before + plain_text(branch.name or "(model)"), branch.kind, _count(branch.count), "bold"
    last = len(branch.leaves) + len(branch.branches) - 1
    for i, leaf in enumerate(branch.leaves):
        text = below + (LAST if i == last else FORK) + plain_text(leaf.name)
        count = f"same as {plain_text(leaf.shared)}" if leaf.shared is not None else _count(leaf.count)
        yield text, sizes(leaf.shape), count, None
    for i, inside in enumerate(branch.branches, len(branch.leaves)):
        yield from _lines(inside, below + (LAST if i == last else FORK), below + (BLANK if i == last else DOWN))
