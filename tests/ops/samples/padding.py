from tests.ops.sample import Sample, integers, normal

PAD = "nn.functional.pad"

SAMPLES = [
    Sample(PAD, (normal(2, 3, 4, 5), (1, 2, 3, 0)), {"value": 2.5}),
    Sample(PAD, (normal(3), (1, -2))),
    Sample(PAD, (normal(2, 3, 4), (1, 1, 0, 2, -1, 1))),
    Sample(PAD, (integers(0, 9, 2, 3), (1, 1)), {"value": 7}, grad=False),
    Sample(PAD, (normal(2, 0, 3), (1, 1, 2, 1))),
    *(
        Sample(PAD, (normal(*shape), pad), {"mode": mode})
        for mode in ("reflect", "replicate", "circular")
        for shape, pad in (((2, 3, 5), (3, 1)), ((2, 3, 4, 5), (1, 2, 3, 0)), ((3, 4, 5), (-1, 2, 0, -2)))
    ),
    Sample(PAD, (normal(3, 4), (1, 2)), {"mode": "reflect"}),
    Sample(PAD, (normal(1, 1, 3, 3, 3), (1, 1, 2, 0, 0, 1)), {"mode": "reflect"}),
    Sample(PAD, (normal(1, 1, 2), (5, 4)), {"mode": "replicate"}),
    Sample(PAD, (integers(0, 9, 2, 1, 3), (2, 2)), {"mode": "circular"}, grad=False),
]
