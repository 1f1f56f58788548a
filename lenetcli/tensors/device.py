"""torch.device: where a tensor lives."""

from __future__ import annotations


class device:
    """Where a tensor lives, such as `device(type='cpu')`; equal to its name.

    Source: torch.device.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.zeros(1).device, lenet.zeros(1).device == "cpu"
        (device(type='cpu'), True)
    """

    def __init__(self, type: str | int | device, index: int | None = None) -> None:
        name = f"cuda:{type}" if isinstance(type, int) else str(type)
        if index is not None:
            if ":" in name:
                raise RuntimeError(
                    f"type (string) must not include an index because index was passed explicitly: {name}"
                )
            name = f"{name}:{index}"
        kind, colon, number = name.partition(":")
        if kind not in ("cpu", "cuda") or (colon and not number.isdecimal()):
            raise RuntimeError(f"wanted a device such as 'cpu', 'cuda' or 'cuda:0', got {name!r}")
        self.type = kind
        self.index = int(number) if number else None

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __eq__(self, other: object) -> bool:
        return str(self) == str(other) if isinstance(other, (str, device)) else NotImplemented

    def __hash__(self) -> int:
        return hash(str(self))


CPU = device("cpu")
