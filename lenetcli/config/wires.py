"""Which layers of a list take what: the `from` of each, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lenetcli.config.catalogue import ROLES, Role
from lenetcli.config.messages import got
from lenetcli.config.problems import Hint, KeyPath, Problem, did_you_mean
from lenetcli.config.user_code import is_own
from lenetcli.config.yaml_tree import Node

INPUT = "input"  # what enters a list of layers
SHOWN = 12  # names in a message


def sources(node: Node, path: KeyPath, problems: list[Problem]) -> tuple[str, ...]:
    """The names that a layer's `from` gives; none where it has none, or no names."""
    assert node.mapping is not None
    given = node.mapping.get("from")
    if given is None:
        return ()
    place, parts = given.place or (*path, "from"), given.value if isinstance(given.value, list) else [given]
    names = [part.value for part in parts if isinstance(part.value, str)]
    if len(names) == len(parts) and names:
        return tuple(names)
    hints: tuple[str, ...] = ()
    if any(isinstance(part.value, int) for part in parts):
        hints = ("layers are told apart by name: give that one a `name:`",)
    message = f"wanted the name of an earlier layer, or a list of names, got {got(given.plain())}"
    problems.append(Problem(given.span, place, message, hints))
    return ()


def label(node: Node) -> str | None:
    """A layer's name, as it is written."""
    name = node.mapping.get("name") if node.mapping else None
    return name.value if name is not None and isinstance(name.value, str) else None


def is_graph(nodes: Sequence[Node]) -> bool:
    """Whether some layer of a list says what it takes."""
    return any(node.mapping is not None and "from" in node.mapping for node in nodes)


def check(nodes: Sequence[Node], path: KeyPath, outputs: Mapping[str, tuple[Node, KeyPath]]) -> Iterator[Problem]:
    """What is wrong with how the layers of a list are wired.

    Args:
        outputs: names whose values come out, with their places; empty: the last layer's.
    """
    names = [label(node) for node in nodes]
    if outputs or is_graph(nodes):
        yield from _names(nodes, names, path)
    used = _used(nodes, names, outputs)
    for i, node in enumerate(nodes):
        if node.mapping is None:
            continue
        yield from _sources(nodes, names, i, path)
        yield from _count(node, (*path, i))
        if not used[i]:
            yield _unused(node, names, i, path)
    known = [name for name in names if name is not None]
    for name, (node, place) in outputs.items():
        if name not in known:
            hints = did_you_mean(name, known) or ((f"there are {', '.join(known[-SHOWN:])}",) if known else ())
            yield Problem(node.span, place, f"no layer of the model is named {name}", hints)


def _names(nodes: Sequence[Node], names: Sequence[str | None], path: KeyPath) -> Iterator[Problem]:
    for i, name in enumerate(names):
        if name == INPUT:
            mapping = nodes[i].mapping
            assert mapping is not None
            message = f"{INPUT} is the name of what enters a list of layers, not of a layer"
            yield Problem(mapping["name"].span, (*path, i, "name"), message)


def _sources(nodes: Sequence[Node], names: Sequence[str | None], i: int, path: KeyPath) -> Iterator[Problem]:
    """Names that are none of an earlier layer."""
    mapping = nodes[i].mapping or {}
    given = mapping.get("from")
    if given is None:
        return
    parts = given.value if isinstance(given.value, list) else [given]
    earlier = [name for name in names[:i] if name is not None]
    for j, part in enumerate(parts):
        name = part.value
        if not isinstance(name, str) or name == INPUT or name in earlier:
            continue
        place: KeyPath = part.place or given.place or (*path, i, "from")
        if isinstance(given.value, list) and part.place is None and given.place is None:
            place = (*place, j)
        if name == names[i]:
            yield Problem(part.span, place, f"{name} cannot take its own output: a graph has no cycles")
        elif name in names[i:]:
            message = f"{name} comes later: a layer takes what earlier ones give, so that there is no cycle"
            yield Problem(part.span, place, message, (f"move {name} above this layer",))
        else:
            what = f"no earlier layer is named {name}" if i else f"the first layer can take {INPUT} only, got {name}"
            hints = did_you_mean(name, [*earlier, INPUT]) or (
                _offered(earlier) if i else (Hint("leave `from` out", drop=True),)
            )
            yield Problem(part.span, place, what, hints)


def _offered(names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ("no layer before it has a name: give the one that is meant a `name:`",)
    more = ", ..." if len(names) > SHOWN else ""
    return (f"there are {', '.join([*names[-SHOWN:], INPUT])}{more}",)


def _count(node: Node, path: KeyPath) -> Iterator[Problem]:
    """A layer of one input that names several, or one that joins several and has one."""
    assert node.mapping is not None
    kind, given = node.mapping.get("type"), node.mapping.get("from")
    if kind is None or not isinstance(kind.value, str) or is_own(kind.value):
        return
    count = len(given.value) if given is not None and isinstance(given.value, list) else 1
    where, place = (kind.span, path) if given is None else (given.span, given.place or (*path, "from"))
    if takes_several(ROLES["layers"], kind.value):
        if count < 2:
            example = f"{{type: {kind.value}, from: [a, b]}} joins what the layers a and b give"
            got_one = "one" if given is None else str(count)
            yield Problem(where, place, f"{kind.value} takes two inputs or more, got {got_one}", (example,))
    elif count > 1:
        hint = "put {type: Concat, from: [...]} or {type: Add, from: [...]} before it, which joins them"
        yield Problem(where, place, f"{kind.value} takes one input, got {count}", (hint,))


def takes_several(role: Role, name: str) -> bool:
    """Whether a layer joins several inputs."""
    return getattr(role.offered(name), "joins", False)


def _used(nodes: Sequence[Node], names: Sequence[str | None], outputs: Mapping[str, object]) -> list[bool]:
    """Of each layer, whether another one or the list's output takes what it gives."""
    used = [False] * len(nodes)
    place = {name: i for i, name in enumerate(names) if name is not None}
    for i, node in enumerate(nodes):
        given = node.mapping.get("from") if node.mapping else None
        if given is None:
            if i:
                used[i - 1] = True
            continue
        for part in given.value if isinstance(given.value, list) else [given]:
            if isinstance(part.value, str) and part.value in place:
                used[place[part.value]] = True
    for name in outputs or [None]:
        if name is None:
            used[-1] = True
        elif name in place:
            used[place[name]] = True
    return used


def _unused(node: Node, names: Sequence[str | None], i: int, path: KeyPath) -> Problem:
    name = names[i]
    assert node.mapping is not None
    kind = node.mapping.get("type", node)
    at, place = (kind.span, (*path, i)) if name is None else (node.mapping["name"].span, (*path, i, "name"))
    who, top = name or f"this {kind.value}", " or name it in model.outputs" if path == ("model", "layers") else ""
    way = (
        f"let a later layer take it (from: {name}){top}"
        if name
        else "give it a name and let a later layer take it by `from`"
    )
    return Problem(at, place, f"nothing takes what {who} gives", (f"{way}, or remove it",))
