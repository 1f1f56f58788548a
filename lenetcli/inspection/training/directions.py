"""Directions in which a model's weights can move, and planes that they span.

A point of the weights is one vector: all parameters that learn, one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lenetcli.inspection.statistics import Array
from lenetcli.tensors.tensor import Tensor


@dataclass(frozen=True)
class Plane:
    """The points origin + a * x + b * y.

    Args:
        origin, x, y: vectors; x and y need not have length 1.
    """

    origin: Array
    x: Array
    y: Array

    def point(self, a: float, b: float) -> Array:
        """The vector at a place of the plane."""
        return self.origin + np.float32(a) * self.x + np.float32(b) * self.y

    def places(self, points: Sequence[Array]) -> tuple[list[tuple[float, float]], float | None]:
        """Where the points lie, seen at right angles to the plane.

        Returns:
            A place for each, and which share of the squared distances from the origin lies in the plane; None where
            all points are the origin.

        Example:
            >>> plane = Plane(np.zeros(3), np.array([2.0, 0, 0]), np.array([0, 1.0, 0]))
            >>> plane.places([np.array([2.0, 3.0, 0]), np.array([0, 0, 1.0])])[0]
            [(1.0, 3.0), (0.0, 0.0)]
        """
        axes = np.stack([self.x, self.y]).astype(np.float64)
        gram = axes @ axes.T
        found, within, whole = [], 0.0, 0.0
        for point in points:
            away = point.astype(np.float64) - self.origin
            place = np.linalg.lstsq(gram, axes @ away, rcond=None)[0]
            found.append((float(place[0]), float(place[1])))
            within += float(place @ gram @ place)
            whole += float(away @ away)
        return found, within / whole if whole else None


def filter_normalised(parameters: Sequence[Tensor], random: np.random.Generator) -> Array:
    """A random direction, each filter of it as long as the filter of the weights in the same place.

    A filter is what makes one output: a row of a linear layer's weights, a filter of a convolution. Parameters of one
    axis, biases and the weights of norms, do not move.

    Shape: all numbers of the parameters.

    Source: Li et al. 2018, Visualizing the Loss Landscape of Neural Nets, section 4.

    Example:
        >>> import lenetcli as lenet
        >>> d = filter_normalised([lenet.tensor([[3.0, 4.0], [0.0, 2.0]]), lenet.ones(2)], np.random.default_rng(0))
        >>> np.linalg.norm(d[:2]).round(6).item(), np.linalg.norm(d[2:4]).round(6).item(), d[4:].tolist()
        (5.0, 2.0, [0.0, 0.0])
    """
    parts = []
    for p in parameters:
        if p.array.ndim < 2 or not p.array.size:
            parts.append(np.zeros(p.array.size, np.float32))
            continue
        weights = p.array.reshape(len(p.array), -1).astype(np.float64)
        drawn = random.standard_normal(weights.shape)
        length = np.linalg.norm(weights, axis=1, keepdims=True) / np.linalg.norm(drawn, axis=1, keepdims=True)
        parts.append((drawn * length).astype(np.float32).reshape(-1))
    return np.concatenate(parts)


def principal(points: Sequence[Array]) -> tuple[Array, Array, list[float]] | None:
    """The two directions that say most of where points lie about the last of them, each of length 1.

    Returns:
        Both, and the share of the squared distances that each says; None where all points but one direction are the
        same place.

    Source: principal components without a mean, about the last point, as in Li et al. 2018, section 7.2.

    Example:
        >>> x, y, shares = principal([np.array([3.0, 0, 0]), np.array([3.0, 1.0, 0]), np.zeros(3)])
        >>> [round(share, 3) for share in shares], round(float(x @ y), 6)
        ([0.974, 0.026], 0.0)
    """
    moves = np.stack([point - points[-1] for point in points[:-1]]) if len(points) > 1 else np.zeros((0, 1))
    gram = np.einsum("in,jn->ij", moves, moves, dtype=np.float64)
    values, vectors = np.linalg.eigh(gram)
    if len(values) < 2 or values[-2] <= 1e-9 * values[-1] or values[-1] <= 0:
        return None
    x, y = (moves.T @ (vectors[:, -i] / np.sqrt(values[-i])).astype(moves.dtype) for i in (1, 2))
    whole = float(np.trace(gram))
    return x, y, [float(values[-1]) / whole, float(values[-2]) / whole]


def across(direction: Array, along: Array) -> Array:
    """What of a direction is at right angles to another one, made as long as that.

    Example:
        >>> across(np.array([1.0, 1.0]), np.array([0.0, 3.0])).tolist()
        [3.0, 0.0]
    """
    length = np.linalg.norm(along)
    rest = direction - (direction @ along) / length**2 * along
    return rest * (length / np.linalg.norm(rest))
