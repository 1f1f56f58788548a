"""Stacks of a transformer's layers, and the two of them together."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np

from lenetcli.errors import ShapeError
from lenetcli.nn import functional as F
from lenetcli.nn import init
from lenetcli.nn.attention.layers import Activation, TransformerDecoderLayer, TransformerEncoderLayer
from lenetcli.nn.container import ModuleList
from lenetcli.nn.module import ForPython, Module
from lenetcli.nn.normalization import LayerNorm
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


def _causal(size: int, device: Any = None, dtype: Any = None) -> Tensor:
    """(size, size), -infinity above the diagonal."""
    return creation.full((size, size), -np.inf, dtype=dtype, device=device).triu(1)


def _is_causal(mask: Tensor | None, told: bool | None, x: Tensor, batch_first: bool) -> bool:
    """Whether a mask is the causal one; looked at where it is not told."""
    if told is not None or mask is None:
        return told is True
    size = x.array.shape[1 if batch_first and x.ndim == 3 else 0]
    if mask.array.shape != (size, size) or mask.array.dtype.kind != "f":
        return False
    return bool((mask.array == _causal(size, mask.device, mask.dtype).array).all())


class _Stack(ForPython):
    """Copies of a layer, one behind the other."""

    takes = "a layer that it copies; in a config, a block of such layers with `repeat` is one"

    def __init__(self, layer: Module, num_layers: int, norm: Module | None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def _causal(self, mask: Tensor | None, told: bool | None, x: Tensor) -> bool:
        return _is_causal(mask, told, x, getattr(self.layers[0].self_attn, "batch_first", False))


class TransformerEncoder(_Stack):
    """Copies of an encoder's layer, one behind the other, and a norm behind them.

    Args:
        encoder_layer: the layer; copies start with its weights.
        num_layers: how many.
        norm: a layer behind them.
        enable_nested_tensor, mask_check: without effect; padding is computed like all else.

    Shape:
        as TransformerEncoderLayer. torch gives zeros for padded steps in evaluation without gradients, and other
        numbers otherwise; here they are always those others.

    Raises:
        ValueError: masks of whole numbers.
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017; torch.nn.TransformerEncoder.

    Example:
        >>> import lenetcli as lenet
        >>> encoder = lenet.nn.TransformerEncoder(lenet.nn.TransformerEncoderLayer(8, 2), 3)
        >>> encoder(lenet.randn(5, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__(encoder_layer, num_layers, norm)
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """The output of the last layer; see `MultiheadAttention.forward` for masks.

        Args:
            src: the sequences.
            mask: of each query.
            src_key_padding_mask: of each sequence.
            is_causal: the mask is the causal one; None: look whether it is.
        """
        causal = self._causal(mask, is_causal, src)
        for layer in self.layers:
            src = layer(src, src_mask=mask, is_causal=causal, src_key_padding_mask=src_key_padding_mask)
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(_Stack):
    """Copies of a decoder's layer, one behind the other, and a norm behind them.

    Args:
        decoder_layer: the layer; copies start with its weights.
        num_layers: how many.
        norm: a layer behind them.

    Shape:
        as TransformerDecoderLayer

    Raises:
        ValueError: masks of whole numbers.
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017; torch.nn.TransformerDecoder.

    Example:
        >>> import lenetcli as lenet
        >>> decoder = lenet.nn.TransformerDecoder(lenet.nn.TransformerDecoderLayer(8, 2), 3)
        >>> decoder(lenet.randn(4, 3, 8), lenet.randn(5, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The output of the last layer; see `MultiheadAttention.forward` for masks, and for None TransformerEncoder."""
        causal = self._causal(tgt_mask, tgt_is_causal, tgt)
        for layer in self.layers:
            tgt = layer(
                tgt,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder of one sequence, and a decoder that sees what it gives.

    In a config: {type: Transformer, from: [source, target], batch_first: true}.

    Args:
        d_model: numbers of a step, E.
        nhead: heads of all attentions, which divide E.
        num_encoder_layers, num_decoder_layers: layers of each.
        dim_feedforward: units between the linear layers of a step's net.
        dropout: see TransformerEncoderLayer.
        activation: "relu", "gelu" or a function.
        custom_encoder, custom_decoder: modules in place of these.
        layer_norm_eps: see LayerNorm.
        batch_first: samples come first, then steps.
        norm_first: norms stand before what is added, not behind the sum.
        bias: learn biases.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        src (S, N, E), tgt (L, N, E) -> (L, N, E); (N, S, E) and (N, L, E) with `batch_first`, or (S, E) and (L, E).
        All weights of two dimensions start as xavier_uniform_.

    Raises:
        ValueError: heads that do not divide E, masks of whole numbers.
        RuntimeError: another activation.
        ShapeError: sizes that do not fit.

    Source: Vaswani et al., Attention is all you need, 2017; torch.nn.Transformer.

    Example:
        >>> import lenetcli as lenet
        >>> net = lenet.nn.Transformer(8, 2, 1, 1, 16)
        >>> net(lenet.randn(5, 3, 8), lenet.randn(4, 3, 8)).shape
        torch.Size([4, 3, 8])
    """

    from_input: ClassVar[dict[str, int | slice]] = {"d_model": -1}
    in_config: ClassVar[dict[str, Any]] = {"batch_first": True}
    joins: ClassVar[bool] = True

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        settings = (dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device, dtype)
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            layer = TransformerEncoderLayer(d_model, nhead, *settings)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.encoder = TransformerEncoder(layer, num_encoder_layers, norm)
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            other = TransformerDecoderLayer(d_model, nhead, *settings)
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.decoder = TransformerDecoder(other, num_decoder_layers, norm)
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """The decoder's output; see `MultiheadAttention.forward` for masks, and for None TransformerEncoder."""
        s, t, at = src.array.shape, tgt.array.shape, 0 if self.batch_first else 1
        if src.ndim == 3 and s[at] != t[at]:
            raise ShapeError(f"the batch number of src and tgt must be equal, got {s[at]} and {t[at]}")
        if s[-1] != self.d_model or t[-1] != self.d_model:
            raise ShapeError(
                f"the feature number of src and tgt must be equal to d_model, got {s[-1]}, {t[-1]} and {self.d_model}"
            )
        memory = self.encoder(src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal)
        y: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return y

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """The causal mask (sz, sz) of steps that see themselves and earlier ones: -infinity above the diagonal.

        Example:
            >>> import lenetcli as lenet
            >>> lenet.nn.Transformer.generate_square_subsequent_mask(2)
            tensor([[0., -inf],
                    [0., 0.]])
        """
        return _causal(sz, device, dtype)
