"""Makes tests/formats/foreign: files of torch that are not read, for what is said of them.

python tests/formats/make_foreign_files.py      (needs torch 2.13.0)
"""

from __future__ import annotations

import warnings
from pathlib import Path

PLACE = Path(__file__).parent / "foreign"

if __name__ == "__main__":
    import torch

    PLACE.mkdir(exist_ok=True)
    net = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.save(net, PLACE / "module.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(net, torch.ones(1, 2)).save(PLACE / "script.pt")
    torch.save({"w": torch.eye(2).to_sparse()}, PLACE / "sparse.pt")
    torch.save({"w": torch.ones(2, dtype=torch.complex64)}, PLACE / "complex.pt")
