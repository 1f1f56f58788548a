"""torch's values and gradients of every sample, stored: `python -m tests.ops.references` writes references.npz.

So the sweep has torch's numbers where torch is not installed. Samples are numbered by their words and their turn among
equal ones; a sample whose inputs have changed since is told by their checksum.
"""

from __future__ import annotations

import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from tests.ops.sample import Sample, all_samples

FILE = Path(__file__).parent / "references.npz"


def numbered() -> list[tuple[str, Sample]]:
    """Every sample with its key."""
    turns: Counter[str] = Counter()
    found = []
    for sample in all_samples():
        words = str(sample)
        found.append((f"{words} #{turns[words]}", sample))
        turns[words] += 1
    return found


def checksum(sample: Sample) -> int:
    """Of the sample's arrays."""
    arrays: list[np.ndarray] = []

    def take(value: Any) -> None:
        if isinstance(value, np.ndarray):
            arrays.append(value)
        elif isinstance(value, (list, tuple)):
            for part in value:
                take(part)

    take([*sample.args, *sample.kwargs.values()])
    return zlib.crc32(b"".join(np.ascontiguousarray(a).tobytes() for a in arrays))


def flat(outs: list[Any], leaves: list[Any]) -> np.ndarray:
    """Results, then gradients (none as nothing), in one row of float64."""
    parts = [np.asarray(o, np.float64).ravel() for o in outs]
    parts += [np.asarray(g, np.float64).ravel() for g in leaves if g is not None]
    return np.concatenate(parts) if parts else np.zeros(0)


def main() -> None:
    """Runs every sample with torch and writes the file."""
    import torch

    from tests.ops.test_sweep import backward, torch_call

    keys, sums, sizes, rows = [], [], [], []
    for key, sample in numbered():
        leaves, outs = torch_call(torch, sample, np.float64)
        if sample.grad:
            backward(outs, lambda seed, out: torch.tensor(seed, dtype=out.dtype))
        gradients = [None if x.grad is None else x.grad.numpy(force=True) for x in leaves]
        row = flat([o.numpy(force=True) for o in outs], gradients)
        keys.append(key)
        sums.append(checksum(sample))
        sizes.append(len(row))
        rows.append(row)
    np.savez_compressed(
        FILE, keys=np.array(keys), sums=np.array(sums, np.uint32), sizes=np.array(sizes, np.int32),
        values=np.concatenate(rows),
    )  # fmt: skip
    print(f"{len(keys)} samples, {FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
