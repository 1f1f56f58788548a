"""Attention, as writers spell it: products of queries and keys, their softmax, times values, between linear layers.

What stands between a linear layer and a product only moves numbers, in ways of each writer's own. It is told by where
each number comes from: a picture of numbered places goes through the same operators.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lenetcli.onnx_import import paths
from lenetcli.onnx_import.folding import sliced
from lenetcli.onnx_import.lowering import Flow, Reader, reads
from lenetcli.onnx_import.matching import Matcher
from lenetcli.onnx_import.net import OWN, Array, Node, made
from lenetcli.onnx_import.shapes import constant

_MOST_MOVES = 16
_ATTENTION, _POSITIONS, _TOKENS = OWN + "MultiheadAttention", OWN + "Positions", OWN + "Tokens"


class _Origin(NamedTuple):
    """A value: `places[...]` are those of its numbers in the flat source, which were multiplied by the factor."""

    source: str
    places: Array
    factor: float


class _Linear(NamedTuple):
    """source (..., I) weight (I, O) + bias (O,); the name tells the module."""

    source: str
    weight: Array
    bias: Array | None
    name: str


def attention(matcher: Matcher, node: Node) -> Node | None:
    """MultiheadAttention whose samples come first, from its three inputs to its output projection."""
    net, shape = matcher.net, matcher.net.shapes.get(node.output, ())
    if node.op not in ("Add", "Gemm", "MatMul", "Reshape", "Transpose") or len(shape) != 3 or shape[0] != net.batch:
        return None
    for end in _origins(matcher, node.output):
        last = _linear(matcher, end.source)
        if last is None or end.factor != 1:
            continue
        rows, columns = np.divmod(end.places, last.weight.shape[1])
        if (rows != rows[..., :1]).any() or (columns != np.arange(shape[2])).any():
            return None
        for mixed in _origins(matcher, last.source):
            found = _mixed(matcher, mixed, rows[..., 0], last)
            if found is not None:
                inputs, arrays, heads = found
                names = [f"{node.output}/{i}" for i in range(len(arrays))]
                net.constants.update(zip(names, arrays))
                path = paths.of_array(last.name).removesuffix(".out_proj") or node.path
                return Node(_ATTENTION, [*inputs, *names], node.outputs[:1], {"heads": heads}, node.label, path)
    return None


def _mixed(matcher: Matcher, end: _Origin, rows: Array, last: _Linear) -> tuple[list[str], list[Array], int] | None:
    """Inputs, weights and biases of query, key, value and output, and the number of heads."""
    net, product = matcher.net, matcher.makers.get(end.source)
    weights = None if product is None or product.op != "MatMul" else matcher.makers.get(product.inputs[0])
    if product is None or weights is None or weights.op != "Softmax" or end.factor != 1:
        return None
    (*lead, steps, size), samples = net.shapes[end.source], len(rows)
    heads, odd = divmod(math.prod(lead), samples)
    if odd or weights.attributes.get("axis", -1) % (len(lead) + 2) != len(lead) + 1:
        return None
    places = end.places.reshape(-1, end.places.shape[-1])[rows]  # (N, L, H d): which of (N, H, L, d)
    n, h, step, column = np.unravel_index(places, (samples, heads, steps, size))
    order = (h * size + column)[0, 0]
    if (np.arange(samples) != n.T).any() or (step != np.arange(steps)[:, None]).any():
        return None
    if (h * size + column != order).any() or sorted(order) != list(range(heads * size)):
        return None
    scores, factor = weights.inputs[0], 1.0
    while (maker := matcher.makers.get(scores)) is not None and (times := _scale(matcher, maker)) is not None:
        scores, factor = times[0], factor * times[1]
    if maker is None or maker.op != "MatMul" or any(name in net.constants for name in maker.inputs):
        return None
    parts = [
        _projected(matcher, name, samples, heads, turned)
        for name, turned in ((maker.inputs[0], False), (maker.inputs[1], True), (product.inputs[1], False))
    ]
    if any(part is None for part in parts):
        return None
    (query, w_q, b_q, f_q), (key, w_k, b_k, f_k), (value, w_v, b_v, f_v) = (part for part in parts if part)
    factor *= f_q * f_k * math.sqrt(size)  # beyond the usual one
    w_out = np.empty_like(last.weight)
    w_out[order] = last.weight
    arrays = [w_q * factor, w_k, w_v * f_v, w_out]
    if any(bias is not None for bias in (b_q, b_k, b_v, last.bias)):
        zeros = np.zeros(w_out.shape[1])
        b_q, b_k, b_v, b_out = (zeros if bias is None else bias for bias in (b_q, b_k, b_v, last.bias))
        arrays += [b_q * factor, b_k, b_v * f_v, b_out]
    return [query, key, value], [np.asarray(array, np.float32) for array in arrays], heads


def _projected(
    matcher: Matcher, name: str, samples: int, heads: int, turned: bool
) -> tuple[str, Array, Array | None, float] | None:
    """What a query, key or value is made of: a value (N, L, I), weight (I, H d), bias if any, and a factor."""
    net = matcher.net
    for end in _origins(matcher, name):
        linear = _linear(matcher, end.source)
        if linear is None:
            continue
        places = end.places.swapaxes(-1, -2) if turned else end.places
        steps, size = places.shape[-2:]
        if math.prod(places.shape[:-2]) != samples * heads:
            return None
        rows, columns = np.divmod(places.reshape(samples, heads, steps, size), linear.weight.shape[1])
        chosen, at = columns[0, :, 0], rows[:, 0, :, 0]
        if (columns != chosen[None, :, None]).any() or (rows != at[:, None, :, None]).any():
            return None
        for begin in _origins(matcher, linear.source):
            wanted = (samples, steps, len(linear.weight))
            if begin.factor == 1 and net.shapes[begin.source] == wanted:
                given = begin.places.reshape(-1, wanted[2])[at]
                if np.array_equal(given.reshape(-1), np.arange(given.size)):
                    picked = chosen.reshape(-1)
                    bias = None if linear.bias is None else linear.bias[picked]
                    return begin.source, linear.weight[:, picked], bias, end.factor
        return None
    return None


def _scale(matcher: Matcher, node: Node) -> tuple[str, float] | None:
    """What a node multiplies by a number, and the number."""
    if node.op in ("Mul", "Div"):
        for name, other in (node.inputs, node.inputs[::-1]) if node.op == "Mul" else (node.inputs,):
            number = matcher.net.scalar(other)
            if number and math.isfinite(number) and name not in matcher.net.constants:
                return name, 1 / number if node.op == "Div" else number
    return None


def _origins(matcher: Matcher, name: str) -> Iterator[_Origin]:
    """A value as itself, and as the numbers of what it was made from, one operator back after the other."""
    net, factor = matcher.net, 1.0
    nodes: list[tuple[Node, str]] = []
    for _ in range(_MOST_MOVES):
        shape = net.shapes.get(name)
        if shape is None or name in net.constants or not matcher.may((len(nodes) + 1) * math.prod(shape)):
            return
        places = np.arange(math.prod(shape)).reshape(shape)
        for node, output in reversed(nodes):
            moved = _moved(matcher, node, output, places)
            if moved is None or moved.shape != net.shapes[output]:
                return
            places = moved
        yield _Origin(name, places, factor)
        maker = matcher.makers.get(name)
        if maker is None:
            return
        if (times := _scale(matcher, maker)) is not None:
            factor, before = factor * times[1], times[0]
            if net.shapes.get(before) != shape:
                return
            name = before
            continue
        nodes.append((maker, name))
        name = maker.inputs[0] if maker.inputs else ""


def _moved(matcher: Matcher, node: Node, output: str, x: Array) -> Array | None:
    """What a node does to places; None where it does more than move numbers."""
    net, words = matcher.net, node.attributes
    if node.op in ("Reshape", "Flatten", "Unsqueeze", "Squeeze", "Identity"):
        return x.reshape(net.shapes[output])
    if node.op == "Transpose":
        return x.transpose([int(i) for i in words.get("perm", range(x.ndim)[::-1])])
    if node.op == "Gather" and node.inputs[1] in net.constants:
        return np.take(x, net.constants[node.inputs[1]], words.get("axis", 0))
    if node.op == "Slice":
        given = [constant(net, node, i) for i in range(1, len(node.inputs))]
        return sliced(node, x, *given)
    if node.op == "Split":
        axis = words.get("axis", 0) % x.ndim
        ends = np.cumsum([net.shapes[name][axis] for name in node.outputs])
        return np.split(x, ends[:-1], axis)[node.outputs.index(output)]
    return None


def _linear(matcher: Matcher, name: str) -> _Linear | None:
    """A product with a constant matrix, and a vector added, where there is one."""
    net, node, bias, told = matcher.net, matcher.makers.get(name), None, ""
    if node is not None and node.op == "Add":
        for other, vector in (node.inputs, node.inputs[::-1]):
            if vector in net.constants and net.constants[vector].ndim == 1:
                node, bias, told = matcher.makers.get(other), net.constants[vector], vector
                break
    if node is None or node.op not in ("MatMul", "Gemm") or node.inputs[0] in net.constants:
        return None
    weight = net.constants.get(node.inputs[1])
    if weight is None or weight.ndim != 2 or weight.dtype.kind != "f":
        return None
    if node.op == "Gemm":
        words = node.attributes
        if words.get("alpha", 1.0) != 1 or words.get("beta", 1.0) != 1 or words.get("transA", 0):
            return None
        weight = weight.T if words.get("transB", 0) else weight
        if len(node.inputs) > 2 and node.inputs[2]:
            bias = net.constants.get(node.inputs[2])
    if bias is not None and bias.shape != (weight.shape[1],):
        return None
    names = node.inputs[1], told, *node.inputs[2:]
    return _Linear(node.inputs[0], weight, bias, next((one for one in names if paths.of_array(one)), ""))


def positions(matcher: Matcher, node: Node) -> Node | None:
    """Positions: a table added to the steps, behind a step of its own where there is one."""
    net = matcher.net
    if node.op != "Add" or len(net.shapes[node.output]) != 3:
        return None
    for name, table in (node.inputs, node.inputs[::-1]):
        weight, maker = net.constants.get(table), matcher.makers.get(name)
        if weight is None or weight.reshape(-1).size != math.prod(net.shapes[node.output][1:]) or maker is None:
            continue
        path = paths.of_array(table) or node.path
        inputs = [name, table]
        if maker.op == "Concat" and maker.attributes.get("axis") in (1, -2) and maker.inputs[0] in net.constants:
            token = net.constants[maker.inputs[0]]
            if len(maker.inputs) != 2 or token.ndim != 3 or token.shape[1] != 1 or (token != token[:1]).any():
                continue
            inputs = [maker.inputs[1], table, maker.inputs[0]]
        if net.shapes[inputs[0]][0] == net.batch and inputs[0] not in net.constants:
            return Node(_POSITIONS, inputs, node.outputs[:1], {}, node.label, path)
    return None


def tokens(matcher: Matcher, node: Node) -> Node | None:
    """Tokens: the places of a picture one after the other."""
    net, maker = matcher.net, matcher.makers.get(node.inputs[0]) if node.inputs else None
    if node.op != "Transpose" or maker is None or maker.op not in ("Reshape", "Flatten"):
        return None
    old, flat = net.shapes[maker.inputs[0]], net.shapes[maker.output]
    if list(node.attributes.get("perm", ())) != [0, 2, 1] or len(old) < 4 or old[:2] != flat[:2]:
        return None
    return made(node, "Tokens", maker.inputs[0], {})


@reads(_ATTENTION)
def multihead(reader: Reader, node: Node) -> Flow:
    flows = [reader.plain(node, i) for i in range(3)]
    w_q, w_k, w_v, w_out, *biases = (reader.net.constants[name] for name in node.inputs[3:])
    embed = w_q.shape[1]
    if w_q.shape[0] != embed or w_out.shape[1] != embed or w_v.shape[1] != embed:
        raise node.refusal(f"makes {w_out.shape[1]} numbers of {w_q.shape[0]}: MultiheadAttention keeps their count")
    words = {"num_heads": node.attributes["heads"], "batch_first": True}
    weights = {"out_proj.weight": w_out.T}
    if w_k.shape[0] == w_v.shape[0] == embed:
        weights["in_proj_weight"] = np.concatenate([w_q.T, w_k.T, w_v.T])
    else:
        words |= {"kdim": w_k.shape[0], "vdim": w_v.shape[0]}
        weights |= {f"{name}_proj_weight": w.T for name, w in (("q", w_q), ("k", w_k), ("v", w_v))}
    if biases:
        weights |= {"in_proj_bias": np.concatenate(biases[:3]), "out_proj.bias": biases[3]}
    else:
        words["bias"] = False
    at = reader.add(node, "MultiheadAttention", words, [flow.at for flow in flows], weights, node.path)
    return Flow(reader.add(node, "Steps", {}, [at], path=""))


@reads(_POSITIONS)
def places(reader: Reader, node: Node) -> Flow:
    flow, table = reader.plain(node), reader.net.constants[node.inputs[1]]
    weights = {"weight": table.reshape(reader.shape(node.output)[1:])}
    words = {}
    if len(node.inputs) > 2:
        words, weights["token"] = {"class_token": True}, reader.net.constants[node.inputs[2]][:1]
    return Flow(reader.add(node, "Positions", words, [flow.at], weights, node.path))


@reads(_TOKENS)
def steps_of(reader: Reader, node: Node) -> Flow:
    return Flow(reader.add(node, "Tokens", {}, [reader.plain(node).at]))
