"""Weights alone: safetensors with torch's key names, and NumPy's .npz."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from lenetcli.nn.module import Module
from lenetcli.tensors.serialization import to_bytes


def safetensors_bytes(model: Module, metadata: Mapping[str, str] | None = None) -> bytes:
    """The state dict as the content of a .safetensors file, which torch's `load_file` reads.

    Args:
        metadata: text to keep in the file's header; `format: pt`, which some readers want, is added.
    """
    return to_bytes(model.state_dict(), {"format": "pt", **(metadata or {})})


def npz_bytes(model: Module) -> bytes:
    """The state dict as the content of a .npz file: an array for each key, nothing pickled."""
    content = io.BytesIO()
    arrays: dict[str, Any] = {key: tensor.array for key, tensor in model.state_dict().items()}
    np.savez_compressed(content, **arrays)
    return content.getvalue()
