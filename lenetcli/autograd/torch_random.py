"""torch's own random numbers: same seed, same numbers as torch 2.13 draws on a CPU, for scripts that are compared.

The engine's own numbers come from Philox streams. `TorchGenerator` gives those of torch instead: of uniform, whole,
bernoulli and multinomial numbers and permutations the same bits, of normal and exponential ones the same to rounding.

Source: M. Matsumoto, T. Nishimura, Mersenne Twister, 1998 (mt19937); what torch makes of its numbers is found out by
comparing (tests/autograd/test_torch_random.py).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lenetcli.autograd.dtypes import get_default_dtype
from lenetcli.autograd.random import Generator, numpy_generator, set_default_generator

Array = npt.NDArray[Any]
Shape = int | tuple[int, ...]

_DEFAULT_SEED = 67280421310721  # of a new torch.Generator
_WIDE = 2**28  # from this many values on, whole numbers are made of 64 bits
_PAIRED = 16  # from this many on, normal numbers are made in blocks of 16: 8 cosines, then 8 sines


class TorchNumbers:
    """The methods of NumPy's generator that this package draws with, answered by torch's numbers.

    Example:
        >>> import numpy as np
        >>> from lenetcli.autograd.torch_random import TorchNumbers
        >>> TorchNumbers(5).random(2, np.float32)
        array([0.8302519 , 0.12611091], dtype=float32)
        >>> TorchNumbers(5).permutation(6)
        array([5, 0, 1, 3, 4, 2])
    """

    def __init__(self, seed: int) -> None:
        self.bits = np.random.MT19937()
        begun: Any = np.random.RandomState(seed % 2**32).get_state(legacy=True)
        _, key, position, *_ = begun
        self.bits.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
        self.spare: float | None = None  # the sine of the last pair of single normal numbers

    def _narrow(self, count: int) -> Array:
        """(count,) numbers of 32 bits."""
        return np.asarray(self.bits.random_raw(count), np.uint64)

    def _wide(self, count: int) -> Array:
        """(count,) numbers of 64 bits."""
        pairs = self._narrow(2 * count)
        return np.asarray((pairs[0::2] << np.uint64(32)) | pairs[1::2])

    def random(self, size: Shape, dtype: Any = np.float64) -> Array:
        """Uniform numbers from 0 up to 1: of 24 bits as float32, of 53 bits otherwise."""
        count = _count(size)
        if np.dtype(dtype) == np.float32:
            return ((self._narrow(count) & np.uint64(2**24 - 1)) * 2.0**-24).astype(np.float32).reshape(size)
        return np.asarray((self._wide(count) & np.uint64(2**53 - 1)) * 2.0**-53).reshape(size)

    def uniform(self, low: float, high: float, size: Shape, dtype: Any = None) -> Array:
        """Uniform numbers from `low` up to `high`, rounded once."""
        kind = np.dtype(get_default_dtype().numpy if dtype is None else dtype).type
        start, span = float(kind(low)), float(kind(kind(high) - kind(low)))
        return np.asarray(self.random(size, kind).astype(np.float64) * span + start).astype(kind)

    def standard_normal(self, size: Shape, dtype: Any = np.float64) -> Array:
        """Numbers of the normal distribution (Box and Muller, 1958)."""
        kind = np.dtype(dtype)
        count = _count(size)
        if count < _PAIRED:
            return np.array([self._one_normal() for _ in range(count)], kind).reshape(size)
        found = self.random(count, kind)
        whole = count - count % _PAIRED
        blocks = found[:whole].reshape(-1, 2, 8)
        blocks[:] = _pairs(blocks)
        if whole < count:  # the last 16 are drawn anew
            found[-_PAIRED:] = _pairs(self.random(_PAIRED, kind).reshape(1, 2, 8)).reshape(-1)
        return found.reshape(size)

    def _one_normal(self) -> float:
        if self.spare is not None:
            found, self.spare = self.spare, None
            return found
        angle, u = self.random(2).tolist()
        radius = math.sqrt(-2 * math.log1p(-u))
        self.spare = radius * math.sin(2 * math.pi * angle)
        return radius * math.cos(2 * math.pi * angle)

    def normal(self, mean: float, std: float, size: Shape) -> Array:
        """Normal numbers of a mean and a standard deviation, of the default type."""
        kind = get_default_dtype().numpy
        return np.asarray(self.standard_normal(size, kind) * kind.type(std) + kind.type(mean))

    def standard_exponential(self, size: Shape, dtype: Any = np.float64) -> Array:
        """Numbers of the exponential distribution of rate 1."""
        return np.asarray(-np.log1p(-self.random(size))).astype(dtype)

    def integers(
        self, low: int, high: int, size: Shape, dtype: Any = np.int64, endpoint: bool = False, wide: bool | None = None
    ) -> Array:
        """Whole numbers from `low` up to `high`, that one included with `endpoint`.

        Args:
            wide: make them of 64 bits; None: where there are many values.
        """
        values = high - low + int(endpoint)
        drawn = self._wide if (values >= _WIDE if wide is None else wide) else self._narrow
        found = drawn(_count(size)) % np.uint64(values) if values < 2**64 else drawn(_count(size))
        return np.asarray((found + np.uint64(low % 2**64)).astype(dtype).reshape(size))

    def permutation(self, count: int) -> Array:
        """The numbers 0 ... count - 1 in random order (Fisher and Yates, from the first place on)."""
        order = list(range(count))
        steps = (self._narrow(max(count - 1, 0)) % np.arange(count, 1, -1, dtype=np.uint64)).tolist()
        for place, step in enumerate(steps):
            order[place], order[place + step] = order[place + step], order[place]
        return np.array(order, np.int64)


class TorchGenerator(Generator):
    """A generator of torch's numbers.

    Source: torch.Generator.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.autograd.torch_random import TorchGenerator
        >>> lenet.rand(2, generator=TorchGenerator().manual_seed(5))  # as torch.manual_seed(5); torch.rand(2)
        tensor([0.8303, 0.1261])
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__(device)
        self.manual_seed(_DEFAULT_SEED)

    def fresh(self) -> TorchGenerator:
        return TorchGenerator()

    def begin(self, seed: int, number: int) -> Generator:
        """One of a seed's other streams: that of a seed that both make."""
        return self.manual_seed(int(np.random.SeedSequence((seed % 2**64, number)).generate_state(1, np.uint64)[0]))

    def manual_seed(self, seed: int) -> TorchGenerator:
        super().manual_seed(seed)
        self.numpy: Any = TorchNumbers(self._seed)
        return self

    def get_state(self) -> dict[str, Any]:
        state = self.numpy.bits.state["state"]
        place = {"key": np.asarray(state["key"]).tolist(), "pos": int(state["pos"]), "spare": self.numpy.spare}
        return {"seed": self._seed, "mt19937": place}

    def set_state(self, state: dict[str, Any]) -> None:
        try:
            seed, place = state["seed"], state["mt19937"]
            key, position, spare = place["key"], place["pos"], place["spare"]
            sound = (
                len(key) == 624
                and all(type(n) is int and 0 <= n < 2**32 for n in key)
                and (type(position) is int and 0 <= position <= 624)
                and (spare is None or type(spare) is float)
            )
        except (KeyError, TypeError):
            sound = False
        if not sound:
            raise ValueError("not the state of a random stream, as get_state gives it")
        self.manual_seed(seed)
        inner = {"key": np.array(key, np.uint32), "pos": position}
        self.numpy.bits.state = {"bit_generator": "MT19937", "state": inner}
        self.numpy.spare = spare


def torch_numbers(generator: Generator | None) -> TorchNumbers | None:
    """The generator's numbers where they are torch's, for what torch does in its own way; else None."""
    numbers: Any = numpy_generator(generator)
    return numbers if isinstance(numbers, TorchNumbers) else None


def draw_as_torch() -> None:
    """From now on, the program draws torch's numbers where no generator is named.

    Example:
        >>> import subprocess, sys
        >>> code = "from lenetcli.autograd.torch_random import *; import lenetcli as l; draw_as_torch()"
        >>> code += "; l.manual_seed(5); print(l.rand(2))"
        >>> print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout)
        tensor([0.8303, 0.1261])
    """
    set_default_generator(TorchGenerator().manual_seed(0))


def _pairs(blocks: Array) -> Array:
    """(n, 2, 8) uniform numbers, radii above angles -> as many normal ones, cosines above sines."""
    one = blocks.dtype.type
    radius = np.sqrt(one(-2) * np.log(one(1) - blocks[:, 0]))
    angle = one(2 * np.pi) * blocks[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _count(size: Shape) -> int:
    return size if isinstance(size, int) else math.prod(size)
