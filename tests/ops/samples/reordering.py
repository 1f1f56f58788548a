from tests.ops.sample import Sample, normal

SAMPLES = [
    Sample("flip", (normal(2, 3), (0,))),
    Sample("flip", (normal(2, 3, 4), (-1, 0))),
    Sample("Tensor.flip", (normal(2, 3), 0, 1)),
    Sample("flip", (normal(2, 3), ())),
    Sample("flip", (normal(), (0,))),
    Sample("fliplr", (normal(2, 3),)),
    Sample("flipud", (normal(2, 3),)),
    Sample("roll", (normal(2, 3), 1)),
    Sample("roll", (normal(2, 3), (1, -2), (0, 1))),
    Sample("roll", (normal(2, 3), (1, 1), (1, 1))),
    Sample("roll", (normal(0, 3), 1, 0)),
    Sample("rot90", (normal(2, 3),)),
    Sample("rot90", (normal(2, 3, 4), 3, (0, -1))),
    Sample("rot90", (normal(2, 3), -2)),
    Sample("rot90", (normal(2, 3), 4)),
]
