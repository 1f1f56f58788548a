"""Embedding layers."""

from __future__ import annotations

from typing import Any

from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.module import ForPython
from lenetcli.nn.parameter import Parameter
from lenetcli.ops.nn.embedding import row
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class Embedding(ForPython):
    """A table of vectors looked up by index.

    Args:
        num_embeddings: rows of the table, V.
        embedding_dim: size of each vector, D.
        padding_idx: a row that starts at 0 and gets no gradient.
        max_norm: rows that are looked up and longer than this are first shortened to it.
        norm_type: order of the norm for `max_norm`.
        scale_grad_by_freq: divide each row's gradient by how often it is looked up.
        sparse: must be False.
        _weight: the table, for `from_pretrained`.
        _freeze: the table gets no gradient, for `from_pretrained`.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the table.

    Shape:
        (*), integers -> (*, D); weight (V, D), which starts as N(0, 1)

    Raises:
        IndexError: an index outside of the table.

    Source: torch.nn.Embedding.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.Embedding(10, 3)(lenet.tensor([[1, 2, 4, 5], [4, 3, 2, 9]])).shape
        torch.Size([2, 4, 3])
    """

    takes = "indices, which are integers"

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if sparse:
            raise NotImplementedError("Embedding: sparse=True is not supported: gradients are dense")
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.padding_idx = row(padding_idx, num_embeddings)
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, sparse
        if _weight is None:
            room = creation.empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(room, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ValueError("Embedding: the shape of _weight does not match num_embeddings and embedding_dim")
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input, self.weight, self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer around a given table (V, D), which it shares.

        Args:
            embeddings: the table.
            freeze: it gets no gradient.
            padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse: as for the layer.

        Example:
            >>> import lenetcli as lenet
            >>> table = lenet.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> lenet.nn.Embedding.from_pretrained(table)(lenet.tensor(1))
            tensor([3., 4.])
        """
        if embeddings.ndim != 2:
            raise ValueError(f"from_pretrained: expected a 2-dimensional table, got shape {list(embeddings.shape)}")
        rows, columns = embeddings.array.shape
        return cls(
            rows,
            columns,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.padding_idx is not None:
            text += f", padding_idx={self.padding_idx}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        return text + (", scale_grad_by_freq=True" if self.scale_grad_by_freq else "")


class EmbeddingBag(ForPython):
    """A table of vectors, of which each bag of indices gets the sum, the mean or the maximum.

    Args:
        num_embeddings: rows of the table, V.
        embedding_dim: size of each vector, D.
        max_norm: rows that are looked up and longer than this are first shortened to it.
        norm_type: order of the norm for `max_norm`.
        scale_grad_by_freq: must be False, as for `F.embedding_bag`.
        mode: "sum", "mean" or "max".
        sparse: must be False.
        _weight: the table, for `from_pretrained`.
        include_last_offset: the last of the offsets is where the last bag ends.
        padding_idx: a row that starts at 0 and is left out of the bags.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the table.

    Shape:
        (B, N), integers, or (N,) with offsets (B,) -> (B, D); weight (V, D), which starts as N(0, 1)

    Raises:
        IndexError: an index outside of the table.
        ValueError: shapes, offsets or a mode that cannot be.

    Source: torch.nn.EmbeddingBag.

    Example:
        >>> import lenetcli as lenet
        >>> bags = lenet.nn.EmbeddingBag(10, 3, mode="sum")
        >>> bags(lenet.tensor([1, 2, 4, 5, 4, 3, 2, 9]), lenet.tensor([0, 4])).shape
        torch.Size([2, 3])
    """

    takes = "indices, which are integers"

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if sparse:
            raise NotImplementedError("EmbeddingBag: sparse=True is not supported: gradients are dense")
        if scale_grad_by_freq:
            raise NotImplementedError(
                "EmbeddingBag: scale_grad_by_freq=True is not supported; use Embedding and sum(1)"
            )
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.mode, self.sparse = scale_grad_by_freq, mode, sparse
        self.include_last_offset, self.padding_idx = include_last_offset, row(padding_idx, num_embeddings)
        if _weight is None:
            self.weight = Parameter(creation.empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
            self.reset_parameters()
        else:
            if tuple(_weight.shape) != (num_embeddings, embedding_dim):
                raise ValueError("EmbeddingBag: the shape of _weight does not match num_embeddings and embedding_dim")
            self.weight = Parameter(_weight)

    def reset_parameters(self) -> None:
        """Draws new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            self.weight.array[self.padding_idx] = 0

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A layer around a given table (V, D), which it shares.

        Args:
            embeddings: the table.
            freeze: it gets no gradient.
            max_norm, norm_type, scale_grad_by_freq, mode, sparse, include_last_offset, padding_idx: as for the layer.

        Example:
            >>> import lenetcli as lenet
            >>> table = lenet.tensor([[1.0, 2.0], [3.0, 4.0]])
            >>> lenet.nn.EmbeddingBag.from_pretrained(table)(lenet.tensor([[0, 1]]))
            tensor([[2., 3.]])
        """
        if embeddings.ndim != 2:
            raise ValueError(f"from_pretrained: expected a 2-dimensional table, got shape {list(embeddings.shape)}")
        rows, columns = embeddings.array.shape
        made = cls(
            rows,
            columns,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            mode,
            sparse,
            _weight=embeddings,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )
        made.weight.requires_grad = not freeze
        return made

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else f"{text}, padding_idx={self.padding_idx}"
