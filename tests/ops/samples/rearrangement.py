from tests.ops.sample import Sample, integers, normal

SAMPLES = [
    Sample("pixel_shuffle", (normal(2, 8, 3, 2), 2)),
    Sample("pixel_shuffle", (normal(9, 1, 2), 3)),
    Sample("nn.functional.pixel_shuffle", (integers(0, 9, 1, 2, 4, 2, 1), 2), grad=False),
    Sample("pixel_unshuffle", (normal(2, 3, 4, 6), 2)),
    Sample("nn.functional.pixel_unshuffle", (normal(1, 1, 6, 3), 3)),
    Sample("channel_shuffle", (normal(2, 6, 3, 2), 3)),
    Sample("nn.functional.channel_shuffle", (normal(2, 4, 3), 2)),
    Sample("nn.functional.unfold", (normal(2, 3, 5, 4), 2)),
    Sample("nn.functional.unfold", (normal(1, 2, 6, 5), (3, 2)), {"dilation": (1, 2), "padding": 1, "stride": (2, 1)}),
    Sample("nn.functional.unfold", (normal(3, 4, 4), 1)),
    Sample("nn.functional.unfold", (normal(0, 3, 4, 4), 2)),
    Sample("nn.functional.fold", (normal(2, 12, 12), (4, 5), 2)),
    Sample("nn.functional.fold", (normal(1, 12, 4), (6, 5), (3, 2)), {"padding": (0, 1), "stride": (2, 3)}),
    Sample("nn.functional.fold", (normal(8, 4), 5, 2), {"dilation": 3}),
]
