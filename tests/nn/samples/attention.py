"""Attention and a transformer's layers."""

import numpy as np

from tests.nn.sample import LayerSample

random = np.random.default_rng(5)
steps, keys = (4, 3, 8), (5, 3, 8)  # L, N, E and S, N, E
unseen = np.triu(np.ones((4, 5), bool), 2)
padding = np.array([[False] * 5, [False, False, True, True, True], [True, False, False, False, True]])
weighed = random.standard_normal((6, 4, 5)).astype(np.float32)
later = np.triu(np.full((4, 4), -np.inf, np.float32), 1)
encoder = LayerSample("TransformerEncoderLayer", (8, 2, 12, 0.0))
norm = LayerSample("LayerNorm", (8,))
decoder = LayerSample("TransformerDecoderLayer", (8, 2, 12, 0.0))


def attention(args: tuple, kwargs: dict, inputs: list, **call: object) -> LayerSample:
    return LayerSample("MultiheadAttention", args, kwargs, inputs, call=call)


SAMPLES = [
    attention((8, 2), {}, [steps, keys, keys]),
    attention((8, 4, 0.0, False), {"batch_first": True}, [(3, 4, 8), (3, 5, 8), (3, 5, 8)], average_attn_weights=False),
    attention((8, 2), {"kdim": 6, "vdim": 5, "add_bias_kv": True}, [steps, (5, 3, 6), (5, 3, 5)]),
    attention((8, 2), {"kdim": 6, "bias": False, "batch_first": True}, [(3, 4, 8), (3, 5, 6), (3, 5, 8)]),
    attention((8, 2), {"add_bias_kv": True, "add_zero_attn": True}, [steps, keys, keys], attn_mask=unseen),
    attention((8, 2), {"add_zero_attn": True}, [steps, keys, keys], key_padding_mask=np.ones((3, 5), bool)),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding, attn_mask=unseen, need_weights=False),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding, attn_mask=unseen),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=weighed),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=weighed, need_weights=False),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=weighed > 0.5, key_padding_mask=padding),
    attention((8, 2), {"batch_first": True}, [(4, 8), (5, 8), (5, 8)], key_padding_mask=padding[1]),
    attention((8, 2), {}, [(4, 8), (5, 8), (5, 8)], attn_mask=weighed[:2], average_attn_weights=False),
    attention((8, 2), {}, [steps, steps, steps], attn_mask=later, is_causal=True, need_weights=False),
    attention((8, 2), {}, [steps, steps, steps], attn_mask=unseen[:, :4], is_causal=True, need_weights=False),
    attention((8, 2), {}, [steps, steps, steps], attn_mask=unseen[:, :4], is_causal=True),
    LayerSample("MultiheadAttention", (8, 2, 0.5), inputs=[steps, keys, keys], random=True),
    LayerSample("TransformerEncoderLayer", (8, 2, 12, 0.0), inputs=[steps]),
    LayerSample("TransformerEncoderLayer", (8, 4, 12), inputs=[steps], random=True),
    LayerSample("TransformerEncoderLayer", (8, 1, 12, 0.0, "gelu", 1e-3, True, True, False), inputs=[(3, 4, 8)]),
    LayerSample("TransformerEncoderLayer", (8, 2, 12, 0.0), inputs=[(5, 8)], call={"src_key_padding_mask": padding[1]}),
    LayerSample(
        "TransformerEncoderLayer", (8, 2, 12, 0.0), {"batch_first": True}, [(3, 4, 8)],
        call={"src_mask": later, "is_causal": True},
    ),
    LayerSample("TransformerDecoderLayer", (8, 2, 12, 0.0), inputs=[steps, keys]),
    LayerSample(
        "TransformerDecoderLayer", (8, 2, 12, 0.0, "gelu"), {"batch_first": True, "norm_first": True},
        [(3, 4, 8), (3, 5, 8)], call={"tgt_mask": later, "memory_key_padding_mask": padding, "memory_mask": unseen},
    ),
    LayerSample("TransformerEncoder", (encoder, 2), inputs=[steps]),
    LayerSample("TransformerEncoder", (encoder, 2, norm), inputs=[steps], call={"mask": later}),
    LayerSample("TransformerEncoder", (encoder, 2), inputs=[steps], call={"src_key_padding_mask": padding[:, :4]}),
    LayerSample("TransformerDecoder", (decoder, 2), inputs=[steps, keys], call={"tgt_mask": later}),
    LayerSample("TransformerDecoder", (decoder, 1, norm), inputs=[(4, 8), (5, 8)]),
    LayerSample("Transformer", (8, 2, 1, 2, 12, 0.0), inputs=[keys, steps], call={"tgt_mask": later}, tolerance=3e-5),
    LayerSample(
        "Transformer", (8, 2, 1, 1, 12, 0.0), {"batch_first": True, "bias": False, "norm_first": True},
        [(3, 5, 8), (3, 4, 8)], call={"src_key_padding_mask": padding}, tolerance=3e-5,
    ),
]  # fmt: skip

REFUSED = [
    attention((7, 2), {}, [steps] * 3),
    attention((8, 0), {}, [steps] * 3),
    attention((0, 2), {}, [steps] * 3),
    attention((8, 2), {}, [(4, 3, 7)] * 3),
    attention((8, 2), {}, [steps, keys, (5, 3, 7)]),
    attention((8, 2), {}, [steps, keys, (4, 3, 8)]),
    attention((8, 2), {}, [steps, (5, 8), (5, 8)]),
    attention((8, 2), {}, [(4, 8), keys, keys]),
    attention((8, 2), {}, [(1, 4, 3, 8)] * 3),
    attention((8, 2), {}, [steps, (5, 4, 8), (5, 4, 8)]),
    attention((8, 2), {}, [steps, keys, keys], is_causal=True),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding.astype(np.int32)),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=unseen.astype(np.int64)),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=unseen[:3]),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=weighed[:3]),
    attention((8, 2), {}, [steps, keys, keys], attn_mask=weighed[None]),
    attention((8, 2), {}, [(4, 8), (5, 8), (5, 8)], attn_mask=weighed),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding[0]),
    attention((8, 2), {}, [(4, 8), (5, 8), (5, 8)], key_padding_mask=padding),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding[:2]),
    attention((8, 2), {}, [steps, keys, keys], key_padding_mask=padding[:, :4]),
    attention((8, 2), {"kdim": 6}, [steps, keys, keys]),
    LayerSample("TransformerEncoderLayer", (8, 3), inputs=[steps]),
    LayerSample("TransformerEncoderLayer", (8, 2), {"activation": "tanh"}, [steps]),
    LayerSample("TransformerDecoderLayer", (8, 2), inputs=[steps, (5, 2, 8)]),
    LayerSample("Transformer", (8, 2, 1, 1, 12), inputs=[keys, (4, 2, 8)]),
    LayerSample("Transformer", (8, 2, 1, 1, 12), inputs=[keys, (4, 3, 7)]),
]
