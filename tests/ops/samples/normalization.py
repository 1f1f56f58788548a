from tests.ops.sample import Sample, normal, uniform

F = "nn.functional."

SAMPLES = [
    Sample(F + "batch_norm", (normal(5, 3), None, None), {"training": True}),
    Sample(F + "batch_norm", (normal(4, 3, 2, 5), None, None, normal(3), normal(3)), {"training": True, "eps": 1e-3}),
    Sample(F + "batch_norm", (normal(3, 2, 4), None, None, normal(2)), {"training": True}),
    Sample(F + "batch_norm", (normal(3, 2, 4), None, None, None, normal(2)), {"training": True}),
    Sample(F + "batch_norm", (normal(0, 2, 4), None, None, normal(2), normal(2)), {"training": True}),
    Sample(
        F + "batch_norm", (normal(4, 2, 3, 3) * 9 + 70, normal(2), uniform(0.5, 2, 2)), {"training": True}, grad=False
    ),
    Sample(F + "batch_norm", (normal(4, 2, 3), normal(2), uniform(0.5, 2, 2), normal(2), normal(2)), grad=False),
    Sample(F + "layer_norm", (normal(4, 5), (5,))),
    Sample(F + "layer_norm", (normal(2, 3, 4), (3, 4), normal(3, 4), normal(3, 4))),
    Sample(F + "layer_norm", (normal(2, 3, 1, 4), (1, 4), normal(1, 4)), {"eps": 1e-2}),
    Sample(F + "layer_norm", (normal(3, 4), (4,), None, normal(4))),
    Sample(F + "layer_norm", (normal(0, 4), (4,), normal(4))),
    Sample(F + "layer_norm", (normal(3, 50) + 100, (50,)), {"eps": 0.1}, tolerance=1e-4),  # torch's own error
    Sample(F + "group_norm", (normal(3, 4), 2)),
    Sample(F + "group_norm", (normal(2, 6, 3, 2), 3, normal(6), normal(6))),
    Sample(F + "group_norm", (normal(2, 4, 5), 1, normal(4))),
    Sample(F + "group_norm", (normal(2, 4, 5), 4), {"eps": 0.1}),
    Sample(F + "group_norm", (normal(0, 4, 5), 2, normal(4), normal(4))),
    Sample(F + "instance_norm", (normal(2, 3, 4),)),
    Sample(F + "instance_norm", (normal(2, 3, 4, 2), None, None, normal(3), normal(3))),
    Sample(F + "instance_norm", (normal(2, 3, 4, 2), normal(3), uniform(0.5, 2, 3)), grad=False),
    Sample(
        F + "instance_norm",
        (normal(2, 3, 4), normal(3), uniform(0.5, 2, 3), normal(3)),
        {"use_input_stats": False},
        grad=False,
    ),
    Sample(F + "rms_norm", (normal(4, 5), (5,))),
    Sample(F + "rms_norm", (normal(2, 3, 4), (3, 4), normal(3, 4)), {"eps": 1e-2}),
    Sample(F + "rms_norm", (normal(2, 3), (3,), normal(3))),
    Sample(F + "local_response_norm", (normal(2, 5, 3), 3), {"alpha": 0.5, "beta": 0.7, "k": 2.0}),
    Sample(F + "local_response_norm", (normal(2, 4, 3, 2), 2), {"alpha": 1.0}),
    Sample(F + "local_response_norm", (normal(1, 3, 2, 2, 2), 7), {"alpha": 1.0, "beta": 0.5}),
    Sample(F + "local_response_norm", (normal(0, 3, 2), 2)),
]
