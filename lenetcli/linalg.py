"""Norms (torch.linalg). Each is defined with its op; this file is the list of names."""

from lenetcli.ops.vector_norm import vector_norm

__all__ = ["vector_norm"]
