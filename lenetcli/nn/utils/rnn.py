"""Sequences of different lengths as one tensor: padded, or packed step by step (torch.nn.utils.rnn)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lenetcli.errors import ShapeError
from lenetcli.ops.shaping.cat import cat
from lenetcli.tensors.creation import full
from lenetcli.tensors.tensor import Tensor, of_array


class _Parts(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Parts):
    """Sequences of different lengths, packed: the rows of step 0 of all, then those of step 1 of all that have one ...

    Args:
        data: the rows (T, *), the longest sequence first in each step.
        batch_sizes: how many sequences have step 0, 1, 2 ...
        sorted_indices: where the sequences, longest first, stand in the order in which they were given; None where
            that is the same.
        unsorted_indices: the way back.

    Source: torch.nn.utils.rnn.PackedSequence. They are made by `pack_padded_sequence` and `pack_sequence`.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pack_sequence
        >>> packed = pack_sequence([lenet.tensor([1, 2, 3]), lenet.tensor([4, 5])])
        >>> packed.data, packed.batch_sizes
        (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))
    """

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        """Refuses batch sizes that are not whole numbers; finds the way back from `sorted_indices`."""
        if batch_sizes.array.dtype.kind != "i" or batch_sizes.ndim != 1:
            raise ValueError(f"PackedSequence: batch_sizes must be a 1-D tensor of integers, got {batch_sizes.dtype}")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with its data of another type or on another device."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def float(self) -> PackedSequence:
        """The same in float32."""
        return self._replace(data=self.data.float())

    def double(self) -> PackedSequence:
        """The same in float64."""
        return self._replace(data=self.data.double())

    def cpu(self) -> PackedSequence:
        """The same in the machine's memory."""
        return self.to("cpu")

    def cuda(self, device: Any = None) -> PackedSequence:
        """The same on the GPU."""
        return self.to("cuda" if device is None else device)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another; None of None.

    Source: torch.nn.utils.rnn.invert_permutation.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import invert_permutation
        >>> invert_permutation(lenet.tensor([2, 0, 1]))
        tensor([1, 2, 0])
    """
    return None if permutation is None else of_array(np.argsort(permutation.array))


def _lengths(lengths: Any, count: int, enforce_sorted: bool) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = np.asarray(lengths.array if isinstance(lengths, Tensor) else list(lengths))
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise TypeError(f"pack_padded_sequence: lengths must be a 1-D tensor or list of integers, got {lengths!r}")
    if len(found) != count:
        raise ShapeError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {len(found)} (batch_size={count})"
        )
    if (found <= 0).any():
        raise RuntimeError(f"Length of all samples has to be greater than 0, but got a length of {found.min()}")
    if enforce_sorted and (np.diff(found) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    return found


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs a padded batch: what lies beyond a sequence's length is left out.

    Args:
        input: (L, N, *), or (N, L, *) with `batch_first`.
        lengths: of each sequence, a tensor or list; decreasing where `enforce_sorted`.
        batch_first: samples come first.
        enforce_sorted: False sorts them, and remembers how.

    Raises:
        RuntimeError: lengths that are not sorted, below 1, beyond L, or not one for each sequence.

    Source: torch.nn.utils.rnn.pack_padded_sequence, which takes lengths beyond L.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pack_padded_sequence
        >>> packed = pack_padded_sequence(lenet.tensor([[1, 2], [3, 0]]), [2, 1], batch_first=True)
        >>> packed.data
        tensor([1, 3, 2])
    """
    if input.ndim < 2:
        raise ShapeError(f"pack_padded_sequence: expected (L, N, *), got an input of shape {list(input.array.shape)}")
    x = input.transpose(0, 1) if batch_first else input
    steps, count = x.array.shape[:2]
    found = _lengths(lengths, count, enforce_sorted)
    order = None
    if not enforce_sorted:
        order = of_array(np.argsort(-found, kind="stable"))
        found = found[order.array]
        x = x.index_select(1, order)
    if count and found[0] > steps:
        raise RuntimeError(
            f"pack_padded_sequence: a length of {found[0]} is beyond the {steps} steps of the padded input"
        )
    sizes = (found[None, :] > np.arange(found[0] if count else 0)[:, None]).sum(axis=1)
    rows = np.concatenate([step * count + np.arange(size) for step, size in enumerate(sizes)])
    data = x.reshape(steps * count, *x.array.shape[2:]).index_select(0, of_array(rows))
    return PackedSequence(data, of_array(sizes.astype(np.int64)), order)


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Tensor, Tensor]:
    """Pads a packed batch: the way back from `pack_padded_sequence`.

    Args:
        sequence: the batch.
        batch_first: the result has samples first.
        padding_value: what stands beyond a sequence's end.
        total_length: steps of the result; None are those of the longest sequence.

    Returns:
        The padded batch (L, N, *), and the length of each sequence.

    Raises:
        ValueError: a `total_length` below the longest.

    Source: torch.nn.utils.rnn.pad_packed_sequence.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pack_sequence, pad_packed_sequence
        >>> pad_packed_sequence(pack_sequence([lenet.tensor([1, 2]), lenet.tensor([3])]), batch_first=True)
        (tensor([[1, 2],
                [3, 0]]), tensor([2, 1]))
    """
    data, batch_sizes, _, back = sequence
    sizes = batch_sizes.array
    steps, count = len(sizes), int(sizes[0])
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    there = np.zeros((steps, count), bool)
    there[: len(sizes)] = np.arange(count) < sizes[:, None]
    rows = np.full((steps, count), len(data.array), np.int64)  # of the padding, one row behind all others
    rows[there] = np.arange(len(data.array))
    lengths = there.sum(axis=0)
    if back is not None:
        rows, lengths = rows[:, back.array], lengths[back.array]
    padding = full((1, *data.array.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = cat([data, padding])[of_array(np.ascontiguousarray(rows.T) if batch_first else rows)]
    return padded, of_array(lengths.astype(np.int64))


def pad_sequence(
    sequences: Sequence[Tensor] | Tensor,
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences of different lengths as one tensor, the shorter ones padded.

    Args:
        sequences: of shape (L, *) each, alike but for L.
        batch_first: the result has samples first.
        padding_value: what is put where a sequence has ended.
        padding_side: "right" pads behind, "left" before a sequence.

    Shape:
        N times (L, *) -> (longest L, N, *), or (N, longest L, *) with `batch_first`

    Raises:
        RuntimeError: no sequence, another padding side, or sequences whose other sizes differ.

    Source: torch.nn.utils.rnn.pad_sequence.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pad_sequence
        >>> pad_sequence([lenet.tensor([1, 2]), lenet.tensor([3])], batch_first=True)
        tensor([[1, 2],
                [3, 0]])
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    given = list(sequences.unbind(0)) if isinstance(sequences, Tensor) else list(sequences)
    if not given:
        raise RuntimeError("pad_sequence: received an empty list of sequences")
    rest = given[0].array.shape[1:]
    if any(s.array.shape[1:] != rest for s in given):
        shapes = ", ".join(str(list(s.array.shape)) for s in given)
        raise ShapeError(f"pad_sequence: sequences may differ in their first size only, got {shapes}")
    lengths = [len(s.array) for s in given]
    steps, total = max(lengths), sum(lengths)
    rows = np.full((len(given), steps), total, np.int64)
    for row, (end, length) in zip(rows, zip(np.cumsum(lengths), lengths)):
        part = row[:length] if padding_side == "right" else row[steps - length :]
        part[...] = np.arange(end - length, end)
    padding = full((1, *rest), padding_value, dtype=given[0].dtype, device=given[0].device)
    return cat([*given, padding])[of_array(rows if batch_first else np.ascontiguousarray(rows.T))]


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch, one by one.

    Source: torch.nn.utils.rnn.unpad_sequence.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import unpad_sequence
        >>> unpad_sequence(lenet.tensor([[1, 2], [3, 0]]), lenet.tensor([2, 1]), batch_first=True)
        [tensor([1, 2]), tensor([3])]
    """
    samples = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [samples[i, :length] for i, length in enumerate(lengths.array.tolist())]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences of different lengths.

    Args:
        sequences: of shape (L, *) each; the longest first where `enforce_sorted`.
        enforce_sorted: False sorts them, and remembers how.

    Raises:
        RuntimeError: sequences that are not sorted, or of no step.

    Source: torch.nn.utils.rnn.pack_sequence.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pack_sequence
        >>> pack_sequence([lenet.tensor([1]), lenet.tensor([2, 3])], enforce_sorted=False).sorted_indices
        tensor([1, 0])
    """
    given = list(sequences)
    return pack_padded_sequence(pad_sequence(given), [len(s.array) for s in given], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed batch, one by one, in the order in which they were given.

    Source: torch.nn.utils.rnn.unpack_sequence.

    Example:
        >>> import lenetcli as lenet
        >>> from lenetcli.nn.utils.rnn import pack_sequence, unpack_sequence
        >>> unpack_sequence(pack_sequence([lenet.tensor([1, 2]), lenet.tensor([3])]))
        [tensor([1, 2]), tensor([3])]
    """
    return unpad_sequence(*pad_packed_sequence(packed_sequences, batch_first=True), batch_first=True)
