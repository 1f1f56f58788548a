from tests.ops.sample import Sample, integers, normal

RESIZE = "nn.functional.interpolate"

SAMPLES = [
    Sample(RESIZE, (normal(2, 3, 4, 5), (7, 3))),
    Sample(RESIZE, (normal(2, 3, 4, 5),), {"scale_factor": 2}),
    Sample(RESIZE, (integers(0, 255, 1, 2, 4, 4).astype("uint8"), (3, 6)), grad=False),
    Sample(RESIZE, (normal(2, 2, 7),), {"scale_factor": 0.6}),
    Sample(RESIZE, (normal(2, 2, 5), 12), {"mode": "nearest-exact"}),
    Sample(RESIZE, (normal(1, 2, 5, 6), (4, 13)), {"mode": "nearest-exact"}),
    Sample(RESIZE, (normal(2, 2, 5), 12), {"mode": "linear"}),
    Sample(RESIZE, (normal(2, 2, 9),), {"scale_factor": 0.4, "mode": "linear", "align_corners": True}),
    Sample(RESIZE, (normal(2, 2, 4, 5), (7, 3)), {"mode": "bilinear"}),
    Sample(RESIZE, (normal(2, 2, 4, 5), (7, 1)), {"mode": "bilinear", "align_corners": True}),
    Sample(RESIZE, (normal(1, 2, 4, 5),), {"scale_factor": (1.7, 0.7), "mode": "bilinear"}),
    Sample(
        RESIZE,
        (normal(1, 2, 4, 5),),
        {"scale_factor": (1.7, 0.7), "mode": "bilinear", "recompute_scale_factor": True},
    ),
    Sample(RESIZE, (normal(1, 2, 4, 5), (7, 9)), {"mode": "bicubic"}, tolerance=1e-4),
    Sample(RESIZE, (normal(1, 2, 6, 5), (4, 9)), {"mode": "bicubic", "align_corners": True}, tolerance=1e-4),
    Sample(RESIZE, (normal(2, 2, 7, 6),), {"scale_factor": 0.5, "mode": "area"}),
    Sample(RESIZE, (normal(2, 2, 7), 3), {"mode": "area"}),
    Sample(RESIZE, (normal(0, 2, 3, 3), 5)),
]
