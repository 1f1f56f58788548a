"""Recurrent operators with one result.

ONNX gives (steps, directions, samples, numbers) and the state after the last step; writers spell the way from there to
(steps, samples, numbers) as Squeeze, Reshape, or Transpose and Reshape. `joined` makes that one value, takes states
from it, and makes two directions one operator.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lenetcli.onnx_import.net import Array, Net, Node, Sizes

OPS = {"RNN": (0,), "GRU": (1, 0, 2), "LSTM": (0, 2, 3, 1)}  # where each of torch's gates is among ONNX's


def joined(net: Net) -> None:
    """Lets each recurrent operator give (steps, samples, numbers) only, where its results are used in known ways."""
    for node in [node for node in net.nodes if node.op in OPS]:
        _one_value(net, node)
    for node in [node for node in net.nodes if node.op == "Concat"]:
        _both_ways(net, node)
    for node in [node for node in net.nodes if node.op in OPS]:
        _state(net, node)


def directions(node: Node) -> int:
    return 2 if node.attributes.get("direction") == "bidirectional" else 1


def _users(net: Net, name: str) -> list[Node]:
    return [node for node in net.nodes if name in node.inputs]


def _one_value(net: Net, node: Node) -> None:
    """The output with its directions beside each other, in the place of what writers make it from."""
    steps, samples, _ = net.shapes[node.inputs[0]]
    apart = node.output
    wanted = steps, samples, directions(node) * int(node.attributes["hidden_size"])
    made = f"{node.outputs[1] if len(node.outputs) > 1 else apart}:all steps"
    node.outputs[0], net.shapes[made] = made, wanted
    for last in [*_whole(net, apart, wanted, directions(node) == 1)]:
        _replace(net, last, made)
    if apart in net.outputs or _users(net, apart):
        raise node.refusal("its directions are used apart, each with all steps: no layer does that")


def _whole(net: Net, apart: str, wanted: Sizes, alone: bool) -> Iterator[Node]:
    """The nodes that make `wanted` of (steps, directions, samples, numbers)."""
    for user in _users(net, apart) if apart else ():
        if user.op in ("Squeeze", "Reshape") and alone and net.shapes[user.output] == wanted:
            yield user
        elif user.op == "Transpose" and list(user.attributes.get("perm", ())) == [0, 2, 1, 3]:
            users = _users(net, user.output)
            if user.output not in net.outputs and all(
                each.op in ("Squeeze", "Reshape") and net.shapes[each.output] == wanted for each in users
            ):
                yield from users
                net.nodes.remove(user)


def _replace(net: Net, node: Node, name: str) -> None:
    """A node's result is another value."""
    net.nodes.remove(node)
    for user in _users(net, node.output):
        user.inputs = [name if each == node.output else each for each in user.inputs]
    net.outputs = [name if each == node.output else each for each in net.outputs]


def _both_ways(net: Net, node: Node) -> None:
    """One operator forward, one backward, and their results beside each other: one in both directions."""
    makers = net.producers()
    pair = [makers.get(name) for name in node.inputs]
    if len(pair) != 2 or node.attributes["axis"] not in (2, -1):
        return
    first, second = pair
    if first is None or second is None or first.op not in OPS or second.op != first.op or first is second:
        return
    words = [{**each.attributes, "direction": None} for each in (first, second)]
    ways = [each.attributes.get("direction", "forward") for each in (first, second)]
    inputs = [[*each.inputs, *[""] * (8 - len(each.inputs))] for each in (first, second)]
    alone = all(len(_users(net, each.output)) == 1 and each.output not in net.outputs for each in (first, second))
    states = any(_users(net, name) or name in net.outputs for each in (first, second) for name in each.outputs[1:])
    if ways != ["forward", "reverse"] or words[0] != words[1] or inputs[0][0] != inputs[1][0] or not alone or states:
        return
    taken = [inputs[0][0]]
    for at in range(1, 8):
        names = inputs[0][at], inputs[1][at]
        if at == 4 or not any(names):
            if names[0] != names[1]:
                return
            taken.append(names[0])
            continue
        if not all(name in net.constants for name in names):
            return
        both = np.concatenate([net.constants[name] for name in names])
        taken.append(_constant(net, f"{names[0]}:both ways", both))
    attributes = {**first.attributes, "direction": "bidirectional"}
    made = Node(first.op, taken, [node.output], attributes, first.label, first.path)
    net.nodes[net.nodes.index(node)] = made
    net.nodes = [each for each in net.nodes if each is not first and each is not second]


def _constant(net: Net, name: str, array: Array) -> str:
    net.constants[name], net.shapes[name] = array, array.shape
    return name


def _state(net: Net, node: Node) -> None:
    """The state after the last step: the last output forward, the first one backward."""
    if len(node.outputs) < 2 or not node.outputs[1]:
        return
    state, size = node.outputs[1], int(node.attributes["hidden_size"])
    for user, way, result in [*_chosen(net, state, directions(node))]:
        steps = net.shapes[node.output][0]
        at = _constant(net, f"{result.output}:step", np.array(0 if way else steps - 1, np.int64))
        row = result.output if directions(node) == 1 else f"{result.output}:both ways"
        new = [Node("Gather", [node.output, at], [row], {"axis": 0}, result.label)]
        net.shapes[row] = net.shapes[node.output][1:]
        if row != result.output:
            words = [(f"{row}:{i}", [n]) for i, n in enumerate((way * size, (way + 1) * size, 1))]
            names = [_constant(net, name, np.array(n, np.int64)) for name, n in words]
            new.append(Node("Slice", [row, *names], [result.output], {}, result.label))
        place = net.nodes.index(result)
        net.nodes[place : place + 1] = new
        if user is not result and not _users(net, user.output):
            net.nodes.remove(user)


def _chosen(net: Net, state: str, ways: int) -> Iterator[tuple[Node, int, Node]]:
    """Who takes the state, of which direction, and the node that gives it as (samples, numbers)."""
    for user in _users(net, state):
        before, results = 0, [user]
        if user.op == "Concat" and user.attributes["axis"] in (0, -3):  # those of all layers
            places = [net.shapes[name][0] for name in user.inputs]
            before = sum(places[: user.inputs.index(state)])
            results = _users(net, user.output)
        for result in results:
            if result.op in ("Squeeze", "Reshape") and net.shapes[result.output] == net.shapes[state][1:]:
                yield user, 0, result
            elif result.op == "Gather" and result.attributes.get("axis", 0) in (0, -3):
                index = net.constants.get(result.inputs[1])
                if index is not None and index.shape == ():
                    way = int(index) % net.shapes[result.inputs[0]][0] - before
                    if 0 <= way < ways:
                        yield user, way, result


def sizes(net: Net, node: Node, given: list[Sizes]) -> list[Sizes]:
    """Of an operator's results.

    Raises:
        ValueError: weights that do not fit.
        NotImportable: a layout that is not read.
    """
    x, weight, state = given[:3]
    gates, hidden, ways = len(OPS[node.op]), int(node.attributes.setdefault("hidden_size", state[-1])), directions(node)
    if node.attributes.get("layout", 0):
        raise node.refusal("its layout has samples first, which is not read")
    wanted = (ways, gates * hidden, x[2]), (ways, gates * hidden, hidden), (ways, 2 * gates * hidden)
    found = [weight, state, *([given[3]] if len(given) > 3 and node.inputs[3] else [])]
    if len(x) != 3 or hidden < 1 or any(a != b for a, b in zip(found, wanted)):
        raise ValueError("weights that do not fit its input and hidden_size")
    lengths, states = given[4:5], given[5:7]
    if any(shape not in ((), (x[1],)) for shape in lengths) or any(
        shape not in ((), (ways, x[1], hidden)) for shape in states
    ):
        raise ValueError("lengths or a first state that do not fit")
    return [(x[0], ways, x[1], hidden), (ways, x[1], hidden), (ways, x[1], hidden)][: len(node.outputs)]
