from tests.ops.sample import Sample, booleans, integers, normal, uniform

AXES: list[dict[str, object]] = [{}, {"dim": 1}, {"dim": -1, "keepdim": True}]
MANY_AXES = [*AXES, {"dim": (0, 2)}]

SAMPLES = [
    *(
        Sample(name, (normal(2, 3, 4),), axes)
        for name in ("sum", "nansum", "mean", "amax", "amin")
        for axes in MANY_AXES
    ),
    *(Sample(name, (normal(2, 3, 4),), axes) for name in ("var", "std", "var_mean", "std_mean") for axes in MANY_AXES),
    *(Sample(name, (uniform(0.5, 1.5, 2, 3, 4),), axes) for name in ("prod", "max", "min") for axes in AXES),
    *(Sample(name, (normal(2, 3, 4),), axes, grad=False) for name in ("argmax", "argmin") for axes in AXES),
    *(Sample(name, (booleans(2, 3, 4),), axes, grad=False) for name in ("any", "all") for axes in AXES),
    *(Sample("logsumexp", (normal(2, 3, 4),), axes) for axes in MANY_AXES[1:]),
    Sample("sum", (integers(0, 5, 2, 3),), {"dim": 0}, grad=False),
    Sample("sum", (normal(0, 3),)),
    Sample("prod", (normal(0, 3),)),
    Sample("var", (normal(5),), {"correction": 0}),
    Sample("std", (normal(5),), {"unbiased": False}),
    Sample("max", (normal(3), normal(3))),
    Sample("min", (normal(2, 3), normal(3))),
    Sample("bincount", (integers(0, 5, 9),), grad=False),
    Sample("bincount", (integers(0, 5, 9),), {"minlength": 8}, grad=False),
    *(Sample("norm", (normal(3, 4),), {"p": p}) for p in (1, 2, 3, float("inf"))),
    Sample("norm", (normal(3, 4),), {"dim": 1, "keepdim": True}),
    Sample("cumsum", (normal(3, 4),), {"dim": 1}),
    Sample("cumsum", (integers(0, 5, 4),), {"dim": 0}, grad=False),
    Sample("cumprod", (uniform(0.5, 1.5, 3, 4),), {"dim": 0}),
]
