"""All families of ops. Importing this registers every Tensor method."""

# fmt: off
from lenetcli.ops import (
    activation,
    arithmetic,
    cast,
    comparison,
    conv,
    division,
    extrema,
    fill,
    indexing,
    linalg,
    linear,
    logic,
    loss,
    pointwise,
    pool,
    power,
    reduction,
    rounding,
    scan,
    selection,
    shape,
    trigonometry,
    variance,
    vector_norm,
)

__all__ = [
    "activation", "arithmetic", "cast", "comparison", "conv", "division", "extrema", "fill", "indexing", "linalg",
    "linear", "logic", "loss", "pointwise", "pool", "power", "reduction", "rounding", "scan", "selection", "shape",
    "trigonometry", "variance", "vector_norm",
]
