"""Where in one array each value of a graph lies, so that it is small: what nobody reads any more makes room."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lenetcli.export.graph import Graph


def planned(
    graph: Graph, sizes: Mapping[str, int], same: Callable[[str], bool], in_place: Callable[[str], bool]
) -> tuple[dict[str, int], int]:
    """The place of the first number of each value, and how many numbers there are room for.

    Args:
        sizes: how many numbers each value has; what has none is no value of the graph's own.
        same: an operator of that name gives its first input under another shape.
        in_place: one of that name may write over its first input.

    Example:
        >>> from lenetcli.export.graph import Node, Value
        >>> nodes = [Node("Exp", (a,), (b,), {}, "") for a, b in (("x", "a"), ("a", "b"), ("b", "c"))]
        >>> graph = Graph([Value("x", (4,))], nodes, {}, [Value("c", (4,))], ["output"])
        >>> planned(graph, {"a": 4, "b": 4, "c": 4}, lambda op: False, lambda op: False)
        ({'a': 0, 'b': 4, 'c': 0}, 8)
    """
    owner = owners(graph, same)
    last: dict[str, int] = {}
    for at, node in enumerate(graph.nodes):
        last |= {owner.get(name, name): at for name in (*node.inputs, *node.outputs)}
    last |= {owner.get(value.name, value.name): len(graph.nodes) for value in graph.outputs}
    found: dict[str, int] = {}
    held: dict[str, int] = {}
    most = 0
    for at, node in enumerate(graph.nodes):
        first = owner.get(node.inputs[0], node.inputs[0]) if node.inputs else ""
        for name in node.outputs:
            if owner[name] != name or name not in sizes:
                continue
            if in_place(node.op) and first in held and last[first] == at and sizes[first] == sizes[name]:
                found[name] = held.pop(first)
            else:
                found[name] = _gap(sorted((held[other], sizes[other]) for other in held), sizes[name])
            held[name] = found[name]
            most = max(most, found[name] + sizes[name])
        held = {name: place for name, place in held.items() if last[name] > at}
    return found, most


def owners(graph: Graph, same: Callable[[str], bool]) -> dict[str, str]:
    """For each result of an operator, the value whose memory it is: its own, or that of what it shows otherwise."""
    found: dict[str, str] = {}
    for node in graph.nodes:
        for name in node.outputs:
            found[name] = found.get(node.inputs[0], node.inputs[0]) if same(node.op) else name
    return found


def _gap(taken: list[tuple[int, int]], size: int) -> int:
    """The first place that is free for so many numbers."""
    place = 0
    for begin, length in taken:
        if begin - place >= size:
            break
        place = max(place, begin + length)
    return place
