"""Makes tests/formats/old: small files as old releases of torch write them, and what they hold, as JSON.

python tests/formats/make_old_torch_files.py      (runs in Python 3.6 with torch 1.0.0, the oldest of which there is a
                                                   wheel, and with torch 1.6.0, the first that writes zip files)
"""

import json
import os
from collections import OrderedDict

import torch

PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "old")


def contents():
    """Values of every kind that state dicts and checkpoints hold; the numbers are the same in every release."""
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Linear(2, 3))
    for parameter in net.parameters():
        parameter.data = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape) / 8
        parameter.grad = torch.ones_like(parameter)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.125)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    optimizer.step()
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    kinds = ["float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8"]
    kinds += [kind for kind in ("bool", "bfloat16") if hasattr(torch, kind)]
    return {
        "state_dict": net.state_dict(),
        "checkpoint": {
            "model": net.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": schedule.state_dict(),
            "epoch": 3, "name": "Netz \u00fc", "note": None,
        },
        "tensors": OrderedDict((kind, torch.tensor([0, 1, 2]).to(getattr(torch, kind))) for kind in kinds),
        "views": {"all": base, "rows": base[1:3], "turned": base.t(), "every": base[:, ::2], "one": base[2, 3]},
        "parameters": OrderedDict(a=torch.nn.Parameter(torch.ones(2)), b=torch.ones(2, requires_grad=True)),
    }  # fmt: skip


def described(value, path=""):
    """Every tensor in nested mappings and lists: its type and numbers, by its path."""
    if isinstance(value, torch.Tensor):
        numbers = value.detach()
        if numbers.dtype in (torch.float16, getattr(torch, "bfloat16", None)):
            numbers = numbers.float()
        return {path: [str(numbers.dtype).split(".")[1], numbers.tolist()]}
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = {}
    for key, inner in pairs:
        found.update(described(inner, path + "." + str(key)))
    return found


if __name__ == "__main__":
    if not os.path.isdir(PLACE):
        os.mkdir(PLACE)
    zipped = tuple(map(int, torch.__version__.split(".")[:2])) >= (1, 6)
    for name, value in contents().items():
        whole = os.path.join(PLACE, name + "-" + torch.__version__.split("+")[0])
        torch.save(value, whole + (".pt" if zipped else ".pth"))
        with open(whole + ".json", "w") as file:
            json.dump(described(value), file)
