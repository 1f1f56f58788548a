"""Dropout layers. What training drops is drawn: there only shapes and types can be compared, but for p of 0 and 1."""

from tests.nn.sample import LayerSample

SHAPES = {
    "Dropout": (5, 4),
    "Dropout1d": (5, 4, 3),
    "Dropout2d": (5, 4, 3, 2),
    "AlphaDropout": (5, 4),
    "FeatureAlphaDropout": (5, 4, 3),
}

SAMPLES = [
    *[LayerSample(name, inputs=[shape], random=True) for name, shape in SHAPES.items()],
    *[LayerSample(name, (0.2, True), inputs=[shape], random=True) for name, shape in SHAPES.items()],
    *[LayerSample(name, (), {"p": 0.0}, [shape]) for name, shape in SHAPES.items()],
    *[LayerSample(name, (1.0,), {}, [SHAPES[name]]) for name in ("Dropout", "Dropout1d", "Dropout2d")],
    LayerSample("Dropout1d", (0.3,), inputs=[(4, 3)], random=True),
    LayerSample("Dropout2d", (0.3,), inputs=[(4, 3, 2)], random=True),
]

REFUSED = [
    *[LayerSample(name, (1.5,), inputs=[shape]) for name, shape in SHAPES.items()],
    *[LayerSample(name, (-0.1,), inputs=[shape]) for name, shape in SHAPES.items()],
]
