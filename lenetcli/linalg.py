"""Linear algebra (torch.linalg). Each is defined with its op; this file is the list of names."""

from lenetcli.ops.linalg.dot import linalg_cross as cross
from lenetcli.ops.linalg.dot import vecdot
from lenetcli.ops.linalg.inverse import det, inv, slogdet
from lenetcli.ops.linalg.matmul import matmul, matrix_power, multi_dot
from lenetcli.ops.linalg.matrix_norm import linalg_norm as norm
from lenetcli.ops.linalg.matrix_norm import matrix_norm, svdvals
from lenetcli.ops.reduction.norm import vector_norm
from lenetcli.ops.shaping.diagonal import linalg_diagonal as diagonal

__all__ = [
    "vector_norm", "matrix_norm", "norm", "svdvals",
    "matmul", "multi_dot", "matrix_power", "vecdot", "cross", "diagonal",
    "inv", "det", "slogdet",
]  # fmt: skip
