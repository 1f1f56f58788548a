"""Makes tests/formats/files: small files as torch writes them, and what they hold.

python tests/formats/make_torch_files.py      (needs torch 2.13.0)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

PLACE = Path(__file__).parent / "files"
PROTOCOLS = (2, 4, 5)


def contents(torch: Any) -> dict[str, Any]:
    """Values of every kind that state dicts and checkpoints hold, by the name of their file."""
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 3))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.1)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4, 4])
    base = torch.arange(24.0).reshape(4, 6)
    return {
        "state_dict": net.state_dict(),
        "checkpoint": {
            "model": net.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": schedule.state_dict(),
            "epoch": 3, "best": 0.5, "name": "Netz ü", "done": False, "note": None,
        },
        "tensors": [torch.tensor(values, dtype=getattr(torch, kind)) for kind, values in (
            ("float64", [1.5, -2]), ("float32", [[1.5], [-2]]), ("float16", [1.5, 65504]), ("bfloat16", [1.5, -3e38]),
            ("int64", [2**40, -1]), ("int32", [-7]), ("int16", [300]), ("int8", [-128]), ("uint8", [255]),
            ("bool", [True, False]),
        )],
        "views": {
            "all": base, "rows": base[1:3], "turned": base.t(), "every": base[:, ::2], "one": base[2, 3],
            "none": base[:0], "spread": torch.ones(1).expand(3, 2),
            "last": torch.ones(2, 3, 4, 5).to(memory_format=torch.channels_last),
        },
        "parameters": {"leaf": torch.ones(2, requires_grad=True), "parameter": torch.nn.Parameter(torch.zeros(2)),
                       "frozen": torch.nn.Parameter(torch.zeros(1), requires_grad=False)},
        "marks": {"size": torch.Size([2, 3]), "device": torch.device("cuda", 1), "type": torch.bfloat16,
                  "set": {1, 2}, "tuple": (1, (2.5, "a")), "large": 2**70, "list": [[], {}]},
        "alone": torch.ones(2, 2),
    }  # fmt: skip


def make(torch: Any, place: Path) -> None:
    for name, value in contents(torch).items():
        for protocol in PROTOCOLS:
            torch.save(value, place / f"{name}-{protocol}.pt", pickle_protocol=protocol)
            torch.save(
                value, place / f"{name}-{protocol}.pth", pickle_protocol=protocol,
                _use_new_zipfile_serialization=False,
            )  # fmt: skip


if __name__ == "__main__":
    import torch

    PLACE.mkdir(exist_ok=True)
    for name, value in contents(torch).items():
        torch.save(value, PLACE / f"{name}.pt")
        torch.save(value, PLACE / f"{name}.pth", _use_new_zipfile_serialization=False)
