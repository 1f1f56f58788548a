"""All families of ops. Importing this registers every Tensor method."""

from lenetcli.ops import activation, arithmetic, cast, conv, indexing, linalg, linear, loss, pool, reduction, shape

__all__ = ["activation", "arithmetic", "cast", "conv", "indexing", "linalg", "loss", "pool", "reduction", "shape"]
