"""MultiheadAttention: each query's mean of the values, by several heads."""

from __future__ import annotations

from typing import Any, ClassVar

from lenetcli.errors import ShapeError
from lenetcli.nn import init
from lenetcli.nn.linear import Linear
from lenetcli.nn.module import Module
from lenetcli.nn.parameter import Parameter
from lenetcli.ops.nn.multi_head_attention import Heads, Masks, attend
from lenetcli.tensors import creation
from lenetcli.tensors.tensor import Tensor


class NonDynamicallyQuantizableLinear(Linear):
    """The projection behind the heads; the name is torch's."""


class MultiheadAttention(Module):
    """Mixes values for each query, by how well it fits their keys; every head in its own projection of them.

    In a config: {type: MultiheadAttention, from: [query, key, value], num_heads: 4, batch_first: true}, and behind it
    {type: Steps}, which hands the output on without the weights.

    Formula:
        head[h] = softmax(q[h] k[h].T / sqrt(E / H) + masks) v[h]
        output = concat(head) out_proj.weight.T + out_proj.bias
        q, k, v = the parts of (query, key, value) in_proj_weight.T + in_proj_bias

    Args:
        embed_dim: numbers of a query and of an output, E.
        num_heads: heads H, which divide E.
        dropout: of the weights, in training.
        bias: learn in_proj_bias and out_proj.bias.
        add_bias_kv: learn a key and a value that stand behind those of every sequence.
        add_zero_attn: zeros as a last key and value.
        kdim, vdim: numbers of a key and of a value; None is E.
        batch_first: samples come first, then steps.
        device: where it is to be, such as "cuda"; None is the CPU.
        dtype: type of the parameters.

    Shape:
        query (L, N, E), key (S, N, kdim), value (S, N, vdim), all without N for one sequence -> output (L, N, E) and
        weights (N, L, S), the mean of the heads', or (N, H, L, S) with `average_attn_weights=False`; None with
        `need_weights=False`. in_proj_weight (3 E, E), or q_proj_weight (E, E), k_proj_weight (E, kdim) and
        v_proj_weight (E, vdim), and bias_k, bias_v (1, 1, E), which start as xavier_uniform_ and, the last two,
        xavier_normal_; in_proj_bias (3 E,) and out_proj.bias start at 0, out_proj.weight as a Linear's.
        A query that no key counts for gets NaN with weights, and `out_proj.bias` without.

    Raises:
        ValueError: heads that do not divide E, masks of whole numbers, or dimensions that do not go together.
        ShapeError: sizes that do not fit.
        RuntimeError: `is_causal` without a mask.

    Source: Vaswani et al., Attention is all you need, 2017; torch.nn.MultiheadAttention.

    Example:
        >>> import lenetcli as lenet
        >>> attention = lenet.nn.MultiheadAttention(8, 2, batch_first=True)
        >>> x = lenet.randn(3, 5, 8)
        >>> output, weights = attention(x, x, x)
        >>> output.shape, weights.shape
        (torch.Size([3, 5, 8]), torch.Size([3, 5, 5]))
    """

    from_input: ClassVar[dict[str, int | slice]] = {"embed_dim": -1}
    in_config: ClassVar[dict[str, Any]] = {"batch_first": True}
    joins: ClassVar[bool] = True
    gives_state: ClassVar[bool] = True  # the weights

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        if embed_dim % num_heads:
            raise ValueError(f"embed_dim must be divisible by num_heads, got embed_dim={embed_dim}, {num_heads=}")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = kdim if kdim is not None else embed_dim, vdim if vdim is not None else embed_dim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        packed = {"in_proj_weight": (3 * embed_dim, embed_dim)}
        apart = {f"{word}_proj_weight": (embed_dim, n) for word, n in zip("qkv", (embed_dim, self.kdim, self.vdim))}
        there = packed if self._qkv_same_embed_dim else apart
        for name, shape in (*there.items(), *(packed if there is apart else apart).items()):
            room = creation.empty(*shape, device=device, dtype=dtype) if name in there else None
            self.register_parameter(name, None if room is None else Parameter(room))
        room = creation.empty(3 * embed_dim, device=device, dtype=dtype) if bias else None
        self.register_parameter("in_proj_bias", None if room is None else Parameter(room))
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            room = creation.empty(1, 1, embed_dim, device=device, dtype=dtype) if add_bias_kv else None
            self.register_parameter(name, None if room is None else Parameter(room))
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draws new initial values of all but out_proj.weight."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for more in (self.bias_k, self.bias_v):
            if more is not None:
                init.xavier_normal_(more)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Output and weights.

        Args:
            query, key, value: see Shape.
            key_padding_mask: (N, S), True where a key does not count, or numbers that are added to its scores.
            need_weights: give the weights, too.
            attn_mask: (L, S) or (N H, L, S), True where a query does not see a key, or numbers that are added.
            average_attn_weights: give the mean of the heads' weights.
            is_causal: `attn_mask` is the causal mask: without weights and padding, that one is used in its place.
        """
        if query.ndim in (2, 3) and query.array.shape[-1] != self.embed_dim:
            raise ShapeError(f"was expecting embedding dimension of {self.embed_dim}, but got {query.array.shape[-1]}")
        more = None if self.bias_k is None or self.bias_v is None else (self.bias_k, self.bias_v)
        heads = Heads(
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight),
            more,
            self.add_zero_attn,
            self.dropout if self.training else 0.0,
            self.out_proj.weight,
            self.out_proj.bias,
        )
        masks = Masks(key_padding_mask, attn_mask, is_causal)
        return attend(heads, query, key, value, masks, need_weights, average_attn_weights, self.batch_first)
