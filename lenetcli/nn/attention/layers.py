"""The layers of a transformer: attention, then a net of two linear layers for each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

from lenetcli.nn import functional as F
from lenetcli.nn.attention.multihead import MultiheadAttention
from lenetcli.nn.dropout import Dropout
from lenetcli.nn.linear import Linear
from lenetcli.nn.module import Module
from lenetcli.nn.normalization import LayerNorm
from lenetcli.tensors.tensor import Tensor

Activation = Literal["relu", "gelu"] | Callable[[Tensor], Tensor]
_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": F.relu, "gelu": F.gelu}


class _TransformerLayer(Module):
    """What both kinds of layers have: attentions, each with its norm, and a net for each step."""

    from_input: ClassVar[dict[str, int | slice]] = {"d_model": -1}
    in_config: ClassVar[dict[str, Any]] = {"batch_first": True}

    attentions: ClassVar[tuple[str, ...]]

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention  # a decoder's
    activation: Callable[[Tensor], Tensor]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int,
        dropout: float,
        activation: Activation,
        layer_norm_eps: float,
        batch_first: bool,
        norm_first: bool,
        bias: bool,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        for name in self.attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        numbers = range(1, len(self.attentions) + 2)
        for n in numbers:
            setattr(self, f"norm{n}", LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype))
        for n in numbers:
            setattr(self, f"dropout{n}", Dropout(dropout))
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            raise RuntimeError(f"activation should be relu/gelu, not {activation}")
        self.activation = _ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def _residual(self, x: Tensor, number: int, block: Callable[[Tensor], Tensor]) -> Tensor:
        """x and a block of it, with the norm of that number before the block or behind the sum."""
        norm, dropped = getattr(self, f"norm{number}"), getattr(self, f"dropout{number}")
        y: Tensor = x + dropped(block(norm(x))) if self.norm_first else norm(x + dropped(block(x)))
        return y

    def _feed_forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return y


class TransformerEncoderLayer(_TransformerLayer):
    """Each step attends to all of its sequence, and is put through a net of two linear layers; both are added to it.

    Formula:
        norm_first: x = x + attention(norm1(x)), y = x + net(norm2(x))
        else: x = norm1(x + attention(x)), y = norm2(x + net(x)); net(x) = linear2(activation(linear1(x)))

    Args:
        d_model: numbers of a step, E.
        nhead: heads of the attention, which divide E.
        dim_feedforward: units of the net between its layers.
        dropout: of weights, of the net's units, and of what both give before it is added.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: see LayerNorm.
        batch_first: samples come first, then steps.
        norm_first: norms stand before what is added, not behind the sum.
        bias: learn biases.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        (L, N, E), (N, L, E) with `batch_first`, or (L, E) -> the same. A step of which no key counts, or whose sequence
        is padding throughout, is a step like the others; torch gives other numbers for padded steps in evaluation
        without gradients.

    Raises:
        ValueError: heads that do not divide E, masks of whole numbers.
        RuntimeError: another activation.
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017, section 3.1; torch.nn.TransformerEncoderLayer.

    Example:
        >>> import lenetcli as lenet
        >>> lenet.nn.TransformerEncoderLayer(8, 2, batch_first=True)(lenet.randn(3, 5, 8)).shape
        torch.Size([3, 5, 8])
    """

    attentions: ClassVar[tuple[str, ...]] = ("self_attn",)

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """The layer's output; see `MultiheadAttention.forward` for masks."""

        def attention(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal)[0]
            return y

        return self._residual(self._residual(src, 1, attention), 2, self._feed_forward)


class TransformerDecoderLayer(_TransformerLayer):
    """Each step attends to the steps of its sequence, then to those of another, and is put through a net.

    In a config: {type: TransformerDecoderLayer, from: [target, memory], nhead: 4, batch_first: true}.

    Formula:
        norm_first: x = x + attention(norm1(x)), x = x + attention(norm2(x), memory), y = x + net(norm3(x))
        else: x = norm1(x + attention(x)), x = norm2(x + attention(x, memory)), y = norm3(x + net(x))

    Args:
        d_model: numbers of a step, E.
        nhead: heads of both attentions, which divide E.
        dim_feedforward: units of the net between its layers.
        dropout: of weights, of the net's units, and of what is added.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: see LayerNorm.
        batch_first: samples come first, then steps.
        norm_first: norms stand before what is added, not behind the sum.
        bias: learn biases.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        tgt (L, N, E), memory (S, N, E) -> (L, N, E); (N, L, E) with `batch_first`, or (L, E)

    Raises:
        ValueError: heads that do not divide E, masks of whole numbers.
        RuntimeError: another activation.
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017, section 3.1; torch.nn.TransformerDecoderLayer.

    Example:
        >>> import lenetcli as lenet
        >>> layer = lenet.nn.TransformerDecoderLayer(8, 2)
        >>> layer(lenet.randn(4, 3, 8), lenet.randn(5, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    joins: ClassVar[bool] = True
    attentions: ClassVar[tuple[str, ...]] = ("self_attn", "multihead_attn")

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The layer's output; see `MultiheadAttention.forward` for masks."""

        def own(x: Tensor) -> Tensor:
            y: Tensor = self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal)[0]
            return y

        def to_memory(x: Tensor) -> Tensor:
            y: Tensor = self.multihead_attn(
                x, memory, memory, memory_key_padding_mask, False, memory_mask, is_causal=memory_is_causal
            )[0]
            return y

        return self._residual(self._residual(self._residual(tgt, 1, own), 2, to_memory), 3, self._feed_forward)
