"""A module's function of other parameters than its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def functional_call(
    module: Any, parameter_and_buffer_dicts: Any, args: Any = None, kwargs: dict[str, Any] | None = None
) -> Any:
    """What a module gives with other parameters and buffers than its own, which stay as they are.

    Args:
        parameter_and_buffer_dicts: tensors by name, or several such dicts; what is not named is the module's own.
        args: one argument, or a tuple of them.

    Raises:
        KeyError: the module has nothing of that name.

    Source: torch.func.functional_call.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.Linear(2, 1, bias=False)
        >>> lenet.func.functional_call(layer, {"weight": lenet.tensor([[2.0, 3.0]])}, lenet.ones(1, 2))
        tensor([[5.]])
    """
    dicts = (
        [parameter_and_buffer_dicts] if isinstance(parameter_and_buffer_dicts, Mapping) else parameter_and_buffer_dicts
    )
    given = {name: tensor for one in dicts for name, tensor in one.items()}
    places = []
    for name in given:
        path, _, last = name.rpartition(".")
        owner = module.get_submodule(path)
        table = next((t for t in (owner._parameters, owner._buffers) if last in t), None)
        if table is None:
            raise KeyError(f"functional_call: the module has no parameter or buffer {name!r}")
        places.append((table, last, table[last]))
    try:
        for (table, last, _), tensor in zip(places, given.values()):
            table[last] = tensor
        operands = args if isinstance(args, tuple) else () if args is None else (args,)
        return module(*operands, **(kwargs or {}))
    finally:
        for table, last, before in places:
            table[last] = before
