"""A net whose layers take what any earlier ones give: branches, shortcuts, several outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from lenetcli.nn import fusion, recorded
from lenetcli.nn.module import ForPython, Module

INPUT = "input"  # the name of what enters a graph


class Chain(NamedTuple):
    """Layers in a row, of which only the last one's value is of use elsewhere.

    Args:
        layers: their names.
        inputs: names of what the first one takes, each with whether nobody takes it later.
    """

    layers: tuple[str, ...]
    inputs: tuple[tuple[str, bool], ...]


class Wiring(NamedTuple):
    """Which layer takes what, and what comes out.

    Args:
        wires: names of each layer's inputs, in the layers' order; "input" is what enters.
        outputs: names of the layers whose values come out; a name alone for one value, not in a tuple.
    """

    wires: dict[str, tuple[str, ...]]
    outputs: str | tuple[str, ...]


class Graph(ForPython):
    """Layers with names, each of which takes the values of earlier ones.

    Runs of layers whose values nobody else takes go the way that Sequential's go, several layers as one op where that
    is known to be the same. A value is let go after the last layer that takes it.

    Args:
        layers: modules by name, in an order in which each comes after those whose values it takes.
        wires: names of what a layer takes; one that is not mentioned takes the value of the layer before it, the first
            one what enters the graph, which is called "input".
        outputs: names of the layers whose values come out, as a tuple; one name: its value alone. By default the last.

    Raises:
        ValueError: no layers, a name that is not there before the layer that takes it, or a layer of no use.

    Source: torch.fx.Graph, of modules only.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli import nn
        >>> net = nn.Graph({"relu": nn.ReLU(), "sum": nn.Add()}, {"sum": ["relu", "input"]})
        >>> net(lenet.tensor([[1.0, -1.0]]))
        tensor([[ 2., -1.]])
    """

    native_calls: ClassVar[bool] = True

    takes = "layers by name; in a config a list of layers with `from` is one"

    def __init__(
        self,
        layers: Mapping[str, Module],
        wires: Mapping[str, Sequence[str]] | None = None,
        outputs: str | Iterable[str] | None = None,
    ) -> None:
        super().__init__()
        names = list(layers)
        if not names:
            raise ValueError("a graph needs at least one layer")
        for name, module in layers.items():
            self.add_module(name, module)
        taken, given = dict(wires or {}), dict(zip(names, [INPUT, *names]))
        if INPUT in names:
            raise ValueError(f"{INPUT} is the name of what enters a graph, not of a layer")
        strangers = [name for name in taken if name not in names]
        if strangers:
            raise ValueError(f"wires of {', '.join(strangers)}, but there are only {', '.join(names)}")
        self._wires = {name: tuple(taken.get(name, (given[name],))) for name in names}
        out = names[-1] if outputs is None else outputs
        self._outputs = out if isinstance(out, str) else tuple(out)
        self._check()
        self._chains = chains(self.wiring)

    @property
    def wiring(self) -> Wiring:
        """Which layer takes what, and what comes out."""
        return Wiring(dict(self._wires), self._outputs)

    def _check(self) -> None:
        outputs = _as_tuple(self._outputs)
        there, used = {INPUT}, set(outputs)
        for name, inputs in self._wires.items():
            missing = [wanted for wanted in inputs if wanted not in there]
            if missing or not inputs:
                raise ValueError(f"{name} takes {', '.join(missing) or 'nothing'}, which is no layer before it")
            there.add(name)
            used.update(inputs)
        unknown = [name for name in outputs if name not in self._wires]
        if unknown or not outputs or len(set(outputs)) < len(outputs):
            raise ValueError(f"outputs {', '.join(outputs) or '(none)'}: wanted different layers' names")
        unused = [name for name in self._wires if name not in used]
        if unused:
            raise ValueError(f"nothing takes the values of {', '.join(unused)}")

    def _at_once(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return recorded.find(self, args[0]) if len(args) == 1 and not kwargs and fusion.allowed() else None

    def forward(self, input: Any) -> Any:
        return recorded.run(self, input) if fusion.allowed() else self._layer_by_layer(input)

    def _layer_by_layer(self, input: Any) -> Any:
        values, modules = {INPUT: input}, dict[str, Any](self._modules)
        del input
        for chain in self._chains:
            (first, last), *others = chain.inputs
            # values are in no variable of this call: each is freed as soon as its last user has run
            if others:
                values[chain.layers[-1]] = fusion.chain(
                    [modules[name] for name in chain.layers[1:]],
                    modules[chain.layers[0]](*[values.pop(n) if last else values[n] for n, last in chain.inputs]),
                )
            else:
                values[chain.layers[-1]] = fusion.chain(
                    [modules[name] for name in chain.layers], values.pop(first) if last else values[first]
                )
        if isinstance(self._outputs, str):
            return values[self._outputs]
        return tuple([values[name] for name in self._outputs])

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __getitem__(self, key: int | str) -> Any:
        return self._modules[key if isinstance(key, str) else list(self._modules)[key]]

    def __repr__(self) -> str:
        """Each layer with what it takes, where that is not the one before."""
        lines, before = [], INPUT
        for name, inputs in self._wires.items():
            source = "" if inputs == (before,) else f" from {', '.join(inputs)}"
            text = repr(self._modules[name]).replace("\n", "\n  ")
            lines.append(f"  ({name}{source}): {text}")
            before = name
        outputs = _as_tuple(self._outputs)
        end = [] if outputs == (before,) else [f"  outputs: {', '.join(outputs)}"]
        return "\n".join([f"{type(self).__name__}(", *lines, *end, ")"])


def chains(wiring: Wiring) -> list[Chain]:
    """The layers in runs that can be called one after the other, in order.

    Example:
        >>> wires = {"a": ("input",), "b": ("a",), "sum": ("b", "input"), "c": ("sum",)}
        >>> [chain.layers for chain in chains(Wiring(wires, "c"))]
        [('a', 'b'), ('sum', 'c')]
    """
    outputs = _as_tuple(wiring.outputs)
    uses = [name for inputs in wiring.wires.values() for name in inputs] + list(outputs)
    counts = Counter(uses)
    runs: list[list[str]] = []
    run_of: dict[str, int] = {}
    for name, inputs in wiring.wires.items():
        (source, *others) = inputs
        at = run_of.get(source)
        if others or at is None or counts[source] > 1 or source in outputs or at != len(runs) - 1:
            runs.append([name])
            run_of[name] = len(runs) - 1
        else:
            runs[at].append(name)
            run_of[name] = at
    found = []
    for run in runs:
        taken = []
        for name in wiring.wires[run[0]]:
            counts[name] -= 1
            taken.append((name, counts[name] == 0))
        found.append(Chain(tuple(run), tuple(taken)))
    return found


def _as_tuple(outputs: str | tuple[str, ...]) -> tuple[str, ...]:
    return (outputs,) if isinstance(outputs, str) else outputs
