"""Stores what torchvision makes of two small pictures: `python -m tests.vision.make_references`, where it is installed.

Numbers are drawn after `torch.manual_seed(seed)`; a tensor's sum with weights and the next `torch.rand(1)` tell whether
the same was drawn and done.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

STORED = Path(__file__).with_name("references.json")
SEEDS = range(4)
PICTURE = "picture"  # what works on Pillow images only
CHAIN = (
    "Compose([T.RandomCrop(24, padding=4), T.RandomHorizontalFlip(), T.ToTensor(), "
    "T.Normalize((0.5,), (0.25,)), T.RandomErasing(0.7), T.RandomErasing(0.7, value='random')])"
)
EACH = (
    ("CenterCrop(20)", ""), ("CenterCrop(60)", ""), ("Pad(3)", ""), ("Pad((1, 2), fill=7)", ""),
    ("Pad((1, 2, 3, 4), padding_mode='reflect')", ""), ("RandomCrop(20)", ""), ("RandomCrop(28, padding=4)", ""),
    ("RandomCrop((50, 20), pad_if_needed=True)", ""), ("RandomHorizontalFlip()", ""), ("RandomVerticalFlip()", ""),
    ("FiveCrop(12)", ""), ("RandomApply([T.Pad(2)], p=0.4)", ""), ("ColorJitter(brightness=0.5)", ""),
    ("Grayscale()", ""), ("RandomGrayscale(0.5)", ""), ("Resize(20)", PICTURE), ("Resize((17, 50))", PICTURE),
    ("Resize(12, max_size=14)", PICTURE), ("RandomRotation(30)", PICTURE),
    ("Resize((40, 30), interpolation=T.InterpolationMode.NEAREST)", PICTURE),
    ("RandomRotation((10, 20), expand=True, fill=9)", PICTURE), ("RandomResizedCrop(16)", PICTURE),
    ("ColorJitter(0.4, 0.4, 0.4, 0.2)", PICTURE), ("ToTensor()", PICTURE), ("PILToTensor()", PICTURE),
    (CHAIN, PICTURE),
)  # fmt: skip


def pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (33, 41, 3), np.uint8), rng.integers(0, 256, (28, 28), np.uint8)]


def made(torch: Any, transforms: Any, expression: str, kind: str, seed: int) -> list[Any]:
    """Shapes, weighted sums and the next number drawn, for both pictures."""
    transform = eval("T." + expression, {"T": transforms})
    found: list[Any] = []
    for pixels in pictures():
        given: Any = pixels
        if kind == PICTURE:
            from PIL import Image

            given = Image.fromarray(pixels)
        else:
            given = torch.tensor(np.ascontiguousarray(np.moveaxis(np.atleast_3d(pixels), -1, 0)))
        torch.manual_seed(seed)
        result = transform(given)
        parts = [np.asarray(part) for part in (result if isinstance(result, tuple) else (result,))]
        flat = np.concatenate([part.ravel().astype(np.float64) for part in parts])
        found.append([list(parts[0].shape), float(flat @ np.cos(np.arange(flat.size))), torch.rand(1).item()])
    return found


def cases() -> list[tuple[str, str]]:
    return [(e, kind) for e, only in EACH for kind in ((PICTURE,) if only else (PICTURE, "tensor"))]


if __name__ == "__main__":
    import torch
    from torchvision import transforms
    from torchvision.transforms import v2

    stored = {
        f"{name} {expression} {kind}": [made(torch, module, expression, kind, seed) for seed in SEEDS]
        for name, module in (("v1", transforms), ("v2", v2))
        for expression, kind in cases()
    }
    STORED.write_text(json.dumps(stored, indent=0) + "\n", "utf-8")
