"""torch's outputs and gradients of every layer sample, stored: `python -m tests.nn.references` writes references.npz.

So the sweep has torch's numbers where torch is not installed. Parameters are set to drawn numbers that both get;
layers that draw numbers in training are run in evaluation.
"""

from __future__ import annotations

import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tests.nn.sample import LayerSample, collected, leaves, outputs

FILE = Path(__file__).parent / "references.npz"


def numbered() -> list[tuple[str, LayerSample]]:
    """Every sample with its key."""
    turns: Counter[str] = Counter()
    found = []
    for sample in collected("SAMPLES"):
        words = str(sample)
        found.append((f"{words} #{turns[words]}", sample))
        turns[words] += 1
    return found


def numbers(package: Any, tensor: Any, sample: LayerSample) -> np.ndarray:
    """Outputs, gradients of inputs and parameters, and buffers of one forward and backward pass, in one row."""
    random = np.random.default_rng(2)
    layer = sample.make(package.nn, tensor)
    with package.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(tensor(np.asarray(random.standard_normal(tuple(parameter.shape)) / 2, np.float32)))
    layer.train(not sample.random)
    inputs = leaves(sample, tensor)
    given = [x.clone() for x in inputs] if getattr(layer, "inplace", False) else inputs
    result = layer(*given, **sample.named(tensor))
    outs = outputs(result)
    for out in outs:
        if out.requires_grad:
            seed = np.asarray(random.standard_normal(tuple(out.shape)), out.detach().numpy().dtype)
            out.backward(tensor(seed), retain_graph=True)
    kept = [*outs, *(x.grad for x in inputs), *(p.grad for p in layer.parameters()), *layer.buffers()]
    parts = [np.asarray(t.detach().numpy(), np.float64).ravel() for t in kept if t is not None]
    return np.concatenate(parts) if parts else np.zeros(0)


def main() -> None:
    """Runs every sample with torch and writes the file."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = {key: numbers(torch, torch.from_numpy, sample) for key, sample in numbered()}
    np.savez_compressed(
        FILE, keys=np.array(list(rows)), sizes=np.array([len(row) for row in rows.values()], np.int32),
        values=np.concatenate(list(rows.values())).astype(np.float32),
    )  # fmt: skip
    print(f"{len(rows)} samples, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
