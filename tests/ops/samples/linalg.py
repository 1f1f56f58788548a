from tests.ops.sample import Sample, normal

SAMPLES = [
    Sample("mm", (normal(2, 3), normal(3, 4))),
    Sample("mm", (normal(2, 0), normal(0, 4))),
    Sample("addmm", (normal(4), normal(2, 3), normal(3, 4))),
    Sample("addmm", (normal(2, 4), normal(2, 3), normal(3, 4)), {"beta": 0.5, "alpha": 2}),
]
