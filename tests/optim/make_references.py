"""Writes references.npz from torch: what every optimizer and scheduler sample gives in float64.

python -m tests.optim.make_references
"""

from __future__ import annotations

import numpy as np
import torch

from tests.optim.sample import EPOCHS, OPTIMIZERS, REFERENCES, SCHEDULERS, STEPS, VALUES, numbers, rates, start, train


def main() -> None:
    """Runs all samples in torch."""
    found: dict[str, np.ndarray] = {}
    for sample in OPTIMIZERS:
        params = [torch.tensor(v, requires_grad=True) for v in VALUES]
        optimizer = sample.build(torch.optim, params)
        train(optimizer, params, torch.tensor, range(STEPS))
        parts = numbers(params, optimizer)
        found[str(sample)] = np.concatenate([parts[name].ravel() for name in sorted(parts)])
    for schedule in SCHEDULERS:
        params = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        found[str(schedule) + str(schedule.optimizer)] = rates(
            schedule, *start(schedule, torch.optim, params), range(EPOCHS)
        )
    names = sorted(found)
    np.savez_compressed(
        REFERENCES,
        names=np.array(names),
        sizes=np.array([found[name].size for name in names]),
        values=np.concatenate([found[name].ravel() for name in names]),
    )


if __name__ == "__main__":
    main()
