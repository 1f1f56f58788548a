"""A graph in fewer operators: without those that nobody takes anything of, two that follow one another as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lenetcli.export.graph import Graph, Node


def shortened(graph: Graph) -> Graph:
    """The same graph after every pass."""
    for step in (needed, merged_shapes, merged_borders, needed):
        step(graph)
    return graph


def needed(graph: Graph) -> None:
    """What no output depends on is left out."""
    wanted = {value.name for value in graph.outputs}
    found = []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            found.append(node)
            wanted.update(node.inputs)
    graph.nodes = found[::-1]
    graph.constants = {name: array for name, array in graph.constants.items() if name in wanted}


def merged_shapes(graph: Graph) -> None:
    """A shape that is given to what a Reshape gave is the only one that counts."""
    makers = {node.output: node for node in graph.nodes if node.op == "Reshape"}
    for at, node in enumerate(graph.nodes):
        before = makers.get(node.inputs[0]) if node.op == "Reshape" else None
        if before is not None and _is_only_one(graph, before, node):
            makers[node.output] = graph.nodes[at] = replace(node, inputs=(before.inputs[0], *node.inputs[1:]))


def _is_only_one(graph: Graph, before: Node, node: Node) -> bool:
    """The second shape says the same of what the first one was given: a size that it copies is the first in both."""
    old, new = (graph.constants.get(each.inputs[1]) for each in (before, node))
    if old is None or new is None or (old[1:] == 0).any() or (new[1:] == 0).any():
        return False
    return not len(new) or new[0] != 0 or (len(old) > 0 and old[0] == 0)


def merged_borders(graph: Graph) -> None:
    """Borders of zeros that a layer puts around images for its own convolution are an attribute of that."""
    uses = Counter([*(name for node in graph.nodes for name in node.inputs), *(value.name for value in graph.outputs)])
    makers = {node.output: node for node in graph.nodes}
    found, gone = [], set()
    renamed: dict[str, str] = {}
    for given in graph.nodes:
        node = replace(given, inputs=tuple(renamed.get(name, name) for name in given.inputs))
        border = makers.get(node.inputs[0]) if node.op == "Conv" else None
        own = border is not None and border.layer == node.layer and uses[border.output] == 1
        pads = _zeros(graph, border) if border is not None and own else None
        if border is not None and pads is not None:
            gone.add(id(border))
            renamed[node.output] = border.output
            sums = tuple(a + b for a, b in zip(node.attributes["pads"], pads))
            inputs = border.inputs[0], *node.inputs[1:]
            words = {**node.attributes, "pads": sums}
            node = replace(node, inputs=inputs, outputs=border.outputs, attributes=words)
        found.append((given, node))
    graph.nodes = [node for given, node in found if id(given) not in gone]
    graph.outputs = [replace(value, name=renamed.get(value.name, value.name)) for value in graph.outputs]


def _zeros(graph: Graph, node: Node) -> tuple[int, ...] | None:
    """The borders that a Pad puts around images; None where it is none, or they are no zeros."""
    if node.op != "Pad" or node.attributes["mode"] != "constant":
        return None
    sizes, value = (graph.constants.get(name) for name in node.inputs[1:3])
    if sizes is None or value is None or value != 0:
        return None
    half = len(sizes) // 2
    if sizes[:2].any() or sizes[half : half + 2].any():
        return None
    return tuple(map(int, (*sizes[2:half], *sizes[half + 2 :])))
