"""When a GPU's memory is too small for a batch: how many samples would fit."""

from __future__ import annotations

from lenetcli import cuda
from lenetcli.errors import DeviceError
from lenetcli.train.run import Run
from lenetcli.train.step import Step

SHARE = 0.9  # of the memory that a batch may take: blocks of different sizes never fill all of it


def too_large(run: Run) -> DeviceError:
    """The error that names the batch size that would fit, from two small steps that are measured."""
    _, total = cuda.mem_get_info()
    size = run.train_loader.batch_size
    where = f"{run.device} ({cuda.get_device_name()}, {total / 2**30:.1f} GiB) is too small for train.batch_size={size}"
    return DeviceError(f"out of memory: {where}; {_advice(run, size, total)}")


def _advice(run: Run, size: int, total: int) -> str:
    small = max(1, size // 64)
    try:
        one, two = peak(run, small), peak(run, 2 * small)
    except MemoryError:
        return "the model alone needs more; make it smaller"
    each = max(1, (two - one) // small)
    fits = int((total * SHARE - (one - small * each)) // each)
    fits = min(fits, size - 1)
    if fits < 1:
        return "the model alone needs nearly all of it; make it smaller"
    wanted = -(-size // fits)
    return (
        f"about {fits} samples would fit ({each / 2**20:.2g} MiB each); train.batch_size={-(-size // wanted)} with "
        f"train.accumulate={wanted} makes the same steps"
    )


def peak(run: Run, samples: int) -> int:
    """Bytes that the device needs at most for one forward and backward pass of so many samples."""
    cuda.empty_cache()
    batch = tuple(part[:samples].to(run.device) for part in next(run.train_loader.batches(0)))
    Step(run, strict=False).make([batch], before="check")
    cuda.synchronize()
    found = cuda.max_memory_allocated()
    run.optimizer.zero_grad()
    return found
