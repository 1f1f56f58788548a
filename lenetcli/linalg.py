"""Linear algebra (torch.linalg). Each is defined with its op; this file is the list of names."""

from lenetcli.ops.diagonal import linalg_diagonal as diagonal
from lenetcli.ops.matmul import matmul, matrix_power, multi_dot
from lenetcli.ops.matrix_norm import linalg_norm as norm
from lenetcli.ops.matrix_norm import matrix_norm, svdvals
from lenetcli.ops.vector_norm import vector_norm
from lenetcli.ops.vector_products import linalg_cross as cross
from lenetcli.ops.vector_products import vecdot

__all__ = [
    "vector_norm", "matrix_norm", "norm", "svdvals",
    "matmul", "multi_dot", "matrix_power", "vecdot", "cross", "diagonal",
]  # fmt: skip
