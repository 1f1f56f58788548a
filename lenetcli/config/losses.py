"""The losses of a model with several outputs: a list, each with the output that it takes.

loss:
  - {output: digit, type: CrossEntropyLoss}
  - {output: picture, type: MSELoss, weight: 0.5, target: input}
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lenetcli.config.catalogue import ROLES
from lenetcli.config.components import Component, ComponentReader
from lenetcli.config.messages import got, remedies
from lenetcli.config.problems import KeyPath, Problem, did_you_mean
from lenetcli.config.yaml_tree import Node

KEYS = ("output", "weight", "target")  # of a loss in a list, beside its class's arguments
TARGETS = ("label", "input")


@dataclass(frozen=True)
class LossTerm:
    """One loss of several.

    Args:
        loss: the class and its arguments.
        output: the name of the model's output that it takes; None where there is one.
        weight: what it counts in the sum.
        target: "label", or "input": the model's output is compared with what it was given.
    """

    loss: Component
    output: str | None = None
    weight: float = 1.0
    target: str = "label"


def is_list(node: Node) -> bool:
    """Whether a loss section holds several losses, or one that says what it compares."""
    return isinstance(node.value, list) or (node.mapping is not None and any(k in node.mapping for k in KEYS[::2]))


def read_losses(
    node: Node, reader: ComponentReader, outputs: Sequence[str], last: str | None, problems: list[Problem]
) -> tuple[LossTerm, ...]:
    """The losses of a list, or of the one mapping in its place; what is wrong is added to `problems`.

    Args:
        outputs: names of the model's outputs; empty where it has one that nobody names.
        last: the name of the model's last layer, if it has one.
    """
    nodes, listed = (node.value, True) if isinstance(node.value, list) else ([node], False)
    if not nodes:
        problems.append(Problem(node.span, ("loss",), "wanted a list of losses, got an empty list"))
    known = list(outputs) or ([last] if last else [])
    found, before = [], len(problems)
    for i, each in enumerate(nodes):
        term = _term(each, ("loss", i) if listed else ("loss",), reader, known, len(outputs) > 1, problems)
        if term is not None:
            found.append(term)
    taken = {term.output for term in found}
    missing = [name for name in outputs if name not in taken]
    if missing and len(outputs) > 1 and len(problems) == before:
        message = f"no loss takes the output {missing[0]} of the model"
        hint = f"add {{output: {missing[0]}, type: ...}}, or leave it out of model.outputs"
        problems.append(Problem(node.span, ("loss",), message, (hint,)))
    return tuple(found)


def _term(
    node: Node, path: KeyPath, reader: ComponentReader, known: Sequence[str], several: bool, problems: list[Problem]
) -> LossTerm | None:
    if node.mapping is None:
        reader.read(node, path, ROLES["loss"])  # says what is wanted
        return None
    own: dict[str, Node] = {key: node.mapping[key] for key in KEYS if key in node.mapping}
    if isinstance(own.get("weight", node).value, list):
        del own["weight"]  # the class's: of each class of the data
    before = len(problems)
    rest = {key: value for key, value in node.mapping.items() if key not in own}
    loss = reader.read(Node(rest, node.span, node.keys), path, ROLES["loss"])
    output = _output(own.get("output"), node, path, known, several, problems)
    weight = _weight(own.get("weight"), path, problems)
    target = own.get("target")
    if target is not None and target.value not in TARGETS:
        text = target.value if isinstance(target.value, str) else ""
        message = f"wanted label or input, got {got(target.plain())}"
        hints = did_you_mean(text, TARGETS) or ("label: the sample's target; input: the sample itself",)
        problems.append(Problem(target.span, (*path, "target"), message, hints))
    if len(problems) > before or loss is None:
        return None
    return LossTerm(loss, output, weight, str(target.value) if target is not None else "label")


def _output(
    node: Node | None, loss: Node, path: KeyPath, known: Sequence[str], several: bool, problems: list[Problem]
) -> str | None:
    if node is None:
        if several:
            message = f"missing: the model has the outputs {', '.join(known)}; wanted the one that this loss takes"
            problems.append(Problem(loss.span, (*path, "output"), message, (f"write output: {known[0]}",)))
        return None
    if isinstance(node.value, str) and node.value in known:
        return node.value
    name = node.value if isinstance(node.value, str) else got(node.plain())
    have = (
        f"the model's outputs are {', '.join(known)}"
        if known
        else "the model has one output without a name: leave `output` out"
    )
    hints = (did_you_mean(node.value, known) if isinstance(node.value, str) else ()) or (have,)
    problems.append(Problem(node.span, (*path, "output"), f"no output of the model is named {name}", hints))
    return None


def _weight(node: Node | None, path: KeyPath, problems: list[Problem]) -> float:
    value: Any = 1.0 if node is None else node.value
    if node is None or (isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf):
        return float(value)
    message = f"wanted a number above 0, got {got(node.plain())}"
    problems.append(Problem(node.span, (*path, "weight"), message, remedies(node.plain(), "a number")))
    return 1.0
